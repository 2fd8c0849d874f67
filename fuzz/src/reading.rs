//! Everything that a reader sees, read in every way.

use std::collections::BTreeMap;

use selvedge::{Direction, Edge, EdgeRef, Error, NodeId, Read, Result};

/// Nodes from which walks start.
const WALKS_MAX: usize = 6;
/// Steps of a walk.
const STEPS_MAX: usize = 500;

/// What a reader sees.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    /// What there is, by its name: labels, types, nodes, edges.
    pub(crate) things: BTreeMap<String, String>,
    /// Where two ways of reading disagree.
    pub(crate) disagreements: Vec<String>,
    /// What could not be read, because it is damaged.
    pub(crate) errors: Vec<Error>,
    /// The nodes.
    pub(crate) nodes: Vec<NodeId>,
    /// The edges.
    pub(crate) edges: Vec<Edge>,
}

impl Seen {
    fn agree<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, one: T, other: T) {
        if one != other {
            self.disagreements.push(format!("{what}: {one:?}, {other:?}"));
        }
    }

    fn ok<T>(&mut self, read: Result<T>) -> Option<T> {
        read.map_err(|error| self.errors.push(error)).ok()
    }
}

/// Reads everything.
pub(crate) fn see(reader: &impl Read) -> Seen {
    let mut seen = Seen::default();
    see_nodes(reader, &mut seen);
    for name in seen.ok(reader.edge_types()).unwrap_or_default() {
        let def = seen.ok(reader.edge_type_def(&name)).flatten();
        seen.things.insert(format!("type {name}"), format!("{def:?}"));
    }
    see_edges(reader, &mut seen);
    for id in seen.nodes.iter().copied().take(WALKS_MAX).collect::<Vec<_>>() {
        walk(reader, id, &mut seen);
    }
    seen
}

fn see_nodes(reader: &impl Read, seen: &mut Seen) {
    for label in seen.ok(reader.labels()).unwrap_or_default() {
        seen.things.insert(format!("label {label}"), String::new());
        let Some(scan) = seen.ok(reader.scan(&label)) else { continue };
        let ids: Vec<_> = scan.collect();
        let count = seen.ok(reader.count(&label));
        seen.agree(&format!("the count of {label}"), count, Some(ids.len() as u64));
        for id in ids {
            seen.nodes.push(id);
            let contains = seen.ok(reader.contains(id));
            seen.agree("whether there is a node", contains, Some(true));
            let Some(node) = seen.ok(reader.node(id)) else { continue };
            let Some(node) = node else {
                seen.disagreements.push(format!("{id} is scanned, and not there"));
                continue;
            };
            seen.agree("the label of a node", node.label(), &label);
            let document = format!("{:?}", node.document().to_document());
            if let Some(key) = node.key() {
                // Damage to another node with the same hash may be met on the way.
                if let Some(found) = seen.ok(reader.get_node(&label, key)) {
                    seen.agree("the node with a key", found.map(|found| found.id()), Some(id));
                }
            }
            let what = format!("{label} {:?} {:?} {document}", node.key(), node.version());
            seen.things.insert(format!("node {id}"), what);
        }
    }
    let count = seen.ok(reader.node_count());
    seen.agree("the number of nodes", count, Some(seen.nodes.len() as u64));
}

fn see_edges(reader: &impl Read, seen: &mut Seen) {
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for direction in [Direction::Out, Direction::In, Direction::Both] {
        for id in seen.nodes.clone() {
            let neighbours = seen.ok(reader.neighbours(id, direction, None)).map(Vec::from_iter);
            let neighbours = neighbours.unwrap_or_default();
            let degree = seen.ok(reader.degree(id, direction, None));
            seen.agree("the degree of a node", degree, Some(neighbours.len() as u64));
            match direction {
                Direction::Out => out.extend(neighbours.iter().map(|end| (id, *end))),
                Direction::In => into.extend(neighbours.iter().map(|end| (*end, id))),
                Direction::Both => continue,
            }
            let Some(edges) = seen.ok(reader.edges(id, direction, None)) else { continue };
            for edge in edges {
                see_edge(reader, &edge, direction, seen);
            }
        }
    }
    let count = seen.ok(reader.edge_count());
    seen.agree("the number of edges", count, Some(out.len() as u64));
    out.sort_unstable();
    into.sort_unstable();
    seen.agree("edges out and in", out, into);
}

fn see_edge(reader: &impl Read, edge: &EdgeRef<'_>, direction: Direction, seen: &mut Seen) {
    let (named, document) = (edge.edge(), format!("{:?}", edge.document().to_document()));
    let name =
        format!("edge {} {} {} {:?}", named.source, edge.edge_type(), named.target, named.id);
    if direction == Direction::Out {
        seen.edges.push(named);
        let between = reader.edges_between(named.source, edge.edge_type(), named.target);
        if let Some(found) = seen.ok(between) {
            let is_there = found.iter().any(|found| found.edge() == named);
            seen.agree("whether an edge is between its ends", is_there, true);
        }
        seen.things.insert(name, document);
    } else {
        let other = seen.things.get(&name).cloned();
        if seen.errors.is_empty() {
            seen.agree("the document of an edge from both ends", other, Some(document));
        }
    }
}

fn walk(reader: &impl Read, start: NodeId, seen: &mut Seen) {
    let Some(traversal) = seen.ok(reader.traverse(start)) else { return };
    let steps = traversal.direction(Direction::Both).depth(0..=3).take(STEPS_MAX);
    let mut last = start;
    for step in steps.collect::<Vec<_>>() {
        match step {
            Ok(step) => last = step.node,
            Err(error) => seen.errors.push(error.into()),
        }
    }
    if let Some(search) = seen.ok(reader.shortest_path(start, last)) {
        let _ = search.direction(Direction::Both).edges_max(8).find();
    }
}
