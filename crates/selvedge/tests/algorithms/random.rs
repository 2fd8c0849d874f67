//! Random graphs, in the database and as petgraph has them.

use petgraph::graph::{DiGraph, NodeIndex};
use proptest::collection;
use proptest::prelude::Strategy;
use selvedge::prelude::*;

/// Nodes, and edges: from, to, type, weight.
#[derive(Clone, Debug)]
pub(crate) struct GraphShape {
    pub(crate) nodes: usize,
    pub(crate) edges: Vec<(usize, usize, usize, u8)>,
    /// Edges from this place on are staged in a transaction.
    pub(crate) committed: usize,
}

/// Few edges beside many nodes leave parts without a connection.
pub(crate) fn shape() -> impl Strategy<Value = GraphShape> {
    (1..12_usize, 0..40_usize, 0..40_usize).prop_flat_map(|(nodes, edges, committed)| {
        let edge = (0..nodes, 0..nodes, 0..2_usize, 0..10_u8);
        let edges = collection::vec(edge, 0..=edges);
        edges.prop_map(move |edges| GraphShape { nodes, edges, committed })
    })
}

pub(crate) const TYPES: [&str; 2] = ["T", "U"];
/// Nodes by turns.
pub(crate) const LABELS: [&str; 2] = ["Even", "Odd"];

pub(crate) type Petgraph = DiGraph<NodeId, f64>;

/// The graph as petgraph has it: edges of one type, or of all.
pub(crate) fn petgraph(shape: &GraphShape, ids: &[NodeId], kind: Option<usize>) -> Petgraph {
    let mut graph = DiGraph::new();
    let nodes: Vec<_> = ids.iter().map(|id| graph.add_node(*id)).collect();
    for (from, to, of, weight) in &shape.edges {
        if kind.is_none_or(|kind| kind == *of) {
            graph.add_edge(nodes[*from], nodes[*to], f64::from(*weight));
        }
    }
    graph
}

pub(crate) fn index(place: usize) -> NodeIndex {
    NodeIndex::new(place)
}

fn link(
    ctx: &mut Transaction<'_>,
    ids: &[NodeId],
    edges: &[(usize, usize, usize, u8)],
) -> selvedge::Result<()> {
    for (from, to, kind, weight) in edges {
        let document = doc! { "w": i64::from(*weight) };
        ctx.link_nodes(ids[*from], TYPES[*kind], ids[*to], document)?;
    }
    Ok(())
}

/// Calls `check` with the graph in a transaction that has staged a part, and then
/// as it is committed.
pub(crate) fn with_database<E>(
    shape: &GraphShape,
    mut check: impl FnMut(&dyn Reader, &[NodeId]) -> Result<(), E>,
) -> Result<(), E> {
    let db = Db::in_memory();
    let (committed, staged) = shape.edges.split_at(shape.committed.min(shape.edges.len()));
    let ids = db.transaction(|ctx| {
        for kind in TYPES {
            ctx.define_edge_type(kind, EdgeTypeDef::multi())?;
        }
        let ids: Vec<_> = (0..shape.nodes)
            .map(|at| ctx.insert_node(LABELS[at % 2], None, doc! {}))
            .collect::<selvedge::Result<_>>()?;
        link(ctx, &ids, committed)?;
        Ok::<_, Error>(ids)
    });
    let ids = ids.unwrap();
    let mut ctx = db.begin(&TransactionOptions::default()).unwrap();
    link(&mut ctx, &ids, staged).unwrap();
    check(&ctx, &ids)?;
    ctx.commit().unwrap();
    check(&db.snapshot().unwrap(), &ids)
}

/// A snapshot, or a transaction.
pub(crate) trait Reader {
    fn algorithms(&self) -> selvedge::algorithms::Algorithms<'_>;
}

impl<R: Read> Reader for R {
    fn algorithms(&self) -> selvedge::algorithms::Algorithms<'_> {
        Read::algorithms(self)
    }
}
