//! An open database directory: its manifest, its data files, its checkpoints.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use selvedge_base::mutant;
use selvedge_base::sync::{LockRank, Mutex, mutex};
use selvedge_env::{FileLock, FileSystem};

use crate::checkpoint::{CheckpointFacts, CheckpointWriter, Finished, Published};
use crate::contents::Contents;
use crate::database_dir::{DatabaseDir, MANIFEST, MANIFEST_NEW};
use crate::error::StorageError;
use crate::header::{FileHeader, FileKind};
use crate::manifest::{ENGINE_BYTES_MAX, Identity, LiveFile, MANIFEST_BYTES_MAX, Manifest};
use crate::place::FileNumber;

/// An open database directory. The lock is held until it is
/// [released](Self::release) or dropped.
///
/// Any thread may ask for the [contents](Self::contents). Checkpoints come one
/// after the other: a checkpoint is under way from [`begin`](Self::begin) to
/// [`publish`](Self::publish), or until what `begin` gave is dropped.
///
/// ```
/// use std::path::Path;
///
/// use selvedge_env::SimulatedFiles;
/// use selvedge_storage::{BlockKey, CheckpointFacts, Identity, Place, Store};
///
/// let (files, dir) = (SimulatedFiles::new(1).process(), Path::new("name.selvedge"));
/// let identity = Identity { database: 1, salt: 2, segment_bytes: 8 << 20 };
/// let store = Store::create(files.clone(), dir, identity)?;
///
/// let key = BlockKey { table: 0, leaf: 0 };
/// let mut writer = store.begin()?;
/// let place = writer.document(b"a document")?;
/// writer.block(key, &place.to_bytes(), [place])?;
/// store.publish(writer.finish()?, CheckpointFacts::default())?;
/// drop(store);
///
/// let store = Store::open(files, dir)?.expect("it was made");
/// let contents = store.contents();
/// let block = contents.block(key)?.expect("it was written");
/// let place = Place::from_bytes(block.first_chunk().expect("of one place"));
/// assert_eq!(contents.verified_document(place)?, b"a document");
/// # Ok::<(), selvedge_storage::StorageError>(())
/// ```
pub struct Store {
    dir: DatabaseDir,
    state: Mutex<State>,
}

struct State {
    contents: Arc<Contents>,
    /// The number of the next data file.
    next_file: u64,
    writing: Writing,
    /// Held by the checkpoint that is under way.
    turn: Arc<()>,
    /// None: released; or opened for reading, where nobody can have taken it.
    lock: Option<Box<dyn FileLock>>,
}

/// Whether there may be checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Writing {
    Allowed,
    /// Opened for reading, or released.
    Closed,
    /// It is unknown which manifest is durable, and this is why.
    Poisoned(String),
}

impl Store {
    /// Makes a database without contents, durably. The directory is made if it
    /// is missing. The log is for the caller to make, afterwards.
    ///
    /// # Errors
    /// [`StorageError::Exists`]; [`StorageError::Corrupt`] if there is what is left
    /// of a database; [`StorageError::Locked`]; others of the system.
    pub fn create(
        files: Arc<dyn FileSystem>,
        dir: &Path,
        identity: Identity,
    ) -> Result<Self, StorageError> {
        let store = Self::create_unnamed(files, dir, identity)?;
        let first = store.contents();
        replace_manifest(&store.dir, first.manifest(), None).map_err(Replacing::into_error)?;
        Ok(store)
    }

    /// As [`create`](Self::create), but without a manifest until the first
    /// checkpoint is published: what is cut short before that is no database.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_unnamed(
        files: Arc<dyn FileSystem>,
        dir: &Path,
        identity: Identity,
    ) -> Result<Self, StorageError> {
        let dir = DatabaseDir::new(files, dir);
        dir.create()?;
        let lock = dir.lock()?;
        match find(&dir, &dir.names()?.unwrap_or_default())? {
            Found::Nothing => {}
            Found::Database => {
                return Err(StorageError::Exists { path: dir.path().to_owned() });
            }
        }
        let manifest = Manifest::first(identity);
        let contents = Contents::new(dir.clone(), manifest, Arc::default(), Vec::new());
        Ok(Self::new(dir, contents, 1, Writing::Allowed, Some(lock)))
    }

    fn new(
        dir: DatabaseDir,
        contents: Contents,
        next_file: u64,
        writing: Writing,
        lock: Option<Box<dyn FileLock>>,
    ) -> Self {
        let contents = Arc::new(contents);
        let state = State { contents, next_file, writing, turn: Arc::default(), lock };
        Self { dir, state: mutex(LockRank::StoreState, state) }
    }

    /// Opens the database in a directory; None if there is none, or one whose
    /// making was cut short.
    ///
    /// Nothing is removed yet: see [`remove_leftovers`](Self::remove_leftovers).
    ///
    /// # Errors
    /// [`StorageError::Locked`], [`StorageError::Corrupt`],
    /// [`StorageError::Format`]; others of the system.
    pub fn open(files: Arc<dyn FileSystem>, dir: &Path) -> Result<Option<Self>, StorageError> {
        let dir = DatabaseDir::new(files, dir);
        let Some(names) = dir.names()? else { return Ok(None) };
        if find(&dir, &names)? == Found::Nothing {
            return Ok(None);
        }
        let lock = dir.lock()?;
        // What a killed process renamed may not be durable yet. It must be
        // before anything goes that an older manifest needs.
        if !mutant::is("found-manifest-not-synced") {
            dir.sync()?;
        }
        Self::open_locked(dir, Writing::Allowed, Some(lock))
    }

    /// [`open`](Self::open) for reading only, which changes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_read_only(
        files: Arc<dyn FileSystem>,
        dir: &Path,
    ) -> Result<Option<Self>, StorageError> {
        let dir = DatabaseDir::new(files, dir);
        let Some(names) = dir.names()? else { return Ok(None) };
        if find(&dir, &names)? == Found::Nothing {
            return Ok(None);
        }
        let lock = dir.lock_if_there(&names)?;
        Self::open_locked(dir, Writing::Closed, lock)
    }

    fn open_locked(
        dir: DatabaseDir,
        writing: Writing,
        lock: Option<Box<dyn FileLock>>,
    ) -> Result<Option<Self>, StorageError> {
        let Some(manifest) = read_manifest(&dir)? else { return Ok(None) };
        let contents = Contents::open(&dir, manifest)?;
        let names = dir.names()?.unwrap_or_default();
        let numbers = names.iter().filter_map(|name| FileNumber::of_name(name));
        let newest = numbers.chain(contents.files().iter().map(|file| file.number())).max();
        // Any name may be there: the last number is one that `begin` refuses.
        let next_file = newest.map_or(0, FileNumber::get).saturating_add(1);
        Ok(Some(Self::new(dir, contents, next_file, writing, lock)))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What the database contains as of the newest checkpoint. Who reads much
    /// asks once.
    #[must_use]
    pub fn contents(&self) -> Arc<Contents> {
        self.state.lock().contents.clone()
    }

    /// Removes files of checkpoints that were cut short, and dead ones that
    /// could not be removed at their time; gives their number.
    ///
    /// Apart from opening, so that the log can be opened in between: if the log
    /// does not go with this manifest, nothing that another manifest may need has
    /// been removed. [`begin`](Self::begin) does it as well, as far as it can.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if a data file of another database is there,
    /// [`StorageError::Format`] if one of a newer format is;
    /// [`StorageError::Poisoned`], [`StorageError::Closed`]; others of the system.
    ///
    /// # Panics
    /// If a checkpoint is under way: its file is no leftover.
    pub fn remove_leftovers(&self) -> Result<usize, StorageError> {
        self.check_writable()?;
        let is_under_way = Arc::strong_count(&self.state.lock().turn) > 1;
        assert!(!is_under_way, "checkpoints come one by one");
        let contents = self.contents();
        let mut removed = 0;
        for name in self.dir.names()?.unwrap_or_default() {
            let number = FileNumber::of_name(&name);
            let is_leftover = match number {
                Some(number) => contents.file(number).is_none(),
                None => name == MANIFEST_NEW,
            };
            if is_leftover {
                if number.is_some() {
                    self.check_leftover(&name, &contents)?;
                }
                self.dir.remove(&name)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Refuses a data file of another database, or of a newer format: which of the
    /// manifest and the file is wrong here is not for us to judge by removing one.
    fn check_leftover(&self, name: &str, contents: &Contents) -> Result<(), StorageError> {
        let path = self.dir.path_of(name);
        let header = self.dir.read(name, FileHeader::BYTES)?.unwrap_or_default();
        match FileHeader::decode(&path, &header, FileKind::Data) {
            Ok(header) if header.salt != contents.manifest().identity.salt => {
                let what = "the file is of another database than the manifest";
                Err(StorageError::corrupt(&path, 24, what))
            }
            Err(newer @ StorageError::Format { .. }) => Err(newer),
            // Of this database, or never completed.
            _ => Ok(()),
        }
    }

    /// Begins a checkpoint.
    ///
    /// # Errors
    /// [`StorageError::Poisoned`]; [`StorageError::Closed`] if the store was opened
    /// for reading, or released.
    ///
    /// # Panics
    /// If another checkpoint is under way.
    pub fn begin(&self) -> Result<CheckpointWriter, StorageError> {
        self.check_writable()?;
        // What cannot be removed now takes space, and nothing else.
        let _ = self.remove_leftovers();
        let mut state = self.state.lock();
        let number = FileNumber::new(state.next_file);
        state.next_file = state.next_file.checked_add(1).ok_or_else(|| {
            StorageError::corrupt(self.dir.path(), 0, "no number is left for a data file")
        })?;
        let (base, turn) = (state.contents.clone(), state.turn.clone());
        Ok(CheckpointWriter::new(self.dir.clone(), base, number, turn))
    }

    /// Makes a checkpoint the one that counts. The log must be durable up to
    /// where `facts` say that it starts.
    ///
    /// # Errors
    /// [`StorageError::Poisoned`]: it is unknown which manifest is durable, the
    /// one before or this one. Both are complete, and the next opening finds one
    /// of them; until then there are no more checkpoints, and nothing may go that
    /// the one before needs, such as its log.
    ///
    /// After any other error nothing has changed; the file of the checkpoint is
    /// removed, and the next one may succeed.
    ///
    /// # Panics
    /// If `finished` is a checkpoint of another store, or if `facts` are older than
    /// those before.
    pub fn publish(
        &self,
        finished: Finished,
        facts: CheckpointFacts,
    ) -> Result<Published, StorageError> {
        self.check_writable()?;
        let base = finished.base.clone();
        let (live, died) = finished.split_files();
        let manifest = self.next_manifest(&finished, &live, facts)?;
        if let Err(error) = replace_manifest(&self.dir, &manifest, Some(base.manifest())) {
            let Replacing::Unknown(error) = error else {
                return Err(error.into_error());
            };
            if let Some((_, new_file)) = finished.file {
                new_file.keep();
            }
            let reason = error.to_string();
            self.state.lock().writing = Writing::Poisoned(reason.clone());
            return Err(StorageError::Poisoned { reason });
        }

        let Finished { blocks, file, statistics, .. } = finished;
        if let Some((_, new_file)) = file {
            new_file.keep();
        }
        let contents = Arc::new(Contents::new(self.dir.clone(), manifest, blocks, live));
        self.state.lock().contents = contents.clone();
        for file in &died {
            // If that fails the next checkpoint, or the next opening, does it.
            let _ = self.dir.remove(&file.number().name());
        }
        Ok(Published { contents, died, statistics })
    }

    /// The manifest that makes `finished` count.
    fn next_manifest(
        &self,
        finished: &Finished,
        live: &[Arc<crate::DataFile>],
        facts: CheckpointFacts,
    ) -> Result<Manifest, StorageError> {
        let before = finished.base.manifest();
        let is_ours = Arc::ptr_eq(&finished.turn, &self.state.lock().turn);
        assert!(is_ours, "a checkpoint of this store");
        assert!(before.timestamp <= facts.timestamp, "checkpoints go forward");
        assert!(before.log.position <= facts.log.position, "the log starts where it did, or later");
        assert!(before.incarnation <= facts.incarnation, "incarnations are counted");
        if facts.engine.len() > ENGINE_BYTES_MAX {
            let what = format!(
                "the engine keeps {} bytes in the manifest; the limit is {ENGINE_BYTES_MAX}",
                facts.engine.len()
            );
            let error = io::Error::new(io::ErrorKind::FileTooLarge, what);
            return Err(StorageError::io("write", &self.dir.path_of(MANIFEST), &error));
        }
        let generation = before.generation.checked_add(1).ok_or_else(|| {
            StorageError::corrupt(&self.dir.path_of(MANIFEST), 16, "no generation is left")
        })?;
        let files = live.iter().map(|file| LiveFile { file: file.number(), bytes: file.len() });
        Ok(Manifest {
            identity: before.identity,
            generation,
            timestamp: facts.timestamp,
            log: facts.log,
            incarnation: facts.incarnation,
            directory: finished.directory,
            files: files.collect(),
            engine: facts.engine,
        })
    }

    /// Whether it is unknown which manifest is durable: see
    /// [`publish`](Self::publish).
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self.state.lock().writing, Writing::Poisoned(_))
    }

    /// Ends writing and gives the lock back, so that the database can be opened
    /// again while contents of this store are still read. No checkpoint is under
    /// way.
    pub fn release(&self) {
        let mut state = self.state.lock();
        if state.writing == Writing::Allowed {
            state.writing = Writing::Closed;
        }
        state.lock = None;
    }

    fn check_writable(&self) -> Result<(), StorageError> {
        match &self.state.lock().writing {
            Writing::Allowed => Ok(()),
            Writing::Closed => Err(StorageError::Closed),
            Writing::Poisoned(reason) => Err(StorageError::Poisoned { reason: reason.clone() }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Store")
            .field("path", &self.dir.path())
            .field("contents", &state.contents)
            .field("writing", &state.writing)
            .finish_non_exhaustive()
    }
}

/// What is in a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// No database, or one whose making was cut short.
    Nothing,
    Database,
}

/// Tells what is in the directory with these names.
///
/// The manifest is the first of a database's files that becomes durable, and it
/// is never removed: where there are others without it, it was lost, and with it
/// what the others mean. Such a directory is not taken for an empty one.
fn find(dir: &DatabaseDir, names: &[String]) -> Result<Found, StorageError> {
    if names.iter().any(|name| name == MANIFEST) {
        return Ok(Found::Database);
    }
    let is_of_database =
        |name: &&String| FileNumber::of_name(name).is_some() || name.starts_with("log-");
    match names.iter().find(is_of_database) {
        None => Ok(Found::Nothing),
        Some(name) => {
            let what = format!("the manifest is missing, but there is {name}");
            Err(StorageError::corrupt(&dir.path_of(MANIFEST), 0, what))
        }
    }
}

fn read_manifest(dir: &DatabaseDir) -> Result<Option<Manifest>, StorageError> {
    // One byte more than there may be shows as damage at the end.
    let Some(bytes) = dir.read(MANIFEST, MANIFEST_BYTES_MAX + 1)? else { return Ok(None) };
    Manifest::decode(&dir.path_of(MANIFEST), &bytes).map(Some)
}

/// How replacing the manifest failed.
#[derive(Debug)]
enum Replacing {
    /// The one before counts.
    Unchanged(StorageError),
    /// Either may count.
    Unknown(StorageError),
}

impl Replacing {
    fn into_error(self) -> StorageError {
        match self {
            Self::Unchanged(error) | Self::Unknown(error) => error,
        }
    }
}

/// Makes `manifest` the one that counts, in place of `before`, durably.
fn replace_manifest(
    dir: &DatabaseDir,
    manifest: &Manifest,
    before: Option<&Manifest>,
) -> Result<(), Replacing> {
    if let Err(error) = write_new_manifest(dir, manifest) {
        let _ = dir.remove(MANIFEST_NEW);
        return Err(Replacing::Unchanged(error));
    }
    if let Err(error) = dir.rename(MANIFEST_NEW, MANIFEST) {
        // A failed rename has changed nothing, if the system keeps its word.
        // A look tells; if it fails as well, nothing is known.
        let is_unchanged = read_manifest(dir).is_ok_and(|found| found.as_ref() == before);
        if !is_unchanged {
            return Err(Replacing::Unknown(error));
        }
        let _ = dir.remove(MANIFEST_NEW);
        return Err(Replacing::Unchanged(error));
    }
    if mutant::is("manifest-name-not-synced") {
        return Ok(());
    }
    dir.sync().map_err(Replacing::Unknown)
}

fn write_new_manifest(dir: &DatabaseDir, manifest: &Manifest) -> Result<(), StorageError> {
    let bytes = manifest.encode();
    let path = dir.path_of(MANIFEST_NEW);
    // Of an attempt that was cut short.
    dir.remove(MANIFEST_NEW)?;
    let file = dir.create_file(MANIFEST_NEW)?;
    file.write_all_at(&bytes, 0).map_err(|error| StorageError::io("write", &path, &error))?;
    if mutant::is("manifest-not-synced") {
        return Ok(());
    }
    file.sync_data().map_err(|error| StorageError::io("sync", &path, &error))
}
