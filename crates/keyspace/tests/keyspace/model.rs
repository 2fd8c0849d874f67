//! Random interleaved transactions against the obvious slow keyspace: a map from
//! keys to every version that was ever committed.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use selvedge_base::Timestamp;
use selvedge_keyspace::{
    ComputationError, Encoding, EntryMark, Expected, Mutation, NoNumber, Operation, RangeOptions,
    Refusal,
};

use crate::store::{ALL, Read, Store, TEXT, Txn};

const KEYS: u8 = 5;
const TXNS: usize = 3;

type Key = Vec<u8>;
/// What a key has for a transaction; an error names the first operation that
/// does not fit.
type Seen = Result<Option<Read>, Operation>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(u8),
    Number(u64),
}

impl Value {
    fn parts(&self) -> (Encoding, Vec<u8>) {
        match self {
            Self::Text(text) => (TEXT, vec![*text; usize::from(*text)]),
            Self::Number(number) => (Encoding::LE64, number.to_le_bytes().to_vec()),
        }
    }
}

/// A change of a key. With `blind` it does not conflict.
#[derive(Clone, Debug)]
enum Change {
    Put(Value),
    Delete,
    Compute(Operation, u64),
}

#[derive(Clone, Debug)]
enum Step {
    /// Begins where no transaction is, commits where there is one.
    BeginOrCommit(usize),
    Abandon(usize),
    Write(usize, Key, Change, bool),
    /// Many keys at once, so that index nodes split, or all of them deleted.
    Fill(usize, u8, u8),
    Clear(usize, u8),
    Check(usize, Key, u8),
    ReadPoint(usize, Key),
    ReadRange(usize, Key, Key, bool, usize),
    Mark(usize),
    RollBack(usize, usize),
    OpenSnapshot,
    CloseSnapshot(usize),
    Maintain(usize),
}

fn key() -> impl Strategy<Value = Key> {
    (0..KEYS).prop_map(|key| vec![key])
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        (0..4_u8).prop_map(Value::Text),
        (0..9_u64).prop_map(Value::Number),
        Just(Value::Number(u64::MAX))
    ];
    let operation = prop_oneof![Just(Operation::Sum), Just(Operation::Min), Just(Operation::Max)];
    prop_oneof![
        3 => value.prop_map(Change::Put),
        2 => Just(Change::Delete),
        4 => (operation, 0..9_u64).prop_map(|(operation, by)| Change::Compute(operation, by)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let txn = 0..TXNS;
    let step = prop_oneof![
        12 => txn.clone().prop_map(Step::BeginOrCommit),
        1 => txn.clone().prop_map(Step::Abandon),
        16 => (txn.clone(), key(), change(), any::<bool>())
            .prop_map(|(txn, key, change, blind)| Step::Write(txn, key, change, blind)),
        1 => (txn.clone(), 0..KEYS, 1..150_u8).prop_map(|(t, key, count)| Step::Fill(t, key, count)),
        1 => (txn.clone(), 0..KEYS).prop_map(|(txn, key)| Step::Clear(txn, key)),
        4 => (txn.clone(), key(), 0..3_u8).prop_map(|(txn, key, how)| Step::Check(txn, key, how)),
        1 => (txn.clone(), key()).prop_map(|(txn, key)| Step::ReadPoint(txn, key)),
        3 => (txn.clone(), key(), key(), any::<bool>(), 0..3_usize)
            .prop_map(|(txn, start, end, reverse, limit)| {
                Step::ReadRange(txn, start, end, reverse, limit)
            }),
        6 => txn.clone().prop_map(Step::Mark),
        5 => (txn, 0..2_usize).prop_map(|(txn, back)| Step::RollBack(txn, back)),
        2 => Just(Step::OpenSnapshot),
        2 => (0..8_usize).prop_map(Step::CloseSnapshot),
        2 => (1..8_usize).prop_map(Step::Maintain),
    ];
    prop::collection::vec(step, 1..150)
}

/// Every version ever committed.
#[derive(Default)]
struct Model {
    versions: BTreeMap<Key, Vec<(Timestamp, Option<Value>)>>,
    visible: Timestamp,
}

#[derive(Default)]
struct ModelTxn {
    writes: Vec<(Key, Change, bool)>,
    checks: Vec<(Key, Expected)>,
    points: Vec<Key>,
    ranges: Vec<(Bound<Key>, Bound<Key>)>,
    marks: Vec<(EntryMark, usize, usize)>,
}

impl Model {
    /// Everything that exists at a timestamp.
    fn at(&self, start: Timestamp) -> BTreeMap<Key, Read> {
        let seen = |(key, versions): (&Key, &Vec<(Timestamp, Option<Value>)>)| {
            let (commit, value) = versions.iter().rev().find(|(commit, _)| *commit <= start)?;
            let (encoding, bytes) = value.as_ref()?.parts();
            Some((key.clone(), (Some(*commit), encoding, bytes)))
        };
        self.versions.iter().filter_map(seen).collect()
    }

    /// The commit that last changed a key.
    fn changed(&self, key: &Key) -> Option<Timestamp> {
        self.versions.get(key).and_then(|versions| versions.last()).map(|(commit, _)| *commit)
    }

    fn judge(&self, txn: &ModelTxn, start: Timestamp) -> Result<(), Refusal> {
        let latest = self.at(self.visible);
        let failed = |(key, expected): &(Key, Expected)| {
            let version = latest.get(key).and_then(|(version, ..)| *version);
            *expected != version.map_or(Expected::Absent, Expected::Version)
        };
        let failed: Vec<_> =
            (0..txn.checks.len()).filter(|index| failed(&txn.checks[*index])).collect();
        if !failed.is_empty() {
            return Err(Refusal::ChecksFailed(failed));
        }
        let conflict = |key: &Key, read| match self.changed(key) {
            Some(committed) if committed > start => {
                Err(Refusal::Conflict { key: key[..].into(), start, committed, read })
            }
            _ => Ok(()),
        };
        for key in txn.keys() {
            if txn.writes.iter().any(|(other, _, blind)| *other == key && !blind) {
                conflict(&key, false)?;
            }
        }
        let mut points = txn.points.clone();
        points.sort();
        points.iter().try_for_each(|key| conflict(key, true))?;
        for range in &txn.ranges {
            let exists = |key: &&Key| within(key, range);
            self.versions.keys().filter(exists).try_for_each(|key| conflict(key, true))?;
        }
        let outcome = txn.overlay(latest);
        for key in txn.keys() {
            if let Some(Err(operation)) = outcome.get(&key) {
                let (key, operation) = (key[..].into(), *operation);
                return Err(ComputationError { key, operation, reason: NoNumber::WrongType }.into());
            }
        }
        Ok(())
    }

    fn commit(&mut self, txn: &ModelTxn, start: Timestamp) -> Result<Timestamp, Refusal> {
        self.judge(txn, start)?;
        let latest = self.at(self.visible);
        let outcome = txn.overlay(latest.clone());
        self.visible = self.visible.next();
        for key in txn.keys() {
            let value = outcome.get(&key).and_then(|seen| seen.clone().unwrap());
            let value = value.map(|(_, encoding, bytes)| match encoding {
                Encoding::LE64 => Value::Number(u64::from_le_bytes(bytes.try_into().unwrap())),
                _ => Value::Text(bytes.len() as u8),
            });
            if value.is_some() || latest.contains_key(&key) {
                self.versions.entry(key).or_default().push((self.visible, value));
            }
        }
        Ok(self.visible)
    }
}

impl ModelTxn {
    /// The keys written, in the order in which they were first written.
    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for (key, ..) in &self.writes {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// The state with the transaction's own writes.
    fn overlay(&self, state: BTreeMap<Key, Read>) -> BTreeMap<Key, Seen> {
        let mut seen: BTreeMap<Key, Seen> =
            state.into_iter().map(|(key, read)| (key, Ok(Some(read)))).collect();
        for (key, change, _) in &self.writes {
            let own = |value: &Value| {
                let (encoding, bytes) = value.parts();
                Ok(Some((None, encoding, bytes)))
            };
            let now = match (change, seen.get(key).cloned().unwrap_or(Ok(None))) {
                (Change::Put(value), _) => own(value),
                (Change::Delete, _) => Ok(None),
                (Change::Compute(..), Err(operation)) => Err(operation),
                (Change::Compute(_, operand), Ok(None)) => own(&Value::Number(*operand)),
                (Change::Compute(operation, operand), Ok(Some((_, Encoding::LE64, bytes)))) => {
                    let stored = u64::from_le_bytes(bytes.try_into().unwrap());
                    own(&Value::Number(match operation {
                        Operation::Sum => stored.wrapping_add(*operand),
                        Operation::Min => stored.min(*operand),
                        Operation::Max => stored.max(*operand),
                    }))
                }
                (Change::Compute(operation, _), Ok(Some(_))) => Err(*operation),
            };
            seen.insert(key.clone(), now);
        }
        seen.retain(|_, seen| *seen != Ok(None));
        seen
    }
}

fn within(key: &Key, (start, end): &(Bound<Key>, Bound<Key>)) -> bool {
    let above = match start {
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
        Bound::Unbounded => true,
    };
    above
        && match end {
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
            Bound::Unbounded => true,
        }
}

/// Stages a change in the transaction and in its model.
fn write(txn: &mut Txn, model: &mut ModelTxn, key: Key, change: Change, blind: bool) {
    let writes = &mut txn.writes;
    let mut blind = blind;
    let staged = match &change {
        Change::Put(value) => {
            let (encoding, bytes) = value.parts();
            if blind {
                writes.mutate(&key, Mutation::Set(encoding, &bytes))
            } else {
                writes.put(&key, encoding, &bytes)
            }
        }
        Change::Delete if blind => writes.mutate(&key, Mutation::Delete),
        Change::Delete => writes.delete(&key),
        Change::Compute(operation, operand) => {
            blind = true;
            let mutation = match operation {
                Operation::Sum => Mutation::Sum(*operand),
                Operation::Min => Mutation::Min(*operand),
                Operation::Max => Mutation::Max(*operand),
            };
            writes.mutate(&key, mutation)
        }
    };
    staged.unwrap();
    model.writes.push((key, change, blind));
}

/// Compares everything that a transaction can read.
fn compare(model: &Model, txn: &Txn, own: &ModelTxn) {
    let expected = own.overlay(model.at(txn.start()));
    let operation = |error: ComputationError| error.operation;
    for key in (0..KEYS).map(|key| vec![key]) {
        let seen = txn.get(&key).map_err(operation);
        assert_eq!(seen, expected.get(&key).cloned().unwrap_or(Ok(None)), "{key:?}");
    }
    for reverse in [false, true] {
        let range = txn.view().range(ALL, RangeOptions { reverse, ..RangeOptions::default() });
        let mut seen: Vec<_> = range
            .map(|entry| match entry {
                Ok((key, value)) => {
                    let bytes = value.bytes().to_vec();
                    (key.to_vec(), Ok(Some((value.version(), value.encoding(), bytes))))
                }
                Err(error) => (error.key.to_vec(), Err(error.operation)),
            })
            .collect();
        if reverse {
            seen.reverse();
        }
        assert!(seen.into_iter().eq(expected.clone()), "reverse: {reverse}");
    }
}

/// Reads a part of a range, compares it, and has it validated.
fn read_range(
    model: &Model,
    txn: &mut Txn,
    own: &mut ModelTxn,
    bounds: (Key, Key),
    options: RangeOptions,
) {
    let expected = own.overlay(model.at(txn.start()));
    let owned = (Bound::Included(bounds.0.clone()), Bound::Excluded(bounds.1.clone()));
    let mut expected: Vec<_> = expected.into_keys().filter(|key| within(key, &owned)).collect();
    if options.reverse {
        expected.reverse();
    }
    expected.truncate(options.limit);
    let (start, end) = (Bound::Included(&bounds.0[..]), Bound::Excluded(&bounds.1[..]));
    let mut range = txn.view().range((start, end), options);
    let seen: Vec<_> = range
        .by_ref()
        .map(|entry| entry.map_or_else(|error| error.key.to_vec(), |(key, _)| key.to_vec()))
        .collect();
    assert_eq!(seen, expected);
    let Some((start, end)) = range.covered() else { return };
    let covered = (start.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec));
    drop(range);
    let (start, end) = &covered;
    let borrowed = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
    txn.writes.validate_range(borrowed);
    own.ranges.push(covered);
}

struct World {
    store: Store,
    model: Model,
    txns: [Option<(Txn, ModelTxn)>; TXNS],
    snapshots: Vec<Txn>,
}

impl World {
    fn take(&mut self, step: Step) {
        let Self { store, model, txns, snapshots } = self;
        match step {
            Step::BeginOrCommit(at) => match txns[at].take() {
                None => txns[at] = Some((store.begin(), ModelTxn::default())),
                Some((txn, own)) => {
                    let start = txn.start();
                    assert_eq!(txn.commit(), model.commit(&own, start));
                }
            },
            Step::Abandon(at) => txns[at] = None,
            Step::OpenSnapshot => snapshots.push(store.begin()),
            Step::CloseSnapshot(at) if at < snapshots.len() => drop(snapshots.swap_remove(at)),
            Step::CloseSnapshot(_) => {}
            Step::Maintain(most) => drop(store.0.step(most)),
            Step::Write(at, ..)
            | Step::Fill(at, ..)
            | Step::Clear(at, _)
            | Step::Check(at, ..)
            | Step::ReadPoint(at, _)
            | Step::ReadRange(at, ..)
            | Step::Mark(at)
            | Step::RollBack(at, _) => {
                if let Some((txn, own)) = &mut txns[at] {
                    stage(model, txn, own, step);
                    compare(model, txn, own);
                }
            }
        }
        for snapshot in snapshots.iter() {
            compare(model, snapshot, &ModelTxn::default());
        }
    }
}

/// What a transaction does between its begin and its commit.
fn stage(model: &Model, txn: &mut Txn, own: &mut ModelTxn, step: Step) {
    match step {
        Step::Write(_, key, change, blind) => write(txn, own, key, change, blind),
        Step::Fill(_, key, count) => {
            for low in 0..count {
                write(txn, own, vec![key, low], Change::Put(Value::Text(1)), low % 2 == 0);
            }
        }
        Step::Clear(_, first) => {
            let all = own.overlay(model.at(txn.start())).into_keys();
            for key in all.filter(|key| key[0] == first) {
                let blind = key.len() % 2 == 0;
                write(txn, own, key, Change::Delete, blind);
            }
        }
        Step::Check(_, key, how) => {
            let latest = model.at(model.visible);
            let expected = match (how, latest.get(&key)) {
                (0, _) | (_, None) => Expected::Absent,
                (1, Some((version, ..))) => Expected::Version(version.unwrap()),
                (_, Some(_)) => Expected::Version(txn.start()),
            };
            assert_eq!(txn.writes.check(&key, expected), Ok(own.checks.len()));
            own.checks.push((key, expected));
        }
        Step::ReadPoint(_, key) => {
            txn.writes.validate_read(&key);
            own.points.push(key);
        }
        Step::ReadRange(_, start, end, reverse, limit) => {
            let limit = if limit == 0 { usize::MAX } else { limit };
            read_range(model, txn, own, (start, end), RangeOptions { reverse, limit });
        }
        Step::Mark(_) => own.marks.push((txn.writes.mark(), own.writes.len(), own.checks.len())),
        Step::RollBack(_, back) => {
            let keep = own.marks.len().saturating_sub(back);
            own.marks.truncate(keep);
            if let Some((mark, writes, checks)) = own.marks.last() {
                assert!(txn.writes.roll_back_to(*mark));
                own.writes.truncate(*writes);
                own.checks.truncate(*checks);
            }
        }
        _ => unreachable!("not a step inside a transaction"),
    }
}

fn run(steps: Vec<Step>) {
    let txns = std::array::from_fn(|_| None);
    let (store, model) = (Store::new(), Model::default());
    let mut world = World { store, model, txns, snapshots: Vec::new() };
    for step in steps {
        world.take(step);
    }
    let World { store, model, txns, snapshots } = world;
    drop((txns, snapshots));
    store.settle();
    assert_eq!(store.len(), model.at(model.visible).len());
    compare(&model, &store.begin(), &ModelTxn::default());
}

proptest! {
    #[test]
    fn agrees_with_a_map_of_versions(steps in steps()) {
        run(steps);
    }
}
