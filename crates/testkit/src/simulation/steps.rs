//! The steps of a story while the database is open.

use std::sync::Arc;

use selvedge::{
    Db, Error, ErrorKind, Isolation, Read, Snapshot, SyncLevel, Timestamp, TransactionOptions, doc,
};

use super::look::{expect, see};
use super::story::{EVERY, Held, Open, Story, Told};
use super::trouble::{strike, tighten};
use super::workload::Refusal;

/// Transactions and snapshots that are open at the same time.
const ACTORS_MAX: usize = 5;
/// File operations within which something goes wrong.
const OPERATIONS: u64 = 60;
/// Versions that one step of maintenance looks at.
const STEP_VERSIONS: usize = 1000;

impl Story {
    pub(super) fn step(&mut self) -> Told {
        if self.rng.u8(..100) < self.settings.disasters {
            return self.disaster();
        }
        if self.fenced {
            return self.fenced_step();
        }
        match self.rng.u8(..100) {
            0..10 => self.begin(),
            10..42 => self.work(),
            42..66 => self.commit_one(),
            66..69 => self.roll_back(),
            69..72 => self.hold(),
            72..75 => self.hold_durable(),
            75..78 => self.drop_held(),
            78..81 => self.look_at_one(),
            81..86 => self.maintain(),
            86..90 => self.checkpoint(),
            90..92 => self.back_up(),
            92..94 => self.look_around(),
            94..95 if self.rng.bool() => self.compact(),
            94..95 => self.index(),
            95..97 => self.handles(),
            97..98 if self.tight => self.lift_limit(),
            97..98 => self.close(),
            98..99 => self.abandon(),
            _ => self.unneeded_reopen(),
        }
    }

    /// The database writes no more: reading goes on, and it can be opened again.
    fn fenced_step(&mut self) -> Told {
        match self.rng.u8(..10) {
            0..3 => self.hold(),
            3 => self.write_in_vain(),
            4 => self.commit_one(),
            5 => self.look_at_one(),
            6 => match self.rng.u8(..5) {
                0 => self.maintain(),
                1 => self.checkpoint(),
                2 => self.back_up(),
                3 => self.close(),
                _ => self.abandon(),
            },
            _ => self.reopen(),
        }
    }

    fn disaster(&mut self) -> Told {
        match self.rng.u8(..10) {
            0..2 => {
                let how = strike(&self.files, &mut self.rng);
                self.note(how.to_owned());
                self.die();
                self.start()
            }
            2..7 if self.settings.flips && !self.suspect && !self.tight => self.flip(),
            3..5 if !self.tight => {
                self.tight = true;
                let more = self.rng.u64(..60_000);
                tighten(&self.files, more);
                self.note(format!("room for {more} bytes more"));
                Ok(())
            }
            3..5 => self.lift_limit(),
            5..6 => {
                self.suspect = true;
                self.files.drop_caches();
                self.note("caches are dropped".to_owned());
                Ok(())
            }
            _ => {
                self.expect_trouble(OPERATIONS);
                Ok(())
            }
        }
    }

    /// What an actor that begins now sees; None if it cannot begin, which is fine.
    fn begun<T>(
        &mut self,
        what: &str,
        begun: Result<T, Error>,
        timestamp: impl Fn(&T) -> Timestamp,
    ) -> Told<Option<T>> {
        let actor = match begun {
            Ok(actor) => actor,
            Err(error) => {
                self.permit(what, &error)?;
                return Ok(None);
            }
        };
        if self.db().statistics().storage.is_none() {
            if !self.suspect {
                return Err(format!("{what}: writing has ended, and nothing has gone wrong"));
            }
            self.fenced = true;
        }
        let at = timestamp(&actor);
        if !self.fenced && at != self.now {
            return Err(format!("{what}: begun at {at} instead of {}", self.now));
        }
        Ok(Some(actor))
    }

    fn begin(&mut self) -> Told {
        if self.transactions.len() == ACTORS_MAX {
            return self.commit_one();
        }
        let isolation = match self.rng.u8(..6) {
            0 => Isolation::Serializable,
            _ => Isolation::Snapshot,
        };
        let level = match self.rng.u8(..10) {
            0 => Some(SyncLevel::Full),
            1 => Some(SyncLevel::Normal { every: EVERY }),
            2 => Some(SyncLevel::Off),
            _ => None,
        };
        let options = TransactionOptions::new().isolation(isolation);
        let options = level.map_or(options.clone(), |level| options.sync(level));
        let begun = self.db().begin(&options);
        let begun = self.begun("begin", begun, Read::timestamp)?;
        let Some(transaction) = begun.filter(|_| !self.fenced) else { return Ok(()) };
        let staged = super::workload::Staged::new(self.history.newest());
        self.transactions.push(Open { transaction, staged, level, life: self.life });
        self.work()
    }

    fn any_transaction(&mut self) -> Option<usize> {
        let count = self.transactions.len();
        (count > 0).then(|| self.rng.usize(..count))
    }

    fn work(&mut self) -> Told {
        let Some(at) = self.any_transaction() else {
            return if self.fenced { Ok(()) } else { self.begin() };
        };
        for _ in 0..self.rng.u8(1..4) {
            let Open { transaction, staged, .. } = &mut self.transactions[at];
            let done = match self.work.rng.u8(..12) {
                0 => self.work.read_back(transaction, staged),
                _ => self.work.operation(transaction, staged),
            };
            match done {
                Ok(done) => self.note(format!("{at}: {done}")),
                Err(Refusal::Wrong(what)) => return Err(what),
                Err(Refusal::Told(error)) => self.permit("an operation", &error)?,
            }
        }
        Ok(())
    }

    fn commit_one(&mut self) -> Told {
        let Some(at) = self.any_transaction() else { return Ok(()) };
        let open = self.transactions.swap_remove(at);
        self.commit(open)
    }

    pub(super) fn commit(&mut self, open: Open) -> Told {
        let Open { transaction, staged, level, life } = open;
        let start = transaction.timestamp();
        let is_current = life == self.life && !self.fenced;
        let newest = Arc::clone(self.history.newest());
        match transaction.commit() {
            Ok(at) if at == start => {
                let state = staged.applied_to(&newest, None);
                if staged.writes_entities() || state.types != newest.types {
                    return Err("a commit of something has no timestamp of its own".to_owned());
                }
                self.note(format!("committed nothing at {at}"));
                Ok(())
            }
            Ok(at) if !is_current => {
                Err(format!("committed at {at} in a database that writes no more"))
            }
            Ok(at) => {
                if at <= self.work.given.timestamp && !self.work.given.is_uncertain {
                    return Err(format!("committed at {at}, which has been given out"));
                }
                self.history.push(staged.applied_to(&newest, Some(at)), false);
                self.counts.commits += 1;
                self.now = at;
                self.work.given.timestamp = self.work.given.timestamp.max(at);
                let level = level.unwrap_or(self.settings.level);
                if level == SyncLevel::Full {
                    self.history.all_durable();
                }
                self.note(format!("committed at {at}, {level:?}"));
                Ok(())
            }
            Err(Error::Conflict(conflict)) => {
                self.counts.conflicts += 1;
                self.note(format!("conflict: {conflict}"));
                if start < self.now || !is_current {
                    return Ok(());
                }
                Err("a conflict with nobody".to_owned())
            }
            Err(error) if !is_current && error.kind() != ErrorKind::Restore => {
                self.note(format!("commit, too late: {error}"));
                Ok(())
            }
            Err(error @ Error::OutcomeUnknown(_)) => {
                self.counts.unknown += 1;
                self.history.push(staged.applied_to(&newest, None), true);
                // It had a timestamp for a moment, which others may have seen.
                let given = self.work.given.timestamp.max(self.now.next());
                self.work.given.timestamp = given;
                self.permit("commit", &error)
            }
            Err(error) => {
                self.counts.refused += 1;
                self.permit("commit", &error)
            }
        }
    }

    fn roll_back(&mut self) -> Told {
        if let Some(at) = self.any_transaction() {
            self.transactions.swap_remove(at).transaction.rollback();
            self.note(format!("{at}: rolled back"));
        }
        Ok(())
    }

    fn hold(&mut self) -> Told {
        let begun = self.db().snapshot();
        self.keep("snapshot", begun).map(drop)
    }

    fn hold_durable(&mut self) -> Told {
        let begun = self.db().snapshot_durable();
        if self.keep("durable snapshot", begun)? && !self.fenced {
            self.history.all_durable();
        }
        Ok(())
    }

    /// Keeps a snapshot, after a look at it if it comes from what is left to read;
    /// whether there was one.
    fn keep(&mut self, what: &str, begun: Result<Snapshot<'static>, Error>) -> Told<bool> {
        let Some(snapshot) = self.begun(what, begun, Read::timestamp)? else { return Ok(false) };
        let state = if self.fenced {
            let seen = see(&snapshot, self.damage())?;
            let range = self.history.durable()..=self.history.known();
            let at = self.history.find(&seen, range)?;
            // Having been seen as durable, it must be.
            self.history.durable_to(at);
            self.note(format!("{what} of what is durable: {at} commits"));
            Arc::clone(self.history.state(at))
        } else {
            self.note(format!("{what} at {}", self.now));
            Arc::clone(self.history.newest())
        };
        if self.held.len() == ACTORS_MAX {
            self.held.swap_remove(0);
        }
        self.held.push(Held { snapshot, state, life: self.life });
        Ok(true)
    }

    fn drop_held(&mut self) -> Told {
        if !self.held.is_empty() {
            let at = self.rng.usize(..self.held.len());
            self.held.swap_remove(at);
        }
        Ok(())
    }

    fn look_at_one(&mut self) -> Told {
        if self.held.is_empty() {
            return self.hold();
        }
        let held = &self.held[self.rng.usize(..self.held.len())];
        let at = held.snapshot.timestamp();
        expect(&held.snapshot, &held.state, self.damage())
            .map_err(|what| format!("a snapshot at {at} has changed: {what}"))
    }

    /// Time passes, and a step of maintenance is done.
    fn maintain(&mut self) -> Told {
        // Of this opening, and no other.
        let checkpoints = |db: &Db| {
            let storage = db.statistics().storage;
            storage.map_or((0, 0), |storage| (storage.incarnation, storage.checkpoints))
        };
        let (opening, before) = checkpoints(self.db());
        let is_late = self.rng.bool();
        self.clock.advance(if is_late { EVERY } else { EVERY / 8 });
        self.db().step(STEP_VERSIONS);
        let after = match checkpoints(self.db()) {
            (same, after) if same == opening => after,
            _ => before,
        };
        let is_synced = match self.settings.level {
            SyncLevel::Full => true,
            SyncLevel::Normal { .. } => is_late,
            SyncLevel::Off => false,
        };
        if (is_synced && !self.suspect) || after > before {
            self.history.all_durable();
        }
        self.counts.checkpoints += after.saturating_sub(before);
        self.note(format!("maintained, {after} checkpoints"));
        Ok(())
    }

    fn checkpoint(&mut self) -> Told {
        match self.db().checkpoint() {
            Ok(summary) => {
                self.note(format!("checkpoint: {summary:?}"));
                self.counts.checkpoints += 1;
                self.history.all_durable();
                self.history.all_covered();
                Ok(())
            }
            Err(error) => {
                let is_over = error.kind() == ErrorKind::Usage && self.suspect;
                self.fenced |= is_over;
                self.permit("checkpoint", &error)
            }
        }
    }

    /// Everything, as a reader that begins now sees it.
    fn look_around(&mut self) -> Told {
        let begun = self.db().snapshot();
        let Some(snapshot) = self.begun("snapshot", begun, Read::timestamp)? else {
            return Ok(());
        };
        if self.fenced {
            return Ok(());
        }
        expect(&snapshot, self.history.newest(), self.damage())
            .map_err(|what| format!("the newest state: {what}"))?;
        drop(snapshot);
        self.check()
    }

    fn compact(&mut self) -> Told {
        let compacted = self.db().compact();
        match compacted {
            Ok(moved) => self.note(format!("compacted {moved}")),
            Err(error) => self.permit("compact", &error)?,
        }
        Ok(())
    }

    fn handles(&mut self) -> Told {
        if self.clones.len() < 3 {
            self.clones.push(self.db().clone());
        } else {
            self.clones.swap_remove(0);
        }
        Ok(())
    }

    fn unneeded_reopen(&mut self) -> Told {
        if self.suspect { self.reopen() } else { self.db().reopen().map_err(|e| format!("{e:?}")) }
    }

    /// A write that must be refused.
    fn write_in_vain(&mut self) -> Told {
        match self.db().insert_node("A", None, doc! {}) {
            Ok(id) => Err(format!("node {id} was inserted where nothing can be written")),
            Err(error) => {
                self.note(format!("written in vain: {error}"));
                Ok(())
            }
        }
    }

    /// Closes the database and opens it; snapshots may go on meanwhile.
    fn close(&mut self) -> Told {
        self.end_by_closing()?;
        if self.files.down().is_some() {
            self.die();
        }
        self.files.clear_faults();
        self.start()
    }

    fn end_by_closing(&mut self) -> Told {
        let db = self.db.take().expect("open");
        self.note("closing".to_owned());
        match db.close() {
            Ok(()) if self.fenced => {}
            Ok(()) => {
                self.history.all_durable();
                if !self.tight {
                    self.history.all_covered();
                }
            }
            Err(error) => self.permit("close", &error)?,
        }
        self.note("closed".to_owned());
        self.clones.clear();
        self.life += 1;
        for open in std::mem::take(&mut self.transactions) {
            // In vain.
            self.commit(open)?;
        }
        if self.rng.bool() {
            self.held.clear();
        }
        Ok(())
    }

    /// Drops all handles without closing.
    fn abandon(&mut self) -> Told {
        self.end_by_dropping()?;
        if self.files.down().is_some() {
            self.die();
        }
        self.files.clear_faults();
        self.start()
    }

    fn end_by_dropping(&mut self) -> Told {
        self.transactions.clear();
        self.clones.clear();
        self.db = None;
        self.note("dropped".to_owned());
        let is_read = self.held.iter().any(|held| held.life == self.life);
        if is_read && !self.suspect && !self.fenced {
            // Whoever reads keeps it open.
            let (builder, _) = self.builder();
            match builder.open(super::story::PATH) {
                Err(error) if error.kind() == ErrorKind::Busy => {}
                other => return Err(format!("opened twice: {other:?}")),
            }
        }
        self.held.clear();
        if !self.suspect && !self.fenced {
            self.history.all_durable();
            if !self.tight {
                self.history.all_covered();
            }
        }
        Ok(())
    }

    /// Ends the process in one of the ways there are, without trouble.
    pub(super) fn end_somehow(&mut self) -> Told {
        match self.rng.u8(..4) {
            0 => self.end_by_closing()?,
            1 => self.end_by_dropping()?,
            _ => {
                let how = strike(&self.files, &mut self.rng);
                self.note(how.to_owned());
                self.die();
            }
        }
        self.held.clear();
        Ok(())
    }
}
