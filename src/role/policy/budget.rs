//! What may be spent on taking one document apart.
//!
//! Documents are written by others, also by those who would like to see the controller run out of memory, and lists of a few hundred
//! characters multiply to gigabytes. So each allocation is paid for before it is made, out of one purse for the whole document.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes that a document may take: its text, the JSON read from it, and its grants. Of grants without conditions it pays some 7,000,
/// of those with two conditions some 1,900.
const BYTES: usize = 4 << 20;

/// Bytes that an allocation takes beside what is asked for: the allocator's own words and what it rounds up, on 64 bits.
const ALLOCATION: usize = 32;

/// What is left to spend, in bytes.
pub(super) struct Budget(usize);

impl Budget {
    /// The budget of a document.
    pub(super) fn of_document() -> Self {
        Self(BYTES)
    }

    /// Pays for what is about to be allocated.
    ///
    /// # Errors
    /// More would be spent than is left.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        match self.0.checked_sub(bytes) {
            Some(left) => self.0 = left,
            None => {
                return Err(format!(
                    "too large: taken apart it would need more than {} MiB of memory; shorten its lists",
                    BYTES >> 20
                ));
            }
        }
        Ok(())
    }
}

/// What a value holds on the heap, in bytes: an upper bound.
pub(super) trait Heap {
    /// Bytes.
    fn heap(&self) -> usize;
}

impl Heap for str {
    fn heap(&self) -> usize {
        self.len() + ALLOCATION
    }
}

impl Heap for String {
    fn heap(&self) -> usize {
        self.as_str().heap()
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Heap::heap)
    }
}

impl<A: Heap, B: Heap> Heap for (A, B) {
    fn heap(&self) -> usize {
        self.0.heap() + self.1.heap()
    }
}

impl<T: Heap> Heap for BTreeSet<T> {
    fn heap(&self) -> usize {
        nodes::<T>(self.len()) + self.iter().map(Heap::heap).sum::<usize>()
    }
}

impl<K: Heap, V: Heap> Heap for BTreeMap<K, V> {
    fn heap(&self) -> usize {
        let entries = self.iter().map(|(key, value)| key.heap() + value.heap());
        nodes::<(K, V)>(self.len()) + entries.sum::<usize>()
    }
}

/// Bytes of a tree's nodes: each has room for eleven entries, and all but the first are half full at least.
pub(super) fn nodes<Entry>(entries: usize) -> usize {
    entries.div_ceil(5) * (12 * size_of::<Entry>() + ALLOCATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_whole() {
        let (ab, c) = ("ab".to_owned(), "c".to_owned());
        assert_eq!((ab.heap(), Some(ab.clone()).heap(), None::<String>.heap()), (34, 34, 0));
        assert_eq!((ab.clone(), c.clone()).heap(), 34 + 33);
        let set = BTreeSet::from([ab.clone(), c.clone()]);
        assert_eq!(set.heap(), nodes::<String>(2) + 34 + 33);
        assert_eq!(BTreeMap::from([(ab, c)]).heap(), nodes::<(String, String)>(1) + 34 + 33);
        // A node has room for twelve and its own words.
        assert_eq!([0, 1, 5, 6, 11].map(nodes::<u64>), [0, 128, 128, 256, 384]);
    }

    #[test]
    fn what_is_not_there_is_not_spent() {
        let mut budget = Budget::of_document();
        budget.spend(BYTES - 1).unwrap();
        assert!(budget.spend(2).unwrap_err().contains("4 MiB"));
        budget.spend(1).unwrap();
        assert!(budget.spend(1).is_err() && budget.spend(usize::MAX).is_err());
    }
}
