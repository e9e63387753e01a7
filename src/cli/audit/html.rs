//! `audit` as a page for those who have no terminal.

use askama::Template;

use super::report::{AuditReport, Row};
use crate::{
    cli::{
        medium::Rendered,
        page::{self, STYLE_HASH},
    },
    role::{
        policy::trust::{ENDED, WAY_OUT},
        review::exposure::Severity,
    },
};

/// The page.
#[derive(Template)]
#[template(path = "audit/page.html")]
struct AuditPage<'a> {
    report: &'a AuditReport,
    made: String,
}

impl AuditPage<'_> {
    /// How many roles have which worst finding.
    fn counts(&self) -> [(&'static str, usize); 4] {
        let with = |worst: Option<Severity>| {
            let of = |row: &&Row| row.findings.first().map(|finding| finding.severity) == worst;
            self.report.roles.iter().filter(of).count()
        };
        let found = [Severity::High, Severity::Medium, Severity::Low];
        let [high, medium, low] = found.map(|severity| (severity.as_str(), with(Some(severity))));
        [high, medium, low, ("no finding", with(None))]
    }
}

/// A page that is whole by itself.
pub(super) fn html(report: &AuditReport) -> Result<Rendered, String> {
    Rendered::html(&AuditPage {
        report,
        made: page::now(),
    })
}
