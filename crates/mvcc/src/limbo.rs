//! Freeing structure (table leaves, old index tables) that snapshots read
//! without a pin: it waits until every snapshot open at its unlinking has ended.

use std::collections::VecDeque;

use selvedge_base::{Timestamp, mutant};

use crate::horizon::ActiveStarts;

/// Something unlinked that open snapshots may still be reading; dropping it
/// frees it.
pub struct Retired(#[expect(dead_code, reason = "held for its drop alone")] Box<dyn Send>);

impl Retired {
    /// Holds `garbage` for a later drop.
    #[must_use]
    pub fn new(garbage: impl Send + 'static) -> Self {
        Self(Box::new(garbage))
    }
}

impl std::fmt::Debug for Retired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Retired")
    }
}

/// What waits for snapshots to end before it is freed.
///
/// Whoever could have loaded a pointer before it was unlinked began before, and
/// so with a start timestamp no newer than what was visible then. A scan of the
/// registry that finds no such start has, by the fences of begin and scan, seen
/// everybody who matters: a begin that the scan missed comes after it and reads
/// the unlinked state.
#[derive(Debug, Default)]
pub struct Limbo {
    waiting: VecDeque<(Timestamp, Retired)>,
}

impl Limbo {
    /// Takes what was unlinked while `visible` was the newest visible commit.
    pub fn put(&mut self, visible: Timestamp, retired: Retired) {
        self.waiting.push_back((visible, retired));
    }

    /// Frees what no snapshot in `active` can be reading, at most `most` items;
    /// gives the number freed. `active` was scanned after the unlinking.
    #[inline]
    pub fn free(&mut self, active: &ActiveStarts, most: usize) -> usize {
        if self.waiting.is_empty() { 0 } else { self.free_waiting(active, most) }
    }

    fn free_waiting(&mut self, active: &ActiveStarts, most: usize) -> usize {
        let free = |(unlinked, _): &(Timestamp, Retired)| {
            let early = mutant::is("limbo-freed-early");
            active.oldest().is_none_or(|oldest| oldest > *unlinked || early && oldest == *unlinked)
        };
        let count = self.waiting.iter().take(most).take_while(|item| free(item)).count();
        self.waiting.drain(..count);
        count
    }

    /// The number of items that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn waits_for_every_snapshot_of_the_time() {
        let mut limbo = Limbo::default();
        limbo.put(Timestamp::new(5), Retired::new(()));
        let at = |start| [Timestamp::new(start)].into_iter().collect::<ActiveStarts>();
        assert_eq!(limbo.free(&at(3), 8), 0);
        assert_eq!(limbo.free(&at(5), 8), 0, "began while the pointer was still linked, perhaps");
        assert_eq!(limbo.free(&at(6), 8), 1);
        assert!(limbo.is_empty());
    }
}
