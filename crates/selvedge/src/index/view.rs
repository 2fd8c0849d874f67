//! Reading an index as a snapshot, or a transaction, sees it.

use std::fmt;
use std::ops::RangeBounds;

use selvedge_base::NodeId;
use selvedge_encoding::Value;
use selvedge_graph::{GraphError, GraphView, Node};
use selvedge_schema::{IndexDef, Schema, ordered_values};

use crate::error::Result;
use crate::index::damaged;
use crate::index::place::Place;
use crate::index::scan::IndexScan;
use crate::kv::reading::KvView;

/// An index of a label as of one moment, own writes included: from
/// [`Read::index`](crate::Read::index).
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::{FieldDef, IndexDef, NodeDef};
///
/// let db = Db::in_memory();
/// let address = FieldDef::map("address");
/// let user = NodeDef::new("User")
///     .fields([FieldDef::string("email").unique(), FieldDef::int("age"), address])
///     .index(IndexDef::on(["address.city", "age"]).named("city_age"));
/// db.define([user])?;
/// for (name, age, city) in [("alice", 31, "Oslo"), ("bob", 25, "Oslo"), ("carol", 40, "Rome")] {
///     let email = format!("{name}@example.org");
///     let document = doc! { "email": email, "age": age, "address": { "city": city } };
///     db.insert_node("User", name, document)?;
/// }
///
/// let snapshot = db.snapshot()?;
/// let carol = snapshot.index("User", "email")?.find("carol@example.org")?.expect("inserted");
/// assert_eq!(carol.key(), Some("carol"));
/// let by_city = snapshot.index("User", "city_age")?;
/// let names = |scan: selvedge::IndexScan<'_>| -> selvedge::Result<Vec<String>> {
///     scan.nodes()?.map(|node| Ok(node?.key().unwrap_or_default().to_owned())).collect()
/// };
/// assert_eq!(names(by_city.equal("Oslo"))?, ["bob", "alice"]);
/// assert_eq!(names(by_city.equal("Oslo").range(30..).reverse())?, ["alice"]);
/// assert_eq!(names(by_city.prefix("R"))?, ["carol"]);
/// assert_eq!(by_city.within(["Oslo", "Rome"]).count()?, 3);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct IndexView<'a> {
    pub(crate) def: IndexDef,
    pub(crate) place: Place,
    pub(crate) graph: GraphView<'a>,
    pub(crate) entries: KvView<'a>,
}

impl<'a> IndexView<'a> {
    /// The index with a name of a label.
    pub(crate) fn open(
        schema: Option<&Schema>,
        (label, name): (&str, &str),
        graph: GraphView<'a>,
        entries: KvView<'a>,
    ) -> Result<Self> {
        let index = schema.and_then(|schema| schema.node(label)?.index(name));
        let (label, index_name) = (|| label.to_owned(), || name.to_owned());
        let Some((def, place)) = index.and_then(|index| Some((index, Place::of(index)?))) else {
            return Err(GraphError::NoIndex { label: label(), index: index_name() }.into());
        };
        if !def.is_ready() {
            return Err(GraphError::IndexBuilding { label: label(), index: index_name() }.into());
        }
        Ok(Self { def: def.clone(), place, graph, entries })
    }

    /// How it is defined.
    #[must_use]
    pub fn def(&self) -> &IndexDef {
        &self.def
    }

    /// The node with this value at the index's first path; the first one, if it is not
    /// unique; `None` if there is none.
    ///
    /// # Errors
    /// None in memory; on disk, if an entry or the document of the node is damaged.
    #[inline]
    pub fn find(&self, value: impl Into<Value>) -> Result<Option<Node<'a>>> {
        self.find_all([value.into()])
    }

    /// As [`find`](Self::find), for the values of the first paths.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_all<const N: usize>(&self, values: [Value; N]) -> Result<Option<Node<'a>>> {
        if !self.place.unique || N < self.def.paths().len() {
            let mut scan = self.scan();
            for value in values {
                scan = scan.equal(value);
            }
            return scan.first();
        }
        let key = self.place.values(&ordered_values(&values));
        match self.entries.full_key_bytes(&key)? {
            Some(bytes) => self.node(&key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The node of an entry.
    fn node(&self, key: &[u8], value: &[u8]) -> Result<Node<'a>> {
        let id = self.place.node(key, value);
        self.node_of(id.ok_or_else(|| damaged(&self.def))?)
    }

    /// A node that has an entry.
    pub(crate) fn node_of(&self, id: NodeId) -> Result<Node<'a>> {
        let node = self.graph.node(id).ok_or_else(|| damaged(&self.def))?;
        node.verify()?;
        Ok(node)
    }

    /// All entries.
    pub fn scan(&self) -> IndexScan<'a> {
        IndexScan::new(self.clone())
    }

    /// The entries with a value at the first path.
    pub fn equal(&self, value: impl Into<Value>) -> IndexScan<'a> {
        self.scan().equal(value)
    }

    /// See [`IndexScan::range`].
    pub fn range<V: Into<Value> + Clone>(&self, range: impl RangeBounds<V>) -> IndexScan<'a> {
        self.scan().range(range)
    }

    /// See [`IndexScan::prefix`].
    pub fn prefix(&self, text: &str) -> IndexScan<'a> {
        self.scan().prefix(text)
    }

    /// See [`IndexScan::within`].
    pub fn within<V: Into<Value>>(&self, values: impl IntoIterator<Item = V>) -> IndexScan<'a> {
        self.scan().within(values)
    }
}

impl fmt::Debug for IndexView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexView").field("def", &self.def).finish_non_exhaustive()
    }
}
