//! Reading everything there is, in every way, and noticing where two ways disagree.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use selvedge::{Direction, EdgeRef, Error, ErrorKind, KvValue, NodeId, Read, Selection};

use super::indexes::see_indexes;
use super::model::{EdgeName, EntryState, KEYS, LABELS, Name, NodeState, Seen, State, TYPES};

/// Whether documents may be damaged, as long as the database says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Damage {
    None,
    Told,
}

/// A read that worked, or None if it told of damage where there may be some.
fn readable<T>(result: Result<T, Error>, damage: Damage) -> Result<Option<T>, String> {
    match result {
        Ok(read) => Ok(Some(read)),
        Err(error) if damage == Damage::Told && error.kind() == ErrorKind::Restore => Ok(None),
        Err(error) => Err(format!("reading fails: {error}")),
    }
}

pub(super) fn sure<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|error| format!("reading fails: {error}"))
}

pub(super) fn agree<T: PartialEq + Debug>(what: &str, one: T, other: T) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    Err(format!("{what}: {one:?} in one way of reading, {other:?} in another"))
}

fn known(names: &[Name], name: &str) -> Result<Name, String> {
    let found = names.iter().find(|known| **known == name);
    found.copied().ok_or_else(|| format!("the name {name:?} was never used"))
}

/// Reads everything.
pub(super) fn see(reader: &impl Read, damage: Damage) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut ids = Vec::new();
    for label in sure(reader.labels())? {
        let label = known(&LABELS, &label)?;
        seen.state.labels.insert(label);
        let found: Vec<_> = sure(reader.scan(label))?.collect();
        agree("the number of nodes with a label", sure(reader.count(label))?, found.len() as u64)?;
        for id in &found {
            see_node(reader, damage, label, *id, &mut seen)?;
        }
        ids.extend(found);
    }
    agree("the number of nodes", sure(reader.node_count())?, ids.len() as u64)?;
    see_keys(reader, damage, &seen)?;
    for name in sure(reader.edge_types())? {
        let def = sure(reader.edge_type_def(&name))?;
        let def = def.ok_or_else(|| format!("the edge type {name:?} has no definition"))?;
        seen.state.types.insert(known(&TYPES, &name)?, def);
    }
    see_edges(reader, damage, &ids, &mut seen)?;
    see_entries(reader, &mut seen)?;
    see_indexes(reader, damage, &seen.state)?;
    Ok(seen)
}

fn see_entries(reader: &impl Read, seen: &mut Seen) -> Result<(), String> {
    let view = reader.kv_view();
    for entry in sure(view.list(Selection::all()))? {
        let value = sure(entry.value().map_err(Error::from))?;
        let value = match value {
            KvValue::Bytes(bytes) => KvValue::from(bytes.into_owned()),
            KvValue::U64(number) => KvValue::U64(number),
            other => return Err(format!("{other:?} was never written")),
        };
        let version = entry.versionstamp().map(|stamp| stamp.timestamp());
        seen.state.entries.insert(entry.key_bytes().to_vec(), EntryState { value, version });
    }
    let mut backwards = sure(view.keys(Selection::all().reverse()))?;
    backwards.reverse();
    let keys: Vec<_> = seen.state.entries.keys().cloned().collect();
    agree("keys forwards and backwards", &backwards, &keys)?;
    let step = 1 + keys.len() / 7;
    for (key, entry) in seen.state.entries.iter().step_by(step) {
        let found = sure(view.get(key))?.and_then(|found| found.versionstamp());
        agree("an entry by its key", found.map(|stamp| stamp.timestamp()), entry.version)?;
    }
    Ok(())
}

fn see_node(
    reader: &impl Read,
    damage: Damage,
    label: Name,
    id: NodeId,
    seen: &mut Seen,
) -> Result<(), String> {
    agree("whether a node exists", sure(reader.contains(id))?, true)?;
    let Some(node) = readable(reader.node(id), damage)? else {
        seen.damaged_nodes.insert(id);
        return Ok(());
    };
    let node = node.ok_or_else(|| format!("node {id} is scanned, and does not exist"))?;
    agree("the label of a node", node.label(), label)?;
    let key = node.key().map(|key| known(&KEYS, key)).transpose()?;
    if let Some(key) = key {
        let by_key = sure(reader.get_node(label, key))?.map(|node| node.id());
        agree("the node with a key", by_key, Some(id))?;
    }
    let document = Arc::new(node.document().to_document());
    let node = NodeState { label, key, document, version: node.version() };
    seen.state.nodes.insert(id, Arc::new(node));
    Ok(())
}

/// Keys that no node has find none.
fn see_keys(reader: &impl Read, damage: Damage, seen: &Seen) -> Result<(), String> {
    let nodes = seen.state.nodes.iter();
    let held: BTreeMap<_, _> =
        nodes.filter_map(|(id, node)| Some(((node.label, node.key?), *id))).collect();
    // Of a label that nobody has used there is nothing either.
    let unused = LABELS.iter().find(|label| !seen.state.labels.contains(*label));
    for label in seen.state.labels.iter().chain(unused).copied() {
        for key in KEYS {
            let Some(found) = readable(reader.get_node(label, key), damage)? else { continue };
            let (found, held) = (found.map(|node| node.id()), held.get(&(label, key)).copied());
            agree(&format!("the node with the key {label}/{key}"), found, held)?;
        }
    }
    Ok(())
}

fn name_of(edge: &EdgeRef<'_>) -> Result<EdgeName, String> {
    let (edge_type, edge) = (known(&TYPES, edge.edge_type())?, edge.edge());
    Ok(EdgeName { source: edge.source, edge_type, target: edge.target, id: edge.id })
}

fn see_edges(
    reader: &impl Read,
    damage: Damage,
    ids: &[NodeId],
    seen: &mut Seen,
) -> Result<(), String> {
    let (mut out, mut into, mut entering) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let targets = sure(reader.neighbours(*id, Direction::Out, None))?;
        out.extend(targets.map(|target| (*id, target)));
        let sources = sure(reader.neighbours(*id, Direction::In, None))?;
        into.extend(sources.map(|source| (source, *id)));
        match readable(reader.edges(*id, Direction::Out, None), damage)? {
            Some(edges) => {
                for edge in edges {
                    let document = Arc::new(edge.document().to_document());
                    seen.state.edges.insert(name_of(&edge)?, document);
                }
            }
            None => see_pairs(reader, damage, *id, seen)?,
        }
        if let Some(edges) = readable(reader.edges(*id, Direction::In, None), damage)? {
            for edge in edges {
                entering.push((name_of(&edge)?, edge.document().to_document()));
            }
        }
    }
    for (name, document) in &entering {
        let there = seen.state.edges.get(name).map(|document| &**document);
        if !seen.damaged_pairs.contains(&name.pair()) {
            agree("the document of an edge, from both ends", Some(document), there)?;
        }
    }
    into.sort_unstable();
    out.sort_unstable();
    agree("edges in and out", &into, &out)?;
    agree("the number of edges", sure(reader.edge_count())?, out.len() as u64)?;
    if seen.damaged_pairs.is_empty() {
        agree("edges and neighbours", seen.state.edges.len(), out.len())?;
        for name in seen.state.types.keys() {
            let found = seen.state.edges.keys().filter(|edge| edge.edge_type == *name).count();
            agree("the edges of a type", sure(reader.count_edges(name))?, found as u64)?;
        }
    }
    Ok(())
}

/// Reads the edges of a node pair by pair, since some cannot be read.
fn see_pairs(
    reader: &impl Read,
    damage: Damage,
    id: NodeId,
    seen: &mut Seen,
) -> Result<(), String> {
    let types: Vec<_> = seen.state.types.keys().copied().collect();
    for edge_type in types {
        let targets: Vec<_> = sure(reader.neighbours(id, Direction::Out, edge_type))?.collect();
        for target in targets {
            match readable(reader.edges_between(id, edge_type, target), damage)? {
                Some(edges) => {
                    for edge in edges {
                        let document = Arc::new(edge.document().to_document());
                        seen.state.edges.insert(name_of(&edge)?, document);
                    }
                }
                None => {
                    seen.damaged_pairs.insert((id, edge_type, target));
                }
            }
        }
    }
    Ok(())
}

/// Reads everything, and compares it with what it should be.
pub(super) fn expect(reader: &impl Read, state: &State, damage: Damage) -> Result<(), String> {
    let seen = see(reader, damage)?;
    state.difference(&seen).map_or(Ok(()), Err)
}
