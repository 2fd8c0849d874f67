//! The one commit path. Closures, batches, atomic operations and command
//! sessions all end here, and nowhere else.
#![expect(unsafe_code, reason = "holds the commit lock that installing and pruning ask for")]

use selvedge_base::Timestamp;
use selvedge_base::sync::MutexGuard;
use selvedge_mvcc::{Garbage, Limbo, SlotIndex, pin};

use crate::engine::{Engine, OpenSnapshot};
use crate::participant::Participant;
use crate::settle::FREED_PER_COMMIT;

/// Due versions that a commit looks at besides those that balance what it filed:
/// twice as many as it filed itself, so that commits never file faster than they
/// clean up, however busy the worker's processor is.
const DUE_PER_COMMIT: usize = 4;
/// Names of superseded records that room is kept for.
const SUPERSEDED_KEPT: usize = 1024;

/// What the commit lock guards.
pub struct CommitState<P: Participant> {
    pub(crate) writer: P::Writer,
    pub(crate) garbage: Garbage<P::Record>,
    pub(crate) limbo: Limbo,
    superseded: Vec<P::Record>,
    /// Set while versions of an unpublished commit are being installed.
    installing: bool,
}

impl<P: Participant> Default for CommitState<P> {
    fn default() -> Self {
        Self {
            writer: P::Writer::default(),
            garbage: Garbage::default(),
            limbo: Limbo::default(),
            superseded: Vec::new(),
            installing: false,
        }
    }
}

/// Why a commit did not happen. In every case nothing of it was applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitError<R> {
    /// The participant refused: a conflict, a violated constraint, a failed
    /// check.
    #[error("the commit was refused")]
    Refused(R),
    /// An earlier commit panicked while it installed its versions. Snapshots
    /// still read what was published before; commits are refused.
    #[error("an earlier commit panicked half way")]
    Poisoned,
}

/// The snapshot of a committing transaction, closed when this is dropped.
struct Closing<'e, P: Participant> {
    engine: &'e Engine<P>,
    open: Option<OpenSnapshot>,
}

impl<P: Participant> Closing<'_, P> {
    fn start(&self) -> Timestamp {
        self.open.as_ref().map_or(Timestamp::ZERO, OpenSnapshot::start)
    }

    fn index(&self) -> Option<SlotIndex> {
        self.open.as_ref().map(OpenSnapshot::index)
    }
}

impl<P: Participant> Drop for Closing<'_, P> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.engine.close(open);
        }
    }
}

impl<P: Participant> Engine<P> {
    /// Commits the `writes` of the transaction that holds `open`, and gives the
    /// commit timestamp. When this returns, every snapshot that begins on any
    /// thread sees the commit, and `open` is closed, whatever came of it.
    ///
    /// Everything that can fail comes before the first version is installed.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing is applied then.
    pub fn commit(
        &self,
        open: OpenSnapshot,
        writes: &mut P::Writes,
    ) -> Result<Timestamp, CommitError<P::Refusal>> {
        // Nobody reads through this snapshot any more: what only it sees may be
        // pruned below. It is closed at the end, also by a panic.
        let open = Closing { engine: self, open: Some(open) };
        let (start, own) = (open.start(), open.index());

        // What can be done before the lock is done before the lock.
        self.participant.prepare(writes);

        // One commit after the other. Pinned, so that what is retired below
        // stays for readers that are walking over it; pinned before the lock,
        // since a pin may run the collector.
        let pin = pin();
        let mut state = self.lock_commits()?;
        let state = &mut *state;

        // First committer wins; expected versions; validated reads. Refusals
        // end here, before anything is changed.
        self.participant
            .validate(&mut state.writer, writes, start)
            .map_err(CommitError::Refused)?;

        // Until it is published nobody sees this timestamp, so a snapshot that
        // begins during the install reads the state before it.
        let commit = self.oracle.stamp();
        state.installing = true;
        // SAFETY: the commit lock is held, and `commit` is published next.
        unsafe {
            self.participant.install(&mut state.writer, writes, commit, &mut state.superseded);
        }

        // From here on the commit is visible, all of it at once.
        self.oracle.publish(commit);
        state.installing = false;

        // The versions that this commit superseded go, unless a snapshot older
        // than it is open. Asked after publication: whoever begins later sees
        // the new versions.
        let active = self.scan(state, own, FREED_PER_COMMIT);
        let mut superseded = std::mem::take(&mut state.superseded);
        let filed = self.settle(state, &active, &pin, |participant, writer, settling| {
            settling.of_commit(commit);
            for record in superseded.drain(..) {
                settling.next_record();
                // SAFETY: the commit lock is held and everything is published.
                unsafe { participant.prune(writer, record, settling) };
            }
        });
        superseded.shrink_to(SUPERSEDED_KEPT);
        state.superseded = superseded;
        if !state.garbage.is_empty() {
            self.prune_due(state, &active, &pin, DUE_PER_COMMIT + 2 * filed);
        }
        self.statistics.count_commit();
        Ok(commit)
    }

    /// Takes the commit lock.
    ///
    /// # Errors
    /// [`CommitError::Poisoned`].
    pub(crate) fn lock_commits<R>(&self) -> Result<MutexGuard<'_, CommitState<P>>, CommitError<R>> {
        let state = self.state.lock();
        // A panic inside the install left versions of a timestamp that was
        // never published. No snapshot sees them; no commit may build on them.
        if state.installing { Err(CommitError::Poisoned) } else { Ok(state) }
    }
}
