//! Lists that come in pages: whole or not at all.

use std::collections::HashSet;

use super::error;
use crate::role::Failure;

/// Most pages of a list. IAM's quotas let no list of ours come near it: an answer that always names a further page must end.
const MOST: usize = 10_000;

/// The pages of one list, as far as they were read.
#[derive(Default)]
pub(super) struct Pages {
    /// Where they began, but for the first.
    markers: HashSet<String>,
}

impl Pages {
    /// Where the next page begins; none: the list is whole. `truncated` and `marker` are those of the page just read.
    ///
    /// # Errors
    /// The list can't be completed: it says that it is cut short, but there is no way on, or the way on has been gone already.
    pub(super) fn next(
        &mut self,
        attempt: &str,
        truncated: bool,
        marker: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let nonsense = |why| Err(error::nonsense(attempt, why));
        match marker.filter(|marker| !marker.is_empty()) {
            _ if !truncated => Ok(None),
            None => nonsense("the list is cut short, without a marker to go on from"),
            Some(_) if self.markers.len() >= MOST => nonsense("the list has no end"),
            Some(marker) if !self.markers.insert(marker.to_owned()) => {
                nonsense("the list goes on from a marker at which it has been")
            }
            Some(marker) => Ok(Some(marker.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_or_is_none() {
        let mut pages = Pages::default();
        let mut next = |truncated, marker| pages.next("reading", truncated, marker).ok();
        assert_eq!(next(true, Some("a")), Some(Some("a".to_owned())));
        assert_eq!(next(true, Some("b")), Some(Some("b".to_owned())));
        assert_eq!(next(true, None), None, "no way on");
        assert_eq!(next(true, Some("")), None, "no way on");
        assert_eq!(next(true, Some("a")), None, "a loop, though not to the page just read");
        assert_eq!(next(false, Some("a")), Some(None), "the end is the end");
        let mut pages = Pages::default();
        let read = (0..).take_while(|n| pages.next("reading", true, Some(&n.to_string())).is_ok());
        assert_eq!(read.count(), MOST);
    }
}
