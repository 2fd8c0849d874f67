//! What makes a struct an edge.

use selvedge_encoding::{DocRef, Document, SerdeError, to_document};
use selvedge_graph::EdgeTypeDef;
use selvedge_schema::EdgeDef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::typed::node_type::{NodeType, without_none};

/// A Rust type whose values are the edges of a type. `#[derive(Edge)]` implements it from
/// the fields of a struct; by hand it reads so:
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::{AnyNode, EdgeDef, FieldDef};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Saw {
///     at: u64,
/// }
///
/// impl EdgeType for Saw {
///     type From = AnyNode;
///     type To = AnyNode;
///     const TYPE: &'static str = "SAW";
///     const MULTI: bool = true;
///
///     fn definition() -> EdgeDef {
///         EdgeDef::multi("SAW").field(FieldDef::uint("at"))
///     }
/// }
///
/// let db = Db::in_memory();
/// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
/// db.link(a, Saw { at: 1 }, b)?;
/// db.link(("N", "a"), Saw { at: 2 }, b)?;
/// assert_eq!(db.snapshot()?.get_edges::<Saw>(a, b)?.len(), 2);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no edge",
    note = "derive it: `#[derive(Serialize, Deserialize, Edge)]`"
)]
pub trait EdgeType: Serialize + DeserializeOwned {
    /// The nodes that it runs from; [`AnyNode`] if they may be any.
    type From: EndType;

    /// The nodes that it runs to; [`AnyNode`] if they may be any.
    type To: EndType;

    /// The name of the edge type.
    const TYPE: &'static str;

    /// Whether several may run from one node to another, as the definition says, too.
    const MULTI: bool = false;

    /// Names of fields that are left out of the document when they are null: those that
    /// are an `Option`.
    const OPTIONS: &'static [&'static str] = &[];

    /// Between which labels it runs, and what its documents hold.
    fn definition() -> EdgeDef;

    /// Between which labels it runs: a part of the definition.
    #[must_use]
    fn edge_type_def() -> EdgeTypeDef {
        let definition = Self::definition();
        let mut def = if Self::MULTI { EdgeTypeDef::multi() } else { EdgeTypeDef::unique() };
        if let Some(label) = definition.source_label() {
            def = def.from(label);
        }
        if let Some(label) = definition.target_label() {
            def = def.to(label);
        }
        def
    }

    /// The document that is stored.
    ///
    /// # Errors
    /// [`SerdeError`].
    fn to_document(&self) -> Result<Document, SerdeError> {
        without_none(to_document(self)?, Self::OPTIONS)
    }

    /// The value that a document holds.
    ///
    /// # Errors
    /// [`SerdeError`].
    fn from_document(document: DocRef<'_>) -> Result<Self, SerdeError> {
        document.deserialize()
    }
}

/// What may stand at the end of an edge: every [`NodeType`], and [`AnyNode`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no end of an edge",
    note = "an edge runs between nodes: derive it: `#[derive(Serialize, Deserialize, Node)]`"
)]
pub trait EndType {
    /// The label that the node has; `None` if it may have any.
    const LABEL: Option<&'static str>;
}

/// At the end of an edge: nodes of any type. One is found by its id, by a value of
/// whatever type, or by label and key: `("User", "alice")`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnyNode;

impl EndType for AnyNode {
    const LABEL: Option<&'static str> = None;
}

impl<T: NodeType> EndType for T {
    const LABEL: Option<&'static str> = Some(T::LABEL);
}
