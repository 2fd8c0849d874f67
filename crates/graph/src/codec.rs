//! What of the graph stands in the log and in checkpoints, as bytes.

use selvedge_base::limits::{EDGE_TYPES_MAX, LABELS_MAX, NODES_MAX};
use selvedge_base::{EdgeTypeId, LabelId, NodeId};
use selvedge_encoding::DocRef;
pub use selvedge_storage::codec::Misfit;
pub(crate) use selvedge_storage::codec::{
    Bytes, misfit, put_bytes, put_number, put_option, put_optional_bytes, text,
};

/// Reading what only a graph has.
pub(crate) trait GraphBytes {
    fn label(&mut self) -> Result<LabelId, Misfit>;
    fn edge_type(&mut self) -> Result<EdgeTypeId, Misfit>;
    fn node(&mut self) -> Result<NodeId, Misfit>;
    fn edge_number(&mut self) -> Result<u64, Misfit>;
}

impl GraphBytes for Bytes<'_> {
    fn label(&mut self) -> Result<LabelId, Misfit> {
        let number = self.number_up_to(LABELS_MAX as u64 - 1, "label")?;
        Ok(LabelId::new(number as u32))
    }

    fn edge_type(&mut self) -> Result<EdgeTypeId, Misfit> {
        let number = self.number_up_to(EDGE_TYPES_MAX as u64 - 1, "edge type")?;
        Ok(EdgeTypeId::new(number as u32))
    }

    fn node(&mut self) -> Result<NodeId, Misfit> {
        match self.number_up_to(NODES_MAX, "node")? {
            0 => misfit("there is no node 0"),
            id => Ok(NodeId::new(id)),
        }
    }

    fn edge_number(&mut self) -> Result<u64, Misfit> {
        self.number_up_to(NODES_MAX, "edge")
    }
}

/// The bytes of a document, if they are one.
pub(crate) fn document(bytes: &[u8]) -> Result<&[u8], Misfit> {
    match DocRef::parse(bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => misfit(format!("a document cannot be read: {error}")),
    }
}
