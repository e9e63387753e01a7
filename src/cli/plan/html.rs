//! `plan` as a page for those who have no terminal.

use std::collections::BTreeMap;

use askama::Template;

use super::{
    report::{Call, Note, ObjectPlan, PlanReport},
    words::{diff, line, words},
};
use crate::{
    cli::{
        medium::Rendered,
        page::{self, STYLE_HASH},
    },
    role::policy::trust::{ENDED, WAY_OUT},
};

/// The page.
#[derive(Template)]
#[template(path = "plan/page.html")]
struct PlanPage<'a> {
    report: &'a PlanReport,
    shown: Vec<&'a ObjectPlan>,
    notes: BTreeMap<&'a Note, Vec<String>>,
    made: String,
}

#[allow(clippy::unused_self, reason = "templates call methods of their page")]
impl PlanPage<'_> {
    fn words(&self, note: &Note) -> String {
        words(note)
    }

    fn line(&self, call: &Call) -> String {
        line(call)
    }

    /// The lines of a difference of documents, each with what it is.
    fn lines(&self, call: &Call) -> Vec<(&'static str, String)> {
        let class = |line: &str| match line.chars().next() {
            Some('+') => "added",
            Some('-') => "removed",
            _ => "same",
        };
        diff(call).lines().map(|line| (class(line), line.to_owned())).collect()
    }
}

/// A page that is whole by itself.
pub(super) fn html(report: &PlanReport) -> Result<Rendered, String> {
    Rendered::html(&PlanPage {
        report,
        shown: report.shown(),
        notes: report.notes(),
        made: page::now(),
    })
}
