//! What comes after an engine that can no longer write: a reader of what is durable,
//! and the engine of the database opened again.
//!
//! A failed write or sync leaves unknown what is on the disk. The engine is *fenced*:
//! its open snapshots go on, what is begun later goes to its successor. Until the
//! database is opened again, that is a reader of what was durable before the failure.

use std::sync::{Arc, OnceLock, Weak};

use selvedge_base::sync::atomic::Ordering;
use selvedge_base::sync::{LockRank, Mutex, mutex};
use selvedge_storage::{LogPosition, RecordKind, StorageError};

use crate::durable::Durable;
use crate::engine::{Engine, EngineOptions, OpenSnapshot};
use crate::journal::{Footing, Journal};
use crate::lease::{IDS_LEASED, Leases, TIMESTAMPS_LEASED};
use crate::participant::Participant;
use crate::snapshot_error::SnapshotError;
use crate::statistics::StorageStatistics;

/// Who comes after an engine.
pub(crate) struct Succession<P: Participant> {
    /// The database, opened again.
    reopened: OnceLock<Arc<Engine<P>>>,
    /// A reader of what was durable when the engine was fenced.
    durable: OnceLock<Arc<Engine<P>>>,
    /// Held while a successor is made.
    making: Mutex<()>,
}

impl<P: Participant> Default for Succession<P> {
    fn default() -> Self {
        let making = mutex(LockRank::Succession, ());
        Self { reopened: OnceLock::new(), durable: OnceLock::new(), making }
    }
}

impl<P: Durable> Engine<P> {
    /// The engine to begin with: this one, as long as it can write; otherwise its
    /// successor.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; what keeps the durable state from being read.
    #[inline]
    pub fn current(&self) -> Result<&Self, StorageError> {
        if self.is_fenced() { self.successor() } else { Ok(self) }
    }

    /// The engine that was opened last, whether it can be begun with or not.
    #[must_use]
    pub fn latest(&self) -> &Self {
        self.succession.reopened.get().map_or(self, |reopened| reopened.latest())
    }

    #[cold]
    fn successor(&self) -> Result<&Self, StorageError> {
        if let Some(reopened) = self.succession.reopened.get() {
            return reopened.current();
        }
        if self.is_closed() {
            return Err(StorageError::Closed);
        }
        if let Some(durable) = self.succession.durable.get() {
            return Ok(durable);
        }
        let _making = self.succession.making.lock();
        if self.succession.durable.get().is_none() {
            let durable = self.read_durable_state()?;
            let _ = self.succession.durable.set(durable);
        }
        self.succession.durable.get().map(|durable| &**durable).ok_or(StorageError::Closed)
    }

    /// Opens the database again after a failure; this engine's handles go on with
    /// what comes of it. Fine if it has not failed.
    ///
    /// # Errors
    /// As [`Engine::recover`].
    pub fn reopen(&self) -> Result<(), StorageError> {
        if let Some(reopened) = self.succession.reopened.get() {
            return reopened.reopen();
        }
        if self.is_closed() {
            return Err(StorageError::Closed);
        }
        if !self.is_fenced() {
            return Ok(());
        }
        let _making = self.succession.making.lock();
        if self.succession.reopened.get().is_some() {
            return Ok(());
        }
        // Closed by somebody else meanwhile.
        if self.is_closed() {
            return Err(StorageError::Closed);
        }
        let (Some(journal), Some(storage)) = (self.journal(), self.storage.get()) else {
            return Err(StorageError::Closed);
        };
        // From here on nobody writes to the files any more. What the log has not
        // written, and what that means, those know who waited for it.
        let checkpoints = journal.checkpoints.lock();
        let _ = journal.log.close();
        journal.store.release();
        drop(checkpoints);
        let options = EngineOptions { env: self.env().clone(), background: self.background() };
        let engine = Self::recover(self.participant.fresh(), options, storage)?;
        let _ = self.succession.reopened.set(engine);
        Ok(())
    }

    /// Closes the database for all handles. Open snapshots can be read on; nothing
    /// can be begun or committed.
    ///
    /// # Errors
    /// Of the files: what was not durable before may be lost then.
    pub fn shut(&self) -> Result<(), SnapshotError> {
        if let Some(reopened) = self.succession.reopened.get() {
            return reopened.shut();
        }
        let checkpoint = match self.journal() {
            // Another handle closes it at the same time: it is closed.
            Some(_) if !self.is_fenced() => match self.checkpoint() {
                Err(SnapshotError::Storage(StorageError::Closed)) if self.is_closed() => Ok(()),
                done => done.map(drop),
            },
            _ => Ok(()),
        };
        let ended = self.end();
        checkpoint.and(ended.map_err(SnapshotError::from))
    }

    /// A snapshot that sees only what is durable.
    ///
    /// # Errors
    /// The failure of the log; too many snapshots.
    pub fn open_durable(&self) -> Result<OpenSnapshot, SnapshotError> {
        let open = self.open()?;
        if let Some(journal) = self.journal()
            // Everything the snapshot sees was appended before this.
            && let Err(error) = journal.log.sync_through(journal.end().position)
        {
            self.close(open);
            self.notice(&error);
            return Err(error.into());
        }
        Ok(open)
    }
}

impl<P: Participant> Engine<P> {
    /// Where the log ends, if something before that may not be durable yet. What was
    /// visible before the call was appended before that.
    #[must_use]
    pub fn owes_sync(&self) -> Option<LogPosition> {
        let log = &self.journal()?.log;
        let end = log.end().position;
        (log.durable() < end).then_some(end)
    }

    /// Waits until everything before `end` is durable, which
    /// [`owes_sync`](Self::owes_sync) of this engine gave.
    ///
    /// # Errors
    /// The failure of the log: nobody knows whether it is durable.
    pub fn sync_through(&self, end: LogPosition) -> Result<(), StorageError> {
        let Some(journal) = self.journal() else { return Ok(()) };
        journal.log.sync_through(end).inspect_err(|error| self.notice(error))
    }

    /// The number of the database among all that there are; None in memory.
    #[must_use]
    pub fn database_id(&self) -> Option<u128> {
        let contents = match self.footing.get()? {
            Footing::Durable(journal) => journal.store.contents(),
            Footing::ReadOnly { contents, .. } => Arc::clone(contents),
        };
        Some(contents.manifest().identity.database)
    }

    /// Ends writing: what was logged is made durable, leases are given back, and
    /// the directory is free for others. Snapshots can be read on.
    ///
    /// # Errors
    /// Of the files.
    pub fn end(&self) -> Result<(), StorageError> {
        // Nobody opens it again meanwhile.
        let making = self.succession.making.lock();
        if let Some(reopened) = self.succession.reopened.get() {
            drop(making);
            return reopened.end();
        }
        self.end_writing()
    }

    /// Ends this engine, which has no successor and gets none.
    fn end_writing(&self) -> Result<(), StorageError> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let fenced = self.is_fenced();
        self.fence();
        let Some(journal) = self.journal() else { return Ok(()) };
        // A checkpoint that is under way ends first.
        let _checkpoints = journal.checkpoints.lock();
        let done = if fenced { Ok(()) } else { self.give_leases_back(journal) };
        // After a failure, too: nobody may write once the directory is free, and what
        // was not durable then never will be.
        let closed = journal.log.close();
        journal.store.release();
        done.and(closed)
    }

    fn give_leases_back(&self, journal: &Journal<P>) -> Result<(), StorageError> {
        let _leases = journal.leases.lock();
        let ids = (journal.hooks.end_leases)(&self.participant);
        // No commit is under way behind this: it would find the engine closed.
        drop(self.state.lock());
        self.note(journal, &Leases { timestamps: self.oracle.visible().get(), ids })
    }

    /// Notes leases in the log, durably.
    pub(crate) fn note(&self, journal: &Journal<P>, leases: &Leases) -> Result<(), StorageError> {
        let payload = leases.encode();
        let reservation = journal.log.reserve(payload.len())?;
        let payload = journal.log.payload(payload);
        let end = {
            let _state = self.state.lock();
            journal.log.append(reservation, RecordKind::Note, self.oracle.visible(), payload)
        };
        journal.log.sync_through(end).inspect_err(|error| self.notice(error))
    }

    /// Renews the lease of timestamps long before it ends.
    pub(crate) fn renew_timestamps(&self, journal: &Journal<P>) -> Result<(), StorageError> {
        let leased = journal.timestamps_leased.load(Ordering::Relaxed);
        if leased.saturating_sub(self.oracle.visible().get()) < TIMESTAMPS_LEASED / 2 {
            (journal.hooks.renew_leases)(self)?;
        }
        Ok(())
    }

    /// Renews all leases, so that nobody has to wait for it who gives out
    /// identifiers.
    fn renew_if_short(&self, journal: &Journal<P>) -> Result<(), StorageError> {
        if (journal.hooks.ids_left)(&self.participant) < IDS_LEASED / 2 {
            return (journal.hooks.renew_leases)(self);
        }
        self.renew_timestamps(journal)
    }

    /// Notices that a failure has made the log unusable.
    pub(crate) fn notice(&self, error: &StorageError) {
        let Some(journal) = self.journal() else { return };
        if journal.store.is_poisoned() && !journal.log.is_poisoned() {
            // What was begun may not commit where nobody would see it: from now on
            // snapshots see what is durable now.
            let _ = journal.log.sync();
            journal.log.poison(match error {
                StorageError::Poisoned { reason } => reason.clone(),
                error => error.to_string(),
            });
        }
        if journal.log.is_poisoned() {
            self.fence();
        }
    }

    /// The part of maintenance that looks after log and checkpoints.
    pub(crate) fn look_after_log(&self) {
        let Some(journal) = self.journal().filter(|_| !self.is_fenced()) else { return };
        if let Err(error) = journal.upkeep(self.now_micros()) {
            self.notice(&error);
            return;
        }
        if let Err(error) = self.renew_if_short(journal) {
            self.notice(&error);
            return;
        }
        if let Some(engine) = Weak::upgrade(self.myself()) {
            (journal.hooks.checkpoint_if_due)(&engine);
        }
    }

    pub(crate) fn storage_statistics(&self, journal: &Journal<P>) -> StorageStatistics {
        let log = journal.log.statistics();
        StorageStatistics {
            log,
            log_bytes_to_replay: journal.bytes_to_replay(),
            data_bytes: journal.store.contents().files().iter().map(|file| file.len()).sum(),
            durable: journal.log.durable(),
            incarnation: journal.incarnation,
            recovery: journal.recovery,
            ..self.statistics.read_storage()
        }
    }
}

impl<P: Participant> Drop for Engine<P> {
    fn drop(&mut self) {
        // Who wants to know calls `shut`. Nobody else is here, so nothing is locked:
        // an engine that could not be opened again goes while its predecessor is.
        let _ = match self.succession.reopened.get() {
            Some(reopened) => reopened.end(),
            None => self.end_writing(),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use selvedge_base::Timestamp;
    use selvedge_env::{Env, SimulatedFiles};

    use super::*;
    use crate::engine::Background;
    use crate::recovery::StorageOptions;
    use crate::shelf::Shelf;

    fn open(machine: &SimulatedFiles) -> Arc<Engine<Shelf>> {
        let (env, _) = Env::simulated_on(machine, 7);
        let options = EngineOptions { env, background: Background::Manual };
        let storage = StorageOptions::new(Path::new("db"));
        Engine::recover(Shelf::default(), options, &storage).unwrap()
    }

    fn commit(engine: &Engine<Shelf>) {
        let open = engine.open().unwrap();
        engine.commit(open, &mut vec![(0, 1)], None).unwrap();
    }

    /// As if there had been billions of commits: the lease is renewed when half of it is
    /// used, by commits and by maintenance, and not before.
    #[test]
    fn timestamps_are_leased_again_long_before_the_lease_ends() {
        let machine = SimulatedFiles::new(1);
        let engine = open(&machine);
        let journal = engine.journal().unwrap();
        let leased = || journal.timestamps_leased.load(Ordering::Relaxed);
        let renewals: [&dyn Fn(); 2] = [&|| commit(&engine), &|| engine.look_after_log()];
        for renew in renewals {
            let before = leased();
            let half = before - TIMESTAMPS_LEASED / 2;
            engine.oracle.publish_again(Timestamp::new(half));
            engine.look_after_log();
            assert_eq!(leased(), before);
            engine.oracle.publish_again(Timestamp::new(half + 1));
            renew();
            assert_eq!(leased(), half + 1 + TIMESTAMPS_LEASED);
        }
        commit(&engine);
        let last = engine.visible();
        machine.crash();
        assert!(open(&machine).visible() > last, "no timestamp comes again");
    }
}
