//! What a script calls nodes and edges, and how documents and refusals are told.

use std::collections::HashMap;

use selvedge::{
    Conflict, ConflictKind, DocRef, Edge, EdgeId, EdgeTypeId, Entity, Error, InputError, Node,
    NodeId, Value,
};

use crate::command::ScriptError;

/// The label that goes without saying.
pub(crate) const LABEL: &str = "Item";
/// The key of a node without one.
pub(crate) const NO_KEY: &str = "_";

/// What a script calls nodes and edges.
#[derive(Debug, Default)]
pub(crate) struct Names {
    nodes: HashMap<NodeId, String>,
    /// All nodes of a name, in the order in which they were inserted.
    by_name: HashMap<String, Vec<NodeId>>,
    edge_types: HashMap<EdgeTypeId, String>,
    /// The last edge of a unique type between two nodes.
    unique: HashMap<(NodeId, String, NodeId), Edge>,
    /// The edges of multi types, in the order in which they were linked.
    multi: Vec<Edge>,
}

/// Label and key of a name.
pub(crate) fn label_and_key(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or((LABEL, name))
}

/// The name of a label and key.
fn name_of(label: &str, key: &str) -> String {
    if label == LABEL { key.to_owned() } else { format!("{label}:{key}") }
}

impl Names {
    /// Names a node that was just inserted.
    pub(crate) fn add_node(&mut self, name: &str, id: NodeId) -> Result<&str, ScriptError> {
        let (label, key) = label_and_key(name);
        let name = name_of(label, key);
        let nodes = self.by_name.entry(name.clone()).or_default();
        nodes.push(id);
        let full = if nodes.len() == 1 { name } else { format!("{name}#{}", nodes.len()) };
        if let Some(other) = self.nodes.insert(id, full) {
            return Err(ScriptError::wrong(format!("{id} was {other} before: an id was reused")));
        }
        Ok(&self.nodes[&id])
    }

    /// The node with a name.
    pub(crate) fn node(&self, name: &str) -> Result<NodeId, ScriptError> {
        let (base, place) = match name.split_once('#') {
            Some((base, place)) => (base, place.parse().unwrap_or(0)),
            None => (name, 1),
        };
        let (label, key) = label_and_key(base);
        let nodes = self.by_name.get(&name_of(label, key));
        let found = nodes.and_then(|nodes| nodes.get(usize::checked_sub(place, 1)?));
        found.copied().ok_or_else(|| ScriptError::wrong(format!("nobody inserted {name}")))
    }

    /// The name of a node.
    pub(crate) fn of(&self, id: NodeId) -> String {
        self.nodes.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The names of nodes, in the order given.
    pub(crate) fn list(&self, ids: impl IntoIterator<Item = NodeId>) -> String {
        list(ids.into_iter().map(|id| self.of(id)))
    }

    /// Names an edge that was just linked; gives what to add to its ends.
    pub(crate) fn add_edge(&mut self, edge_type: &str, edge: Edge) -> String {
        self.edge_types.insert(edge.edge_type, edge_type.to_owned());
        if edge.id.is_none() {
            self.unique.insert((edge.source, edge_type.to_owned(), edge.target), edge);
            return String::new();
        }
        self.multi.push(edge);
        format!(" #{}", self.multi.len())
    }

    /// The unique edge of a type between two nodes, or the one with a number.
    pub(crate) fn edge(
        &self,
        (source, edge_type, target): (NodeId, &str, NodeId),
        number: Option<&str>,
    ) -> Result<Edge, ScriptError> {
        let found = match number.and_then(|number| number.strip_prefix('#')) {
            Some(number) => {
                let place = number.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
                place.and_then(|place| self.multi.get(place))
            }
            None => self.unique.get(&(source, edge_type.to_owned(), target)),
        };
        found.copied().ok_or_else(|| ScriptError::wrong("nobody linked such an edge"))
    }

    /// The name of an edge.
    pub(crate) fn edge_name(&self, edge: Edge) -> String {
        let kind = self.edge_types.get(&edge.edge_type).map_or("?", |name| name);
        let place = |id: EdgeId| self.multi.iter().position(|other| other.id == Some(id));
        let number = edge.id.and_then(place).map_or(String::new(), |at| format!(" #{}", at + 1));
        format!("{} -{kind}-> {}{number}", self.of(edge.source), self.of(edge.target))
    }

    /// A node with its document.
    pub(crate) fn show(&self, node: Option<Node<'_>>) -> String {
        node.map_or_else(none, |node| format!("{} {}", self.of(node.id()), show(node.document())))
    }

    fn entity(&self, entity: &Entity) -> String {
        match entity {
            Entity::Node(id) => self.of(*id),
            Entity::Key { label, key } => format!("key {}", name_of(label, key)),
            Entity::Edge(named) => self.edge_name(named.edge),
            Entity::Neighbourhood(id) => format!("edges at {}", self.of(*id)),
            Entity::Label(label) => format!("label {label}"),
            Entity::EdgeType(name) => format!("edge type {name}"),
            Entity::Entry(key) => format!("entry {:?}", selvedge::Key::from_bytes(&**key)),
            other => other.to_string(),
        }
    }

    fn conflict(&self, conflict: &Conflict) -> String {
        let Conflict { entity, kind, start, committed } = conflict;
        let how = match kind {
            ConflictKind::Write => "was written",
            ConflictKind::Dangling => "was deleted or linked",
            ConflictKind::Read => "was read, then changed",
            ConflictKind::Definition => "was defined anew",
            _ => "was touched",
        };
        format!("conflict: {} {how} by {committed}, began at {start}", self.entity(entity))
    }

    /// What the database refused, in the script's words.
    pub(crate) fn refusal(&self, error: &Error) -> String {
        if let Error::Conflict(conflict) = error {
            return self.conflict(conflict);
        }
        if let Error::CheckFailed { node, expected, found } = error {
            let version = |version: &Option<_>| {
                version.map_or("absent".to_owned(), |at: selvedge::Timestamp| at.to_string())
            };
            let (expected, found) = (version(expected), version(found));
            return format!("check failed: {} is {found}, expected {expected}", self.of(*node));
        }
        match error.input() {
            Some(InputError::NotFound(entity)) => {
                format!("error: {} does not exist", self.entity(entity))
            }
            Some(InputError::MissingEndpoint { missing, .. }) => {
                format!("error: the end {} does not exist", self.of(*missing))
            }
            Some(InputError::KeyExists { label, key, existing }) => {
                format!("error: key {} exists: {}", name_of(label, key), self.of(*existing))
            }
            _ => format!("error: {error}"),
        }
    }
}

/// Nothing.
pub(crate) fn none() -> String {
    "(none)".to_owned()
}

/// Words with commas between them.
pub(crate) fn list(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    if words.is_empty() { none() } else { words.join(", ") }
}

/// A stored document.
pub(crate) fn show(document: DocRef<'_>) -> String {
    show_value(&Value::Map(document.to_document()))
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::String(value) => value.clone(),
        Value::Map(document) => {
            let fields = document.iter().map(|(name, value)| (name, show_value(value)));
            let fields: Vec<_> = fields.map(|(name, value)| format!("{name}={value}")).collect();
            format!("{{{}}}", fields.join(" "))
        }
        other => format!("{other:?}"),
    }
}
