//! Building indexes while writes go on.
//!
//! ```text
//! commit: definition, Building   every later write of the label maintains the index
//! commit: entries of some nodes  as often as there are nodes left; each reads at its
//!                                own snapshot, and conflicts with who changes the same
//!                                nodes meanwhile, or later deletes the same entries
//! commit: Ready                  from its timestamp on the index is read
//! ```
//!
//! A crash leaves the index as it was at the last of these commits; building it again
//! from the first node adds what is missing.

use selvedge_base::NodeId;
use selvedge_encoding::DocRef;
use selvedge_graph::{Entity, GraphError};
use selvedge_keyspace::{Encoding, EntryWrites, Mutation};
use selvedge_schema::{Definition, IndexDef, IndexNumber, IndexState, Kind, Owner, Schema};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::index::maintenance::{misfit, shown_values};
use crate::index::place::{Place, held};
use crate::index::scan::everything;
use crate::kv::error::KvError;
use crate::kv::space::Space;
use crate::read::{Read as _, Sealed as _};
use crate::retry::RetryPolicy;
use crate::schema::cell::schema_key;
use crate::schema::change::{MigrationProgress, MigrationStage, OnProgress};
use crate::transaction::Transaction;

/// Nodes of one commit, unless others keep changing them.
const NODES_PER_COMMIT: usize = 512;
/// Entries after which a commit takes no further node, and that one takes away.
const ENTRIES_PER_COMMIT: usize = 4096;
/// Attempts at a commit before it takes fewer nodes.
const ATTEMPTS: u32 = 8;
/// Attempts at the commit of one node.
const ATTEMPTS_AT_LAST: u32 = 10_000;

impl Db {
    /// Completes the indexes that are still being built: those of a program that ended
    /// before they were, say. [`define`](Self::define) does it for the labels it is
    /// given. Writes go on meanwhile.
    ///
    /// # Errors
    /// [`InputError::Duplicate`](crate::InputError::Duplicate) if two nodes
    /// have the same values of a unique index, which is dropped then; otherwise as
    /// [`transaction`](Self::transaction).
    pub fn build_indexes(&self, mut report: impl FnMut(MigrationProgress)) -> Result<()> {
        let schema = self.schema()?;
        for label in schema.labels() {
            self.build_indexes_of(&Owner::Label(label.to_owned()), &mut report)?;
        }
        self.erase_dropped_indexes()
    }

    /// As [`build_indexes`](Self::build_indexes), for one label.
    pub(crate) fn build_indexes_of(
        &self,
        owner: &Owner,
        report: &mut OnProgress<'_>,
    ) -> Result<()> {
        let Owner::Label(label) = owner else { return Ok(()) };
        let schema = self.schema()?;
        let mut wanted = numbers(building(&schema, label));
        let mut failed = Ok(());
        while !wanted.is_empty() {
            match self.fill(label, &wanted, report) {
                Ok(()) => break,
                Err(Error::Input(input)) => {
                    let (GraphError::Duplicate { index, .. } | GraphError::IndexKey { index, .. }) =
                        &*input
                    else {
                        return Err(Error::Input(input));
                    };
                    if !self.drop_building(label, index)? {
                        return Err(Error::Input(input));
                    }
                    let left = numbers(building(&*self.schema()?, label));
                    wanted.retain(|number| left.contains(number));
                    failed = failed.and(Err(Error::Input(input)));
                }
                Err(error) => return Err(error),
            }
        }
        failed
    }

    /// Gives every node its entries, and declares the indexes ready.
    fn fill(&self, label: &str, wanted: &[IndexNumber], report: &mut OnProgress<'_>) -> Result<()> {
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
                    let (owner, stage) = (Owner::Label(label.to_owned()), MigrationStage::Indexing);
                    report(MigrationProgress { owner, stage, done, of });
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
            // Another definition since may have added one that has nothing yet.
            let built = building(&schema, label).filter(|index| is_among(index, wanted));
            let names: Vec<String> = built.map(|index| index.name().to_owned()).collect();
            for name in &names {
                schema.set_index_state(label, name, IndexState::Ready);
            }
            ctx.stage_schema(schema)
        })
    }

    /// Gives up on an index that cannot be built, and on what it has already; whether
    /// it was being built.
    pub(crate) fn drop_building(&self, label: &str, name: &str) -> Result<bool> {
        let dropped = self.transaction_retry(RetryPolicy::default(), |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            if !building(&schema, label).any(|index| index.name() == name) {
                return Ok(false);
            }
            schema.drop_index(label, name);
            ctx.stage_schema(schema)?;
            Ok::<_, Error>(true)
        })?;
        self.erase_dropped_indexes()?;
        Ok(dropped)
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

fn numbers<'s>(indexes: impl Iterator<Item = &'s IndexDef>) -> Vec<IndexNumber> {
    indexes.filter_map(IndexDef::number).collect()
}

fn is_among(index: &IndexDef, numbers: &[IndexNumber]) -> bool {
    index.number().is_some_and(|number| numbers.contains(&number))
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
    wanted: &[IndexNumber],
    behind: Option<NodeId>,
    most: usize,
) -> Result<Filled> {
    let schema = ctx.schema()?;
    // Nodes are only read: the commit would not be refused if their definition changed.
    ctx.entries().validate_read(&schema_key());
    let scan = ctx.scan(label)?;
    let scan = match behind {
        Some(behind) => scan.after(behind),
        None => scan,
    };
    let ids: Vec<NodeId> = scan.take(most).collect();
    for (done, id) in (1..).zip(&ids) {
        let Some(definition) = schema.named(Kind::Nodes, label) else { break };
        for index in building(&schema, label).filter(|index| is_among(index, wanted)) {
            add_missing(ctx, (label, definition), index, *id)?;
        }
        if ctx.entries().len() >= ENTRIES_PER_COMMIT {
            return Ok(Filled { nodes: done, last: Some(*id) });
        }
    }
    let last = ids.last().copied().filter(|_| ids.len() == most);
    Ok(Filled { nodes: ids.len() as u64, last })
}

/// Stages the entries of a node that are not there yet.
fn add_missing(
    ctx: &mut Transaction<'_>,
    (label, definition): (&str, &Definition),
    index: &IndexDef,
    id: NodeId,
) -> Result<()> {
    let Some(place) = Place::of(index) else { return Ok(()) };
    let mut missing = Vec::new();
    {
        let Some(node) = ctx.node(id)? else { return Ok(()) };
        let document = definition.as_indexed(node.document());
        let document = document.map_err(|source| {
            let entity = Entity::Node(id).to_string();
            GraphError::Document { entity, source }
        })?;
        let document = DocRef::trusted(&document);
        let keys = place.entries(index, document, id, &mut Vec::new());
        let keys = keys.map_err(|source| misfit(label, index, source))?;
        let entries = ctx.kv_in(Space::SYSTEM);
        for key in keys {
            match entries.full_key_bytes(&key)?.and_then(|value| place.node(&key, &value)) {
                None => missing.push(key),
                Some(holder) if holder == id => {}
                Some(holder) => {
                    let duplicate = GraphError::Duplicate {
                        label: label.to_owned(),
                        index: index.name().to_owned(),
                        values: shown_values(index, document),
                        nodes: [holder, id],
                    };
                    return Err(duplicate.into());
                }
            }
        }
    }
    if !missing.is_empty() {
        // Who takes the values away deletes entries that are not there, which leaves
        // nothing behind: only the node tells that it has another document.
        ctx.get_for_update(id)?;
    }
    for key in missing {
        let staged =
            ctx.entries().put(&key, Encoding::BYTES, held(place.unique, &id.get().to_be_bytes()));
        staged.map_err(|error| KvError::staging(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use selvedge_encoding::{Value, doc};
    use selvedge_schema::{DocumentDef, FieldDef, NodeDef, Step};

    use super::*;
    use crate::options::TransactionOptions;

    /// A database whose label `N` is defined, with nodes, and an index that is about to
    /// be built.
    fn building(index: IndexDef, documents: &[selvedge_encoding::Document]) -> (Db, Vec<NodeId>) {
        let db = Db::in_memory();
        let any = |name| FieldDef::any(name).optional();
        db.define([NodeDef::new("N").fields([any("s"), any("list")])]).expect("it makes sense");
        let insert = |document: &selvedge_encoding::Document| {
            db.insert_node("N", None, document.clone()).expect("any document fits")
        };
        let nodes = documents.iter().map(insert).collect();
        let owner = Owner::Label("N".to_owned());
        db.change_schema(|schema, _| {
            let steps = vec![Step::AddIndex(index.clone())];
            let document = schema.node("N").map(|old| DocumentDef::migrated(old, &owner, &steps));
            schema.begin(&owner, document.expect("defined").expect("it fits"), steps);
            schema.convert(&owner);
            Ok(schema.finish(&owner))
        })
        .expect("nobody is in the way");
        (db, nodes)
    }

    fn begin(db: &Db) -> Transaction<'static> {
        db.begin(&TransactionOptions::new()).expect("few are open")
    }

    fn wanted(db: &Db) -> Vec<IndexNumber> {
        numbers(super::building(&db.schema().expect("few are open"), "N"))
    }

    /// A node that lost a race for its value took the value away from itself, and left
    /// the entry alone, as it was another's. That one went, the build gave the entry to
    /// the node as it had been, and all three committed: an entry without a value.
    #[test]
    fn who_gives_up_a_value_of_another_meets_the_build() {
        let same = doc! { "s": "same" };
        let (db, nodes) = building(IndexDef::on(["s"]).unique(), &[same.clone(), same]);
        let (first, second) = (nodes[0], nodes[1]);
        let wanted = wanted(&db);
        let mut of_first = begin(&db);
        fill_some(&mut of_first, "N", &wanted, None, 1).expect("nothing is there yet");
        of_first.commit().expect("nobody is in the way");

        let mut late = begin(&db);
        late.set(second, "s", "own").expect("it is free");
        db.set(first, "s", "other").expect("it is free");
        let mut of_second = begin(&db);
        fill_some(&mut of_second, "N", &wanted, Some(first), 1).expect("it was given back");
        assert!(late.commit().is_err_and(|error| error.is_retryable()));
        of_second.commit().expect("the only one");
        db.build_indexes(|_| {}).expect("there is no duplicate");
        assert_eq!(db.check(), Ok(vec![]));
        let snapshot = db.snapshot().expect("few are open");
        let found = snapshot.index("N", "s").expect("built").find("same").expect("in memory");
        assert_eq!(found.map(|node| node.id()), Some(second));
    }

    /// A writer deleted an entry that was not there yet, which leaves nothing behind; the
    /// build, which had read the node before, put it, and it stayed.
    #[test]
    fn a_build_meets_who_commits_before_it_and_behind_it() {
        let (db, nodes) = building(IndexDef::on(["s"]), &[doc! { "s": 1 }, doc! { "s": 2 }]);
        let wanted = wanted(&db);
        let (mut early, mut late) = (begin(&db), begin(&db));
        early.set(nodes[0], "s", 3).expect("it is there");
        late.set(nodes[1], "s", 4).expect("it is there");
        let mut ctx = begin(&db);
        fill_some(&mut ctx, "N", &wanted, None, 9).expect("nothing is there yet");
        early.commit().expect("the first one");
        assert!(ctx.commit().is_err_and(|error| error.is_retryable()));
        let mut ctx = begin(&db);
        fill_some(&mut ctx, "N", &wanted, None, 9).expect("nothing is there yet");
        ctx.commit().expect("nobody was faster");
        assert!(late.commit().is_err_and(|error| error.is_retryable()));
        db.build_indexes(|_| {}).expect("nobody is in the way");
        assert_eq!(db.check(), Ok(vec![]));
    }

    /// Entries of a build that was under way came behind the erasure of its index, and
    /// stayed.
    #[test]
    fn a_build_does_not_outlive_its_index() {
        let (db, _) = building(IndexDef::on(["s"]), &[doc! { "s": 1 }]);
        let mut late = begin(&db);
        fill_some(&mut late, "N", &wanted(&db), None, 9).expect("nothing is there yet");
        db.migrate("N").drop_index("s").run().expect("it is there");
        assert!(late.commit().is_err_and(|error| error.is_retryable()));
        while db.step(10_000) {}
        assert_eq!(db.statistics().entries, 1, "only the schema is left");
    }

    /// A commit took so many nodes, however many entries they had: more than the log
    /// takes, at worst.
    #[test]
    fn a_commit_takes_so_many_entries_and_no_more() {
        let list: Vec<Value> = (0..3000_i64).map(Value::from).collect();
        let documents = vec![doc! { "list": list }; 5];
        let (db, nodes) = building(IndexDef::on(["list[]"]), &documents);
        let mut ctx = begin(&db);
        let filled = fill_some(&mut ctx, "N", &wanted(&db), None, 512).expect("they fit");
        assert_eq!((filled.nodes, filled.last), (2, Some(nodes[1])));
        ctx.rollback();
        db.build_indexes(|_| {}).expect("they fit");
        assert_eq!(db.check(), Ok(vec![]));
    }
}

/// With a fault planted, the test that is there to find it fails.
///
/// ```text
/// RUSTFLAGS="--cfg selvedge_mutants" cargo test -p selvedge --lib --target-dir target/mutants faults
/// ```
#[cfg(all(test, selvedge_mutants))]
mod faults {
    use std::process::Command;

    const TEST: &str = "index::build::tests::a_build_meets_who_commits_before_it_and_behind_it";

    /// Whether the test passes with this fault.
    fn passes(fault: &str) -> bool {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its binary"));
        child.args([TEST, "--exact"]).env("SELVEDGE_MUTANT", fault).env("RUST_BACKTRACE", "0");
        let run = child.output().expect("this binary runs again");
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(told.contains("running 1 test"), "there is no test {TEST}:\n{told}");
        run.status.success()
    }

    /// Who took a value away deleted no entry, since none was there at the start; the
    /// build added it meanwhile, and nobody took it away any more.
    #[test]
    fn an_entry_that_a_build_adds_beside_its_deletion_is_found() {
        assert!(passes("no-such-fault"));
        assert!(!passes("absent-entry-undeleted"));
    }
}
