//! Opening the database, whatever has happened to it, and judging what is there.

use std::path::Path;
use std::sync::Arc;

use selvedge::env::FileSystem as _;
use selvedge::{Db, Error, ErrorKind, Read, Timestamp, doc};

use super::look::{expect, see};
use super::model::{Seen, State};
use super::story::{Backup, PATH, Story, Told, place};
use super::trouble::{flip_some_bit, plan, strike};

/// Openings that may go wrong, one after the other.
const ROUGH_OPENINGS: u32 = 3;
/// File operations within which something goes wrong with an opening.
const OPERATIONS: u64 = 50;

impl Story {
    /// Opens the database; things may go wrong meanwhile.
    pub(super) fn start(&mut self) -> Told {
        self.suspect = false;
        let rough = if self.rng.u8(..3) == 0 { self.rng.u32(..=ROUGH_OPENINGS) } else { 0 };
        for _ in 0..rough {
            self.suspect = true;
            let planned = plan(&self.files, &mut self.rng, OPERATIONS);
            self.note(format!("opening, with {planned}"));
            self.choose_level();
            let (builder, clock) = self.builder();
            let opened = builder.open(PATH);
            let is_down = self.files.down().is_some();
            self.files.clear_faults();
            match opened {
                Ok(db) if !is_down => {
                    self.clock = clock;
                    return self.opened(db);
                }
                Ok(db) => drop(db),
                Err(error) => {
                    self.counts.openings_failed += 1;
                    self.permit("open", &error)?;
                }
            }
            self.files.recover();
            if self.rng.bool() {
                let how = strike(&self.files, &mut self.rng);
                self.note(how.to_owned());
            }
        }
        self.start_well()
    }

    /// Opens the database; nothing goes wrong any more.
    pub(super) fn start_well(&mut self) -> Told {
        self.suspect = false;
        let before = if self.rng.u8(..6) == 0 { self.read_only()? } else { None };
        self.choose_level();
        let (builder, clock) = self.builder();
        let db = match builder.open(PATH) {
            Ok(db) => db,
            Err(error) if self.tight && error.kind() == ErrorKind::System => {
                self.permit("open", &error)?;
                self.tight = false;
                self.files.set_capacity(None);
                return self.start_well();
            }
            Err(error) => return Err(format!("the database cannot be opened: {error:?}")),
        };
        self.clock = clock;
        self.opened(db)?;
        match before {
            Some(seen) => self.history.newest().difference(&seen).map_or(Ok(()), |what| {
                Err(format!("opened for reading it was something else: {what}"))
            }),
            None => Ok(()),
        }
    }

    /// Opens the database for reading alone; None if there is nothing to open.
    fn read_only(&mut self) -> Told<Option<Seen>> {
        let (builder, _) = self.builder();
        match builder.read_only().open(PATH) {
            Ok(db) => self.look(&db).map(Some),
            // Nobody has been told that there is a database.
            Err(error) if self.life == 0 && error.kind() == ErrorKind::Input => Ok(None),
            Err(error) if self.life == 0 => {
                self.note(format!("opened for reading: {error}"));
                Ok(None)
            }
            Err(error) => Err(format!("the database cannot be opened for reading: {error:?}")),
        }
    }

    fn look(&self, db: &Db) -> Told<Seen> {
        let snapshot = db.snapshot().map_err(|error| format!("snapshot: {error:?}"))?;
        see(&snapshot, self.damage())
    }

    /// The database was opened: it goes on from some state that contains all that
    /// was acknowledged.
    pub(super) fn opened(&mut self, db: Db) -> Told {
        self.counts.openings += 1;
        let seen = self.look(&db)?;
        let least = if self.damaged { self.history.covered() } else { self.history.durable() };
        let at = self.history.find(&seen, least..=self.history.len())?;
        // What went wrong while it was opened may have ended writing already.
        let fenced = db.statistics().storage.is_none();
        if fenced && !self.suspect {
            return Err("writing has ended, and nothing has gone wrong".to_owned());
        }
        let now = db.timestamp();
        let lost = self.history.len() - at;
        self.note(format!("opened at {now}, {lost} commits lost, {at} there"));
        self.counts.commits_lost += lost as u64;
        self.history.go_on_from(at, &seen);
        if now < self.work.given.timestamp && !self.work.given.is_uncertain && !fenced {
            let given = self.work.given.timestamp;
            return Err(format!("opened at {now}, and {given} has been given out"));
        }
        self.work.given.timestamp = self.work.given.timestamp.max(now);
        self.now = now;
        self.life += 1;
        (self.suspect, self.fenced) = (fenced, fenced);
        self.db = Some(db);
        self.check()?;
        self.look_at_held()?;
        self.look_at_backup()
    }

    /// The database finds nothing wrong with itself.
    pub(super) fn check(&mut self) -> Told {
        let problems = self.db().check().map_err(|error| format!("check: {error:?}"))?;
        if problems.is_empty() || self.damaged {
            return Ok(());
        }
        Err(format!("the database finds: {problems:?}"))
    }

    /// Opens the database again under its handles.
    pub(super) fn reopen(&mut self) -> Told {
        let incarnation =
            |db: &Db| db.statistics().storage.map(|storage| (storage.incarnation, storage.durable));
        let before = incarnation(self.db());
        if self.rng.u8(..4) == 0 {
            self.expect_trouble(OPERATIONS);
        } else {
            self.files.clear_faults();
        }
        let reopened = self.db().reopen();
        let is_down = self.files.down().is_some();
        match reopened {
            _ if is_down => return Ok(()),
            Ok(()) => {}
            Err(error) => return self.permit("reopen", &error),
        }
        self.files.clear_faults();
        let after = incarnation(self.db());
        let same = |one: Option<(u32, _)>, two: Option<(u32, _)>| {
            one.map(|(number, _)| number) == two.map(|(number, _)| number)
        };
        if !self.fenced && same(before, after) {
            self.note("reopened: nothing to do".to_owned());
            return Ok(());
        }
        self.counts.reopenings += 1;
        self.note("reopened".to_owned());
        let db = self.db().clone();
        if self.rng.bool() {
            // The handles are as good as each other.
            self.clones.push(self.db.take().expect("open"));
        }
        self.opened(db)
    }

    /// What is left of the last backup, whatever happened since.
    fn look_at_backup(&mut self) -> Told {
        let Some(Backup { path, state, timestamp }) = self.backup.take() else { return Ok(()) };
        if self.rng.u8(..4) == 0 {
            self.copy_backup(&path, &state, timestamp)?;
        }
        let (builder, _) = self.builder();
        let result = self.compare_backup(builder.open(&path), &state, timestamp);
        self.remove_all(&path)?;
        result.map_err(|what| format!("the backup {}: {what}", path.display()))
    }

    /// A copy of a backup, as `Db::restore` makes one on a real disk.
    fn copy_backup(&mut self, from: &Path, state: &State, timestamp: Timestamp) -> Told {
        let path = place(self.backups_made);
        self.backups_made += 1;
        let (builder, _) = self.builder();
        let copied = builder.read_only().open(from).and_then(|backup| backup.backup_to(&path));
        let result = match copied {
            Ok(copied) if copied != timestamp => Err(format!("it is at {copied}")),
            Ok(_) => {
                let (builder, _) = self.builder();
                self.compare_backup(builder.open(&path), state, timestamp)
            }
            Err(error) => self.permit_elsewhere("copying the backup", &error),
        };
        self.remove_all(&path)?;
        result.map_err(|what| format!("the copy of the backup {}: {what}", from.display()))
    }

    fn compare_backup(
        &mut self,
        opened: Result<Db, Error>,
        state: &State,
        timestamp: Timestamp,
    ) -> Told {
        let backup = match opened {
            Ok(backup) => backup,
            Err(error) => return self.permit_elsewhere("opening the backup", &error),
        };
        let snapshot = backup.snapshot().map_err(|error| format!("{error:?}"))?;
        expect(&snapshot, state, self.damage())?;
        if snapshot.timestamp() != timestamp {
            return Err(format!("it is at {} instead of {timestamp}", snapshot.timestamp()));
        }
        let problems = backup.check().map_err(|error| format!("{error:?}"))?;
        if !problems.is_empty() && !self.damaged && !self.suspect {
            return Err(format!("it finds {problems:?}"));
        }
        drop(snapshot);
        // It is a database like any other.
        if self.rng.bool()
            && let Err(error) = backup.insert_node("A", None, doc! { "of": "the backup" })
        {
            return self.permit_elsewhere("inserting into the backup", &error);
        }
        Ok(())
    }

    /// Makes a backup, and looks at it now or after the next opening.
    pub(super) fn back_up(&mut self) -> Told {
        if self.backup.is_some() {
            return self.look_at_backup();
        }
        let path = place(self.backups_made);
        self.backups_made += 1;
        let state = Arc::clone(self.history.newest());
        let timestamp = match self.db().backup_to(&path) {
            Ok(timestamp) => timestamp,
            Err(error) if error.kind() == ErrorKind::Reopen => {
                return Err(format!("a backup has ended writing: {error:?}"));
            }
            Err(error) => {
                self.permit("backup", &error)?;
                return self.remove_all(&path);
            }
        };
        self.counts.backups += 1;
        self.note(format!("backup at {timestamp}"));
        if self.files.down().is_some() || self.fenced || timestamp != self.now {
            // It is one of the durable state, or nobody can look.
            return if self.suspect { self.remove_all(&path) } else { Err("of what?".to_owned()) };
        }
        self.backup = Some(Backup { path, state, timestamp });
        if self.rng.bool() && !self.suspect { self.look_at_backup() } else { Ok(()) }
    }

    fn remove_all(&mut self, path: &Path) -> Told {
        // Nobody keeps it open, and faults are for the database.
        let remaining = self.files.list(path).unwrap_or_default();
        for name in remaining {
            let _ = self.files.remove(&path.join(name));
        }
        let _ = self.files.sync_dir(path);
        Ok(())
    }

    /// A bit flips, the process ends (or the other way round), and the database is
    /// opened.
    pub(super) fn flip(&mut self) -> Told {
        let is_open = self.rng.u8(..3) == 0;
        if !is_open {
            self.end_somehow()?;
        }
        let flipped = flip_some_bit(&self.files, &mut self.rng);
        if let Some((path, offset, bit)) = &flipped {
            self.note(format!("bit {bit} of byte {offset} in {} flips", path.display()));
            self.counts.flips += 1;
        }
        let before = (self.damaged, self.work.given.is_uncertain);
        if flipped.is_some() {
            (self.damaged, self.work.given.is_uncertain) = (true, true);
        }
        if is_open {
            self.end_somehow()?;
        }
        let Some((path, offset, bit)) = flipped else { return self.start() };
        let (builder, clock) = self.builder();
        match builder.open(PATH) {
            Ok(db) => {
                self.clock = clock;
                let is_log = path.to_string_lossy().contains("log-");
                let durable = self.history.durable();
                self.opened(db)?;
                if self.history.len() < durable && !is_log {
                    return Err("a flip outside the log has cut the log".to_owned());
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Restore => {
                self.counts.flips_refused += 1;
                self.note(format!("open: {error}"));
                self.read_until_damage()?;
                if is_open {
                    // Since then it may have been written over, or elsewhere.
                    self.is_lost = true;
                    return Ok(());
                }
                let flipped = self.files.flip_bit(&path, offset, bit);
                flipped.map_err(|error| format!("the file has gone: {error}"))?;
                (self.damaged, self.work.given.is_uncertain) = before;
                self.start_well()
            }
            Err(error) => Err(format!("a flipped bit may not fail like this: {error:?}")),
        }
    }

    /// What there is before the damage is some state of the past.
    fn read_until_damage(&mut self) -> Told {
        let (builder, _) = self.builder();
        match builder.until_damage().open(PATH) {
            Ok(db) => {
                let seen = self.look(&db)?;
                let at = self.history.find(&seen, 0..=self.history.len())?;
                self.note(format!("up to the damage there are {at} commits"));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Restore => {
                self.note(format!("up to the damage: {error}"));
                Ok(())
            }
            Err(error) => Err(format!("reading up to the damage: {error:?}")),
        }
    }
}
