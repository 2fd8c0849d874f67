//! Definitions of types, to be stored.

use crate::schema::define::Define;
use crate::typed::edge_type::EdgeType;
use crate::typed::node_type::NodeType;

impl Define {
    /// The label of a type.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Node)]
    /// struct User {
    ///     #[node(key)]
    ///     name: String,
    ///     #[node(max = 150)]
    ///     age: u8,
    /// }
    ///
    /// #[derive(Serialize, Deserialize, Edge)]
    /// #[edge(from = User, to = User)]
    /// struct Knows;
    ///
    /// let db = Db::in_memory();
    /// db.define([Define::node::<User>(), Define::edge::<Knows>()])?;
    /// let refused = db.insert(&User { name: "alice".to_owned(), age: 151 }).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "label \"User\", field `age`: 151 is not within the maximum 150",
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn node<T: NodeType>() -> Self {
        Self::Node(T::definition())
    }

    /// The edge type of a type.
    #[must_use]
    pub fn edge<E: EdgeType>() -> Self {
        Self::Edge(E::definition())
    }
}
