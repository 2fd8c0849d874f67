//! Opening a database: manifest, checkpoint, log, and only then the first new
//! commit.
//!
//! ```text
//! manifest -> checkpoint loaded -> log replayed from P -> tail cut, durably
//!          -> leases for this life, durable -> open
//! ```
#![expect(unsafe_code, reason = "loads and replays under the commit lock")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_base::sync::atomic::Ordering;
use selvedge_base::sync::mpsc::{Receiver, SyncSender, sync_channel};
use selvedge_base::sync::thread;
use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::pin;
use selvedge_storage::{
    Batch, CheckpointFacts, Contents, Identity, Log, LogEnd, LogOptions, LogPosition, LogReader,
    LogRecord, LogStart, Manifest, ReadMode, RecordKind, StorageError, Store, log_corrupt,
};

use crate::durable::Durable;
use crate::engine::{Background, Engine, EngineOptions};
use crate::journal::{Footing, Hooks, Journal, SyncLevel};
use crate::lease::{IDS_LEASED, Leases, TIMESTAMPS_LEASED};
use crate::sequence::Sequence;
use crate::settle::FREED_PER_STEP;
use crate::snapshot_error::SnapshotError;
use crate::statistics::RecoveryStatistics;

/// How far opening has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of log replayed.
    pub bytes: u64,
    /// Commits replayed.
    pub commits: u64,
}

/// Told how far opening has come, about once for each MiB of log.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// How a database on disk is opened.
#[derive(Clone)]
pub struct StorageOptions {
    /// Its directory.
    pub path: PathBuf,
    /// When its commits are durable, unless a transaction says otherwise.
    pub sync: SyncLevel,
    /// Bytes of a segment of the log, for a new database.
    pub segment_bytes: u64,
    /// The log may grow by this much before a checkpoint is written.
    pub checkpoint_bytes: u64,
    /// Documents that were changed, and that checkpoints have written, stay in
    /// memory up to so many bytes.
    pub document_bytes: u64,
    /// Whether it is only read.
    pub read_only: bool,
    /// Whether to open what comes before damage in the log; only for reading.
    pub until_damage: bool,
    /// Whether a database is made if there is none.
    pub create: bool,
    /// Told how far a long replay has come.
    pub progress: Option<OnProgress>,
}

impl std::fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageOptions")
            .field("path", &self.path)
            .field("sync", &self.sync)
            .field("segment_bytes", &self.segment_bytes)
            .field("checkpoint_bytes", &self.checkpoint_bytes)
            .field("document_bytes", &self.document_bytes)
            .field("read_only", &self.read_only)
            .field("until_damage", &self.until_damage)
            .field("create", &self.create)
            .finish_non_exhaustive()
    }
}

/// Bytes that wait in memory to be written to the log, before commits wait.
const BUFFER_BYTES_MAX: usize = 16 << 20;
/// Segments kept for later use beside those in use.
const SEGMENTS_KEPT: usize = 8;
/// Batches that are read ahead of the replay.
const BATCHES_AHEAD: usize = 4;

impl StorageOptions {
    /// The options for a directory.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            sync: SyncLevel::Full,
            segment_bytes: 8 << 20,
            checkpoint_bytes: 64 << 20,
            document_bytes: 128 << 20,
            read_only: false,
            until_damage: false,
            create: true,
            progress: None,
        }
    }

    fn log(&self, segment_bytes: u64) -> LogOptions {
        LogOptions {
            segment_bytes,
            buffer_bytes_max: BUFFER_BYTES_MAX,
            segments_kept: SEGMENTS_KEPT,
        }
    }
}

/// What replaying has found.
#[derive(Debug, Default)]
struct Replayed {
    leases: Option<Leases>,
    commits: u64,
    bytes: u64,
}

impl<P: Durable> Engine<P> {
    /// Opens the database in a directory, or makes one there.
    ///
    /// # Errors
    /// [`StorageError::Locked`], [`StorageError::Format`],
    /// [`StorageError::Corrupt`]; others of the files.
    pub fn recover(
        participant: P,
        options: EngineOptions,
        storage: &StorageOptions,
    ) -> Result<Arc<Self>, StorageError> {
        let files = Arc::clone(options.env.files());
        if storage.read_only || storage.until_damage {
            let store = Store::open_read_only(files, &storage.path)?;
            let store = store.ok_or_else(|| StorageError::missing(&storage.path))?;
            let contents = store.contents();
            let store = (contents, Some(store));
            return Self::read(participant, options, storage, store, None, StorageError::Closed);
        }
        let store = match Store::open(Arc::clone(&files), &storage.path)? {
            Some(store) => store,
            None if storage.create => {
                let env = &options.env;
                let database = u128::from(env.random_u64()) << 64 | u128::from(env.random_u64());
                let salt = env.random_u64() as u32 | 1;
                let identity = Identity { database, salt, segment_bytes: storage.segment_bytes };
                Store::create(files, &storage.path, identity)?
            }
            None => return Err(StorageError::missing(&storage.path)),
        };
        Self::write_on(participant, options, storage, store)
    }

    fn write_on(
        mut participant: P,
        options: EngineOptions,
        storage: &StorageOptions,
        store: Store,
    ) -> Result<Arc<Self>, StorageError> {
        let env = options.env.clone();
        let started = env.clock().monotonic();
        let contents = store.contents();
        let manifest = contents.manifest();
        participant.set_salt(manifest.identity.salt);
        let engine = Self::new(participant, options);
        engine.opened.store(false, Ordering::Release);
        let log_options = storage.log(manifest.identity.segment_bytes);
        let (files, salt) = (env.files(), manifest.identity.salt);
        // A database that nobody has opened yet has no log.
        if manifest.incarnation == 0 && !Log::exists(files, &storage.path)? {
            let files = Arc::clone(files);
            Log::create(files, &storage.path, salt, manifest.log, 0, log_options)?.close()?;
        }
        engine.load(&contents)?;
        let files = Arc::clone(files);
        let reader =
            Log::open(files, &storage.path, salt, manifest.log, log_options, ReadMode::Strict)?;
        let (reader, replayed, end) =
            engine.replay(reader, (storage, log_options.segment_bytes))?;
        check_there_is_a_log(manifest, &end, storage)?;
        store.remove_leftovers()?;
        let newest = manifest.incarnation.max(end.newest_incarnation);
        let incarnation = newest.checked_add(1).ok_or_else(|| used_up(&storage.path))?;
        let log = reader.finish(incarnation)?;
        let recovery = RecoveryStatistics {
            time: env.clock().monotonic().saturating_sub(started),
            log_bytes: end.start.position.get() - manifest.log.position.get(),
            commits: replayed.commits,
            cut_bytes: end.bytes_cut,
        };
        let known = replayed.leases.or_else(|| Leases::decode(&manifest.engine));
        engine.go_on_behind(known.unwrap_or_default());
        engine.stand_on(storage, store, log, incarnation, recovery, manifest.log.position);
        engine.renew_leases()?;
        engine.lease_sequences();
        if manifest.incarnation == 0 {
            engine.name_log()?;
        }
        engine.opened.store(true, Ordering::Release);
        if engine.owes_maintenance() {
            // What came due while it was closed.
            engine.wake_worker();
        }
        engine.checkpoint_if_due(engine.has_threads());
        Ok(engine)
    }

    /// From now on the manifest says that there is a log, and where.
    fn name_log(&self) -> Result<(), StorageError> {
        let journal = self.journal().ok_or(StorageError::Closed)?;
        let _checkpoints = journal.checkpoints.lock();
        let contents = journal.store.contents();
        let manifest = contents.manifest();
        if manifest.incarnation != 0 {
            // A checkpoint has been written already.
            return Ok(());
        }
        let facts = CheckpointFacts {
            timestamp: manifest.timestamp,
            log: manifest.log,
            incarnation: journal.incarnation,
            engine: journal.leases.lock().encode(),
        };
        journal.store.publish(journal.store.begin()?.finish()?, facts)?;
        Ok(())
    }

    /// Opens for reading alone, up to `until` in the log.
    fn read(
        mut participant: P,
        options: EngineOptions,
        storage: &StorageOptions,
        (contents, store): (Arc<Contents>, Option<Store>),
        until: Option<LogPosition>,
        refusal: StorageError,
    ) -> Result<Arc<Self>, StorageError> {
        let manifest = contents.manifest();
        participant.set_salt(manifest.identity.salt);
        let files = Arc::clone(options.env.files());
        let engine =
            Self::new(participant, EngineOptions { background: Background::Manual, ..options });
        engine.load(&contents)?;
        let mode = match until {
            Some(until) => ReadMode::Until(until),
            None if storage.until_damage => ReadMode::UpToDamage,
            None => ReadMode::Strict,
        };
        let log_options = storage.log(manifest.identity.segment_bytes);
        let salt = manifest.identity.salt;
        // A copy that nobody has opened yet has no log.
        let replayed = if manifest.incarnation > 0 || Log::exists(&files, &storage.path)? {
            let reader = Log::open(files, &storage.path, salt, manifest.log, log_options, mode)?;
            let (_, replayed, end) = engine.replay(reader, (storage, log_options.segment_bytes))?;
            if !storage.until_damage {
                check_there_is_a_log(manifest, &end, storage)?;
            }
            replayed
        } else {
            Replayed::default()
        };
        let known = replayed.leases.or_else(|| Leases::decode(&manifest.engine));
        engine.refuse_identifiers(known.unwrap_or_default(), &refusal);
        let contents = Arc::clone(&contents);
        let _ = engine.footing.set(Footing::ReadOnly { contents, store, refusal });
        Ok(engine)
    }

    /// Reads what is durable of a database that this engine has open and that
    /// has become unusable for writing.
    pub(crate) fn read_durable_state(&self) -> Result<Arc<Self>, StorageError> {
        let journal = self.journal().ok_or(StorageError::Closed)?;
        let storage = self.storage.get().ok_or(StorageError::Closed)?;
        let options = EngineOptions { env: self.env().clone(), background: Background::Manual };
        // Whoever is still writing may make something durable yet, and tell of it.
        let _ = journal.log.close();
        let contents = (journal.store.contents(), None);
        let until = Some(journal.log.durable());
        let refusal = journal.log.poisoned().unwrap_or(StorageError::Closed);
        Self::read(self.participant.fresh(), options, storage, contents, until, refusal)
    }

    fn load(&self, contents: &Contents) -> Result<(), StorageError> {
        let mut state = self.lock_commits::<()>().map_err(|_| StorageError::Closed)?;
        self.participant.track_changes(&mut state.writer);
        // SAFETY: the commit lock is held; nothing is stored, and nobody reads yet.
        unsafe { self.participant.load(&mut state.writer, contents)? };
        let checkpoint = contents.manifest().timestamp;
        if checkpoint > self.oracle.visible() {
            self.oracle.publish_again(checkpoint);
        }
        let (active, pin) = (self.scan(&mut state, None, FREED_PER_STEP), pin());
        self.settle(&mut state, &active, &pin, |_, _, _| {});
        // Loading is no change.
        drop(self.participant.take_changes(&mut state.writer));
        Ok(())
    }

    /// Replays the log. It is read on a thread of its own where there may be one.
    fn replay(
        &self,
        mut reader: LogReader,
        (storage, segment_bytes): (&StorageOptions, u64),
    ) -> Result<(LogReader, Replayed, LogEnd), StorageError> {
        let replayed = Replayed::default();
        let mut replay = Replay { engine: self, replayed, storage, segment_bytes };
        if !self.has_threads() {
            let mut batch = Batch::default();
            while reader.next_batch(&mut batch)? {
                replay.batch(&batch)?;
            }
        } else {
            reader = thread::scope(|scope| {
                let (full, batches) = sync_channel(BATCHES_AHEAD);
                let (back, empty) = sync_channel(BATCHES_AHEAD + 1);
                let reading = scope.spawn(move || read_ahead(reader, &full, &empty));
                let mut done = Ok(());
                for batch in batches {
                    done = replay.batch(&batch);
                    if done.is_err() {
                        break;
                    }
                    let _ = back.try_send(batch);
                }
                let read = reading.join().expect("reading the log does not panic");
                done.and(read)
            })?;
        }
        let end = reader.end().cloned().ok_or(StorageError::Closed)?;
        Ok((reader, replay.replayed, end))
    }

    /// No timestamp and no identifier of an earlier life comes again.
    fn go_on_behind(&self, leases: Leases) {
        let timestamp = Timestamp::new(leases.timestamps);
        if timestamp > self.oracle.visible() && !mutant::is("timestamps-reused") {
            self.oracle.publish_again(timestamp);
        }
        for (sequence, end) in self.participant.sequences().into_iter().zip(leases.ids) {
            sequence.skip_to(end);
        }
    }

    fn stand_on(
        &self,
        storage: &StorageOptions,
        store: Store,
        log: Log,
        incarnation: u32,
        recovery: RecoveryStatistics,
        replay_from: LogPosition,
    ) {
        let hooks = Hooks {
            encode: P::encode,
            checkpoint_if_due: |engine: &Arc<Self>| engine.checkpoint_if_due(engine.has_threads()),
            renew_leases: Self::renew_leases,
            ids_left: |participant| {
                let sequences = participant.sequences().into_iter();
                sequences.map(Sequence::left).min().unwrap_or(u64::MAX)
            },
            end_leases: |participant| {
                participant.sequences().into_iter().map(Sequence::end_lease).collect()
            },
        };
        let journal = Journal::new(storage, store, log, incarnation, hooks, recovery);
        journal.replay_from.store(replay_from.get(), Ordering::Relaxed);
        // What an earlier life may have given out, until new leases are durable.
        *journal.leases.lock() = Leases {
            timestamps: self.oracle.visible().get(),
            ids: self.participant.sequences().iter().map(|sequence| sequence.next()).collect(),
        };
        if let SyncLevel::Normal { every } = storage.sync {
            self.look_every(every);
        }
        let _ = self.storage.set(storage.clone());
        let _ = self.footing.set(Footing::Durable(Box::new(journal)));
    }

    /// From now on identifiers are given out as far as they are leased.
    fn lease_sequences(self: &Arc<Self>) {
        for sequence in self.participant.sequences() {
            let engine = Arc::downgrade(self);
            sequence.renew_by(Box::new(move || match engine.upgrade() {
                Some(engine) => engine.renew_leases(),
                None => Err(StorageError::Closed),
            }));
        }
    }

    /// Nothing is given out here, and this is why. A copy that is made from here goes
    /// on behind what was given out.
    fn refuse_identifiers(&self, known: Leases, refusal: &StorageError) {
        for (at, sequence) in self.participant.sequences().into_iter().enumerate() {
            let refusal = refusal.clone();
            sequence.skip_to(known.ids.get(at).copied().unwrap_or(0));
            sequence.lease(0);
            sequence.renew_by(Box::new(move || Err(refusal.clone())));
        }
    }

    /// Leases timestamps and identifiers from where they are now, durably.
    pub(crate) fn renew_leases(&self) -> Result<(), StorageError> {
        let journal = self.journal().ok_or(StorageError::Closed)?;
        let mut leases = journal.leases.lock();
        if self.is_closed() {
            return Err(StorageError::Closed);
        }
        let sequences = self.participant.sequences();
        let ids = sequences.iter().map(|sequence| sequence.next().checked_add(IDS_LEASED));
        let timestamps = self.oracle.visible().get() + TIMESTAMPS_LEASED;
        let ids = ids.collect::<Option<_>>().filter(|_| timestamps <= Timestamp::MAX.get());
        let new = Leases { timestamps, ids: ids.ok_or_else(|| used_up(journal.store.path()))? };
        self.note(journal, &new)?;
        for (sequence, end) in sequences.iter().zip(&new.ids) {
            sequence.lease(*end);
        }
        journal.timestamps_leased.store(new.timestamps, Ordering::Relaxed);
        *leases = new;
        Ok(())
    }

    /// Copies the database, as of now, into a directory of its own.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is a database; others of the files.
    pub fn backup_to(&self, path: &Path) -> Result<Timestamp, SnapshotError> {
        let open = self.open_noted(Some("backup"))?;
        let done = self.back_up(&open, path);
        let timestamp = open.start();
        self.close(open);
        Ok(done.map(|()| timestamp)?)
    }

    fn back_up(&self, open: &crate::engine::OpenSnapshot, path: &Path) -> Result<(), StorageError> {
        let files = self.env().files();
        let identity = match self.contents() {
            Some(contents) => contents.manifest().identity,
            None => Identity {
                database: u128::from(self.env().random_u64()),
                salt: self.env().random_u64() as u32 | 1,
                segment_bytes: StorageOptions::new(path).segment_bytes,
            },
        };
        let store = Store::create_unnamed(Arc::clone(files), path, identity)?;
        let finished = self.write_copy(open, &store)?.finish()?;
        let leases = Leases {
            timestamps: open.start().get(),
            ids: self.participant.sequences().iter().map(|sequence| sequence.next()).collect(),
        };
        let facts = CheckpointFacts {
            timestamp: open.start(),
            log: LogStart::default(),
            incarnation: 0,
            engine: leases.encode(),
        };
        store.publish(finished, facts).map(drop).map_err(|error| match error {
            // It is the copy that is unusable, and not this database.
            StorageError::Poisoned { reason } => StorageError::Io {
                what: "complete the copy in",
                path: path.to_owned(),
                kind: io::ErrorKind::Other,
                message: reason,
            },
            error => error,
        })
    }
}

/// A log of which nothing is left where it should start is not the end of one: who
/// wrote the manifest had made a record there durable.
fn check_there_is_a_log(
    manifest: &Manifest,
    end: &LogEnd,
    storage: &StorageOptions,
) -> Result<(), StorageError> {
    let start = manifest.log.position;
    if manifest.incarnation == 0 || end.start.position > start {
        return Ok(());
    }
    let what = "nothing of the log is left where the manifest says that it starts";
    Err(log_corrupt(&storage.path, manifest.identity.segment_bytes, start, what))
}

/// A database in which so much was counted is not one that was ever used so much.
fn used_up(path: &Path) -> StorageError {
    StorageError::corrupt(path, 0, "no timestamps, identifiers or incarnations are left")
}

fn read_ahead(
    mut reader: LogReader,
    full: &SyncSender<Batch>,
    empty: &Receiver<Batch>,
) -> Result<LogReader, StorageError> {
    loop {
        let mut batch = empty.try_recv().unwrap_or_default();
        if !reader.next_batch(&mut batch)? || full.send(batch).is_err() {
            return Ok(reader);
        }
    }
}

struct Replay<'r, P: Durable> {
    engine: &'r Engine<P>,
    replayed: Replayed,
    storage: &'r StorageOptions,
    segment_bytes: u64,
}

impl<P: Durable> Replay<'_, P> {
    /// Replays one batch of records under one hold of the commit lock.
    fn batch(&mut self, batch: &Batch) -> Result<(), StorageError> {
        let engine = self.engine;
        let pin = pin();
        let mut state = engine.lock_commits::<()>().map_err(|_| StorageError::Closed)?;
        let active = engine.scan(&mut state, None, usize::MAX);
        let mut writes = P::Writes::default();
        for record in batch.records() {
            match record.kind {
                RecordKind::Commit => {
                    // SAFETY: the commit lock is held.
                    let decoded = unsafe {
                        let bytes = batch.payload(record);
                        engine.participant.decode(&mut state.writer, bytes, &mut writes)
                    };
                    decoded.map_err(|what| self.corrupt(record, what))?;
                    if record.timestamp <= engine.oracle.visible() {
                        return Err(self.corrupt(record, "a commit out of order".into()));
                    }
                    engine.apply_again(&mut state, &mut writes, record.timestamp, &active, &pin);
                    engine.participant.clear(&mut writes);
                    self.replayed.commits += 1;
                }
                RecordKind::Note => match Leases::decode(batch.payload(record)) {
                    Some(leases) => self.replayed.leases = Some(leases),
                    None => return Err(self.corrupt(record, "a note that is no lease".into())),
                },
                RecordKind::Mark => {}
            }
        }
        drop(state);
        pin.answer_for_counted();
        pin.flush();
        self.replayed.bytes += batch.bytes().len() as u64;
        if let Some(progress) = &self.storage.progress {
            progress(Progress { bytes: self.replayed.bytes, commits: self.replayed.commits });
        }
        Ok(())
    }

    /// A record that was written whole, and says what cannot be.
    fn corrupt(&self, record: &LogRecord, what: String) -> StorageError {
        log_corrupt(&self.storage.path, self.segment_bytes, record.position, what)
    }
}
