//! Fields: what conditions test, orders sort by and rows show.

use std::fmt;

use selvedge_encoding::{FieldPath, PathError, ValueRef};
use selvedge_graph::{EdgeRef, Node};

use crate::query::error::QueryError;

/// What is read of a node, or of the edge that led to it. A text is a path into
/// the node's document: `"age"`, `"address.city"`, `"lines[0]"`.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::query::{Field, Order, gte};
///
/// let db = Db::in_memory();
/// let alice = db.insert_node("User", "alice", doc! {})?;
/// let bob = db.insert_node("User", "bob", doc! {})?;
/// db.link_nodes(alice, "KNOWS", bob, doc! { "since": 2020 })?;
/// let snapshot = db.snapshot()?;
/// let known = snapshot.query().from(alice).out("KNOWS").has(Field::edge("since"), gte(2019));
/// let row = known.select([Field::key(), Field::edge("since")]).first()?.expect("one");
/// assert!(row.get(0).unwrap() == "bob" && row.get(1).unwrap() == 2020);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field(Result<FieldKind, PathError>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FieldKind {
    Path(FieldPath),
    Edge(FieldPath),
    EdgeType,
    Id,
    Label,
    Key,
}

impl Field {
    /// A path into the document of the edge that led to the node; absent at the
    /// start.
    #[must_use]
    pub fn edge(path: &str) -> Self {
        Self(FieldPath::parse(path).map(FieldKind::Edge))
    }

    /// The type of the edge that led to the node; absent at the start.
    #[must_use]
    pub fn edge_type() -> Self {
        Self(Ok(FieldKind::EdgeType))
    }

    /// The number of the node's id.
    #[must_use]
    pub fn id() -> Self {
        Self(Ok(FieldKind::Id))
    }

    /// The node's label.
    #[must_use]
    pub fn label() -> Self {
        Self(Ok(FieldKind::Label))
    }

    /// The node's key; absent if it has none.
    #[must_use]
    pub fn key() -> Self {
        Self(Ok(FieldKind::Key))
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        self.0.as_ref().map_or_else(|error| Err(error.clone().into()), |_| Ok(()))
    }

    /// What it is, of a field that was checked.
    pub(crate) fn kind(&self) -> Option<&FieldKind> {
        self.0.as_ref().ok()
    }

    /// The path into the node's document, if that is what it is.
    pub(crate) fn path(&self) -> Option<&FieldPath> {
        if let Ok(FieldKind::Path(path)) = &self.0 { Some(path) } else { None }
    }

    /// The same field of edges: paths lead into their documents.
    pub(crate) fn of_edges(self) -> Self {
        Self(self.0.map(|kind| match kind {
            FieldKind::Path(path) => FieldKind::Edge(path),
            kind => kind,
        }))
    }

    /// Whether it is read from the edge that led to the node.
    pub(crate) fn reads_edge(&self) -> bool {
        matches!(self.0, Ok(FieldKind::Edge(_) | FieldKind::EdgeType))
    }

    pub(crate) fn read<'a>(&self, subject: &Subject<'a>) -> Option<ValueRef<'a>> {
        let node = || subject.node.as_ref();
        match self.kind()? {
            FieldKind::Path(path) => path.get(node()?.document()),
            FieldKind::Edge(path) => path.get(subject.edge?.document()),
            FieldKind::EdgeType => Some(ValueRef::String(subject.edge?.edge_type())),
            FieldKind::Id => i64::try_from(node()?.id().get()).ok().map(ValueRef::I64),
            FieldKind::Label => Some(ValueRef::String(node()?.label())),
            FieldKind::Key => node()?.key().map(ValueRef::String),
        }
    }
}

/// Whose fields are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) node: Option<Node<'a>>,
    pub(crate) edge: Option<EdgeRef<'a>>,
}

impl From<&str> for Field {
    fn from(path: &str) -> Self {
        Self(FieldPath::parse(path).map(FieldKind::Path))
    }
}

impl From<&String> for Field {
    fn from(path: &String) -> Self {
        path.as_str().into()
    }
}

impl From<String> for Field {
    fn from(path: String) -> Self {
        path.as_str().into()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(FieldKind::Path(path)) => write!(f, "{path}"),
            Ok(FieldKind::Edge(path)) => write!(f, "edge({path})"),
            Ok(FieldKind::EdgeType) => f.write_str("edge_type()"),
            Ok(FieldKind::Id) => f.write_str("id()"),
            Ok(FieldKind::Label) => f.write_str("label()"),
            Ok(FieldKind::Key) => f.write_str("key()"),
            Err(error) => write!(f, "{:?}", error.path),
        }
    }
}
