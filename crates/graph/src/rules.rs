//! Rules that a document has to keep, asked before it is staged.

use std::fmt;

use selvedge_base::NodeId;
use selvedge_encoding::DocRef;

use crate::error::GraphError;

/// What judges changes of documents before they are staged. Every writing operation
/// asks, and stages nothing if it is refused; what the rules stage themselves they
/// stage when nothing can fail any more.
///
/// Transactions of databases without rules have none, and do not ask.
pub trait Rules: fmt::Debug {
    /// Appends what the stored document of a node with this label has become by now,
    /// for edits to begin with, and gives true; false if it is what it was.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn upgrade_node(
        &mut self,
        label: &str,
        stored: DocRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, GraphError>;

    /// As [`upgrade_node`](Self::upgrade_node), of an edge of this type.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn upgrade_edge(
        &mut self,
        edge_type: &str,
        stored: DocRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, GraphError>;

    /// A node is to change.
    ///
    /// # Errors
    /// Why it may not.
    fn node_changes(&mut self, change: NodeChanging<'_>) -> Result<(), GraphError>;

    /// An edge of a type is to have this document, which may be completed: a new edge,
    /// or one that is there.
    ///
    /// # Errors
    /// Why it may not.
    fn edge_changes(&mut self, edge_type: &str, document: &mut Vec<u8>) -> Result<(), GraphError>;
}

/// A change of a node that is to be staged.
#[derive(Debug)]
pub struct NodeChanging<'c> {
    /// The node.
    pub id: NodeId,
    /// Its label.
    pub label: &'c str,
    /// Its key, which never changes.
    pub key: Option<&'c str>,
    /// The document that the transaction sees now, as it is stored; `None` for a new
    /// node.
    pub old: Option<DocRef<'c>>,
    /// The one it is to have, which may be completed; `None` for one that goes.
    pub new: Option<&'c mut Vec<u8>>,
}
