//! What a transaction's documents have to keep: the definitions as of its start.

use selvedge_encoding::{DocRef, EncodeError, set_fields};
use selvedge_graph::{GraphError, NodeChanging, Rules};
use selvedge_schema::{DocumentDef, Owner, Schema};

/// The rules of one operation of a transaction.
#[derive(Debug)]
pub(crate) struct SchemaRules<'t> {
    pub(crate) schema: &'t Schema,
}

impl Rules for SchemaRules<'_> {
    fn node_changes(&mut self, change: NodeChanging<'_>) -> Result<(), GraphError> {
        let Some(def) = self.schema.node(change.label) else { return Ok(()) };
        let NodeChanging { label, key, new, .. } = change;
        let Some(new) = new else { return Ok(()) };
        keep(def, new, key, || Owner::Label(label.to_owned()))
    }

    fn edge_changes(&mut self, edge_type: &str, document: &mut Vec<u8>) -> Result<(), GraphError> {
        let Some(def) = self.schema.edge(edge_type) else { return Ok(()) };
        keep(def, document, None, || Owner::EdgeType(edge_type.to_owned()))
    }
}

/// Checks a document, and gives it the defaults that it lacks.
fn keep(
    def: &DocumentDef,
    document: &mut Vec<u8>,
    key: Option<&str>,
    owner: impl Fn() -> Owner,
) -> Result<(), GraphError> {
    let missing = def.check(DocRef::trusted(document), key);
    let missing = missing.map_err(|violation| violation.of(owner()))?;
    if !missing.is_none() {
        complete(def, document).map_err(|source| GraphError::Document {
            entity: format!("{} with its defaults", owner()),
            source,
        })?;
    }
    Ok(())
}

#[cold]
fn complete(def: &DocumentDef, document: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut complete = Vec::with_capacity(document.capacity());
    set_fields(document, &def.defaults(DocRef::trusted(document)), &mut complete)?;
    *document = complete;
    Ok(())
}
