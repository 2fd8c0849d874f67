//! Options: of a database, and of a transaction.

use selvedge_base::limits::{HANDLE_LABEL_BYTES_MAX, TRANSACTION_WRITES_MAX};
use selvedge_engine::{Background, Engine, EngineOptions};
use selvedge_env::Env;
use selvedge_graph::{Graph, GraphOptions};

use crate::db::Db;
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
#[derive(Clone, Debug, Default)]
pub struct DbBuilder {
    engine: EngineOptions,
    graph: GraphOptions,
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

    /// A database in memory: it ends with its last handle.
    #[must_use]
    pub fn in_memory(self) -> Db {
        let graph =
            GraphOptions { hash_seed: self.engine.env.random_up_to(u64::MAX), ..self.graph };
        Db::from_engine(Engine::new(Stores::new(Graph::new(graph)), self.engine))
    }
}
