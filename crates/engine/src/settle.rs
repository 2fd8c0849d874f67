//! Settling: after a commit, and in the background, versions and structure that
//! nobody needs are given back, and what somebody needs is filed.
#![expect(unsafe_code, reason = "holds the commit lock that pruning asks for")]

use selvedge_base::Timestamp;
use selvedge_mvcc::{
    ActiveStarts, Fate, Garbage, Limbo, Pin, PruneOutcome, Record, Retained, Retired, SlotIndex,
};

use crate::commit::CommitState;
use crate::engine::Engine;
use crate::participant::Participant;
use crate::statistics::RetainedCount;

/// Items of the limbo that a commit frees.
pub(crate) const FREED_PER_COMMIT: usize = 64;
/// Items of the limbo that a step of maintenance frees.
pub(crate) const FREED_PER_STEP: usize = 4096;

/// Which versions of a pruned record have been filed before.
#[derive(Clone, Copy, Debug)]
enum Occasion {
    /// This commit superseded the first version mentioned, or deleted.
    Commit(Timestamp),
    /// The version filed with this timestamp has come due.
    Due(Timestamp),
}

/// One settling under the commit lock: who is active, and where to put what
/// must wait.
#[derive(Debug)]
pub struct Settling<'a, R> {
    active: &'a ActiveStarts,
    pin: &'a Pin,
    visible: Timestamp,
    garbage: &'a mut Garbage<R>,
    limbo: &'a mut Limbo,
    counts: RetainedCount,
    occasion: Occasion,
    new_blockers: bool,
    filed: usize,
    emptied: bool,
}

impl<R: Copy> Settling<'_, R> {
    /// The open snapshots, the committing one left out.
    #[must_use]
    pub fn active(&self) -> &ActiveStarts {
        self.active
    }

    /// The newest visible commit.
    #[must_use]
    pub fn visible(&self) -> Timestamp {
        self.visible
    }

    pub(crate) fn of_commit(&mut self, commit: Timestamp) {
        self.occasion = Occasion::Commit(commit);
    }

    pub(crate) fn of_due(&mut self, commit: Timestamp) {
        self.occasion = Occasion::Due(commit);
    }

    pub(crate) fn next_record(&mut self) {
        self.emptied = false;
    }

    /// Drops what waits for the open snapshots to end.
    pub fn retire(&mut self, retired: Retired) {
        self.limbo.put(self.visible, retired);
    }

    /// Prunes `record`, which `name` names; true if it is empty now.
    ///
    /// # Safety
    /// The caller holds the commit lock of the record's database, as whoever
    /// got this settling from the engine does.
    pub unsafe fn prune<H>(&mut self, name: R, record: &Record<H>) -> bool {
        let (active, pin) = (self.active, self.pin);
        let mut outcome = Outcome { settling: self, name, first: true, kept: 0, known: 0 };
        // SAFETY: the commit lock is held; `active` was scanned under it after
        // the last publication.
        unsafe { record.prune(active, pin, &mut outcome) };
        let (kept, known) = (outcome.kept, outcome.known);
        self.counts.chain(known > 0, kept > 0);
        std::mem::take(&mut self.emptied)
    }
}

struct Outcome<'o, 'a, R> {
    settling: &'o mut Settling<'a, R>,
    name: R,
    /// Nothing was mentioned yet.
    first: bool,
    /// Versions below the newest that stay.
    kept: usize,
    /// Versions below the newest that were there, filed, before.
    known: usize,
}

impl<R: Copy> Outcome<'_, '_, R> {
    /// Whether the version was retained, and so filed, before this pruning.
    fn was_filed(&mut self, version: Fate) -> bool {
        let first = std::mem::replace(&mut self.first, false);
        match self.settling.occasion {
            // Mentioned first is what the commit superseded. It was the newest
            // until now, so nothing kept it but itself: unless it is a
            // tombstone, which had to be filed to stay at all.
            Occasion::Commit(commit) => version.commit != commit && (!first || version.tombstone),
            Occasion::Due(_) => true,
        }
    }
}

impl<R: Copy> PruneOutcome for Outcome<'_, '_, R> {
    fn kept(&mut self, version: Fate, blocker: Timestamp) {
        let filed = self.was_filed(version);
        self.kept += 1;
        self.known += usize::from(filed);
        let due = matches!(self.settling.occasion, Occasion::Due(due) if due == version.commit);
        if !filed {
            self.settling.counts.retained(version.bytes);
        }
        if due || !filed {
            let retained = Retained { record: self.name, commit: version.commit };
            self.settling.filed += 1;
            self.settling.new_blockers |= self.settling.garbage.file(blocker, retained);
        }
    }

    fn dropped(&mut self, version: Fate) {
        if self.was_filed(version) {
            self.known += 1;
            self.settling.counts.released(version.bytes);
        }
    }

    fn emptied(&mut self) {
        self.settling.emptied = true;
    }
}

impl<P: Participant> Engine<P> {
    /// Scans who is active, but for `own`, and frees up to `most` items that waited
    /// for that. What
    /// is unlinked from here on waits for the next scan: a snapshot may begin
    /// between this scan and the unlinking. The caller has published everything.
    pub(crate) fn scan(
        &self,
        state: &mut CommitState<P>,
        own: Option<SlotIndex>,
        most: usize,
    ) -> ActiveStarts {
        let active = self.registry.active(own);
        state.limbo.free(&active, most);
        active
    }

    /// Runs `prune` with a settling, then lets the participant forget what it
    /// can; gives the number of versions filed. `active` was scanned under the
    /// commit lock that is still held.
    pub(crate) fn settle(
        &self,
        state: &mut CommitState<P>,
        active: &ActiveStarts,
        pin: &Pin,
        prune: impl FnOnce(&P, &mut P::Writer, &mut Settling<'_, P::Record>),
    ) -> usize {
        let visible = self.oracle.visible();
        let mut settling = Settling {
            active,
            pin,
            visible,
            garbage: &mut state.garbage,
            limbo: &mut state.limbo,
            counts: RetainedCount::default(),
            occasion: Occasion::Commit(visible),
            new_blockers: false,
            filed: 0,
            emptied: false,
        };
        prune(&self.participant, &mut state.writer, &mut settling);
        // SAFETY: the commit lock is held and everything is published.
        unsafe { self.participant.settle(&mut state.writer, &mut settling) };
        let Settling { counts, new_blockers, filed, .. } = settling;
        self.statistics.count_retained(counts);
        if new_blockers {
            self.note_blockers(&state.garbage);
        }
        if new_blockers || !state.limbo.is_empty() || P::expects(&state.writer) {
            self.wake_worker();
        }
        filed
    }

    /// Looks again at up to `most` versions whose blocker has ended; gives the
    /// number looked at.
    pub(crate) fn prune_due(
        &self,
        state: &mut CommitState<P>,
        active: &ActiveStarts,
        pin: &Pin,
        most: usize,
    ) -> usize {
        let due = state.garbage.take_due(active, most);
        let count = due.len();
        if count > 0 {
            self.settle(state, active, pin, |participant, writer, settling| {
                for Retained { record, commit } in due {
                    settling.of_due(commit);
                    settling.next_record();
                    // SAFETY: as in `settle`.
                    unsafe { participant.prune(writer, record, settling) };
                }
            });
        }
        count
    }
}
