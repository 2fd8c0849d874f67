//! Options: of a database, and of a transaction.

use std::path::Path;
use std::sync::Arc;

use selvedge_base::limits::{
    HANDLE_LABEL_BYTES_MAX, LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_BYTES_MIN, TRANSACTION_WRITES_MAX,
};
use selvedge_engine::{Background, Engine, EngineOptions, Progress, StorageOptions, SyncLevel};
use selvedge_env::Env;
use selvedge_graph::{Graph, GraphOptions};
use selvedge_keyspace::Keyspace;

use crate::db::Db;
use crate::error::Result;
use crate::kv::limits::KvLimits;
use crate::stores::Stores;

/// What a transaction is protected from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// It sees one snapshot, and loses against whoever wrote the same before it
    /// committed. Two transactions may each read what the other writes: write
    /// skew.
    #[default]
    Snapshot,
    /// As [`Snapshot`](Self::Snapshot); and at its commit everything it read
    /// (nodes, keys, scans, counts, neighbourhoods) must be unchanged.
    /// Transactions that all run so are serializable, and so are read-only
    /// transactions beside them.
    Serializable,
}

/// How a transaction or snapshot runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TransactionOptions {
    pub(crate) isolation: Isolation,
    pub(crate) label: Option<String>,
    pub(crate) writes_max: Option<usize>,
    pub(crate) sync: Option<SyncLevel>,
}

impl TransactionOptions {
    /// The defaults: snapshot isolation, no label.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serializable isolation.
    #[must_use]
    pub fn serializable() -> Self {
        Self { isolation: Isolation::Serializable, ..Self::default() }
    }

    /// The isolation.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// A label by which [`Statistics`](crate::Statistics) speaks of this
    /// transaction when it is the oldest one open. What is beyond
    /// [`HANDLE_LABEL_BYTES_MAX`] bytes is cut off.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        let mut label = label.into();
        label.truncate(label.floor_char_boundary(HANDLE_LABEL_BYTES_MAX));
        self.label = Some(label);
        self
    }

    /// When it is durable, if not as the database says. Of no meaning in memory.
    #[must_use]
    pub fn sync(mut self, level: SyncLevel) -> Self {
        self.sync = Some(level);
        self
    }

    /// How many entities (nodes, edges, edge types) it may write; at most, and
    /// by default, [`TRANSACTION_WRITES_MAX`].
    #[must_use]
    pub fn writes_max(mut self, entities: usize) -> Self {
        self.writes_max = Some(entities.min(TRANSACTION_WRITES_MAX));
        self
    }
}

/// How a database is made.
///
/// ```
/// use selvedge::{Background, Db};
///
/// let db = Db::builder().background(Background::Manual).in_memory();
/// assert!(!db.step(100), "nothing to do yet");
/// ```
#[derive(Clone, Debug)]
pub struct DbBuilder {
    engine: EngineOptions,
    graph: GraphOptions,
    storage: StorageOptions,
    kv_limits: KvLimits,
}

impl Default for DbBuilder {
    fn default() -> Self {
        let (engine, graph) = (EngineOptions::default(), GraphOptions::default());
        let (storage, kv_limits) = (StorageOptions::new(Path::new("")), KvLimits::default());
        Self { engine, graph, storage, kv_limits }
    }
}

impl DbBuilder {
    /// Who does background maintenance: by default a thread, which exists only
    /// once there is something to do.
    #[must_use]
    pub fn background(mut self, background: Background) -> Self {
        self.engine.background = background;
        self
    }

    /// Clock and randomness: by default the machine's. A simulated one makes
    /// single-threaded runs repeat exactly.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.engine.env = env;
        self
    }

    /// The id of the first node, at least 1; later ones count up from there.
    #[must_use]
    pub fn first_node_id(mut self, id: u64) -> Self {
        self.graph.first_node_id = id;
        self
    }

    /// The number of the first edge that gets one, at least 1.
    #[must_use]
    pub fn first_edge_id(mut self, id: u64) -> Self {
        self.graph.first_edge_id = id;
        self
    }

    /// When commits are durable, unless a transaction says otherwise: by default
    /// before they return.
    #[must_use]
    pub fn sync(mut self, level: SyncLevel) -> Self {
        self.storage.sync = level;
        self
    }

    /// The log may grow by this many bytes before a checkpoint is written by
    /// itself: 64 MiB by default. Opening replays at most a few times as much.
    #[must_use]
    pub fn checkpoint_bytes(mut self, bytes: u64) -> Self {
        self.storage.checkpoint_bytes = bytes;
        self
    }

    /// Documents that were changed stay in memory, once a checkpoint has written
    /// them, up to so many bytes: 128 MiB by default. Beyond that those that were
    /// written longest ago leave it, and are read from the disk when they are asked
    /// for. (What waits for a checkpoint is in memory besides: see
    /// [`checkpoint_bytes`](Self::checkpoint_bytes).)
    #[must_use]
    pub fn document_bytes(mut self, bytes: u64) -> Self {
        self.storage.document_bytes = bytes;
        self
    }

    /// Bytes of each segment of the log of a database that is made: 8 MiB by
    /// default. Rounded up to a multiple of [`LOG_SEGMENT_BYTES_MIN`].
    #[must_use]
    pub fn log_segment_bytes(mut self, bytes: u64) -> Self {
        let whole = bytes.clamp(LOG_SEGMENT_BYTES_MIN, LOG_SEGMENT_BYTES_MAX);
        self.storage.segment_bytes = whole.next_multiple_of(LOG_SEGMENT_BYTES_MIN);
        self
    }

    /// What keyspaces refuse for its size.
    #[must_use]
    pub fn kv_limits(mut self, limits: KvLimits) -> Self {
        self.kv_limits = limits;
        self
    }

    /// Opens only what exists: without this, a database is made if there is none.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.storage.create = false;
        self
    }

    /// Opens for reading alone, and changes nothing on the disk. Commits fail with
    /// [`Error::Closed`](crate::Error::Closed). Nobody else may have the database
    /// open meanwhile.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.storage.read_only = true;
        self
    }

    /// Opens for reading alone, up to the first damage in the log: what is there
    /// is consistent, and older than what was lost.
    #[must_use]
    pub fn until_damage(mut self) -> Self {
        self.storage.until_damage = true;
        self
    }

    /// Told how far opening has come, about once for each MiB of log replayed.
    #[must_use]
    pub fn on_progress(mut self, told: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.storage.progress = Some(Arc::new(told));
        self
    }

    fn stores(&self) -> Stores {
        let hash_seed = self.engine.env.random_up_to(u64::MAX);
        let keyspace = Keyspace::new(self.engine.env.clone());
        let graph = Graph::new(GraphOptions { hash_seed, ..self.graph });
        Stores::new(graph, keyspace, self.kv_limits)
    }

    /// A database in memory: it ends with its last handle.
    #[must_use]
    pub fn in_memory(self) -> Db {
        Db::from_engine(Engine::new(self.stores(), self.engine))
    }

    /// Opens the database in a directory, or makes one there.
    ///
    /// ```
    /// use selvedge::{Db, SyncLevel, doc};
    /// use std::time::Duration;
    ///
    /// # let dir = tempfile::tempdir().expect("a directory");
    /// # let path = dir.path().join("events.selvedge");
    /// let every = Duration::from_millis(100);
    /// let db = Db::builder().sync(SyncLevel::Normal { every }).open(&path)?;
    /// db.insert_node("Event", None, doc! { "what": "login" })?;
    /// db.close()?;
    /// # Ok::<(), selvedge::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open(mut self, path: impl AsRef<Path>) -> Result<Db> {
        let stores = self.stores();
        self.storage.path = path.as_ref().to_owned();
        Ok(Db::from_engine(Engine::recover(stores, self.engine, &self.storage)?))
    }
}
