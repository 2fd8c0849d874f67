//! What transactions do: operations drawn at random, staged in the database and in
//! the model alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use selvedge::{
    Document, Edge, EdgeTypeDef, Error, ErrorKind, KvValue, NodeId, Read, Timestamp, Transaction,
    Value, doc, key,
};

use super::indexes::{INDEXED, UNIQUE, judge_unique};
use super::model::{EdgeName, EntryState, KEYS, LABELS, Name, NodeState, State, TYPES};
use super::story::Settings;

/// What a transaction has staged, and what it sees.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    base: Arc<State>,
    pub(super) now: State,
    nodes: BTreeSet<NodeId>,
    inserted: BTreeSet<NodeId>,
    edges: BTreeSet<EdgeName>,
    /// Types that may come with the commit, and whether they were asked for.
    types: BTreeMap<Name, (EdgeTypeDef, bool)>,
    /// By their keys' bytes.
    entries: BTreeMap<Vec<u8>, EntryChange>,
}

/// What is done with an entry: first it is replaced or removed, perhaps, then numbers
/// are added.
#[derive(Clone, Default, Debug)]
struct EntryChange {
    replaced: Option<Option<KvValue<'static>>>,
    added: Option<u64>,
}

impl EntryChange {
    /// What an entry has afterwards, unless that cannot be.
    fn applied_to(&self, old: Option<&KvValue<'static>>) -> Option<KvValue<'static>> {
        let base = self.replaced.as_ref().map_or(old, Option::as_ref);
        match (base, self.added) {
            (base, None) => base.cloned(),
            (None, Some(added)) => Some(KvValue::U64(added)),
            (Some(KvValue::U64(number)), Some(added)) => {
                Some(KvValue::U64(number.wrapping_add(added)))
            }
            (Some(other), Some(_)) => Some(other.clone()),
        }
    }
}

impl Staged {
    pub(super) fn new(base: &Arc<State>) -> Self {
        let (nodes, inserted, edges, types, entries) = Default::default();
        let (base, now) = (Arc::clone(base), State::clone(base));
        Self { base, now, nodes, inserted, edges, types, entries }
    }

    /// Whether nodes, edges or entries are written.
    pub(super) fn writes_entities(&self) -> bool {
        !self.nodes.is_empty() || !self.edges.is_empty() || !self.entries.is_empty()
    }

    /// The newest state, with what is staged.
    pub(super) fn applied_to(&self, newest: &State, commit: Option<Timestamp>) -> State {
        let mut state = newest.clone();
        for id in &self.nodes {
            match self.now.nodes.get(id) {
                Some(node) => {
                    let node = NodeState { version: commit, ..NodeState::clone(node) };
                    state.nodes.insert(*id, Arc::new(node));
                }
                None => drop(state.nodes.remove(id)),
            }
        }
        for edge in &self.edges {
            match self.now.edges.get(edge) {
                Some(document) => drop(state.edges.insert(*edge, Arc::clone(document))),
                // Linked and unlinked again, it is left to others.
                None if !self.base.edges.contains_key(edge) => {}
                None => drop(state.edges.remove(edge)),
            }
        }
        let inserted = self.inserted.iter().filter_map(|id| self.now.nodes.get(id));
        state.labels.extend(inserted.map(|node| node.label));
        for (name, (def, is_asked_for)) in &self.types {
            let links =
                |edge: &EdgeName| edge.edge_type == *name && self.now.edges.contains_key(edge);
            if *is_asked_for || self.edges.iter().any(links) {
                state.types.entry(name).or_insert_with(|| def.clone());
            }
        }
        for (key, change) in &self.entries {
            // The numbers of others count as well.
            let old = state.entries.get(key).map(|entry| &entry.value);
            match change.applied_to(old) {
                Some(value) => {
                    state.entries.insert(key.clone(), EntryState { value, version: commit });
                }
                None => drop(state.entries.remove(key)),
            }
        }
        state
    }

    fn change_entry(&mut self, key: &[u8], change: impl FnOnce(&mut EntryChange)) {
        let staged = self.entries.entry(key.to_vec()).or_default();
        change(staged);
        let old = self.base.entries.get(key).map(|entry| &entry.value);
        match staged.applied_to(old) {
            Some(value) => {
                self.now.entries.insert(key.to_vec(), EntryState { value, version: None });
            }
            None => drop(self.now.entries.remove(key)),
        }
    }

    fn put_node(&mut self, id: NodeId, node: NodeState) {
        self.nodes.insert(id);
        self.now.nodes.insert(id, Arc::new(node));
    }

    fn edit(&mut self, id: NodeId, edit: impl FnOnce(&mut Document)) {
        let node = self.now.nodes.get(&id).expect("picked among those there are");
        let mut document = Document::clone(&node.document);
        edit(&mut document);
        let node = NodeState { document: Arc::new(document), ..NodeState::clone(node) };
        self.put_node(id, node);
    }

    fn put_edge(&mut self, edge: EdgeName, document: Document) {
        self.edges.insert(edge);
        self.now.edges.insert(edge, Arc::new(document));
    }

    fn remove_edges(&mut self, is_meant: impl Fn(&EdgeName) -> bool) -> u64 {
        let edges: Vec<_> = self.now.edges.keys().copied().filter(is_meant).collect();
        for edge in &edges {
            self.now.edges.remove(edge);
        }
        self.edges.extend(&edges);
        edges.len() as u64
    }
}

/// What was ever given out, and must not be given out again.
#[derive(Default, Debug)]
pub(super) struct Given {
    pub(super) timestamp: Timestamp,
    nodes: BTreeSet<NodeId>,
    edges: BTreeSet<u64>,
    /// The disk was damaged: what is given out may have been lost with what was cut.
    pub(super) is_uncertain: bool,
}

impl Given {
    fn node(&mut self, id: NodeId) -> Result<(), Refusal> {
        if self.nodes.insert(id) || self.is_uncertain {
            return Ok(());
        }
        Err(Refusal::Wrong(format!("node {id} was given out before")))
    }

    fn edge(&mut self, edge: Edge) -> Result<(), Refusal> {
        let Some(id) = edge.id else { return Ok(()) };
        if self.edges.insert(id.get()) || self.is_uncertain {
            return Ok(());
        }
        Err(Refusal::Wrong(format!("edge {id} was given out before")))
    }
}

/// Why an operation was not staged.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The database refused; the caller judges whether it may.
    Told(Error),
    /// It should have refused, or not; or gave something wrong.
    Wrong(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

type Done = Result<String, Refusal>;

fn wrong<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Wrong(what.into()))
}

/// Draws documents and operations.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) rng: Rng,
    /// Documents are all different.
    serial: u64,
    segment_bytes: u64,
    bulk: usize,
    pub(super) given: Given,
}

fn one_of<T: Copy>(rng: &mut Rng, of: impl Iterator<Item = T> + Clone) -> Option<T> {
    let count = of.clone().count();
    let mut of = of;
    if count == 0 { None } else { of.nth(rng.usize(..count)) }
}

impl Workload {
    pub(super) fn new(rng: Rng, settings: &Settings) -> Self {
        let Settings { segment_bytes, bulk, .. } = *settings;
        Self { rng, serial: 0, segment_bytes, bulk, given: Given::default() }
    }

    /// A text that no other document has, of about so many bytes.
    fn text(&mut self, bytes: usize) -> String {
        self.serial += 1;
        let mut text = String::with_capacity(bytes + 12);
        while text.len() < bytes {
            text.push_str(&format!("{}-{} ", self.serial, text.len()));
        }
        text
    }

    fn document(&mut self) -> Document {
        let segment = self.segment_bytes as usize;
        let bytes = match self.rng.u8(..100) {
            0..15 => return Document::new(),
            15..45 => self.rng.usize(..30),
            45..80 => self.rng.usize(30..300),
            80..94 => self.rng.usize(300..3000),
            94..99 => self.rng.usize(3000..7000),
            _ => segment.min(24 << 10) + self.rng.usize(..3000),
        };
        let text = self.text(bytes * self.bulk);
        let mut document = doc! { "n": self.serial as i64, "text": text };
        if self.rng.u8(..4) == 0 {
            document.set("map", doc! { "list": [1, 2, 3], "bytes": vec![7_u8; 9] });
        }
        document
    }

    fn value(&mut self) -> Value {
        match self.rng.u8(..4) {
            0 => Value::from(self.rng.i64(..)),
            1 => Value::from(self.rng.bool()),
            _ => {
                let bytes = self.rng.usize(..200);
                Value::from(self.text(bytes))
            }
        }
    }

    fn field(&mut self) -> &'static str {
        ["n", "text", "more", "map"][self.rng.usize(..4)]
    }

    fn node(&mut self, staged: &Staged) -> Option<NodeId> {
        one_of(&mut self.rng, staged.now.nodes.keys().copied())
    }

    fn edge(&mut self, staged: &Staged) -> Option<EdgeName> {
        one_of(&mut self.rng, staged.now.edges.keys().copied())
    }

    fn label(&mut self) -> Name {
        // The first ones are used most; the last ones are new now and then.
        let most = if self.rng.u8(..8) == 0 { LABELS.len() } else { 2 };
        LABELS[self.rng.usize(..most)]
    }

    fn edge_type(&mut self) -> Name {
        let most = if self.rng.u8(..6) == 0 { TYPES.len() } else { 4 };
        TYPES[self.rng.usize(..most)]
    }

    /// One operation; gives what it did.
    pub(super) fn operation(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let few = staged.now.nodes.len() < 8;
        let many = staged.now.nodes.len() > 70;
        match self.rng.u8(..100) {
            0..24 if !many => self.insert(txn, staged),
            _ if few => self.insert(txn, staged),
            0..46 => self.rewrite(txn, staged),
            46..56 => self.delete(txn, staged),
            56..59 => self.define(txn, staged),
            59..78 => self.link(txn, staged),
            78..83 => self.unlink(txn, staged),
            83..90 => self.change_edge(txn, staged),
            90..97 => self.change_entry(txn, staged),
            _ => self.undo(txn, staged),
        }
    }

    fn insert(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let (label, document) = (self.label(), self.document());
        let key = (self.rng.u8(..3) > 0).then(|| KEYS[self.rng.usize(..KEYS.len())]);
        let holder = key.and_then(|key| staged.now.holder(label, key));
        let node = NodeState { label, key, document: Arc::new(document.clone()), version: None };
        if let (Some(key), true) = (key, self.rng.u8(..4) == 0) {
            let upserted = txn.upsert_node(label, key, document)?;
            if upserted.created {
                self.given.node(upserted.id)?;
                staged.inserted.insert(upserted.id);
            }
            if (!upserted.created).then_some(upserted.id) != holder {
                return wrong(format!("{upserted:?} for a key that {holder:?} holds"));
            }
            staged.put_node(upserted.id, node);
            return Ok(format!("upsert {label}/{key} {}", upserted.id));
        }
        match (txn.insert_node(label, key, document), holder) {
            (Ok(id), None) => {
                self.given.node(id)?;
                staged.inserted.insert(id);
                staged.put_node(id, node);
                Ok(format!("insert {label}/{} {id}", key.unwrap_or("_")))
            }
            (Ok(id), Some(holder)) => wrong(format!("node {id} has the key of {holder}")),
            (Err(error), Some(_)) if error.kind() == ErrorKind::Input => {
                Ok(format!("insert {label}/{}: taken", key.unwrap_or("_")))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn rewrite(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let Some(id) = self.node(staged) else { return Ok("nothing to write".into()) };
        match self.rng.u8(..4) {
            0 | 1 => {
                let (field, value) = (self.field(), self.value());
                let result = txn.set(id, field, value.clone());
                let is_indexed = field == UNIQUE && staged.now.nodes[&id].label == INDEXED;
                let judged = (is_indexed.then_some(&value), Some(id));
                if judge_unique(txn, staged, judged, &result).map_err(Refusal::Wrong)? {
                    return Ok(format!("set {id} {field}: taken"));
                }
                result?;
                staged.edit(id, |document| drop(document.set(field, value)));
                Ok(format!("set {id} {field}"))
            }
            2 => {
                let field = self.field();
                let was_there = txn.unset(id, field)?;
                let mut removed = None;
                staged.edit(id, |document| removed = document.remove(field));
                if was_there != removed.is_some() {
                    return wrong(format!("field {field} of {id} was there: {was_there}"));
                }
                Ok(format!("unset {id} {field}"))
            }
            _ => {
                let document = self.document();
                txn.replace(id, document.clone())?;
                staged.edit(id, |old| *old = document);
                Ok(format!("replace {id}"))
            }
        }
    }

    fn delete(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let Some(id) = self.node(staged) else { return Ok("nothing to delete".into()) };
        let told = txn.delete_node(id)?;
        staged.nodes.insert(id);
        staged.now.nodes.remove(&id);
        let edges = staged.remove_edges(|edge| edge.source == id || edge.target == id);
        if told != edges {
            return wrong(format!("deleting {id} took {told} edges, and there were {edges}"));
        }
        Ok(format!("delete {id} with {edges} edges"))
    }

    fn define(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let at = self.rng.usize(..TYPES.len());
        let mut def =
            if at.is_multiple_of(2) { EdgeTypeDef::unique() } else { EdgeTypeDef::multi() };
        if at == 0 {
            def = def.from(LABELS[0]);
        }
        let name = TYPES[at];
        match txn.define_edge_type(name, def.clone()) {
            Ok(()) => {
                staged.types.entry(name).or_insert((def, true)).1 = true;
                Ok(format!("define {name}"))
            }
            // It is something else already.
            Err(error) if error.kind() == ErrorKind::Input => Ok(format!("define {name}: {error}")),
            Err(error) => Err(error.into()),
        }
    }

    fn link(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let ends = (self.node(staged), self.node(staged));
        let (Some(source), Some(target)) = ends else { return Ok("nothing to link".into()) };
        let (edge_type, document) = (self.edge_type(), self.document());
        let edge = match txn.link_nodes(source, edge_type, target, document.clone()) {
            Ok(edge) => edge,
            Err(error) if error.kind() == ErrorKind::Input => {
                return Ok(format!("link {source} {edge_type} {target}: {error}"));
            }
            Err(error) => return Err(error.into()),
        };
        self.given.edge(edge)?;
        let def = txn.edge_type_def(edge_type)?.unwrap_or_default();
        if def.is_multi() != edge.id.is_some() {
            return wrong(format!("{edge:?} of a type that is {def}"));
        }
        staged.types.entry(edge_type).or_insert((def, false));
        staged.put_edge(EdgeName { source, edge_type, target, id: edge.id }, document);
        Ok(format!("link {source} {edge_type} {target} {:?}", edge.id))
    }

    fn unlink(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let Some(edge) = self.edge(staged) else { return Ok("nothing to unlink".into()) };
        let told = txn.unlink_nodes(edge.source, edge.edge_type, edge.target)?;
        let there = staged.remove_edges(|other| other.pair() == edge.pair());
        if told != there {
            return wrong(format!("unlinking {edge:?} took {told} edges of {there}"));
        }
        Ok(format!("unlink {edge:?}"))
    }

    fn change_edge(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let Some(name) = self.edge(staged) else { return Ok("no edge to change".into()) };
        let all = txn.edges_between(name.source, name.edge_type, name.target)?;
        let found = all.iter().map(|edge| edge.edge()).find(|edge| edge.id == name.id);
        let Some(edge) = found else { return wrong(format!("{name:?} is not there")) };
        let mut document = Document::clone(&staged.now.edges[&name]);
        match self.rng.u8(..5) {
            0 | 1 => {
                let (field, value) = (self.field(), self.value());
                txn.set_edge(edge, Document::from([(field, value.clone())]))?;
                document.set(field, value);
            }
            2 => {
                let field = self.field();
                if txn.unset_edge(edge, field)? != document.remove(field).is_some() {
                    return wrong(format!("whether {name:?} had {field}"));
                }
            }
            3 => {
                document = self.document();
                txn.replace_edge(edge, document.clone())?;
            }
            _ => {
                txn.unlink_edge(edge)?;
                staged.remove_edges(|other| *other == name);
                return Ok(format!("unlink one {name:?}"));
            }
        }
        staged.put_edge(name, document);
        Ok(format!("change {name:?}"))
    }

    /// A key: many, so that checkpoints have leaves to cut and to join.
    fn entry_key(&mut self) -> Vec<u8> {
        let number = self.rng.u32(..400);
        match number % 3 {
            0 => key!["counter", number].into_bytes(),
            _ => key!["entry", number, "x".repeat(number as usize % 60)].into_bytes(),
        }
    }

    fn change_entry(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        for _ in 0..self.rng.u8(1..6) {
            let key = self.entry_key();
            let is_counter = key.starts_with(key!["counter"].as_bytes());
            match self.rng.u8(..5) {
                0 => {
                    txn.kv().delete(&key)?;
                    staged.change_entry(&key, |change| {
                        *change = EntryChange { replaced: Some(None), added: None };
                    });
                }
                _ if is_counter => {
                    let added = self.rng.u64(..5);
                    txn.kv().sum(&key, added)?;
                    staged.change_entry(&key, |change| {
                        change.added = Some(change.added.unwrap_or(0).wrapping_add(added));
                    });
                }
                _ => {
                    let bytes = [30, 300, 3000][self.rng.usize(..3)];
                    let value = KvValue::from(self.text(bytes).into_bytes());
                    txn.kv().set(&key, value.clone())?;
                    staged.change_entry(&key, |change| {
                        *change = EntryChange { replaced: Some(Some(value)), added: None };
                    });
                }
            }
        }
        Ok("entries".into())
    }

    /// Some operations, and back.
    fn undo(&mut self, txn: &mut Transaction<'_>, staged: &mut Staged) -> Done {
        let savepoint = txn.savepoint()?;
        let mut undone = staged.clone();
        for _ in 0..self.rng.u8(1..4) {
            let done = match self.rng.u8(..4) {
                0 => self.insert(txn, &mut undone),
                1 => self.rewrite(txn, &mut undone),
                2 => self.change_entry(txn, &mut undone),
                _ => self.link(txn, &mut undone),
            };
            if done.is_err() {
                txn.rollback_to(savepoint)?;
                return done;
            }
        }
        txn.rollback_to(savepoint)?;
        txn.release(savepoint)?;
        Ok("rolled back to a savepoint".into())
    }

    /// Reads something back inside the transaction.
    pub(super) fn read_back(&mut self, txn: &Transaction<'_>, staged: &Staged) -> Done {
        for (key, entry) in staged.now.entries.iter().take(3) {
            let found = txn.kv_view().get(key)?;
            let value = found.as_ref().and_then(|found| found.value().ok());
            if value.as_ref() != Some(&entry.value) {
                return wrong(format!("entry {key:?} reads {value:?}, not {:?}", entry.value));
            }
        }
        let Some(id) = self.node(staged) else { return Ok("nothing to read".into()) };
        let node = txn.node(id)?;
        let expected = &staged.now.nodes[&id];
        let Some(node) = node else { return wrong(format!("node {id} is not there")) };
        let same = (node.label(), node.key()) == (expected.label, expected.key)
            && node.document().to_document() == *expected.document;
        if same { Ok(format!("read {id}")) } else { wrong(format!("node {id} reads {node:?}")) }
    }
}
