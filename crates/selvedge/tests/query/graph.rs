//! A random graph, in the database and beside it.

use selvedge::prelude::*;

use crate::shape::{Edit, FIELDS, GraphShape, LABELS, TYPES};

/// A node as the naive evaluation knows it.
#[derive(Clone, Debug)]
pub(crate) struct KnownNode {
    pub(crate) id: NodeId,
    pub(crate) label: usize,
    pub(crate) key: String,
    pub(crate) fields: [Option<Value>; 3],
    pub(crate) is_own: bool,
}

/// An edge; `number` is its place among all that were made.
#[derive(Clone, Debug)]
pub(crate) struct KnownEdge {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) kind: usize,
    pub(crate) value: Option<Value>,
    pub(crate) number: i64,
    pub(crate) edge: Edge,
}

/// The graph as somebody sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) nodes: Vec<KnownNode>,
    pub(crate) edges: Vec<KnownEdge>,
}

fn document(fields: &[Option<Value>; 3]) -> Document {
    let mut document = Document::new();
    if let Some(value) = &fields[0] {
        document.set(FIELDS[0], value.clone());
    }
    if let Some(value) = &fields[1] {
        document.set("in", doc! { "v": value.clone() });
    }
    if let Some(value) = &fields[2] {
        document.set(FIELDS[2], value.clone());
    }
    document
}

impl Known {
    pub(crate) fn node(&self, id: NodeId) -> Option<&KnownNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    fn insert(&mut self, ctx: &mut Transaction<'_>, shape: &GraphShape, staged: bool) {
        for (at, node) in shape.nodes.iter().enumerate() {
            if node.is_staged != staged {
                continue;
            }
            let key = format!("k{at}");
            let label = LABELS[node.label];
            let id = ctx.insert_node(label, key.as_str(), document(&node.fields)).unwrap();
            let (label, fields) = (node.label, node.fields.clone());
            self.nodes.push(KnownNode { id, label, key, fields, is_own: staged });
        }
        for (number, edge) in shape.edges.iter().enumerate() {
            let end = |at: usize| self.nodes.get(at % self.nodes.len().max(1)).map(|node| node.id);
            let (Some(from), Some(to)) = (end(edge.from), end(edge.to)) else { continue };
            if edge.is_staged != staged {
                continue;
            }
            let number = number as i64;
            let mut document = doc! { "number": number };
            if let Some(value) = &edge.value {
                document.set("v", value.clone());
            }
            let linked = ctx.link_nodes(from, TYPES[edge.kind], to, document).unwrap();
            // A unique type has one edge between two nodes: the newest.
            self.edges.retain(|known| known.edge != linked);
            let (kind, value) = (edge.kind, edge.value.clone());
            self.edges.push(KnownEdge { from, to, kind, value, number, edge: linked });
        }
    }

    fn edit(&mut self, ctx: &mut Transaction<'_>, edit: Edit) {
        match edit {
            Edit::DeleteNode(at) if !self.nodes.is_empty() => {
                let node = self.nodes.remove(at % self.nodes.len());
                ctx.delete_node(node.id).unwrap();
                self.edges.retain(|edge| edge.from != node.id && edge.to != node.id);
            }
            Edit::DeleteEdge(at) if !self.edges.is_empty() => {
                let edge = self.edges.remove(at % self.edges.len());
                ctx.unlink_edge(edge.edge).unwrap();
            }
            Edit::SetNode(at, value) if !self.nodes.is_empty() => {
                let len = self.nodes.len();
                let node = &mut self.nodes[at % len];
                ctx.set(node.id, FIELDS[0], value).unwrap();
                node.fields[0] = Some(value.into());
            }
            _ => {}
        }
    }
}

/// A database with what is not staged, and that as it is known.
pub(crate) fn committed(shape: &GraphShape) -> (Db, Known) {
    let db = Db::in_memory();
    let mut known = Known::default();
    db.transaction(|ctx| {
        ctx.define_edge_type(TYPES[0], EdgeTypeDef::unique())?;
        ctx.define_edge_type(TYPES[1], EdgeTypeDef::multi())?;
        known.insert(ctx, shape, false);
        Ok::<_, Error>(())
    })
    .unwrap();
    (db, known)
}

/// What a transaction sees that has staged the rest.
pub(crate) fn stage(ctx: &mut Transaction<'_>, known: &Known, shape: &GraphShape) -> Known {
    let mut known = known.clone();
    known.insert(ctx, shape, true);
    shape.edits.iter().for_each(|edit| known.edit(ctx, *edit));
    known
}
