//! The verbs that read: the same for snapshots, transactions and the database.
//!
//! | verb | gives |
//! |---|---|
//! | `get NODE` | the node that has the key |
//! | `node NODE`, `has NODE` | the node with that id; whether it exists |
//! | `version NODE` | the commit that last wrote it |
//! | `scan LABEL`, `count LABEL`, `node_count` | nodes |
//! | `neighbours NODE [out\|in\|both] [TYPE]`, `degree ..`, `edges ..` | around a node |
//! | `edge A TYPE B`, `between A TYPE B`, `count_edges TYPE`, `edge_count` | edges |
//! | `traverse NODE [out\|in\|both] [TYPE] depth=FROM..TO` | depth and node |
//! | `path A B [out\|in\|both] [TYPE]` | a shortest path |
//! | `labels`, `types`, `type TYPE` | names |
//! | `timestamp`, `state` | the start; everything |

use selvedge::{Direction, EdgeRef, Error, NodeId, Read, Statistics, Timestamp};

use super::Actor;
use super::state;
use crate::command::{Command, ScriptError};
use crate::names::{Names, label_and_key, list, none, show};

pub(super) fn timestamp(actor: &Actor) -> Timestamp {
    match actor {
        Actor::Transaction(transaction, _) => transaction.timestamp(),
        Actor::Snapshot(snapshot) => snapshot.timestamp(),
    }
}

/// Runs a reading step; `None` if the verb is not one.
pub(super) fn run<R: Read>(
    reader: &R,
    names: &Names,
    command: &Command,
) -> Result<Option<String>, ScriptError> {
    let word = |at, what| command.word(at, what);
    let node = |at| names.node(word(at, "a node")?);
    let output = match &*command.verb {
        "get" => {
            let (label, key) = label_and_key(word(0, "a node")?);
            names.show(reader.get_node(label, key)?)
        }
        "node" => names.show(reader.node(node(0)?)?),
        "has" => reader.contains(node(0)?)?.to_string(),
        "version" => {
            let found = reader.node(node(0)?)?;
            let version = |node: selvedge::Node<'_>| {
                node.version().map_or_else(|| "own".to_owned(), |version| version.to_string())
            };
            found.map_or_else(none, version)
        }
        "scan" => names.list(reader.scan(word(0, "a label")?)?),
        "count" => reader.count(word(0, "a label")?)?.to_string(),
        "node_count" => reader.node_count()?.to_string(),
        "edge_count" => reader.edge_count()?.to_string(),
        "count_edges" => reader.count_edges(word(0, "a type")?)?.to_string(),
        "labels" => list(reader.labels()?),
        "types" => list(reader.edge_types()?),
        "type" => {
            let def = reader.edge_type_def(word(0, "a type")?)?;
            def.map_or_else(none, |def| def.to_string())
        }
        "timestamp" => reader.timestamp().to_string(),
        "state" => state::tell(reader, names)?,
        _ => return around(reader, names, command),
    };
    Ok(Some(output))
}

/// The reading steps that follow edges.
fn around<R: Read>(
    reader: &R,
    names: &Names,
    command: &Command,
) -> Result<Option<String>, ScriptError> {
    let node = |at| names.node(command.word(at, "a node")?);
    let output = match &*command.verb {
        "edge" | "between" => {
            let (source, edge_type, target) = (node(0)?, command.word(1, "a type")?, node(2)?);
            if command.verb == "edge" {
                let found = reader.edge(source, edge_type, target)?;
                found.map_or_else(none, |edge| tell_edge(names, &edge))
            } else {
                let found = reader.edges_between(source, edge_type, target)?;
                list(found.iter().map(|edge| tell_edge(names, edge)))
            }
        }
        "neighbours" | "degree" | "edges" => {
            let (node, (direction, edge_type)) = (node(0)?, along(command, 1));
            match &*command.verb {
                "degree" => reader.degree(node, direction, edge_type)?.to_string(),
                "edges" => list(
                    reader.edges(node, direction, edge_type)?.map(|edge| tell_edge(names, &edge)),
                ),
                _ => names.list(reader.neighbours(node, direction, edge_type)?),
            }
        }
        "traverse" => traverse(reader, names, command, node(0)?)?,
        "path" => {
            let (direction, edge_type) = along(command, 2);
            let mut search = reader.shortest_path(node(0)?, node(1)?)?.direction(direction);
            if let Some(edge_type) = edge_type {
                search = search.edge_type(edge_type);
            }
            let path = |path: selvedge::Path| {
                let nodes: Vec<_> = path.nodes().iter().map(|id| names.of(*id)).collect();
                nodes.join(" > ")
            };
            search.find().map_or_else(none, path)
        }
        _ => return Ok(None),
    };
    Ok(Some(output))
}

fn traverse<R: Read>(
    reader: &R,
    names: &Names,
    command: &Command,
    start: NodeId,
) -> Result<String, ScriptError> {
    let (direction, edge_type) = along(command, 1);
    let depth = command.option("depth").unwrap_or("1..1").split_once("..");
    let depth = depth.and_then(|(from, to)| Some(from.parse().ok()?..=to.parse().ok()?));
    let depth = depth.ok_or_else(|| ScriptError::wrong("depth is FROM..TO"))?;
    let mut walk = reader.traverse(start)?.direction(direction).depth(depth);
    if let Some(edge_type) = edge_type {
        walk = walk.edge_type(edge_type);
    }
    let steps = walk.collect::<Result<Vec<_>, _>>().map_err(Error::from)?;
    Ok(list(steps.iter().map(|step| format!("{}:{}", step.depth, names.of(step.node)))))
}

/// Direction and type, as far as they are given.
fn along(command: &Command, from: usize) -> (Direction, Option<&str>) {
    let mut along = (Direction::Out, None);
    for word in command.plain(from) {
        match word {
            "out" => along.0 = Direction::Out,
            "in" => along.0 = Direction::In,
            "both" => along.0 = Direction::Both,
            edge_type => along.1 = Some(edge_type),
        }
    }
    along
}

/// An edge with its document, if that is not empty.
pub(super) fn tell_edge(names: &Names, edge: &EdgeRef<'_>) -> String {
    let name = names.edge_name(edge.edge());
    if edge.document().is_empty() { name } else { format!("{name} {}", show(edge.document())) }
}

/// The counters that a step asks for.
pub(super) fn statistics(
    statistics: &Statistics,
    command: &Command,
) -> Result<String, ScriptError> {
    let counter = |name: &str| {
        Ok(match name {
            "commits" => statistics.commits.to_string(),
            "conflicts_write" => statistics.conflicts_write.to_string(),
            "conflicts_dangling" => statistics.conflicts_dangling.to_string(),
            "conflicts_read" => statistics.conflicts_read.to_string(),
            "chains_created" => statistics.chains_created.to_string(),
            "chains_retained" => statistics.chains_retained.to_string(),
            "versions_created" => statistics.versions_created.to_string(),
            "versions_retained" => statistics.versions_retained.to_string(),
            // How many depends on the layout of a version.
            "bytes_retained" if statistics.bytes_retained == 0 => "0".to_owned(),
            "bytes_retained" => "some".to_owned(),
            "snapshots_open" => statistics.snapshots_open.to_string(),
            "names_reserved" => statistics.names_reserved.to_string(),
            "oldest" => statistics.oldest_snapshot.as_ref().map_or_else(none, |oldest| {
                let label = oldest.label.as_deref().unwrap_or("unlabelled");
                format!("{} {label} {}s", oldest.start, oldest.age.as_secs())
            }),
            other => return Err(ScriptError::wrong(format!("no counter {other:?}"))),
        })
    };
    let counters = command.arguments.iter().map(|name| Ok(format!("{name}={}", counter(name)?)));
    Ok(list(counters.collect::<Result<Vec<_>, ScriptError>>()?))
}
