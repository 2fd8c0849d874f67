//! A transaction of the model: a copy of the database at its start, a copy with
//! its own writes, and lists of what it wrote and read.

use std::collections::{BTreeMap, BTreeSet};

use selvedge::{Direction, Document, EdgeTypeDef, Isolation, NodeId, Timestamp};

use super::state::{EdgeName, EdgeState, EntryKey, EntryState, Name, NodeState, State};
use super::transition::Computation;

/// Why an operation is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    NotFound,
    MissingEndpoint(NodeId),
    KeyExists(NodeId),
    EdgeType,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
    /// Inserted and deleted again.
    Nothing,
}

/// From the record that an edge had at the start to the one it has now; `None`
/// where there is no edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct EdgeChange {
    pub(super) existed: Option<u64>,
    pub(super) now: Option<u64>,
}

/// What a transaction does to an entry.
#[derive(Clone, Default, Debug)]
pub(super) struct EntryChange {
    /// What it sets, or that it deletes; else it only computes from whatever there is.
    replaced: Option<Option<u64>>,
    /// What it computes then, in this order.
    computed: Vec<(Computation, u64)>,
}

impl EntryChange {
    pub(super) fn replace(&mut self, value: Option<u64>) {
        *self = Self { replaced: Some(value), computed: Vec::new() };
    }

    pub(super) fn compute(&mut self, computation: Computation, operand: u64) {
        self.computed.push((computation, operand));
    }

    /// Whether it does not depend on what is there.
    pub(super) fn replaces(&self) -> bool {
        self.replaced.is_some()
    }

    pub(super) fn is_computed(&self) -> bool {
        !self.computed.is_empty()
    }

    /// What becomes of a value.
    pub(super) fn applied(&self, value: Option<u64>) -> Option<u64> {
        let before = self.replaced.unwrap_or(value);
        self.computed.iter().fold(before, |value, (computation, operand)| {
            Some(match (value, computation) {
                (None, _) => *operand,
                (Some(value), Computation::Sum) => value.wrapping_add(*operand),
                (Some(value), Computation::Min) => value.min(*operand),
                (Some(value), Computation::Max) => value.max(*operand),
            })
        })
    }
}

#[derive(Clone, Default, Debug)]
pub(super) struct Written {
    pub(super) nodes: BTreeMap<NodeId, Change>,
    pub(super) keys: BTreeMap<(Name, Name), Option<NodeId>>,
    pub(super) edges: BTreeMap<EdgeName, EdgeChange>,
    /// Definitions that are new, and whether they were asked for: one that a
    /// link implied comes to be only if an edge stays.
    pub(super) types: BTreeMap<Name, (EdgeTypeDef, bool)>,
    pub(super) checks: Vec<(NodeId, Option<Timestamp>)>,
    pub(super) entries: BTreeMap<EntryKey, EntryChange>,
    /// What it sets under a byte and the stamp of its commit.
    pub(super) stamped: BTreeMap<u8, u64>,
    pub(super) entry_checks: Vec<(u8, Option<Timestamp>)>,
}

impl Written {
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.edges.is_empty()
            && self.types.is_empty()
            && self.checks.is_empty()
            && self.entries.is_empty()
            && self.stamped.is_empty()
            && self.entry_checks.is_empty()
    }
}

/// Something that a transaction learned from the database.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Seen {
    Node(NodeId),
    NodeExists(NodeId),
    Holder(Name, Name),
    Edges(NodeId, Direction, Option<Name>),
    Document(EdgeName),
    Between(NodeId, Name, NodeId),
    Members(Name),
    Count(Name),
    NodeCount,
    EdgesOfType(Name),
    EdgeCount,
    LabelNames,
    TypeNames,
    Definition(Name),
    Distance(NodeId, NodeId, Direction, Option<Name>),
    /// The entry of a key, and none of those that are stamped behind it.
    Entry(u8),
    /// Entries from a key on, and before another.
    Entries(u8, u8),
}

impl Seen {
    pub(super) fn is_of_entries(&self) -> bool {
        matches!(self, Self::Entry(_) | Self::Entries(..))
    }
}

/// Whether a commit must be refused when this is no longer so, or only may.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Demand {
    Must,
    May,
}

#[derive(Debug)]
pub(super) struct ModelTransaction {
    pub(super) start: Timestamp,
    pub(super) isolation: Isolation,
    pub(super) base: State,
    pub(super) now: State,
    pub(super) written: Written,
    pub(super) seen: Vec<(Seen, Demand)>,
    /// Names used before any commit did, until the end.
    pub(super) reserved: BTreeSet<Name>,
}

impl ModelTransaction {
    pub(super) fn new(start: Timestamp, isolation: Isolation, base: &State) -> Self {
        let (base, now) = (base.clone(), base.clone());
        let (written, seen, reserved) = Default::default();
        Self { start, isolation, base, now, written, seen, reserved }
    }

    /// Notes a read, if reads are validated.
    pub(super) fn see(&mut self, seen: Seen, demand: Demand) {
        if self.isolation == Isolation::Serializable {
            self.seen.push((seen, demand));
        }
    }

    /// Notes a read of a node, unless it reads its own write.
    pub(super) fn see_node(&mut self, id: NodeId) {
        if !self.written.nodes.contains_key(&id) {
            self.see(Seen::Node(id), Demand::Must);
        }
    }

    pub(super) fn see_holder(&mut self, label: Name, key: Name) -> Option<NodeId> {
        if !self.written.keys.contains_key(&(label, key)) {
            self.see(Seen::Holder(label, key), Demand::Must);
        }
        let holder = self.now.holder(label, key);
        if let Some(holder) = holder {
            self.see_node(holder);
        }
        holder
    }

    pub(super) fn write_entry(&mut self, key: EntryKey, write: impl FnOnce(&mut EntryChange)) {
        let change = self.written.entries.entry(key).or_default();
        write(change);
        let before = self.base.entries.get(&key).map(|entry| entry.value);
        match change.applied(before) {
            Some(value) => self.now.entries.insert(key, EntryState { value, version: None }),
            None => self.now.entries.remove(&key),
        };
    }

    fn existing(&mut self, id: NodeId) -> Result<(), Refusal> {
        self.see_node(id);
        if self.now.nodes.contains_key(&id) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    pub(super) fn may_insert(&mut self, label: Name, key: Option<Name>) -> Result<(), Refusal> {
        match key.and_then(|key| self.see_holder(label, key)) {
            Some(existing) => Err(Refusal::KeyExists(existing)),
            None => Ok(()),
        }
    }

    pub(super) fn insert(&mut self, id: NodeId, label: Name, key: Option<Name>, doc: Document) {
        let old = self.now.nodes.insert(id, NodeState { label, key, document: doc, version: None });
        assert!(old.is_none(), "{id} is given out twice");
        self.written.nodes.insert(id, Change::Insert);
        if let Some(key) = key {
            self.written.keys.insert((label, key), Some(id));
        }
        self.reserved.insert(label);
        self.name();
    }

    /// Changes a node's document.
    pub(super) fn rewrite(
        &mut self,
        id: NodeId,
        edit: impl FnOnce(&mut Document),
    ) -> Result<(), Refusal> {
        self.existing(id)?;
        let node = self.now.nodes.get_mut(&id).expect("it exists");
        edit(&mut node.document);
        node.version = None;
        let change = self.written.nodes.entry(id).or_insert(Change::Update);
        assert!(matches!(change, Change::Insert | Change::Update), "it exists");
        Ok(())
    }

    pub(super) fn delete(&mut self, id: NodeId) -> Result<u64, Refusal> {
        self.existing(id)?;
        // How many edges go is told, even if the deletion is taken back.
        self.see(Seen::Edges(id, Direction::Both, None), Demand::Must);
        let edges: BTreeSet<_> = self
            .now
            .edges_at(id, Direction::Both, None)
            .into_iter()
            .map(|(_, edge)| edge)
            .collect();
        for edge in &edges {
            // It stays read if a rollback takes the deletion back.
            self.see(Seen::Document(*edge), Demand::May);
            self.unlink(*edge);
        }
        let node = self.now.nodes.remove(&id).expect("it exists");
        let change = self.written.nodes.entry(id).or_insert(Change::Delete);
        *change = if *change == Change::Insert { Change::Nothing } else { Change::Delete };
        if let Some(key) = node.key {
            self.written.keys.insert((node.label, key), None);
        }
        self.name();
        Ok(edges.len() as u64)
    }

    /// Works out which names there are: those of the start, and those of what
    /// this transaction has inserted, linked and defined.
    fn name(&mut self) {
        let Self { base, now, written, .. } = self;
        let (labels, types) = (base.labels.clone(), base.types.clone());
        let implied = written.types.iter().map(|(name, (def, _))| (*name, def.clone()));
        // What a link knows of a type that is newer than the snapshot stays.
        let known: BTreeMap<_, _> =
            now.types.clone().into_iter().chain(now.implied.clone()).chain(implied).collect();
        (now.labels, now.types, now.implied) = (labels, types, BTreeMap::new());
        for id in written.nodes.iter().filter(|(_, change)| **change == Change::Insert) {
            now.labels.insert(now.nodes[id.0].label);
        }
        for (name, def) in known {
            let explicit = written.types.get(name).is_some_and(|(_, explicit)| *explicit);
            let links = |(edge, change): (&EdgeName, &EdgeChange)| {
                edge.edge_type == name && change.now.is_some()
            };
            if explicit || written.edges.iter().any(links) {
                now.types.insert(name, def);
            } else if written.types.contains_key(name) {
                now.implied.insert(name, def);
            }
        }
    }

    /// How a type is defined for this transaction's writes: definitions are
    /// never changed, so the newest state tells.
    pub(super) fn definition(&self, name: Name, latest: &State) -> Option<EdgeTypeDef> {
        let own = self.written.types.get(name).map(|(def, _)| def);
        own.or_else(|| latest.types.get(name)).cloned()
    }

    pub(super) fn define(
        &mut self,
        name: Name,
        def: &EdgeTypeDef,
        explicit: bool,
        latest: &State,
    ) -> Result<(), Refusal> {
        match self.definition(name, latest) {
            Some(existing) if existing != *def => return Err(Refusal::EdgeType),
            Some(_) => {
                if let Some((_, asked_for)) = self.written.types.get_mut(name) {
                    *asked_for |= explicit;
                }
            }
            None => {
                self.written.types.insert(name, (def.clone(), explicit));
                self.reserved.insert(name);
            }
        }
        self.name();
        Ok(())
    }

    /// Judges a new edge; gives the definition of its type.
    pub(super) fn may_link(
        &mut self,
        source: NodeId,
        edge_type: Name,
        target: NodeId,
        latest: &State,
    ) -> Result<EdgeTypeDef, Refusal> {
        for end in [source, target] {
            if !self.now.nodes.contains_key(&end) {
                if !self.written.nodes.contains_key(&end) {
                    self.see(Seen::NodeExists(end), Demand::Must);
                }
                return Err(Refusal::MissingEndpoint(end));
            }
        }
        // That it works tells that the ends exist, even if it is taken back.
        for end in [source, target] {
            if !self.written.nodes.contains_key(&end) {
                self.see(Seen::NodeExists(end), Demand::Must);
            }
        }
        let def = self.definition(edge_type, latest).unwrap_or_default();
        for (end, wanted) in [(source, def.source_label()), (target, def.target_label())] {
            let Some(wanted) = wanted else { continue };
            self.see(Seen::Node(end), Demand::May);
            if self.now.nodes[&end].label != wanted {
                if !self.written.nodes.contains_key(&end) {
                    self.see(Seen::NodeExists(end), Demand::Must);
                }
                return Err(Refusal::EdgeType);
            }
        }
        Ok(def)
    }

    /// Links, or replaces the document of the unique edge that is there.
    pub(super) fn link(&mut self, edge: EdgeName, document: Document, next_record: &mut u64) {
        let found = self.now.edges.get(&edge).map(|edge| edge.record);
        let existed = self.written.edges.get(&edge).map_or(found, |written| written.existed);
        let fresh = edge.id.is_some() || !document.is_empty();
        let record = match found.filter(|record| *record != 0) {
            Some(record) => record,
            None if fresh => {
                *next_record += 1;
                *next_record
            }
            None => 0,
        };
        self.written.edges.insert(edge, EdgeChange { existed, now: Some(record) });
        self.now.edges.insert(edge, EdgeState { document, record });
        self.name();
    }

    pub(super) fn unlink(&mut self, edge: EdgeName) {
        let found = self.now.edges.remove(&edge).expect("it exists").record;
        let written = self.written.edges.get(&edge);
        let existed = written.map_or(Some(found), |written| written.existed);
        self.written.edges.insert(edge, EdgeChange { existed, now: None });
        self.name();
    }

    /// Whether an edge exists that is named by a handle.
    pub(super) fn existing_edge(&mut self, edge: EdgeName) -> Result<(), Refusal> {
        let own = self.written.edges.contains_key(&edge);
        self.see(Seen::Document(edge), if own { Demand::May } else { Demand::Must });
        if self.now.edges.contains_key(&edge) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    pub(super) fn rewrite_edge(
        &mut self,
        edge: EdgeName,
        next_record: &mut u64,
        edit: impl FnOnce(&mut Document),
    ) -> Result<(), Refusal> {
        self.existing_edge(edge)?;
        self.see(Seen::Document(edge), Demand::May);
        let mut document = self.now.edges[&edge].document.clone();
        edit(&mut document);
        self.link(edge, document, next_record);
        Ok(())
    }
}
