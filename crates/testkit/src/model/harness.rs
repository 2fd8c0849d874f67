//! The database and the model side by side: every step is taken by both.

use std::collections::{BTreeMap, BTreeSet};

use selvedge::env::{Env, SimulatedFiles};
use selvedge::{
    Atomic, AtomicOutcome, Background, Db, EdgeTypeId, Error, Isolation, NodeId, Read, Savepoint,
    Snapshot, Transaction, TransactionOptions, Versionstamp, doc,
};

use super::judge::{History, Verdict, Verdicts};
use super::look::{Look, compare, everything, note};
use super::state::{EdgeName, EntryKey, Name, State, TYPES};
use super::transaction::{Demand, ModelTransaction, Seen, Written};
use super::transition::{Computation, Ending, Expected, Mutation, Pick, SLOTS, Transition, Write};
use super::write::write;

/// Opens the database of a run, as a new process.
fn open(files: &SimulatedFiles) -> Db {
    let (env, _) = Env::simulated_on(files, 7);
    let builder = Db::builder().background(Background::Manual).env(env);
    let builder = builder.log_segment_bytes(4096).document_bytes(0);
    builder.open("/db.selvedge").expect("nothing goes wrong")
}

/// What was ever given out, for picking from.
#[derive(Default, Debug)]
pub(super) struct World {
    pub(super) nodes: Vec<NodeId>,
    pub(super) edges: BTreeSet<EdgeName>,
    /// Of the types that a commit defined.
    pub(super) type_ids: BTreeMap<Name, EdgeTypeId>,
    pub(super) next_record: u64,
}

impl World {
    /// Mostly a node that exists, now and then one that does not.
    pub(super) fn pick(&self, pick: Pick, state: &State) -> NodeId {
        let at = usize::from(pick);
        match (pick, state.nodes.len()) {
            (255, _) => NodeId::new(1_000_000),
            (0..224, 1..) => *state.nodes.keys().nth(at % state.nodes.len()).expect("counted"),
            _ => self.nodes[at % self.nodes.len()],
        }
    }
}

/// A transaction of both.
pub(super) struct Both {
    transaction: Transaction<'static>,
    model: ModelTransaction,
    savepoints: Vec<(Savepoint, State, Written)>,
    /// Of types that this transaction was the first to use.
    type_ids: BTreeMap<Name, EdgeTypeId>,
}

#[derive(Default)]
enum Handle {
    #[default]
    Empty,
    Snapshot(Snapshot<'static>, State),
    Transaction(Box<Both>),
}

/// A database and its model, at the same work.
pub struct Harness {
    db: Db,
    /// Of a database on disk.
    files: Option<SimulatedFiles>,
    history: History,
    world: World,
    handles: [Handle; SLOTS],
    turn: usize,
    /// Since the database was opened.
    commits: u64,
    conflicts: u64,
}

fn compare_all(reader: &impl Read, state: &State, nodes: &[NodeId], turn: usize) {
    everything(nodes, turn).iter().for_each(|look| compare(reader, state, look));
}

/// Stages a mutation in both.
fn mutate<'kv>(
    atomic: Atomic<'kv>,
    model: &mut ModelTransaction,
    mutation: Mutation,
) -> Atomic<'kv> {
    let plain = |key| EntryKey(key, None);
    match mutation {
        Mutation::Set { key, value } => {
            model.write_entry(plain(key), |change| change.replace(Some(value)));
            atomic.set(&[key], value)
        }
        Mutation::SetStamped { prefix, value } => {
            model.written.stamped.insert(prefix, value);
            atomic.set_versionstamped(&[prefix], value)
        }
        Mutation::Delete { key } => {
            model.write_entry(plain(key), |change| change.replace(None));
            atomic.delete(&[key])
        }
        Mutation::Compute { key, computation, operand } => {
            model.write_entry(plain(key), |change| change.compute(computation, operand));
            match computation {
                Computation::Sum => atomic.sum(&[key], operand),
                Computation::Min => atomic.min(&[key], operand),
                Computation::Max => atomic.max(&[key], operand),
            }
        }
    }
}

impl Harness {
    /// A database in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        let (env, _) = Env::simulated(7);
        Self::new(Db::builder().background(Background::Manual).env(env).in_memory(), None)
    }

    /// A database on a simulated disk, from which documents are read as soon as a
    /// checkpoint has written them.
    #[must_use]
    pub fn on_disk() -> Self {
        let files = SimulatedFiles::new(7);
        Self::new(open(&files), Some(files))
    }

    fn new(db: Db, files: Option<SimulatedFiles>) -> Self {
        let (history, world, handles) = Default::default();
        let (turn, commits, conflicts) = (0, 0, 0);
        let mut harness = Self { db, files, history, world, handles, turn, commits, conflicts };
        for (at, label) in ["A", "B", "A", "C"].into_iter().enumerate() {
            let key = ["p", "q", "r"].get(at).copied();
            harness.auto(Write::Insert { label, key, document: doc! { "x": at } });
        }
        let link = |source, edge_type, target, document| Write::Link {
            source,
            edge_type,
            target,
            document,
        };
        harness.auto(link(0, TYPES[0], 1, doc! {}));
        harness.auto(link(1, TYPES[0], 2, doc! { "x": 1 }));
        harness
    }

    fn transaction(&mut self, slot: usize) -> &mut Both {
        match &mut self.handles[slot] {
            Handle::Transaction(both) => both,
            _ => panic!("the preconditions say that slot {slot} holds a transaction"),
        }
    }

    fn begin(&mut self, isolation: Isolation) -> Both {
        let options = TransactionOptions::new().isolation(isolation);
        let transaction = self.db.begin(&options).expect("a free slot");
        let start = transaction.timestamp();
        assert_eq!(start, self.db.timestamp());
        let model = ModelTransaction::new(start, isolation, &self.history.latest);
        Both { transaction, model, savepoints: Vec::new(), type_ids: BTreeMap::new() }
    }

    fn write(&mut self, slot: usize, operation: Write) {
        let Handle::Transaction(both) = &mut self.handles[slot] else { return };
        let Both { transaction, model, type_ids, .. } = &mut **both;
        let latest = &self.history.latest;
        write(transaction, model, type_ids, &mut self.world, latest, operation);
    }

    /// One write in a closure; nobody is in its way.
    fn auto(&mut self, operation: Write) {
        let latest = &self.history.latest;
        let mut model = ModelTransaction::new(self.db.timestamp(), Isolation::Snapshot, latest);
        let (mut type_ids, world) = (BTreeMap::new(), &mut self.world);
        let done = self.db.transaction(|ctx| {
            write(ctx, &mut model, &mut type_ids, world, latest, operation);
            Ok::<_, Error>(())
        });
        done.expect("nobody commits meanwhile");
        self.applied(&model, &type_ids);
    }

    /// An atomic operation; nobody is in its way either.
    fn atomic(&mut self, checks: &[(u8, Expected)], mutations: &[Mutation]) {
        let before = self.db.timestamp();
        let mut model = ModelTransaction::new(before, Isolation::Snapshot, &self.history.latest);
        let kv = self.db.kv();
        let mut atomic = kv.atomic();
        for (key, expected) in checks {
            let newest = self.history.latest.entries.get(&EntryKey(*key, None));
            let expected = match expected {
                Expected::Seen => Some(before.next()),
                Expected::Latest => newest.and_then(|entry| entry.version),
                Expected::Absent => None,
            };
            atomic = atomic.check(&[*key], expected.map(Versionstamp::from));
            model.written.entry_checks.push((*key, expected));
        }
        for mutation in mutations {
            atomic = mutate(atomic, &mut model, *mutation);
        }
        let failing = self.history.failing_checks(&model);
        match atomic.commit().expect("nothing is wrong") {
            AtomicOutcome::ChecksFailed(failed) => {
                assert_eq!(failed, failing);
                assert_eq!(self.db.timestamp(), before);
            }
            AtomicOutcome::Committed(commit) => {
                assert_eq!(failing, [0; 0], "these fail");
                let stamp = commit.versionstamp().timestamp();
                assert_eq!((stamp, self.db.timestamp()), (before.next(), before.next()));
                self.history.apply(&model, stamp);
                self.commits += 1;
                for (key, change) in &model.written.entries {
                    let value = self.history.latest.entries.get(key).map(|entry| entry.value);
                    let told = commit.number(&key.bytes());
                    assert_eq!(told, value.filter(|_| change.is_computed()), "{key:?}");
                }
                for prefix in model.written.stamped.keys() {
                    let key = EntryKey(*prefix, Some(stamp)).bytes();
                    assert_eq!(commit.stamped_key(&[*prefix]), key);
                }
            }
        }
    }

    fn applied(&mut self, model: &ModelTransaction, type_ids: &BTreeMap<Name, EdgeTypeId>) {
        let commit = self.db.timestamp();
        if model.written.is_empty() {
            return;
        }
        assert!(commit > model.start, "a commit has a timestamp of its own");
        self.history.apply(model, commit);
        self.commits += 1;
        let defined = |(name, _): &(&Name, _)| self.history.latest.types.contains_key(*name);
        self.world.type_ids.extend(type_ids.iter().filter(defined));
    }

    fn commit(&mut self, slot: usize) {
        let Handle::Transaction(both) = std::mem::take(&mut self.handles[slot]) else { return };
        let Both { transaction, model, type_ids, .. } = *both;
        let verdict = self.history.judge(&model);
        let before = self.db.timestamp();
        match (verdict, transaction.commit()) {
            (verdict, Ok(commit)) if verdict.may_commit() => {
                let expected = if model.written.is_empty() {
                    (model.start, before)
                } else {
                    (before.next(), before.next())
                };
                assert_eq!((commit, self.db.timestamp()), expected);
                self.applied(&model, &type_ids);
            }
            (
                Verdicts { graph: Verdict::CheckFails, .. },
                Err(Error::CheckFailed { node, expected, found }),
            ) => {
                let latest = self.history.latest.nodes.get(&node);
                assert_eq!(found, latest.and_then(|node| node.version));
                assert_ne!(found, expected);
            }
            (verdict, Err(Error::ChecksFailed(failed))) if verdict.may_fail_checks_of_entries() => {
                assert_eq!(failed, self.history.failing_checks(&model));
            }
            (verdict, Err(Error::Conflict(conflict))) if verdict.may_conflict() => {
                assert_eq!(conflict.start, model.start);
                assert!(conflict.committed > model.start, "{conflict}");
                self.conflicts += 1;
            }
            (verdict, result) => panic!("expected {verdict:?}, found {result:?} for {model:#?}"),
        }
        assert!(self.db.timestamp() >= before);
    }

    fn drop_handle(&mut self, slot: usize) {
        let (nodes, turn) = (&self.world.nodes, self.turn);
        match std::mem::take(&mut self.handles[slot]) {
            Handle::Empty => {}
            Handle::Snapshot(snapshot, state) => compare_all(&snapshot, &state, nodes, turn),
            Handle::Transaction(both) => {
                compare_all(&both.transaction, &both.model.now, nodes, turn);
                both.transaction.rollback();
            }
        }
    }

    fn roll_back_to(&mut self, slot: usize, pick: Pick) {
        let both = self.transaction(slot);
        if both.savepoints.is_empty() {
            return;
        }
        let at = usize::from(pick) % both.savepoints.len();
        for (ended, _, _) in both.savepoints.split_off(at + 1) {
            both.transaction.rollback_to(both.savepoints[at].0).expect("it is there");
            let refused = both.transaction.rollback_to(ended);
            assert!(refused.is_err(), "a rollback ends later savepoints");
        }
        let (savepoint, now, written) = &both.savepoints[at];
        both.transaction.rollback_to(*savepoint).expect("it is there");
        both.model.now.clone_from(now);
        both.model.written.clone_from(written);
    }

    fn release(&mut self, slot: usize, pick: Pick) {
        let both = self.transaction(slot);
        if both.savepoints.is_empty() {
            return;
        }
        let at = usize::from(pick) % both.savepoints.len();
        for (ended, _, _) in both.savepoints.drain(at..).take(1) {
            both.transaction.release(ended).expect("it is there");
            assert!(both.transaction.release(ended).is_err(), "it has ended");
        }
    }

    fn look(&mut self, slot: usize, look: Look<Pick>) {
        let Handle::Transaction(both) = &mut self.handles[slot] else { return };
        let look = look.map(|pick| self.world.pick(pick, &both.model.now));
        compare(&both.transaction, &both.model.now, &look);
        note(&mut both.model, &look);
    }

    fn get_for_update(&mut self, slot: usize, pick: Pick) {
        let Handle::Transaction(both) = &mut self.handles[slot] else { return };
        let id = self.world.pick(pick, &both.model.now);
        let found = both.transaction.get_for_update(id).expect("reads");
        let expected = both.model.now.nodes.get(&id);
        let documents = (found.map(|node| node.document().to_document()), expected);
        assert_eq!(documents.0, documents.1.map(|node| node.document.clone()));
        both.model.seen.push((Seen::Node(id), Demand::Must));
    }

    fn check_version(&mut self, slot: usize, pick: Pick, expected: Expected) {
        let Handle::Transaction(both) = &mut self.handles[slot] else { return };
        let id = self.world.pick(pick, &both.model.now);
        let version = |state: &State| state.nodes.get(&id).and_then(|node| node.version);
        let expected = match expected {
            Expected::Seen => version(&both.model.base),
            Expected::Latest => version(&self.history.latest),
            Expected::Absent => None,
        };
        both.transaction.check(id, expected);
        both.model.written.checks.push((id, expected));
    }

    fn check_entry(&mut self, slot: usize, key: u8, expected: Expected) {
        let Handle::Transaction(both) = &mut self.handles[slot] else { return };
        let version =
            |state: &State| state.entries.get(&EntryKey(key, None)).and_then(|entry| entry.version);
        let expected = match expected {
            Expected::Seen => version(&both.model.base),
            Expected::Latest => version(&self.history.latest),
            Expected::Absent => None,
        };
        let at = both.transaction.kv().check(&[key], expected.map(Versionstamp::from));
        let checks = &mut both.model.written.entry_checks;
        assert_eq!(at.expect("few checks"), checks.len());
        checks.push((key, expected));
    }

    fn checkpoint(&mut self) {
        if self.files.is_some() {
            self.db.checkpoint().expect("nothing goes wrong");
        }
    }

    /// Ends the database and opens it again. All that was committed is there.
    fn reopen(&mut self, ending: Ending) {
        let Some(files) = self.files.clone() else { return };
        let mut kept = Vec::new();
        for slot in 0..SLOTS {
            match std::mem::take(&mut self.handles[slot]) {
                Handle::Snapshot(snapshot, state) if ending == Ending::Close => {
                    kept.push((snapshot, state));
                }
                handle => {
                    self.handles[slot] = handle;
                    self.drop_handle(slot);
                }
            }
        }
        let placeholder = Db::in_memory();
        let db = std::mem::replace(&mut self.db, placeholder);
        match ending {
            Ending::Close => db.close().expect("nothing goes wrong"),
            Ending::Drop => drop(db),
            Ending::Kill => files.kill(),
            Ending::Crash => files.crash(),
        }
        self.db = open(&files);
        (self.commits, self.conflicts) = (0, 0);
        for (snapshot, state) in kept {
            compare_all(&snapshot, &state, &self.world.nodes, self.turn);
        }
        assert_eq!(self.db.check().expect("few snapshots"), [""; 0]);
    }

    /// Takes a step. Both take it, and what they answer is compared.
    pub fn step(&mut self, transition: Transition) {
        match transition {
            Transition::Begin { slot, isolation } => {
                self.handles[slot] = Handle::Transaction(Box::new(self.begin(isolation)));
            }
            Transition::Snapshot { slot } => {
                let snapshot = self.db.snapshot().expect("a free slot");
                self.handles[slot] = Handle::Snapshot(snapshot, self.history.latest.clone());
            }
            Transition::Commit { slot } => self.commit(slot),
            Transition::Drop { slot } => self.drop_handle(slot),
            Transition::Write { slot, write } => self.write(slot, write),
            Transition::Auto(write) => self.auto(write),
            Transition::Atomic { checks, mutations } => self.atomic(&checks, &mutations),
            Transition::Savepoint { slot } => {
                let both = self.transaction(slot);
                let savepoint = both.transaction.savepoint().expect("few");
                let Both { model, savepoints, .. } = both;
                savepoints.push((savepoint, model.now.clone(), model.written.clone()));
            }
            Transition::RollbackTo { slot, savepoint } => self.roll_back_to(slot, savepoint),
            Transition::Release { slot, savepoint } => self.release(slot, savepoint),
            Transition::Look { slot, look } => self.look(slot, look),
            Transition::GetForUpdate { slot, node } => self.get_for_update(slot, node),
            Transition::Check { slot, node, expected } => self.check_version(slot, node, expected),
            Transition::CheckEntry { slot, key, expected } => self.check_entry(slot, key, expected),
            Transition::Step { most } => {
                self.db.step(most);
            }
            Transition::Compact => {
                self.db.compact().expect("the database is well");
            }
            Transition::Checkpoint => self.checkpoint(),
            Transition::Reopen(ending) => self.reopen(ending),
        }
        self.turn += 1;
    }

    /// Compares one handle, in turn; not a serializable transaction, whose reads
    /// would all count.
    pub fn compare_one(&self) {
        let nodes = &self.world.nodes;
        match self.handles.get(self.turn % (SLOTS + 1)) {
            Some(Handle::Snapshot(snapshot, state)) => {
                compare_all(snapshot, state, nodes, self.turn);
            }
            Some(Handle::Transaction(both)) if both.model.isolation == Isolation::Snapshot => {
                compare_all(&both.transaction, &both.model.now, nodes, self.turn);
            }
            _ => {
                let newest = self.db.snapshot().expect("a free slot");
                compare_all(&newest, &self.history.latest, nodes, self.turn);
            }
        }
    }

    /// Compares what the database counts.
    pub fn compare_statistics(&self) {
        let statistics = self.db.statistics();
        let open = self.handles.iter().filter(|handle| !matches!(handle, Handle::Empty)).count();
        assert_eq!(statistics.snapshots_open, open as u64);
        assert_eq!(statistics.commits, self.commits);
        let conflicts =
            statistics.conflicts_write + statistics.conflicts_dangling + statistics.conflicts_read;
        assert_eq!(conflicts, self.conflicts);
        let mut reserved = BTreeSet::<Name>::new();
        for handle in &self.handles {
            if let Handle::Transaction(both) = handle {
                reserved.extend(&both.model.reserved);
            }
        }
        let State { labels, types, .. } = &self.history.latest;
        reserved.retain(|name| !labels.contains(name) && !types.contains_key(name));
        assert_eq!(statistics.names_reserved, reserved.len() as u64, "{reserved:?}");
    }

    /// Ends all handles; nothing is retained for them any more.
    pub fn end(mut self) {
        (0..SLOTS).for_each(|slot| self.drop_handle(slot));
        let newest = self.db.snapshot().expect("a free slot");
        (0..4).for_each(|turn| {
            compare_all(&newest, &self.history.latest, &self.world.nodes, turn);
        });
        drop(newest);
        while self.db.step(8) {}
        let end = self.db.statistics();
        let retained = (end.versions_retained, end.chains_retained, end.bytes_retained);
        assert_eq!(retained, (0, 0, 0), "everything is given back");
        assert_eq!((end.names_reserved, end.snapshots_open, end.oldest_snapshot), (0, 0, None));
    }
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("turn", &self.turn).finish_non_exhaustive()
    }
}
