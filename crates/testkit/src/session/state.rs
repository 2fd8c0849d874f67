//! The verb `state`: everything a reader sees, read in every way there is, with
//! a complaint where two ways disagree.

use std::collections::BTreeMap;

use selvedge::{Direction, Edge, EdgeRef, NodeId, Read};

use super::reading::tell_edge;
use crate::command::ScriptError;
use crate::names::{Names, list};

/// Tells all nodes, then all edges.
pub(super) fn tell<R: Read>(reader: &R, names: &Names) -> Result<String, ScriptError> {
    let ids = nodes(reader, names)?;
    let mut told = Vec::new();
    let mut edges = Vec::new();
    let mut by_type = BTreeMap::new();
    walked(reader, names, &ids)?;
    for id in ids {
        told.push(names.show(reader.node(id)?));
        for edge in around(reader, names, id)? {
            *by_type.entry(edge.edge_type()).or_insert(0) += 1;
            edges.push(tell_edge(names, &edge));
        }
    }
    let counted = reader.edge_count()?;
    agree("edge_count", counted, edges.len() as u64)?;
    for name in reader.edge_types()? {
        let seen = by_type.remove(&*name).unwrap_or(0);
        agree(&format!("count_edges {name}"), reader.count_edges(&name)?, seen)?;
    }
    if let Some((name, _)) = by_type.first_key_value() {
        return Err(ScriptError::wrong(format!("types does not list {name}")));
    }
    Ok(if edges.is_empty() { list(told) } else { format!("{}; {}", list(told), list(edges)) })
}

/// All nodes, by label.
fn nodes<R: Read>(reader: &R, names: &Names) -> Result<Vec<NodeId>, ScriptError> {
    let mut all = Vec::new();
    for label in reader.labels()? {
        let ids: Vec<_> = reader.scan(&label)?.collect();
        agree(&format!("count {label}"), reader.count(&label)?, ids.len() as u64)?;
        for id in &ids {
            let name = names.of(*id);
            let node = reader.node(*id)?.filter(|_| reader.contains(*id).unwrap_or(false));
            let node = node.ok_or_else(|| gone(&name))?;
            agree(&format!("label of {name}"), node.label(), &*label)?;
            if let Some(key) = node.key() {
                let by_key = reader.get_node(&label, key)?.map(|node| node.id());
                agree(&format!("key of {name}"), by_key, Some(*id))?;
            }
        }
        all.extend(ids);
    }
    agree("node_count", reader.node_count()?, all.len() as u64)?;
    Ok(all)
}

fn gone(name: &str) -> ScriptError {
    ScriptError::wrong(format!("the scan has {name}, but it does not exist"))
}

/// Walks over all nodes at once: each has the neighbours that it has alone.
fn walked<R: Read>(reader: &R, names: &Names, ids: &[NodeId]) -> Result<(), ScriptError> {
    let types = reader.edge_types()?;
    for edge_type in types.iter().map(|name| Some(name.as_str())).chain([None]) {
        for direction in [Direction::Out, Direction::In, Direction::Both] {
            let adjacency = reader.adjacency(direction, edge_type)?;
            let mut given = Vec::new();
            for (id, neighbours) in adjacency.neighbours_of_each(ids.iter().copied()) {
                let alone: Vec<_> = reader.neighbours(id, direction, edge_type)?.collect();
                let what = format!("adjacency of {} {direction:?} {edge_type:?}", names.of(id));
                agree(&what, neighbours.collect(), alone)?;
                given.push(id);
            }
            agree("nodes of a walk", given.as_slice(), ids)?;
        }
    }
    Ok(())
}

/// The edges out of a node, which are those that each way of reading gives.
fn around<'r, R: Read>(
    reader: &'r R,
    names: &Names,
    id: NodeId,
) -> Result<Vec<EdgeRef<'r>>, ScriptError> {
    let name = names.of(id);
    for direction in [Direction::Out, Direction::In] {
        let edges: Vec<Edge> = reader.edges(id, direction, None)?.map(|e| e.edge()).collect();
        let mut ends: Vec<_> = edges.iter().map(|edge| end(*edge, direction)).collect();
        let mut neighbours: Vec<_> = reader.neighbours(id, direction, None)?.collect();
        ends.sort_unstable();
        neighbours.sort_unstable();
        agree(&format!("neighbours of {name} {direction:?}"), &neighbours, &ends)?;
        let degree = reader.degree(id, direction, None)?;
        agree(&format!("degree of {name} {direction:?}"), degree, edges.len() as u64)?;
        for edge in edges {
            let other = end(edge, direction);
            let back = reader.edges(other, opposite(direction), None)?.any(|e| e.edge() == edge);
            if !back || !reader.contains(other)? {
                let edge = names.edge_name(edge);
                return Err(ScriptError::wrong(format!("{edge} dangles at {}", names.of(other))));
            }
        }
    }
    Ok(reader.edges(id, Direction::Out, None)?.collect())
}

/// The end of an edge that one gets to in a direction.
fn end(edge: Edge, direction: Direction) -> NodeId {
    if direction == Direction::In { edge.source } else { edge.target }
}

fn opposite(direction: Direction) -> Direction {
    if direction == Direction::In { Direction::Out } else { Direction::In }
}

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, told: T, found: T) -> Result<(), ScriptError> {
    if told == found {
        return Ok(());
    }
    Err(ScriptError::wrong(format!("{what} is {told:?}, but {found:?} was found")))
}
