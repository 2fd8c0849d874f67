//! One life of a database, from its making to its last opening.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use selvedge::env::{Env, SimulatedClock, SimulatedFiles};
use selvedge::{
    Background, Db, DbBuilder, Error, ErrorKind, Read, Snapshot, SyncLevel, Timestamp, Transaction,
};

use super::look::{Damage, expect};
use super::model::{History, State};
use super::trace::Trace;
use super::trouble;
use super::workload::{Staged, Workload};

/// Where the database lies.
pub(super) const PATH: &str = "/db.selvedge";
/// How long commits of the level `Normal` may wait.
pub(super) const EVERY: Duration = Duration::from_millis(10);

/// What went as it should, or why not.
pub(super) type Told<T = ()> = Result<T, String>;

/// What a story is like.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) segment_bytes: u64,
    pub(super) checkpoint_bytes: u64,
    pub(super) level: SyncLevel,
    pub(super) steps: u32,
    /// Disasters among a hundred steps.
    pub(super) disasters: u8,
    /// Bits flip on the disk.
    pub(super) flips: bool,
    /// Documents are so many times as large as usual.
    pub(super) bulk: usize,
}

fn draw_level(rng: &mut Rng) -> SyncLevel {
    match rng.u8(..20) {
        0..13 => SyncLevel::Full,
        13..17 => SyncLevel::Normal { every: EVERY },
        _ => SyncLevel::Off,
    }
}

impl Settings {
    fn draw(rng: &mut Rng) -> Self {
        let bulk = if rng.u8(..12) == 0 { 12 } else { 1 };
        Self {
            segment_bytes: 4096 << rng.u64(..5),
            checkpoint_bytes: ((8 << 10) << rng.u64(..8)) * bulk as u64,
            level: draw_level(rng),
            // Many short ones for variety; long ones for what piles up.
            steps: if rng.u8(..4) == 0 { rng.u32(300..2000) } else { rng.u32(60..300) },
            disasters: rng.u8(..8),
            flips: rng.u8(..5) == 0,
            bulk,
        }
    }
}

/// How often things happened.
#[derive(Clone, Copy, Default, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub commits: u64,
    pub conflicts: u64,
    pub refused: u64,
    pub unknown: u64,
    pub crashes: u64,
    pub openings: u64,
    pub openings_failed: u64,
    pub reopenings: u64,
    pub commits_lost: u64,
    pub checkpoints: u64,
    pub backups: u64,
    pub flips: u64,
    pub flips_refused: u64,
    pub lacks_of_space: u64,
    pub indexings: u64,
}

/// A transaction under way.
pub(super) struct Open {
    pub(super) transaction: Transaction<'static>,
    pub(super) staged: Staged,
    pub(super) level: Option<SyncLevel>,
    pub(super) life: u32,
}

/// A snapshot that is kept, and what it must go on seeing.
pub(super) struct Held {
    pub(super) snapshot: Snapshot<'static>,
    pub(super) state: Arc<State>,
    pub(super) life: u32,
}

/// A backup that should be there.
pub(super) struct Backup {
    pub(super) path: PathBuf,
    pub(super) state: Arc<State>,
    pub(super) timestamp: Timestamp,
}

/// The machine, the database on it, and what it should contain.
pub(super) struct Story {
    pub(super) settings: Settings,
    pub(super) rng: Rng,
    pub(super) files: SimulatedFiles,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) db: Option<Db>,
    pub(super) clones: Vec<Db>,
    pub(super) transactions: Vec<Open>,
    pub(super) held: Vec<Held>,
    pub(super) backup: Option<Backup>,
    pub(super) history: History,
    pub(super) work: Workload,
    /// The timestamp of the newest state.
    pub(super) now: Timestamp,
    /// How often the database has been opened.
    pub(super) life: u32,
    /// Something may have gone wrong since.
    pub(super) suspect: bool,
    /// The database is known to write no more until it is opened again.
    pub(super) fenced: bool,
    /// The disk has been made small.
    pub(super) tight: bool,
    /// Bits have been flipped.
    pub(super) damaged: bool,
    /// The damage cannot be undone, and the database said so: this is the end.
    pub(super) is_lost: bool,
    pub(super) backups_made: u32,
    pub(super) counts: Counts,
    pub(super) trace: Trace,
}

impl Story {
    pub(super) fn new(seed: u64, is_loud: bool) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5e1);
        let settings = Settings::draw(&mut rng);
        let files = SimulatedFiles::new(rng.u64(..));
        let work = Workload::new(rng.fork(), &settings);
        let mut trace = Trace::new(is_loud);
        trace.note(format!("{settings:?}"));
        Self {
            settings,
            rng,
            files,
            clock: Arc::default(),
            db: None,
            clones: Vec::new(),
            transactions: Vec::new(),
            held: Vec::new(),
            backup: None,
            history: History::new(),
            work,
            now: Timestamp::ZERO,
            life: 0,
            suspect: false,
            fenced: false,
            tight: false,
            damaged: false,
            is_lost: false,
            backups_made: 0,
            counts: Counts::default(),
            trace,
        }
    }

    /// The whole story.
    pub(super) fn run(&mut self) -> Told {
        self.start()?;
        for _ in 0..self.settings.steps {
            self.step()?;
            if self.is_lost {
                return Ok(());
            }
            if self.files.down().is_some() {
                self.note("the process has ended in the midst of it".to_owned());
                self.die();
                self.start()?;
            }
        }
        self.finish()
    }

    pub(super) fn note(&mut self, step: String) {
        self.trace.note(step);
    }

    pub(super) fn damage(&self) -> Damage {
        if self.damaged { Damage::Told } else { Damage::None }
    }

    /// Options for the next process.
    pub(super) fn builder(&mut self) -> (DbBuilder, Arc<SimulatedClock>) {
        let (env, clock) = Env::simulated_on(&self.files, self.rng.u64(..));
        let builder = Db::builder()
            .background(Background::Manual)
            .env(env)
            .sync(self.settings.level)
            .checkpoint_bytes(self.settings.checkpoint_bytes)
            .document_bytes([0, 0, 4096, 1 << 30][self.rng.usize(..4)])
            .log_segment_bytes(self.settings.segment_bytes);
        (builder, clock)
    }

    /// The next process may have another sync level.
    pub(super) fn choose_level(&mut self) {
        if self.rng.u8(..8) == 0 {
            self.settings.level = draw_level(&mut self.rng);
        }
    }

    pub(super) fn db(&self) -> &Db {
        self.db.as_ref().expect("open between steps")
    }

    /// Judges an error that is no answer to what was asked of the database.
    pub(super) fn permit(&mut self, what: &str, error: &Error) -> Told {
        self.fenced |= error.kind() == ErrorKind::Reopen;
        self.permit_elsewhere(what, error)
    }

    /// The same for another database on the machine.
    pub(super) fn permit_elsewhere(&mut self, what: &str, error: &Error) -> Told {
        self.note(format!("{what}: {error}"));
        let permitted = match error.kind() {
            ErrorKind::Restore => self.damaged,
            ErrorKind::System => {
                self.counts.lacks_of_space += u64::from(self.tight && !self.suspect);
                self.suspect || self.tight
            }
            ErrorKind::Reopen => self.suspect,
            ErrorKind::Usage => self.suspect && self.fenced,
            _ => false,
        };
        if permitted { Ok(()) } else { Err(format!("{what} may not fail like this: {error:?}")) }
    }

    /// The process has ended: nothing of it is left.
    pub(super) fn die(&mut self) {
        self.counts.crashes += 1;
        self.let_go();
        self.files.recover();
        self.files.clear_faults();
    }

    /// Drops every handle.
    pub(super) fn let_go(&mut self) {
        self.transactions.clear();
        self.held.clear();
        self.clones.clear();
        self.db = None;
    }

    /// Snapshots still see what they saw.
    pub(super) fn look_at_held(&mut self) -> Told {
        for held in &self.held {
            let at = held.snapshot.timestamp();
            expect(&held.snapshot, &held.state, self.damage())
                .map_err(|what| format!("a snapshot at {at} has changed: {what}"))?;
        }
        Ok(())
    }

    /// The end: everything is well, and stays so.
    fn finish(&mut self) -> Told {
        self.note("the end".to_owned());
        self.files.clear_faults();
        self.lift_limit()?;
        self.look_at_held()?;
        if self.fenced || self.suspect {
            self.files.kill();
            self.die();
            self.start_well()?;
        }
        for _ in 0..2 {
            self.let_go_of_actors();
            let db = self.db.take().expect("open");
            self.clones.clear();
            match db.close() {
                Ok(()) => self.history.all_durable(),
                Err(error) => self.permit("close", &error)?,
            }
            self.history.all_covered();
            self.start_well()?;
        }
        self.let_go();
        Ok(())
    }

    pub(super) fn let_go_of_actors(&mut self) {
        self.transactions.clear();
        self.held.clear();
    }

    pub(super) fn lift_limit(&mut self) -> Told {
        if std::mem::take(&mut self.tight) {
            self.files.set_capacity(None);
            self.note("there is room again".to_owned());
            if !self.suspect && self.db().statistics().storage.is_none() {
                return Err("lack of space has ended writing".to_owned());
            }
        }
        Ok(())
    }

    /// Something goes wrong soon.
    pub(super) fn expect_trouble(&mut self, within: u64) {
        self.suspect = true;
        let planned = trouble::plan(&self.files, &mut self.rng, within);
        self.note(planned);
    }
}

/// The path of a new place.
pub(super) fn place(number: u32) -> PathBuf {
    Path::new("/backups").join(format!("{number}.selvedge"))
}
