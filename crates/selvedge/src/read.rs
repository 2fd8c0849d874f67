//! Reading: the one trait that snapshots and transactions share.

use std::sync::Arc;

use selvedge_base::{NodeId, Timestamp};
use selvedge_graph::{
    AdjacencyView, Direction, EdgeRef, EdgeTypeDef, Edges, GraphView, LabelScan, Neighbours, Node,
    PathSearch, Traversal,
};
use selvedge_schema::Schema;

use crate::algorithms::selection::Algorithms;
use crate::error::Result;
use crate::index::view::IndexView;
use crate::kv::error::KvError;
use crate::kv::handle::Kv;
use crate::kv::reading::KvView;
use crate::kv::space::Space;
use crate::query::builder::QueryStart;
use crate::query::index_access::Indexes;
use crate::query::position::Source;
use crate::typed::edge_type::EdgeType;
use crate::typed::locate::Locate;
use crate::typed::node_type::NodeType;
use crate::typed::reading::{self, TypedEdges, TypedNodes};
use crate::typed::stored::{Stored, StoredEdge, read_node};

/// Gives the view that everything is read through.
pub trait Sealed {
    #[doc(hidden)]
    fn view(&self) -> GraphView<'_>;

    /// `None`: nothing is defined.
    #[doc(hidden)]
    fn shared_schema(&self) -> Option<&Arc<Schema>>;

    #[doc(hidden)]
    fn definitions(&self) -> Option<&Schema> {
        self.shared_schema().map(AsRef::as_ref)
    }

    /// The indexes that may be read here, if there are any.
    #[doc(hidden)]
    fn indexes(&self) -> Option<&dyn Indexes>;

    #[doc(hidden)]
    fn kv_in(&self, space: Space) -> KvView<'_>;

    #[doc(hidden)]
    fn has(&self, kv: &Kv) -> Result<bool>;
}

/// Reading the database as of one moment. [`Snapshot`](crate::Snapshot) and
/// [`Transaction`](crate::Transaction) implement it; a transaction also sees its
/// own writes.
///
/// Every reading operation returns a `Result`: in memory none of them fails
/// today, but reading from a disk can.
///
/// ```
/// use selvedge::prelude::*;
///
/// fn names<R: Read>(reader: &R) -> selvedge::Result<Vec<String>> {
///     let mut names = Vec::new();
///     for id in reader.scan("User")? {
///         if let Some(user) = reader.node(id)? {
///             names.extend(user.typed::<String>("name")?);
///         }
///     }
///     Ok(names)
/// }
///
/// let db = Db::in_memory();
/// db.insert_node("User", "alice", doc! { "name": "Alice" })?;
/// assert_eq!(names(&db.snapshot()?)?, ["Alice"]);
/// let staged = db.transaction(|ctx| {
///     ctx.insert_node("User", "bob", doc! { "name": "Bob" })?;
///     names(ctx)
/// })?;
/// assert_eq!(staged, ["Alice", "Bob"]);
/// # Ok::<(), Error>(())
/// ```
pub trait Read: Sealed {
    /// The start timestamp: everything committed up to it is seen, nothing
    /// later.
    fn timestamp(&self) -> Timestamp {
        self.view().start()
    }

    /// An index of a label.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if there is none with this name, or it is
    /// still being built.
    fn index(&self, label: &str, name: &str) -> Result<IndexView<'_>> {
        let (graph, entries) = (self.view(), self.kv_in(Space::SYSTEM));
        IndexView::open(self.definitions(), (label, name), graph, entries)
    }

    /// The definitions of labels and edge types.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::{FieldDef, NodeDef};
    ///
    /// let db = Db::in_memory();
    /// let before = db.snapshot()?;
    /// db.define([NodeDef::new("User").field(FieldDef::int("age"))])?;
    /// assert!(db.snapshot()?.schema()?.node("User").is_some());
    /// assert!(before.schema()?.node("User").is_none());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    fn schema(&self) -> Result<Arc<Schema>> {
        Ok(self.shared_schema().cloned().unwrap_or_default())
    }

    /// The keyspace without a name, for reading.
    fn kv_view(&self) -> KvView<'_> {
        self.kv_in(Space::DEFAULT)
    }

    /// A keyspace, for reading.
    ///
    /// # Errors
    /// [`KvError::OtherDatabase`].
    fn keyspace_view(&self, kv: &Kv) -> Result<KvView<'_>> {
        let is_mine = self.has(kv)?;
        is_mine.then(|| self.kv_in(kv.space)).ok_or_else(|| KvError::OtherDatabase.into())
    }

    /// The node with this id, `None` if it does not exist.
    ///
    /// # Errors
    /// None in memory; on disk, if its document is damaged.
    #[inline(always)]
    fn node(&self, id: NodeId) -> Result<Option<Node<'_>>> {
        let node = self.view().node(id);
        if let Some(node) = &node {
            node.verify()?;
        }
        Ok(node)
    }

    /// The node with this label and key, `None` if it does not exist.
    ///
    /// # Errors
    /// None in memory; on disk, if its document is damaged.
    #[inline]
    fn get_node(&self, label: &str, key: &str) -> Result<Option<Node<'_>>> {
        let node = self.view().by_key(label, key);
        if let Some(node) = &node {
            node.verify()?;
        }
        Ok(node)
    }

    /// Whether a node exists; does not touch its document.
    ///
    /// # Errors
    /// None in memory.
    #[inline]
    fn contains(&self, id: NodeId) -> Result<bool> {
        Ok(self.view().contains(id))
    }

    /// The ids of the nodes with a label, ascending; in a transaction, followed
    /// by those it inserted itself. None for a label that does not exist.
    ///
    /// # Errors
    /// None in memory.
    fn scan(&self, label: &str) -> Result<LabelScan<'_>> {
        Ok(self.view().scan(label))
    }

    /// The number of nodes with a label, without counting them.
    ///
    /// # Errors
    /// None in memory.
    fn count(&self, label: &str) -> Result<u64> {
        Ok(self.view().count(label))
    }

    /// The number of edges of a type, without counting them.
    ///
    /// # Errors
    /// None in memory.
    fn count_edges(&self, edge_type: &str) -> Result<u64> {
        Ok(self.view().count_edges(edge_type))
    }

    /// The number of nodes: a sum over the labels.
    ///
    /// # Errors
    /// None in memory.
    fn node_count(&self) -> Result<u64> {
        Ok(self.view().node_count())
    }

    /// The number of edges: a sum over the edge types.
    ///
    /// # Errors
    /// None in memory.
    fn edge_count(&self) -> Result<u64> {
        Ok(self.view().edge_count())
    }

    /// The names of all labels that were ever used, sorted.
    ///
    /// # Errors
    /// None in memory.
    fn labels(&self) -> Result<Vec<String>> {
        Ok(self.view().labels())
    }

    /// The names of all edge types that were ever used or defined, sorted.
    ///
    /// # Errors
    /// None in memory.
    fn edge_types(&self) -> Result<Vec<String>> {
        Ok(self.view().edge_types())
    }

    /// How an edge type is defined, `None` if there is no such type.
    ///
    /// # Errors
    /// None in memory.
    fn edge_type_def(&self, name: &str) -> Result<Option<EdgeTypeDef>> {
        Ok(self.view().edge_type_def(name))
    }

    /// The edge of a type from `source` to `target`, `None` if there is none; of
    /// several (a multi type) the oldest.
    ///
    /// # Errors
    /// None in memory.
    fn edge(&self, source: NodeId, edge_type: &str, target: NodeId) -> Result<Option<EdgeRef<'_>>> {
        let edge = self.view().edge(source, edge_type, target);
        if let Some(edge) = &edge {
            edge.verify()?;
        }
        Ok(edge)
    }

    /// All edges of a type from `source` to `target`, oldest first.
    ///
    /// # Errors
    /// None in memory.
    fn edges_between(
        &self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
    ) -> Result<Vec<EdgeRef<'_>>> {
        let edges = self.view().edges_between(source, edge_type, target);
        edges.iter().try_for_each(EdgeRef::verify)?;
        Ok(edges.into_vec())
    }

    /// The neighbours of a node along edges of a type (`"KNOWS"`) or of all
    /// (`None`); one comes once for each edge to it. None for a node or type
    /// that does not exist.
    ///
    /// Without own writes at the node this hands out stored, packed arrays:
    /// `for_each` and `fold` run at the speed of a plain array, a `for` loop
    /// nearly so.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! {})?;
    /// let snapshot = db.snapshot()?;
    /// assert_eq!(snapshot.neighbours(a, Direction::Out, "TO")?.collect::<Vec<_>>(), [b]);
    /// assert_eq!(snapshot.neighbours(b, Direction::In, None)?.collect::<Vec<_>>(), [a]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    #[inline]
    fn neighbours<'t>(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: impl Into<Option<&'t str>>,
    ) -> Result<Neighbours<'_>> {
        Ok(self.view().neighbours(node, direction, edge_type.into()))
    }

    /// The neighbours of many nodes, along edges of a type or of all, for what
    /// walks over much of the graph: the name of the type is looked up once, and
    /// [`neighbours_of_each`](AdjacencyView::neighbours_of_each) has memory fetch
    /// ahead what it visits next.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! {})?;
    /// let snapshot = db.snapshot()?;
    /// let adjacency = snapshot.adjacency(Direction::Out, "TO")?;
    /// assert_eq!(adjacency.neighbours(a).collect::<Vec<_>>(), [b]);
    /// let mut edges = Vec::new();
    /// for (node, neighbours) in adjacency.neighbours_of_each(snapshot.scan("N")?) {
    ///     edges.extend(neighbours.map(|neighbour| (node, neighbour)));
    /// }
    /// assert_eq!(edges, [(a, b)]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    #[inline]
    fn adjacency<'t>(
        &self,
        direction: Direction,
        edge_type: impl Into<Option<&'t str>>,
    ) -> Result<AdjacencyView<'_>> {
        Ok(self.view().adjacency(direction, edge_type.into()))
    }

    /// The edges at a node, of a type or of all, with their documents. None for
    /// a node or type that does not exist.
    ///
    /// # Errors
    /// None in memory.
    fn edges<'t>(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: impl Into<Option<&'t str>>,
    ) -> Result<Edges<'_>> {
        Ok(self.view().verified_edges(node, direction, edge_type.into())?)
    }

    /// The number of edges at a node, of a type or of all.
    ///
    /// # Errors
    /// None in memory.
    fn degree<'t>(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: impl Into<Option<&'t str>>,
    ) -> Result<u64> {
        Ok(self.view().degree(node, direction, edge_type.into()) as u64)
    }

    /// A walk from `start`, breadth first: one hop along all edges out, unless
    /// its methods say otherwise. It runs as it is iterated. A step is an error only
    /// if a test of the walk would read a document that is damaged on disk.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..4).map(|n| db.insert_node("N", None, doc! { "n": n })).collect::<Result<_, _>>()?;
    /// for pair in ids.windows(2) {
    ///     db.link_nodes(pair[0], "NEXT", pair[1], doc! {})?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let far: Vec<_> = snapshot
    ///     .traverse(ids[0])?
    ///     .edge_type("NEXT")
    ///     .depth(2..=3)
    ///     .map(|step| step.map(|step| (step.depth, step.node)))
    ///     .collect::<Result<_, _>>()?;
    /// assert_eq!(far, [(2, ids[2]), (3, ids[3])]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    fn traverse(&self, start: NodeId) -> Result<Traversal<'_>> {
        Ok(self.view().traverse(start))
    }

    /// A search for a path with the fewest edges, along edges out unless its
    /// methods say otherwise; `find` runs it.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! {})?;
    /// let path = db.snapshot()?.shortest_path(a, b)?.edges_max(6).find().expect("one edge away");
    /// assert_eq!(path.nodes(), [a, b]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    fn shortest_path(&self, from: NodeId, to: NodeId) -> Result<PathSearch<'_>> {
        Ok(self.view().shortest_path(from, to))
    }

    /// A query: where to start, which edges to follow, what to keep.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::{Order, gt};
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = [("alice", 31), ("bob", 45), ("carol", 28), ("dave", 52)]
    ///     .map(|(key, age)| db.insert_node("User", key, doc! { "age": age }))
    ///     .into_iter()
    ///     .collect::<Result<_, _>>()?;
    /// for (from, to) in [(0, 1), (0, 2), (1, 3)] {
    ///     db.link_nodes(ids[from], "KNOWS", ids[to], doc! {})?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let known = snapshot
    ///     .query()
    ///     .from_key("User", "alice")
    ///     .out("KNOWS")
    ///     .repeat(1..=3)
    ///     .dedup()
    ///     .has("age", gt(30))
    ///     .order_by("age", Order::Desc);
    /// let keys: Vec<_> = known.nodes()?.map(|node| Ok(node?.key())).collect::<selvedge::Result<_>>()?;
    /// assert_eq!(keys, [Some("dave"), Some("bob")]);
    /// # Ok::<(), Error>(())
    /// ```
    fn query(&self) -> QueryStart<'_> {
        QueryStart::new(Source { view: self.view(), indexes: self.indexes() })
    }

    /// Algorithms over the graph: along all edges out, over all nodes, unless its
    /// methods say otherwise.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! {})?;
    /// let snapshot = db.snapshot()?;
    /// assert_eq!(snapshot.algorithms().edge_type("TO").reachable(a)?, [a, b]);
    /// assert_eq!(snapshot.algorithms().components()?.len(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    fn algorithms(&self) -> Algorithms<'_> {
        Algorithms::new(self.view())
    }

    /// The node of a type, `None` if it does not exist: by key, by id, or by what was read
    /// before.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Node)]
    /// struct User {
    ///     #[node(key)]
    ///     name: String,
    ///     age: u8,
    /// }
    ///
    /// let db = Db::in_memory();
    /// db.insert(&User { name: "alice".to_owned(), age: 31 })?;
    /// let snapshot = db.snapshot()?;
    /// assert_eq!(snapshot.get::<User>("alice")?.expect("inserted").age, 31);
    /// assert!(snapshot.get::<User>("bob")?.is_none());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Typed`](crate::Error::Typed) if the node with this id has another label,
    /// or its document does not read as the type; on disk, if the document is damaged.
    fn get<T: NodeType>(&self, node: impl Locate<T>) -> Result<Option<Stored<T>>> {
        let found = node.place().find(self, Some(T::LABEL))?;
        found.map(|node| read_node(&node)).transpose()
    }

    /// All nodes of a type, in the order of [`scan`](Self::scan), read as they are asked
    /// for.
    ///
    /// # Errors
    /// None in memory; what is read may be errors, as of [`get`](Self::get).
    fn all<T: NodeType>(&self) -> Result<TypedNodes<'_, T>> {
        reading::all(self)
    }

    /// The edge of a type from one node to another, `None` if there is none, or an end
    /// does not exist; of several the oldest.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn get_edge<E: EdgeType>(
        &self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> Result<Option<StoredEdge<E>>> {
        Ok(self.get_edges::<E>(source, target)?.into_iter().next())
    }

    /// The edges of a type from one node to another, oldest first.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn get_edges<E: EdgeType>(
        &self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> Result<Vec<StoredEdge<E>>> {
        reading::edges_between(self, &source, &target)
    }

    /// The edges of a type out of a node, read as they are asked for. None for a node
    /// that does not exist.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Node)]
    /// struct User {
    ///     #[node(key)]
    ///     name: String,
    /// }
    ///
    /// #[derive(Serialize, Deserialize, Edge)]
    /// #[edge(from = User, to = User)]
    /// struct Knows {
    ///     since: u16,
    /// }
    ///
    /// let db = Db::in_memory();
    /// db.insert_many(["alice", "bob"].map(|name| User { name: name.to_owned() }))?;
    /// db.link("alice", Knows { since: 2020 }, "bob")?;
    /// let snapshot = db.snapshot()?;
    /// for knows in snapshot.out::<Knows>("alice")? {
    ///     assert_eq!(knows?.since, 2020);
    /// }
    /// for friend in snapshot.out_nodes::<Knows>("alice")? {
    ///     assert_eq!(friend?.name, "bob");
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn out<E: EdgeType>(&self, node: impl Locate<E::From>) -> Result<TypedEdges<'_, E>> {
        reading::edges(self, &node, Direction::Out)
    }

    /// The edges of a type into a node, as [`out`](Self::out) gives those out of one.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn in_<E: EdgeType>(&self, node: impl Locate<E::To>) -> Result<TypedEdges<'_, E>> {
        reading::edges(self, &node, Direction::In)
    }

    /// The nodes that edges of a type run to from a node, once for each edge, read as
    /// they are asked for. None for a node that does not exist.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn out_nodes<E: EdgeType<To: NodeType>>(
        &self,
        node: impl Locate<E::From>,
    ) -> Result<TypedNodes<'_, E::To>> {
        reading::neighbours::<E, E::From, E::To, _>(self, &node, Direction::Out)
    }

    /// The nodes that edges of a type run from to a node, as
    /// [`out_nodes`](Self::out_nodes) gives those at the other end.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    fn in_nodes<E: EdgeType<From: NodeType>>(
        &self,
        node: impl Locate<E::To>,
    ) -> Result<TypedNodes<'_, E::From>> {
        reading::neighbours::<E, E::To, E::From, _>(self, &node, Direction::In)
    }
}
