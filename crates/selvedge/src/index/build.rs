//! Building indexes while writes go on.
//!
//! ```text
//! commit: definition, Building   every later write of the label maintains the index
//! commit: entries of some nodes  as often as there are nodes left; each reads at its
//!                                own snapshot, and conflicts with who changes the same
//!                                entries meanwhile
//! commit: Ready                  from its timestamp on the index is read
//! ```
//!
//! A crash leaves the index as it was at the last of these commits; building it again
//! from the first node adds what is missing.

use selvedge_base::NodeId;
use selvedge_graph::GraphError;
use selvedge_keyspace::{Encoding, EntryWrites, Mutation};
use selvedge_schema::{IndexDef, IndexState, Owner, Schema};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::index::maintenance::shown_values;
use crate::index::place::Place;
use crate::index::scan::everything;
use crate::kv::error::KvError;
use crate::kv::space::Space;
use crate::read::{Read as _, Sealed as _};
use crate::retry::RetryPolicy;
use crate::transaction::Transaction;

/// Nodes of one commit, unless others keep changing them.
const NODES_PER_COMMIT: usize = 512;
/// Entries that one commit takes away.
const ENTRIES_PER_COMMIT: usize = 4096;
/// Attempts at a commit before it takes fewer nodes.
const ATTEMPTS: u32 = 8;
/// Attempts at the commit of one node.
const ATTEMPTS_AT_LAST: u32 = 10_000;

/// How far building has come.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct IndexProgress {
    /// The label.
    pub label: String,
    /// Its nodes that have their entries.
    pub nodes: u64,
    /// Its nodes, about: those there were when this was told.
    pub of: u64,
}

impl Db {
    /// Completes the indexes that are still being built: those of a program that ended
    /// before they were, say. [`define`](Self::define) does it for the labels it is
    /// given. Writes go on meanwhile.
    ///
    /// # Errors
    /// [`InputError::Duplicate`](crate::InputError::Duplicate) if two nodes
    /// have the same values of a unique index, which is dropped then; otherwise as
    /// [`transaction`](Self::transaction).
    pub fn build_indexes(&self, mut progress: impl FnMut(IndexProgress)) -> Result<()> {
        let schema = self.schema()?;
        for label in schema.labels() {
            self.build_indexes_of(label, &mut progress)?;
        }
        self.erase_dropped_indexes()
    }

    /// As [`build_indexes`](Self::build_indexes), for one label.
    pub(crate) fn build_indexes_of(
        &self,
        label: &str,
        progress: &mut dyn FnMut(IndexProgress),
    ) -> Result<()> {
        let schema = self.schema()?;
        let wanted: Vec<String> =
            building(&schema, label).map(|index| index.name().to_owned()).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        match self.fill(label, &wanted, progress) {
            Err(Error::Input(input)) => {
                if let GraphError::Duplicate { index, .. } | GraphError::IndexKey { index, .. } =
                    &*input
                {
                    self.drop_building(label, index)?;
                }
                Err(Error::Input(input))
            }
            outcome => outcome,
        }
    }

    /// Gives every node its entries, and declares the indexes ready.
    fn fill(
        &self,
        label: &str,
        wanted: &[String],
        progress: &mut dyn FnMut(IndexProgress),
    ) -> Result<()> {
        let (mut done, mut behind, mut most) = (0, None, NODES_PER_COMMIT);
        loop {
            let attempts = if most == 1 { ATTEMPTS_AT_LAST } else { ATTEMPTS };
            let policy = RetryPolicy::default().attempts_max(attempts);
            let filled =
                self.transaction_retry(policy, |ctx| fill_some(ctx, label, wanted, behind, most));
            match filled {
                Ok(filled) => {
                    done += filled.nodes;
                    let of = self.view(|snapshot| snapshot.count(label))?;
                    progress(IndexProgress { label: label.to_owned(), nodes: done, of });
                    let Some(last) = filled.last else { break };
                    behind = Some(last);
                    most = (2 * most).min(NODES_PER_COMMIT);
                }
                Err(Error::RetriesExhausted { .. }) if most > 1 => most /= 2,
                Err(error) => return Err(error),
            }
        }
        self.transaction_retry(RetryPolicy::default(), |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            let names: Vec<String> =
                building(&schema, label).map(|index| index.name().to_owned()).collect();
            // Another definition since may have added one that has nothing yet.
            for name in names.iter().filter(|name| wanted.contains(name)) {
                schema.set_index_state(label, name, IndexState::Ready);
            }
            ctx.stage_schema(schema)
        })
    }

    /// Gives up on an index that cannot be built, and on what it has already.
    fn drop_building(&self, label: &str, name: &str) -> Result<()> {
        self.transaction_retry(RetryPolicy::default(), |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            if !building(&schema, label).any(|index| index.name() == name) {
                return Ok(());
            }
            let owner = Owner::Label(label.to_owned());
            let definition =
                schema.definition(&owner).map(|definition| definition.document().clone());
            let document = definition.map(|definition| definition.without_index(name));
            if let Some(document) = document {
                schema.put(&owner, document, IndexState::Building);
            }
            ctx.stage_schema(schema)
        })?;
        self.erase_dropped_indexes()
    }

    /// Takes away the entries of indexes that are not there any more. Nobody can write
    /// such an entry: who began before the index went is refused.
    pub(crate) fn erase_dropped_indexes(&self) -> Result<()> {
        let schema = self.schema()?;
        let defined: Vec<u32> = schema
            .labels()
            .filter_map(|label| schema.node(label))
            .flat_map(|document| document.indexes())
            .filter_map(|index| Some(index.number()?.get()))
            .collect();
        for number in schema.index_numbers().filter(|number| !defined.contains(&number.get())) {
            let place = Place::numbered(number, false);
            while self.erase_some(&place)? {}
        }
        Ok(())
    }

    /// Takes some entries away; whether there may be more.
    fn erase_some(&self, place: &Place) -> Result<bool> {
        let keys: Vec<Vec<u8>> = self.view(|snapshot| {
            let range = snapshot.kv_in(Space::SYSTEM).full_range(&everything(place), false);
            let keys = range
                .take(ENTRIES_PER_COMMIT)
                .map(|entry| Ok::<_, Error>(entry?.full_key().to_vec()));
            keys.collect::<Result<_>>()
        })?;
        if keys.is_empty() {
            return Ok(false);
        }
        let mut writes = EntryWrites::new();
        for key in &keys {
            let staged = writes.mutate(key, Mutation::Delete);
            staged.map_err(|error| KvError::staging(&error))?;
        }
        self.kv().commit_entries(writes)?;
        Ok(true)
    }
}

/// The indexes of a label that are being built.
fn building<'s>(schema: &'s Schema, label: &str) -> impl Iterator<Item = &'s IndexDef> {
    let indexes = schema.node(label).map(|document| document.indexes()).unwrap_or_default();
    indexes.iter().filter(|index| !index.is_ready())
}

/// What one commit has done.
struct Filled {
    nodes: u64,
    /// The last node; `None` if there is none left.
    last: Option<NodeId>,
}

/// Gives up to `most` nodes behind one their entries.
fn fill_some(
    ctx: &mut Transaction<'_>,
    label: &str,
    wanted: &[String],
    behind: Option<NodeId>,
    most: usize,
) -> Result<Filled> {
    let schema = ctx.schema()?;
    let scan = ctx.scan(label)?;
    let scan = match behind {
        Some(behind) => scan.after(behind),
        None => scan,
    };
    let ids: Vec<NodeId> = scan.take(most).collect();
    for id in &ids {
        for index in
            building(&schema, label).filter(|index| wanted.contains(&index.name().to_owned()))
        {
            add_missing(ctx, label, index, *id)?;
        }
    }
    let last = ids.last().copied().filter(|_| ids.len() == most);
    Ok(Filled { nodes: ids.len() as u64, last })
}

/// Stages the entries of a node that are not there yet.
fn add_missing(ctx: &mut Transaction<'_>, label: &str, index: &IndexDef, id: NodeId) -> Result<()> {
    let Some(place) = Place::of(index) else { return Ok(()) };
    let mut missing = Vec::new();
    {
        let Some(node) = ctx.node(id)? else { return Ok(()) };
        let keys = index.keys(node.document()).map_err(|source| GraphError::IndexKey {
            label: label.to_owned(),
            index: index.name().to_owned(),
            source,
        })?;
        let entries = ctx.kv_in(Space::SYSTEM);
        for values in keys {
            let (key, value) = place.entry(&values, id);
            match entries.full_key_bytes(&key)?.and_then(|value| place.node(&key, &value)) {
                None => missing.push((key, value)),
                Some(holder) if holder == id => {}
                Some(holder) => {
                    let duplicate = GraphError::Duplicate {
                        label: label.to_owned(),
                        index: index.name().to_owned(),
                        values: shown_values(index, node.document()),
                        nodes: [holder, id],
                    };
                    return Err(duplicate.into());
                }
            }
        }
    }
    for (key, value) in missing {
        let staged = ctx.entries().put(&key, Encoding::BYTES, &value);
        staged.map_err(|error| KvError::staging(&error))?;
    }
    Ok(())
}
