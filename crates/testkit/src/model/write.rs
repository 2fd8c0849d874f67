//! Writes: each is put to the database and to the model, and what came of it is
//! compared.

use std::collections::BTreeMap;

use selvedge::{Document, Edge, EdgeTypeId, Error, InputError, NodeId, Result, Transaction, Value};

use super::harness::World;
use super::state::{EdgeName, EntryKey, Name, State};
use super::transaction::{Demand, ModelTransaction, Refusal, Seen};
use super::transition::{Computation, Pick, Write};

/// An answer of the database in the words of the model.
fn answer<T>(result: Result<T>) -> Result<T, Refusal> {
    result.map_err(|error: Error| match error.input() {
        Some(InputError::NotFound(_)) => Refusal::NotFound,
        Some(InputError::MissingEndpoint { missing, .. }) => Refusal::MissingEndpoint(*missing),
        Some(InputError::KeyExists { existing, .. }) => Refusal::KeyExists(*existing),
        Some(InputError::EdgeType { .. }) => Refusal::EdgeType,
        _ => panic!("no reason for {error:?}"),
    })
}

/// Demands the same answer; gives it, if it is not a refusal.
fn agreed<T, M>(found: Result<T, Refusal>, expected: Result<M, Refusal>) -> Option<(T, M)> {
    match (found, expected) {
        (Ok(found), Ok(expected)) => Some((found, expected)),
        (found, expected) => {
            assert_eq!(found.err(), expected.err());
            None
        }
    }
}

/// A transaction of both, at work.
struct Writer<'w, 'db> {
    ctx: &'w mut Transaction<'db>,
    model: &'w mut ModelTransaction,
    type_ids: &'w mut BTreeMap<Name, EdgeTypeId>,
    world: &'w mut World,
    latest: &'w State,
}

/// Puts one write to both.
pub(super) fn write(
    ctx: &mut Transaction<'_>,
    model: &mut ModelTransaction,
    type_ids: &mut BTreeMap<Name, EdgeTypeId>,
    world: &mut World,
    latest: &State,
    write: Write,
) {
    let mut writer = Writer { ctx, model, type_ids, world, latest };
    match write {
        Write::Insert { label, key, document } => writer.insert(label, key, document),
        Write::Upsert { label, key, document } => writer.upsert(label, key, document),
        Write::Set { node, field, value } => writer.set(node, field, value),
        Write::SetMany { node, fields } => writer.set_many(node, fields),
        Write::Unset { node, field } => writer.unset(node, field),
        Write::Replace { node, document } => writer.replace(node, document),
        Write::Delete { node } => {
            let id = writer.pick(node);
            let done = agreed(answer(writer.ctx.delete_node(id)), writer.model.delete(id));
            done.inspect(|(found, expected)| assert_eq!(found, expected, "edges of {id}"));
        }
        Write::Define { name, def } => {
            let found = answer(writer.ctx.define_edge_type(name, def.clone()));
            agreed(found, writer.model.define(name, &def, true, writer.latest));
        }
        Write::Link { source, edge_type, target, document } => {
            writer.link(source, edge_type, target, document);
        }
        Write::Unlink { source, edge_type, target } => writer.unlink(source, edge_type, target),
        Write::UnlinkEdge { edge } => {
            let Some((name, edge)) = writer.pick_edge(edge) else { return };
            let expected = writer.model.existing_edge(name);
            if agreed(answer(writer.ctx.unlink_edge(edge)), expected).is_some() {
                writer.model.unlink(name);
            }
        }
        Write::UpdateEdge { edge, fields } => {
            let update = fields.clone();
            let edit = |ctx: &mut Transaction<'_>, edge| ctx.set_edge(edge, update);
            writer.rewrite_edge(edge, edit, |document| document.extend(fields));
        }
        Write::UnsetEdge { edge, field } => {
            let edit = |ctx: &mut Transaction<'_>, edge| ctx.unset_edge(edge, field);
            let mut expected = false;
            let found = writer.rewrite_edge(edge, edit, |document| {
                expected = document.remove(field).is_some();
            });
            assert!(found.is_none_or(|found| found == expected));
        }
        Write::ReplaceEdge { edge, document } => {
            let replacement = document.clone();
            let edit = |ctx: &mut Transaction<'_>, edge| ctx.replace_edge(edge, replacement);
            writer.rewrite_edge(edge, edit, |old| *old = document);
        }
        Write::SetEntry { key, value } => writer.set_entry(key, Some(value)),
        Write::DeleteEntry { key } => writer.set_entry(key, None),
        Write::Compute { key, computation, operand } => writer.compute(key, computation, operand),
        Write::DeleteStamped { entry } => writer.delete_stamped(entry),
    }
}

impl Writer<'_, '_> {
    fn pick(&self, pick: Pick) -> NodeId {
        self.world.pick(pick, &self.model.now)
    }

    fn inserted(&mut self, id: NodeId, label: Name, key: Option<Name>, document: Document) {
        let newest = self.world.nodes.iter().max();
        assert!(newest.is_none_or(|newest| *newest < id), "ids count up");
        self.world.nodes.push(id);
        self.model.insert(id, label, key, document);
    }

    fn insert(&mut self, label: Name, key: Option<Name>, document: Document) {
        let expected = self.model.may_insert(label, key);
        let found = answer(self.ctx.insert_node(label, key, document.clone()));
        if let Some((id, ())) = agreed(found, expected) {
            self.inserted(id, label, key, document);
        }
    }

    fn upsert(&mut self, label: Name, key: Name, document: Document) {
        let holder = self.model.see_holder(label, key);
        let upserted =
            self.ctx.upsert_node(label, key, document.clone()).expect("nothing is wrong");
        assert_eq!(upserted.created, holder.is_none());
        match holder {
            Some(id) => {
                assert_eq!(upserted.id, id);
                self.model.rewrite(id, |old| *old = document).expect("it has the key");
            }
            None => self.inserted(upserted.id, label, Some(key), document),
        }
    }

    fn set(&mut self, node: Pick, field: Name, value: Value) {
        let id = self.pick(node);
        let found = answer(self.ctx.set(id, field, value.clone()));
        let edit = |document: &mut Document| {
            document.set(field, value);
        };
        agreed(found, self.model.rewrite(id, edit));
    }

    fn set_many(&mut self, node: Pick, fields: Document) {
        let id = self.pick(node);
        let found = answer(self.ctx.set_many(id, fields.clone()));
        agreed(found, self.model.rewrite(id, |document| document.extend(fields)));
    }

    fn unset(&mut self, node: Pick, field: Name) {
        let id = self.pick(node);
        let found = answer(self.ctx.unset(id, field));
        let mut removed = false;
        let edit = |document: &mut Document| removed = document.remove(field).is_some();
        let done = agreed(found, self.model.rewrite(id, edit));
        done.inspect(|(found, ())| assert_eq!(*found, removed));
    }

    fn replace(&mut self, node: Pick, document: Document) {
        let id = self.pick(node);
        let found = answer(self.ctx.replace(id, document.clone()));
        agreed(found, self.model.rewrite(id, |old| *old = document));
    }

    fn link(&mut self, source: Pick, edge_type: Name, target: Pick, document: Document) {
        let (source, target) = (self.pick(source), self.pick(target));
        let expected = self.model.may_link(source, edge_type, target, self.latest);
        let found = answer(self.ctx.link_nodes(source, edge_type, target, document.clone()));
        let Some((edge, def)) = agreed(found, expected) else { return };
        self.model.define(edge_type, &def, false, self.latest).expect("it is defined so");
        // A type may be newer than the snapshot; who links by it knows it.
        self.model.now.types.insert(edge_type, def.clone());
        assert_eq!((edge.source, edge.target), (source, target));
        assert_eq!(edge.id.is_some(), def.is_multi());
        let name = EdgeName { source, edge_type, target, id: edge.id };
        if def.is_multi() {
            assert!(self.world.edges.iter().all(|other| other.id < name.id), "ids count up");
        }
        self.type_ids.insert(edge_type, edge.edge_type);
        self.world.edges.insert(name);
        self.model.link(name, document, &mut self.world.next_record);
    }

    fn unlink(&mut self, source: Pick, edge_type: Name, target: Pick) {
        let (source, target) = (self.pick(source), self.pick(target));
        self.model.see(Seen::Between(source, edge_type, target), Demand::Must);
        let edges = self.model.now.between(source, edge_type, target);
        let found = self.ctx.unlink_nodes(source, edge_type, target).expect("nothing is wrong");
        assert_eq!(found, edges.len() as u64);
        edges.into_iter().for_each(|edge| self.model.unlink(edge));
    }

    fn set_entry(&mut self, key: u8, value: Option<u64>) {
        let mut kv = self.ctx.kv();
        let staged = match value {
            Some(value) => kv.set(&[key], value),
            None => kv.delete(&[key]),
        };
        staged.expect("nothing is wrong");
        self.model.write_entry(EntryKey(key, None), |change| change.replace(value));
    }

    fn compute(&mut self, key: u8, computation: Computation, operand: u64) {
        let mut kv = self.ctx.kv();
        let staged = match computation {
            Computation::Sum => kv.sum(&[key], operand),
            Computation::Min => kv.min(&[key], operand),
            Computation::Max => kv.max(&[key], operand),
        };
        staged.expect("nothing is wrong");
        let key = EntryKey(key, None);
        self.model.write_entry(key, |change| change.compute(computation, operand));
    }

    fn delete_stamped(&mut self, entry: Pick) {
        let stamped = self.model.now.entries.keys().filter(|key| key.1.is_some());
        let stamped: Vec<_> = stamped.copied().collect();
        let Some(at) = usize::from(entry).checked_rem(stamped.len()) else { return };
        self.ctx.kv().delete(&stamped[at].bytes()).expect("nothing is wrong");
        self.model.write_entry(stamped[at], |change| change.replace(None));
    }

    /// An edge, and the database's handle on it: mostly one that exists.
    fn pick_edge(&self, pick: Pick) -> Option<(EdgeName, Edge)> {
        let (at, now) = (usize::from(pick), &self.model.now.edges);
        let type_id = |name: Name| {
            let type_ids = [&*self.type_ids, &self.world.type_ids];
            type_ids.into_iter().find_map(|ids| ids.get(name)).copied()
        };
        let name = if pick < 200 && !now.is_empty() {
            *now.keys().nth(at % now.len())?
        } else {
            let known: Vec<_> =
                self.world.edges.iter().filter(|edge| type_id(edge.edge_type).is_some()).collect();
            **known.get(at.checked_rem(known.len())?)?
        };
        let EdgeName { source, edge_type, target, id } = name;
        Some((name, Edge { source, edge_type: type_id(edge_type)?, target, id }))
    }

    fn rewrite_edge<T>(
        &mut self,
        edge: Pick,
        edit: impl FnOnce(&mut Transaction<'_>, Edge) -> Result<T>,
        model_edit: impl FnOnce(&mut Document),
    ) -> Option<T> {
        let (name, edge) = self.pick_edge(edge)?;
        let found = answer(edit(self.ctx, edge));
        let expected = self.model.rewrite_edge(name, &mut self.world.next_record, model_edit);
        agreed(found, expected).map(|(found, ())| found)
    }
}
