//! The one commit path. Closures, batches, atomic operations and command
//! sessions all end here, and nowhere else.
#![expect(unsafe_code, reason = "holds the commit lock that installing and pruning ask for")]

use selvedge_base::sync::MutexGuard;
use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::{ActiveStarts, Garbage, Limbo, Pin, SlotIndex, pin};
use selvedge_storage::{LogPosition, StorageError};

use crate::engine::{Engine, OpenSnapshot};
use crate::journal::{Footing, Journal, Prepared, SyncLevel};
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

/// Why a commit did not happen. But for [`CommitError::OutcomeUnknown`], nothing of
/// it was applied.
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
    /// The log cannot take the commit.
    #[error(transparent)]
    Storage(StorageError),
    /// Writing the log failed after the commit was applied: whether it survives
    /// is unknown. This is the one case in which something was applied.
    #[error("the outcome of the commit is unknown: {0}")]
    OutcomeUnknown(StorageError),
}

/// A commit's record, and the log that it is for.
type Logging<'e, P> = (&'e Journal<P>, Prepared);

/// A commit that everybody sees.
struct Applied<'e, P: Participant> {
    commit: Timestamp,
    /// Where its record in the log ends.
    logged: Option<(&'e Journal<P>, LogPosition)>,
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
    /// thread sees the commit, it is as durable as `level` asks (that of the
    /// database, if it does not say), and `open` is closed, whatever came of it.
    ///
    /// Everything that can fail comes before the first version is installed, but
    /// for the disk.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub fn commit(
        &self,
        open: OpenSnapshot,
        writes: &mut P::Writes,
        level: Option<SyncLevel>,
    ) -> Result<Timestamp, CommitError<P::Refusal>> {
        let Applied { commit, logged } = self.apply(open, writes)?;
        // The wait for the disk is outside of everything: no lock, no pin, no
        // snapshot is held.
        let acknowledged = match logged {
            Some((journal, end)) => self.acknowledge(journal, end, level),
            None => Ok(()),
        };
        self.participant.committed(writes);
        acknowledged.map(|()| commit)
    }

    fn apply(
        &self,
        open: OpenSnapshot,
        writes: &mut P::Writes,
    ) -> Result<Applied<'_, P>, CommitError<P::Refusal>> {
        // Nobody reads through this snapshot any more: what only it sees may be
        // pruned below. It is closed at the end, also by a panic.
        let open = Closing { engine: self, open: Some(open) };
        let (start, own) = (open.start(), open.index());

        // What can be done before the lock is done before the lock.
        self.participant.prepare(writes);
        let prepared = self.prepare_record(writes)?;

        // One commit after the other. Pinned, so that what is retired below
        // stays for readers that are walking over it; pinned before the lock,
        // since a pin may run the collector.
        let pin = pin();
        let mut state = self.lock_commits()?;
        let state = &mut *state;
        if self.is_closed() {
            return Err(CommitError::Storage(StorageError::Closed));
        }

        // First committer wins; expected versions; validated reads. Refusals
        // end here, before anything is changed.
        self.participant
            .validate(&mut state.writer, writes, start)
            .map_err(CommitError::Refused)?;

        // Until it is published nobody sees this timestamp, so a snapshot that
        // begins during the install reads the state before it.
        let commit = self.oracle.stamp();
        state.installing = true;
        let is_early = mutant::is("publish-before-install");
        if is_early {
            self.oracle.publish(commit);
            mutant::linger("publish-before-install");
        }
        // SAFETY: the commit lock is held, and `commit` is published next.
        unsafe {
            self.participant.install(&mut state.writer, writes, commit, &mut state.superseded);
        }

        // In memory only: no I/O under the lock, and nothing that can fail.
        let logged = prepared.map(|(journal, record)| (journal, journal.append(record, commit)));

        // From here on the commit is visible, all of it at once.
        if !is_early {
            self.oracle.publish(commit);
        }
        state.installing = false;

        self.prune_superseded(state, commit, own, &pin);
        pin.answer_for_counted();
        self.statistics.count_commit();
        Ok(Applied { commit, logged })
    }

    /// Drops the versions that the commit just published has superseded, unless a
    /// snapshot older than it is open, and some that came due. `own` is the slot of
    /// the committing transaction.
    fn prune_superseded(
        &self,
        state: &mut CommitState<P>,
        commit: Timestamp,
        own: Option<SlotIndex>,
        pin: &Pin,
    ) {
        // Asked after publication: whoever begins later sees the new versions.
        let active = self.scan(state, own, FREED_PER_COMMIT);
        let filed = self.settle_commit(state, commit, &active, pin);
        if !state.garbage.is_empty() {
            self.prune_due(state, &active, pin, DUE_PER_COMMIT + 2 * filed);
        }
    }

    fn settle_commit(
        &self,
        state: &mut CommitState<P>,
        commit: Timestamp,
        active: &ActiveStarts,
        pin: &Pin,
    ) -> usize {
        let mut superseded = std::mem::take(&mut state.superseded);
        let filed = self.settle(state, active, pin, |participant, writer, settling| {
            settling.of_commit(commit);
            for record in superseded.drain(..) {
                settling.next_record();
                // SAFETY: the commit lock is held and everything is published.
                unsafe { participant.prune(writer, record, settling) };
            }
        });
        superseded.shrink_to(SUPERSEDED_KEPT);
        state.superseded = superseded;
        filed
    }

    /// Applies again what an earlier life of the database committed and logged.
    /// There is no snapshot older than it; `active` says so.
    pub(crate) fn apply_again(
        &self,
        state: &mut CommitState<P>,
        writes: &mut P::Writes,
        commit: Timestamp,
        active: &ActiveStarts,
        pin: &Pin,
    ) {
        self.participant.prepare(writes);
        state.installing = true;
        // SAFETY: the commit lock is held, and `commit` is published next.
        unsafe {
            self.participant.install(&mut state.writer, writes, commit, &mut state.superseded);
        }
        self.oracle.publish_again(commit);
        state.installing = false;
        self.settle_commit(state, commit, active, pin);
    }

    /// Makes the commit's record for the log, if there is one.
    fn prepare_record(
        &self,
        writes: &P::Writes,
    ) -> Result<Option<Logging<'_, P>>, CommitError<P::Refusal>> {
        let journal = match self.footing.get() {
            None => return Ok(None),
            Some(Footing::ReadOnly { refusal, .. }) => {
                return Err(CommitError::Storage(refusal.clone()));
            }
            Some(Footing::Durable(journal)) => journal,
        };
        let prepared = self.renew_timestamps(journal).and_then(|()| {
            if self.is_closed() {
                return Err(StorageError::Closed);
            }
            journal.prepare(&self.participant, writes)
        });
        match prepared {
            Ok(prepared) => Ok(Some((journal, prepared))),
            // Closed meanwhile: nothing has failed, but the log takes no more.
            Err(_) if self.is_closed() => Err(CommitError::Storage(StorageError::Closed)),
            Err(error) => {
                self.notice(&error);
                Err(CommitError::Storage(error))
            }
        }
    }

    /// Waits until the commit that was logged up to `end` is durable enough.
    fn acknowledge(
        &self,
        journal: &Journal<P>,
        end: LogPosition,
        level: Option<SyncLevel>,
    ) -> Result<(), CommitError<P::Refusal>> {
        self.wake_worker();
        journal.acknowledge(end, level.unwrap_or(journal.level)).map_err(|error| {
            self.notice(&error);
            CommitError::OutcomeUnknown(error)
        })
    }

    /// Takes the commit lock.
    ///
    /// # Errors
    /// [`CommitError::Poisoned`].
    pub(crate) fn lock_commits<R>(&self) -> Result<MutexGuard<'_, CommitState<P>>, CommitError<R>> {
        let state = self.state.lock();
        // A panic inside the install left versions of a timestamp that was
        // never published. No snapshot sees them; no commit may build on them.
        if state.installing && !mutant::is("half-commit-forgotten") {
            Err(CommitError::Poisoned)
        } else {
            Ok(state)
        }
    }
}
