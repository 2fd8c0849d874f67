//! The view for petgraph, beside a conversion, and both beside our own algorithms.
#![expect(clippy::unwrap_used, reason = "a test fails where its database does")]

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction as Towards;
use petgraph::algo::{dijkstra, has_path_connecting, is_cyclic_directed, tarjan_scc};
use petgraph::visit::{
    Bfs, DfsPostOrder, EdgeRef as _, IntoEdgeReferences as _, IntoEdges as _,
    IntoEdgesDirected as _, IntoNeighborsDirected as _, IntoNodeIdentifiers as _, NodeCount as _,
    NodeIndexable as _, Reversed,
};
use selvedge::algorithms::{PetgraphEdge, Weight};
use selvedge::prelude::*;

/// Nodes of two labels; loops, several edges between two, parts without any.
fn database(seed: u64) -> (Db, Vec<NodeId>) {
    let random = &mut fastrand::Rng::with_seed(seed);
    let db = Db::in_memory();
    let ids = db.transaction(|ctx| {
        ctx.define_edge_type("T", EdgeTypeDef::multi())?;
        let count = random.usize(1..20);
        let ids: Vec<_> = (0..count)
            .map(|at| ctx.insert_node(["A", "B"][at % 2], None, doc! {}))
            .collect::<selvedge::Result<_>>()?;
        for _ in 0..random.usize(0..40) {
            let (from, to) = (random.usize(0..count), random.usize(0..count));
            let (kind, w) = (["T", "U"][random.usize(0..2)], random.i64(0..9));
            ctx.link_nodes(ids[from], kind, ids[to], doc! { "w": w })?;
        }
        Ok::<_, Error>(ids)
    });
    (db, ids.unwrap())
}

fn weight(edge: &selvedge::EdgeRef<'_>) -> i64 {
    edge.get("w").and_then(|w| w.as_i64()).expect("all have one")
}

#[test]
fn petgraph_sees_the_graph_that_is_there() {
    for seed in 0..60 {
        let (db, ids) = database(seed);
        let snapshot = db.snapshot().unwrap();
        let of = snapshot.algorithms();
        let (view, copy) = (of.petgraph().unwrap(), of.to_digraph().unwrap());
        assert_eq!((view.node_count(), view.node_bound()), (ids.len(), ids.len()));
        assert_eq!(view.node_identifiers().collect::<Vec<_>>(), ids);
        assert_eq!(copy.node_weights().copied().collect::<Vec<_>>(), ids);
        let edges: BTreeSet<_> = view.edge_references().map(|edge| edge.id()).collect();
        assert_eq!(edges.len() as u64, snapshot.edge_count().unwrap());
        assert_eq!(edges, copy.edge_weights().copied().collect());

        for (at, id) in ids.iter().enumerate() {
            assert_eq!((view.to_index(*id), view.from_index(at)), (at, *id));
            for (towards, direction) in
                [(Towards::Outgoing, Direction::Out), (Towards::Incoming, Direction::In)]
            {
                let ours: Vec<_> = snapshot.neighbours(*id, direction, None).unwrap().collect();
                let theirs: Vec<_> = view.neighbors_directed(*id, towards).collect();
                assert_eq!(theirs, ours);
                let ends = view.edges_directed(*id, towards).map(|edge| match direction {
                    Direction::Out => (edge.source(), edge.target()),
                    _ => (edge.target(), edge.source()),
                });
                let expected: Vec<_> = ours.into_iter().map(|other| (*id, other)).collect();
                assert_eq!(ends.collect::<Vec<_>>(), expected);
            }
            let costs = |edge: PetgraphEdge<'_>| weight(edge.weight()) as f64;
            let theirs: BTreeMap<_, _> = dijkstra(&view, *id, None, costs).into_iter().collect();
            let ours = of.cheapest_paths(*id, &Weight::field("w")).unwrap();
            assert_eq!(theirs, ours.iter().collect());
            let (mut bfs, mut reached) = (Bfs::new(&view, *id), BTreeSet::new());
            while let Some(node) = bfs.next(&view) {
                reached.insert(node);
            }
            assert_eq!(reached, of.reachable(*id).unwrap().into_iter().collect());
            let mut back = DfsPostOrder::new(Reversed(&view), *id);
            let back: BTreeSet<_> = std::iter::from_fn(|| back.next(Reversed(&view))).collect();
            let into = of.clone().direction(Direction::In).reachable(*id).unwrap();
            assert_eq!(back, into.into_iter().collect());
            assert!(has_path_connecting(&view, *id, *id, None));
        }
        let mut components: Vec<Vec<_>> = tarjan_scc(&view);
        components.iter_mut().for_each(|component| component.sort());
        components.sort();
        assert_eq!(components, of.strong_components().unwrap().groups());
        let loops = view.edge_references().any(|edge| edge.source() == edge.target());
        let is_cyclic = loops || components.iter().any(|component| component.len() > 1);
        assert_eq!(is_cyclic_directed(&view), is_cyclic);
        assert_eq!(is_cyclic_directed(&copy), is_cyclic);
    }
}

#[test]
fn a_selection_is_a_graph_of_its_own() {
    for seed in 0..20 {
        let (db, ids) = database(seed);
        let mut ctx = db.begin(&TransactionOptions::default()).unwrap();
        let own = ctx.insert_node("A", None, doc! {}).unwrap();
        ctx.link_nodes(own, "T", ids[0], doc! { "w": 1 }).unwrap();
        let of = ctx.algorithms().edge_type("T").label("A");
        let view = of.petgraph().unwrap();
        let label = |id| ctx.node(id).unwrap().unwrap().label().to_owned();
        assert!(view.node_identifiers().all(|id| label(id) == "A"));
        assert_eq!(view.node_count(), ids.len().div_ceil(2) + 1);
        for edge in view.edge_references() {
            assert_eq!(edge.weight().edge_type(), "T");
            assert_eq!((label(edge.source()), label(edge.target())), ("A".into(), "A".into()));
        }
        assert_eq!(view.edges(own).map(|edge| edge.target()).collect::<Vec<_>>(), [ids[0]]);
        assert_eq!(of.to_digraph().unwrap().edge_count(), view.edge_references().count());
    }
}
