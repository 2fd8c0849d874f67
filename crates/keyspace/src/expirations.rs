//! What expires when: the keyspace's timetable, behind the commit lock.

use std::collections::BTreeSet;

/// Entries that expire, by time. Exact: an entry is listed once, and only while its
/// newest value expires.
#[derive(Debug, Default)]
pub(crate) struct Expirations {
    timetable: BTreeSet<(u64, Box<[u8]>)>,
}

impl Expirations {
    /// The newest value of `key` expires at `new` instead of `old`; 0: never.
    pub(crate) fn change(&mut self, key: &[u8], old: u64, new: u64) {
        if old == new {
            return;
        }
        if old != 0 {
            self.timetable.remove(&(old, key.into()));
        }
        if new != 0 {
            self.timetable.insert((new, key.into()));
        }
    }

    /// Up to `most` keys of entries that have expired at `now`, earliest first.
    pub(crate) fn due(&self, now: u64, most: usize) -> impl Iterator<Item = &[u8]> {
        let due = self.timetable.iter().take_while(move |(expires, _)| *expires <= now);
        due.take(most).map(|(_, key)| &**key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.timetable.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_each_entry_once_and_the_earliest_first() {
        let mut expirations = Expirations::default();
        expirations.change(b"a", 0, 30);
        expirations.change(b"b", 0, 20);
        expirations.change(b"a", 30, 10);
        expirations.change(b"c", 0, 25);
        let due = |expirations: &Expirations, now, most| {
            expirations.due(now, most).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(due(&expirations, 20, 9), [b"a", b"b"]);
        assert_eq!(due(&expirations, 99, 1), [b"a"]);
        expirations.change(b"a", 10, 0);
        assert_eq!(due(&expirations, 24, 9), [b"b"]);
        expirations.change(b"b", 20, 0);
        expirations.change(b"c", 25, 0);
        assert!(expirations.is_empty());
    }
}
