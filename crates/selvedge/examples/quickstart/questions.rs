//! Questions to the graph, each answered from one snapshot.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use selvedge::prelude::*;

use crate::Failure;
use crate::cargo_graph::DEPENDENCY_TYPES;

/// What a build of a package needs; the rest is for its tests.
pub(crate) const TO_BUILD: [&str; 2] = [DEPENDENCY_TYPES[0], DEPENDENCY_TYPES[1]];

/// The package with this name, whatever its version.
pub(crate) fn package(reader: &impl Read, name: &str) -> Result<NodeId, Failure> {
    for id in reader.scan("Package")? {
        let node = reader.node(id)?;
        if node.is_some_and(|node| node.get("name").and_then(|name| name.as_str()) == Some(name)) {
            return Ok(id);
        }
    }
    Err(format!("there is no package {name:?} in the workspace").into())
}

/// The key of a package, `name version`.
pub(crate) fn key(reader: &impl Read, id: NodeId) -> Result<String, Failure> {
    let node = reader.node(id)?.ok_or_else(|| format!("node {id} is gone"))?;
    Ok(node.key().unwrap_or("?").to_owned())
}

/// The packages that most others need, with how many do.
pub(crate) fn most_needed(reader: &impl Read, most: usize) -> Result<Vec<(NodeId, u64)>, Failure> {
    let mut needed = Vec::new();
    for id in reader.scan("Package")? {
        needed.push((id, reader.degree(id, Direction::In, "DEPENDS_ON")?));
    }
    needed.sort_by_key(|(id, degree)| (Reverse(*degree), *id));
    needed.truncate(most);
    Ok(needed)
}

/// How many packages `start` pulls in, by the number of hops to them.
pub(crate) fn pulls_in(
    reader: &impl Read,
    start: NodeId,
    edge_types: &[&str],
) -> Result<BTreeMap<u32, u64>, Failure> {
    let mut walk = reader.traverse(start)?.depth(1..=u32::MAX);
    for edge_type in edge_types {
        walk = walk.edge_type(edge_type);
    }
    let mut by_depth = BTreeMap::new();
    for step in walk {
        *by_depth.entry(step?.depth).or_default() += 1;
    }
    Ok(by_depth)
}

/// A shortest way from `start` to one of the packages furthest away.
pub(crate) fn longest_way(reader: &impl Read, start: NodeId) -> Result<Vec<NodeId>, Failure> {
    let mut walk = reader.traverse(start)?.depth(0..=u32::MAX);
    for edge_type in TO_BUILD {
        walk = walk.edge_type(edge_type);
    }
    // Breadth first: the last step is one of the deepest.
    let deepest = walk.last().ok_or("the start is gone")??;
    let mut search = reader.shortest_path(start, deepest.node)?;
    for edge_type in TO_BUILD {
        search = search.edge_type(edge_type);
    }
    let path = search.find().ok_or("a walk led there, so there is a path")?;
    if path.edges() != deepest.depth as usize {
        return Err("the walk and the path disagree about the distance".into());
    }
    Ok(path.nodes().to_vec())
}

/// Everything that a reader can ask, as one number.
pub(crate) fn digest(reader: &impl Read, start: NodeId) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    let mut packages = 0_u64;
    for id in reader.scan("Package")? {
        let node = reader.node(id)?.ok_or("a scan found a node that is not there")?;
        (id, node.key(), node.version(), node.document().to_document()).hash(&mut hasher);
        for direction in [Direction::Out, Direction::In] {
            // Along edges of any type: new reviews must not show.
            let mut neighbours: Vec<NodeId> = reader.neighbours(id, direction, None)?.collect();
            neighbours.sort_unstable();
            neighbours.hash(&mut hasher);
        }
        for edge in reader.edges(id, Direction::Out, None)? {
            (edge.edge_type(), edge.target(), edge.document().to_document()).hash(&mut hasher);
        }
        packages += 1;
    }
    let counts = (reader.count("Package")?, reader.node_count()?, reader.edge_count()?);
    (packages, counts, reader.scan("Review")?.count()).hash(&mut hasher);
    pulls_in(reader, start, &DEPENDENCY_TYPES)?.hash(&mut hasher);
    longest_way(reader, start)?.hash(&mut hasher);
    Ok(hasher.finish())
}
