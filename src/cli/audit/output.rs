//! The output of `audit`: for people, for spreadsheets, and for places that collect findings.

use std::collections::BTreeSet;

use super::report::{AuditReport, Row};
use crate::{
    cli::{
        medium::{Csv, Rendered, Terminal},
        sarif::{self, Alert, Kind, Level},
    },
    role::{
        difference::cut,
        review::exposure::{Guarded, Severity},
    },
};

impl Row {
    pub(super) fn managed_by(&self) -> String {
        self.management.words(self.object.as_deref().unwrap_or_default())
    }

    pub(super) fn reads(&self) -> String {
        let reach = &self.exposure.reach;
        if reach.every_bucket {
            return "every bucket".to_owned();
        }
        let mut all: Vec<&str> = reach.buckets.iter().map(String::as_str).collect();
        if !reach.unknown.is_empty() {
            all.push("unknown");
        }
        if all.is_empty() {
            "nothing".to_owned()
        } else {
            all.join(" ")
        }
    }

    /// The worst beside reading S3.
    pub(super) fn beyond(&self) -> &'static str {
        let beyond = self.exposure.beyond.as_ref();
        beyond.map_or("-", |beyond| beyond.power.as_str())
    }

    pub(super) fn guarded(&self) -> String {
        if self.exposure.unreadable.is_some() {
            return "unknown".to_owned();
        }
        let guarded = match self.exposure.guarded {
            Guarded::Yes => "yes",
            Guarded::Partly => "partly",
            Guarded::No => "no",
        };
        let strangers = joined(&self.exposure.strangers, " ");
        if strangers.is_empty() {
            guarded.to_owned()
        } else {
            format!("{guarded}, for {strangers}")
        }
    }

    pub(super) fn others(&self) -> String {
        let others = joined(&self.exposure.others, ", ");
        match (&self.exposure.unreadable, others.as_str()) {
            (Some(_), _) => "unknown".to_owned(),
            (None, "") => "-".to_owned(),
            (None, _) => others,
        }
    }

    pub(super) fn worst(&self) -> &'static str {
        self.findings.first().map_or("-", |finding| finding.severity.as_str())
    }

    pub(super) fn created_on(&self) -> String {
        Self::day(self.created.as_ref())
    }

    pub(super) fn last_used_on(&self) -> String {
        Self::day(self.last_used.as_ref())
    }

    fn day(time: Option<&String>) -> String {
        time.map_or("never".to_owned(), |time| time.chars().take(10).collect())
    }
}

fn joined(texts: &BTreeSet<String>, separator: &str) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(separator)
}

/// Widest cell of the table, in characters: one role must not make the lines of all others long. JSON and CSV have it whole.
const WIDEST: usize = 100;

pub(super) fn table(report: &AuditReport) -> Rendered {
    let head = [
        "ROLE",
        "WORST",
        "MANAGED BY",
        "CREATED",
        "LAST USED",
        "READS",
        "BEYOND",
        "GUARDED",
        "OTHERS",
    ]
    .map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(report.roles.iter().map(|row| {
        let cells = [
            row.name.clone(),
            row.worst().to_owned(),
            row.managed_by(),
            row.created_on(),
            row.last_used_on(),
            row.reads(),
            row.beyond().to_owned(),
            row.guarded(),
            row.others(),
        ];
        // As they will be shown, since their width is.
        cells.map(|cell| cut(cell, WIDEST))
    }));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = Terminal::default();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.line(cells.join("  ").trim_end());
    }
    for row in report.roles.iter().filter(|row| !row.findings.is_empty()) {
        text.end();
        text.line(&row.name);
        for finding in &row.findings {
            text.line(format_args!("  {}: {}", finding.severity.as_str(), finding.message));
        }
    }
    text.rendered()
}

/// A finding worth a look, in SARIF.
const LOW: Kind = Kind {
    id: "role-low",
    means: "A role that trusts Pinpoint is worth a look.",
    level: Level::Note,
};

/// A role that is too wide, in SARIF.
const MEDIUM: Kind = Kind {
    id: "role-medium",
    means: "A role that trusts Pinpoint is wider than it needs to be.",
    level: Level::Warning,
};

/// A role that is open to somebody, in SARIF.
const HIGH: Kind = Kind {
    id: "role-high",
    means: "Somebody may use a role that trusts Pinpoint who should not.",
    level: Level::Error,
};

/// Roles are in no file, but places that show findings ask for one: it has the name that the role has in AWS.
pub(super) fn sarif(report: &AuditReport) -> Result<Rendered, String> {
    let found = report.roles.iter().flat_map(|row| {
        row.findings.iter().map(|finding| Alert {
            kind: match finding.severity {
                Severity::Low => LOW,
                Severity::Medium => MEDIUM,
                Severity::High => HIGH,
            },
            message: format!("role {}: {}", row.name, finding.message),
            file: format!("iam/{}/{}", report.account, row.name),
            line: 1,
            about: Some(row.arn.clone()),
        })
    });
    sarif::sarif(&[LOW, MEDIUM, HIGH], &found.collect::<Vec<_>>())
}

pub(super) fn csv(report: &AuditReport) -> Result<Rendered, String> {
    let mut csv = Csv::new();
    let head = [
        "role",
        "arn",
        "worst",
        "management",
        "object",
        "cluster",
        "created",
        "lastUsed",
        "lastUsedRegion",
        "reads",
        "beyond",
        "guarded",
        "others",
        "findings",
    ];
    csv.row(head)?;
    for row in &report.roles {
        let findings: Vec<String> = row
            .findings
            .iter()
            .map(|finding| format!("{}: {}", finding.severity.as_str(), finding.message))
            .collect();
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            row.name.clone(),
            row.arn.clone(),
            row.worst().to_owned(),
            row.managed_by(),
            optional(&row.object),
            optional(&row.cluster),
            optional(&row.created),
            optional(&row.last_used),
            optional(&row.last_used_region),
            row.reads(),
            row.beyond().to_owned(),
            row.guarded(),
            row.others(),
            findings.join("; "),
        ];
        csv.row(cells.iter().map(String::as_str))?;
    }
    csv.rendered()
}
