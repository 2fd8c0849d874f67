//! Queries from and to Rust types.

use std::fmt;
use std::marker::PhantomData;

use selvedge_base::NodeId;

use crate::error::Result;
use crate::query::builder::{Query, QueryStart};
use crate::query::error::QueryError;
use crate::query::page::{Page, PageCursor};
use crate::query::plan::Start;
use crate::query::terminals::{FoundEdges, Nodes};
use crate::typed::edge_type::EdgeType;
use crate::typed::error::TypedError;
use crate::typed::locate::{Locate, Place};
use crate::typed::node_type::NodeType;
use crate::typed::stored::{Stored, StoredEdge, read_edge, read_node};
use crate::typed::update::check_label;

impl<T> From<&Stored<T>> for NodeId {
    fn from(node: &Stored<T>) -> Self {
        node.id()
    }
}

impl<'a> QueryStart<'a> {
    /// Starts from all nodes of a type, as [`from_label`](Self::from_label) does.
    #[must_use]
    pub fn from_type<T: NodeType>(self) -> Query<'a> {
        self.from_label(T::LABEL)
    }

    /// Starts from the node of a type that something finds: a key, an id, a value with
    /// its key, what was read; from nothing, if there is no such node of this type.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::{Order, gt};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Node)]
    /// struct User {
    ///     #[node(key)]
    ///     name: String,
    ///     age: u8,
    /// }
    /// #[derive(Serialize, Deserialize, Edge)]
    /// #[edge(from = User, to = User)]
    /// struct Knows {
    ///     since: u16,
    /// }
    ///
    /// let db = Db::in_memory();
    /// for (name, age) in [("alice", 31), ("bob", 40), ("carol", 25)] {
    ///     db.insert(&User { name: name.to_owned(), age })?;
    /// }
    /// db.link("alice", Knows { since: 2020 }, "bob")?;
    /// db.link("alice", Knows { since: 2021 }, "carol")?;
    ///
    /// let snapshot = db.snapshot()?;
    /// let known = snapshot.query().from_one::<User>("alice").out(Knows::TYPE);
    /// let names = known.clone().order_by("age", Order::Asc).nodes_as::<User>()?;
    /// let names: Vec<String> =
    ///     names.map(|user| Ok(user?.into_value().name)).collect::<Result<_, Error>>()?;
    /// assert_eq!(names, ["carol", "bob"]);
    /// let since = known.has("age", gt(30)).edges_as::<Knows>()?.next().expect("Bob")?;
    /// assert_eq!(since.since, 2020);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn from_one<T: NodeType>(self, node: impl Locate<T>) -> Query<'a> {
        match node.place() {
            Place::Typed(id) => self.from(id),
            Place::Id(id) => self.from(id).has_label(T::LABEL),
            Place::Key(key) => self.from_key(T::LABEL, &key),
            Place::Labelled { label, key } => self.from_key(&label, &key),
            // A place in a batch is nowhere else.
            Place::Inserted(_) => Query::new(self.source, Start::Nodes([].into())),
            Place::Keyless(label) => {
                let mut query = Query::new(self.source, Start::Nodes([].into()));
                query.note(Err(QueryError::NoKey { label }));
                query
            }
        }
    }
}

impl<'a> Query<'a> {
    /// The nodes as a type. One with another label, or whose document does not read as the
    /// type, is an error in its place, and names it; what is behind it follows.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn nodes_as<T: NodeType>(&self) -> Result<NodesAs<'a, T>> {
        Ok(NodesAs { nodes: self.nodes()?, of: PhantomData })
    }

    /// The first node as a type, if there is one.
    ///
    /// # Errors
    /// As [`count`](Self::count), and [`Error::Typed`](crate::Error::Typed) if it is not one
    /// of the type.
    pub fn first_as<T: NodeType>(&self) -> Result<Option<Stored<T>>> {
        let Some(node) = self.first()? else { return Ok(None) };
        check_label(&node, T::LABEL)?;
        read_node(&node).map(Some)
    }

    /// A [`page`](Self::page) of nodes as a type.
    ///
    /// # Errors
    /// As there, and [`Error::Typed`](crate::Error::Typed) if one of them is not one of the
    /// type.
    pub fn page_as<T: NodeType>(
        &self,
        after: Option<&PageCursor>,
        rows: usize,
    ) -> Result<Page<Stored<T>>> {
        let Page { rows, cursor } = self.page(after, rows)?;
        let rows = rows.iter().map(|node| {
            check_label(node, T::LABEL)?;
            read_node(node)
        });
        Ok(Page { rows: rows.collect::<Result<_>>()?, cursor })
    }

    /// The [`edges`](Self::edges) of the last hop as a type. One of another type, or
    /// whose document does not read as this one, is an error in its place, and names it.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn edges_as<E: EdgeType>(&self) -> Result<EdgesAs<'a, E>> {
        Ok(EdgesAs { edges: self.edges()?, of: PhantomData })
    }
}

/// Nodes that a query finds, as a type: from [`Query::nodes_as`].
pub struct NodesAs<'a, T> {
    nodes: Nodes<'a>,
    of: PhantomData<fn() -> T>,
}

impl<T: NodeType> Iterator for NodesAs<'_, T> {
    type Item = Result<Stored<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.nodes.next()?;
        Some(node.and_then(|node| {
            check_label(&node, T::LABEL)?;
            read_node(&node)
        }))
    }
}

/// Edges that a query finds, as a type: from [`Query::edges_as`].
pub struct EdgesAs<'a, E> {
    edges: FoundEdges<'a>,
    of: PhantomData<fn() -> E>,
}

impl<E: EdgeType> Iterator for EdgesAs<'_, E> {
    type Item = Result<StoredEdge<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let edge = self.edges.next()?;
        Some(edge.and_then(|edge| {
            if edge.edge_type() != E::TYPE {
                return Err(TypedError::EdgeType { edge: edge.named(), expected: E::TYPE }.into());
            }
            edge.verify()?;
            read_edge(&edge)
        }))
    }
}

impl<T> fmt::Debug for NodesAs<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesAs").finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for EdgesAs<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgesAs").finish_non_exhaustive()
    }
}
