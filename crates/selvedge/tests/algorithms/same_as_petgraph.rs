//! What petgraph answers to the same.

use std::collections::BTreeMap;

use petgraph::Undirected;
use petgraph::algo::{
    all_simple_paths, astar, connected_components, dijkstra, has_path_connecting, kosaraju_scc,
    page_rank,
};
use petgraph::visit::EdgeRef as _;
use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, prop_assert_eq, proptest};
use selvedge::algorithms::{Algorithms, PageRank, Weight, WeightedPath};
use selvedge::prelude::*;

use crate::random::{GraphShape, LABELS, Petgraph, TYPES, index, petgraph, shape, with_database};

type Checked = Result<(), TestCaseError>;

fn place(ids: &[NodeId], node: NodeId) -> usize {
    ids.binary_search(&node).expect("a node of the graph")
}

/// The graph with its edges turned, or both ways.
fn along(graph: &Petgraph, direction: Direction) -> Petgraph {
    let mut turned = graph.clone();
    turned.clear_edges();
    for edge in graph.edge_references() {
        let (from, to, weight) = (edge.source(), edge.target(), *edge.weight());
        if direction != Direction::In {
            turned.add_edge(from, to, weight);
        }
        if direction != Direction::Out {
            turned.add_edge(to, from, weight);
        }
    }
    turned
}

fn check_searches(of: &Algorithms<'_>, ids: &[NodeId], graph: &Petgraph) -> Checked {
    let weight = Weight::field("w");
    for (at, id) in ids.iter().enumerate() {
        let hops = dijkstra(graph, index(at), None, |_| 1_usize);
        let levels = of.levels(*id).unwrap();
        let found: BTreeMap<_, _> =
            levels.iter().map(|(n, far)| (index(place(ids, n)), far)).collect();
        prop_assert_eq!(&found, &hops.clone().into_iter().collect());
        prop_assert!(levels.iter().is_sorted_by_key(|(_, far)| far));
        prop_assert_eq!(of.reachable(*id).unwrap().len(), hops.len());

        let costs = dijkstra(graph, index(at), None, |edge| *edge.weight());
        let paths = of.cheapest_paths(*id, &weight).unwrap();
        let found: Vec<_> = paths.iter().map(|(n, cost)| (cost, place(ids, n))).collect();
        let mut expected: Vec<_> = costs.iter().map(|(n, cost)| (*cost, n.index())).collect();
        expected.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        prop_assert_eq!(found, expected);
        for (to, target) in ids.iter().enumerate() {
            let cost = costs.get(&index(to)).copied();
            prop_assert_eq!(has_path_connecting(graph, index(at), index(to), None), cost.is_some());
            prop_assert_eq!(of.is_reachable(*id, *target).unwrap(), cost.is_some());
            let path = of.cheapest_path(*id, *target, &weight).unwrap();
            check_path(path.as_ref(), cost, (*id, *target), ids, graph)?;
            check_path(paths.path(*target).as_ref(), cost, (*id, *target), ids, graph)?;
            // What is truly to come, for some nodes; for others nothing is known.
            let rest = dijkstra(&along(graph, Direction::In), index(to), None, |e| *e.weight());
            let estimate = |n: usize| {
                if n.is_multiple_of(3) { 0.0 } else { rest.get(&index(n)).copied().unwrap_or(0.0) }
            };
            let path = of.a_star(*id, *target, &weight, |n| estimate(place(ids, n))).unwrap();
            check_path(path.as_ref(), cost, (*id, *target), ids, graph)?;
            let theirs = astar(graph, index(at), |n| n == index(to), |e| *e.weight(), |_| 0.0);
            prop_assert_eq!(theirs.map(|(cost, _)| cost), path.map(|path| path.cost()));
        }
    }
    Ok(())
}

/// A path leads where it should, along edges that there are, at their weights.
fn check_path(
    path: Option<&WeightedPath>,
    cost: Option<f64>,
    ends: (NodeId, NodeId),
    ids: &[NodeId],
    graph: &Petgraph,
) -> Checked {
    prop_assert_eq!(path.map(WeightedPath::cost), cost);
    let Some(path) = path else { return Ok(()) };
    prop_assert_eq!((path.nodes()[0], *path.nodes().last().unwrap()), ends);
    prop_assert_eq!(path.edges().len() + 1, path.nodes().len());
    let mut sum = 0.0;
    for (pair, edge) in path.nodes().windows(2).zip(path.edges()) {
        let (from, to) = (index(place(ids, pair[0])), index(place(ids, pair[1])));
        let lightest = graph.edges_connecting(from, to).map(|edge| *edge.weight());
        sum += lightest.min_by(f64::total_cmp).expect("an edge");
        let runs = [(edge.source, edge.target), (edge.target, edge.source)];
        prop_assert!(runs.contains(&(pair[0], pair[1])));
    }
    prop_assert_eq!(sum, path.cost());
    Ok(())
}

/// All paths without loops, each at the weight of its lightest edges.
fn simple_paths(graph: &Petgraph, from: usize, to: usize) -> Vec<(f64, Vec<usize>)> {
    let mut paths: Vec<(f64, Vec<usize>)> = if from == to {
        vec![(0.0, vec![from])]
    } else {
        let all = all_simple_paths::<Vec<_>, _, std::hash::RandomState>(
            graph,
            index(from),
            index(to),
            0,
            None,
        );
        all.map(|path| {
            let cost = |pair: &[petgraph::graph::NodeIndex]| {
                let edges = graph.edges_connecting(pair[0], pair[1]);
                edges.map(|edge| *edge.weight()).min_by(f64::total_cmp).expect("an edge")
            };
            let costs = path.windows(2).map(cost).sum();
            (costs, path.iter().map(|node| node.index()).collect())
        })
        .collect()
    };
    paths.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    paths.dedup();
    paths
}

fn check_several(of: &Algorithms<'_>, ids: &[NodeId], graph: &Petgraph) -> Checked {
    let weight = Weight::field("w");
    for (from, to) in [(0, ids.len() - 1), (ids.len() / 2, 0), (0, 0)] {
        let expected = simple_paths(graph, from, to);
        for count in [0, 1, 3, 1000] {
            if count == 1000 && expected.len() > 200 {
                continue;
            }
            let paths = of.k_cheapest_paths(ids[from], ids[to], count, &weight).unwrap();
            let costs: Vec<_> = paths.iter().map(WeightedPath::cost).collect();
            let first: Vec<_> = expected.iter().take(count).map(|(cost, _)| *cost).collect();
            prop_assert_eq!(&costs, &first);
            let nodes = |path: &WeightedPath| {
                (path.cost(), path.nodes().iter().map(|node| place(ids, *node)).collect::<Vec<_>>())
            };
            let mut found: Vec<_> = paths.iter().map(nodes).collect();
            found.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            let len = found.len();
            found.dedup();
            prop_assert_eq!(found.len(), len, "none twice");
            prop_assert!(found.iter().all(|path| expected.contains(path)));
        }
    }
    Ok(())
}

fn check_components(of: &Algorithms<'_>, ids: &[NodeId], graph: &Petgraph) -> Checked {
    let weak = of.components().unwrap();
    prop_assert_eq!(weak.len(), connected_components(graph));
    let both: petgraph::Graph<_, _, Undirected> = graph.clone().into_edge_type();
    for (one, id) in ids.iter().enumerate() {
        for (other, to) in ids.iter().enumerate() {
            let together = has_path_connecting(&both, index(one), index(other), None);
            prop_assert_eq!(weak.of(*id) == weak.of(*to), together);
        }
    }
    let strong = of.strong_components().unwrap();
    let mut expected: Vec<Vec<_>> = kosaraju_scc(graph)
        .into_iter()
        .map(|component| {
            let mut nodes: Vec<_> = component.into_iter().map(|node| ids[node.index()]).collect();
            nodes.sort();
            nodes
        })
        .collect();
    expected.sort();
    prop_assert_eq!(strong.groups(), expected);
    for components in [weak, strong] {
        let groups = components.groups();
        prop_assert!(groups.is_sorted_by_key(|group| group[0]));
        prop_assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), components.sizes());
        for (number, group) in groups.iter().enumerate() {
            prop_assert!(group.iter().all(|node| components.of(*node) == Some(number)));
        }
        prop_assert_eq!(components.iter().map(|(node, _)| node).collect::<Vec<_>>(), ids);
    }
    Ok(())
}

/// The textbook's matrix, applied so often.
fn ranks_by_matrix(graph: &Petgraph, damping: f64, iterations: u32) -> Vec<f64> {
    let count = graph.node_count();
    let mut ranks = vec![1.0 / count as f64; count];
    for _ in 0..iterations {
        let mut next = vec![(1.0 - damping) / count as f64; count];
        for (at, rank) in ranks.iter().enumerate() {
            let targets: Vec<_> = graph.neighbors(index(at)).map(|node| node.index()).collect();
            match targets.len() {
                0 => next.iter_mut().for_each(|next| *next += damping * rank / count as f64),
                degree => {
                    targets.iter().for_each(|to| next[*to] += damping * rank / degree as f64);
                }
            }
        }
        ranks = next;
    }
    ranks
}

fn check_ranks(of: &Algorithms<'_>, ids: &[NodeId], graph: &Petgraph) -> Checked {
    let close = |found: &[f64], expected: &[f64]| {
        found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12)
    };
    for (damping, iterations_max) in [(0.85, 1), (0.85, 20), (0.5, 7), (1.0, 5), (0.0, 2)] {
        let options = PageRank { damping, iterations_max, tolerance: -1.0 };
        let ranks = of.page_rank(&options).unwrap();
        prop_assert_eq!(ranks.iterations(), iterations_max);
        let found: Vec<_> = ranks.iter().map(|(_, rank)| rank).collect();
        prop_assert_eq!(ranks.iter().map(|(node, _)| node).collect::<Vec<_>>(), ids);
        prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let expected = ranks_by_matrix(graph, damping, iterations_max);
        prop_assert!(close(&found, &expected), "{:?} {:?}", found, expected);
        // petgraph's leaves out jumps along edges, and counts several as one: where
        // nobody jumps and none are several, it is the same.
        let mut simple = graph.clone();
        simple.retain_edges(|graph, edge| {
            let (from, to) = graph.edge_endpoints(edge).expect("its own");
            graph.edges_connecting(from, to).count() == 1
        });
        if damping == 1.0 && simple.edge_count() == graph.edge_count() {
            let theirs = page_rank(graph, 1.0, iterations_max as usize);
            prop_assert!(close(&found, &theirs), "{:?} {:?}", found, theirs);
        }
    }
    Ok(())
}

fn check_all(of: &Algorithms<'_>, ids: &[NodeId], graph: &Petgraph) -> Checked {
    for direction in [Direction::Out, Direction::In, Direction::Both] {
        let (of, graph) = (of.clone().direction(direction), along(graph, direction));
        check_searches(&of, ids, &graph)?;
        check_components(&of, ids, &graph)?;
        // To list all paths takes too long in larger ones.
        if direction == Direction::Out && graph.edge_count() <= 22 {
            check_several(&of, ids, &graph)?;
        }
        check_ranks(&of, ids, &graph)?;
    }
    Ok(())
}

/// Only the nodes with one of the labels, and what runs between them.
fn with_label(shape: &GraphShape, label: usize) -> (GraphShape, Vec<usize>) {
    let kept: Vec<_> = (0..shape.nodes).filter(|at| at % 2 == label).collect();
    let is_kept = |at: usize| at % 2 == label;
    let edges = shape.edges.iter().filter(|(from, to, _, _)| is_kept(*from) && is_kept(*to));
    let edges = edges.map(|(from, to, kind, weight)| (from / 2, to / 2, *kind, *weight)).collect();
    (GraphShape { nodes: kept.len(), edges, committed: 0 }, kept)
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 48;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_algorithms_answer_what_petgraph_answers(shape in shape()) {
        with_database(&shape, |reader, ids| {
            check_all(&reader.algorithms(), ids, &petgraph(&shape, ids, None))?;
            let of_type = reader.algorithms().edge_type(TYPES[1]).edge_type("NONE");
            check_all(&of_type, ids, &petgraph(&shape, ids, Some(1)))?;
            let both = reader.algorithms().edge_type(TYPES[1]).edge_type(TYPES[0]);
            check_all(&both, ids, &petgraph(&shape, ids, None))?;
            for (label, name) in LABELS.iter().enumerate() {
                let (part, kept) = with_label(&shape, label);
                let ids: Vec<_> = kept.iter().map(|at| ids[*at]).collect();
                if !ids.is_empty() {
                    let of_label = reader.algorithms().label(name).label("None");
                    check_all(&of_label, &ids, &petgraph(&part, &ids, None))?;
                }
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
