//! A keyspace with its engine, and transactions on it, as a caller would have
//! them.

use std::ops::Bound;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_engine::{Background, CommitError, Engine, EngineOptions, OpenSnapshot};
use selvedge_env::Env;
use selvedge_keyspace::{
    Bounds, ComputationError, Encoding, EntryView, EntryWrites, Keyspace, RangeOptions, ReadTime,
    Refusal,
};

pub(crate) const TEXT: Encoding = Encoding::new(3);
pub(crate) const ALL: Bounds<'static> = (Bound::Unbounded, Bound::Unbounded);

/// What is read of an entry: version, encoding, bytes.
pub(crate) type Read = (Option<Timestamp>, Encoding, Vec<u8>);

#[derive(Clone)]
pub(crate) struct Store(pub(crate) Arc<Engine<Keyspace>>);

/// A transaction, or a snapshot if it writes nothing.
pub(crate) struct Txn {
    store: Store,
    open: Option<OpenSnapshot>,
    pub(crate) writes: EntryWrites,
    time: ReadTime,
}

impl Store {
    pub(crate) fn new() -> Self {
        let options = EngineOptions { background: Background::Manual, ..EngineOptions::default() };
        Self(Engine::new(Keyspace::new(Env::real()), options))
    }

    pub(crate) fn begin(&self) -> Txn {
        let open = Some(self.0.open().unwrap());
        Txn { store: self.clone(), open, writes: EntryWrites::new(), time: ReadTime::new() }
    }

    /// Commits a transaction that is expected to succeed.
    pub(crate) fn commit(&self, stage: impl FnOnce(&mut EntryWrites)) -> Timestamp {
        let mut txn = self.begin();
        stage(&mut txn.writes);
        txn.commit().unwrap()
    }

    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> Timestamp {
        self.commit(|writes| writes.put(key, TEXT, value).unwrap())
    }

    pub(crate) fn delete(&self, key: &[u8]) -> Timestamp {
        self.commit(|writes| writes.delete(key).unwrap())
    }

    pub(crate) fn number(&self, key: &[u8]) -> Option<u64> {
        let txn = self.begin();
        let value = txn.view().get(key).unwrap();
        value.and_then(|value| value.number())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.participant().len()
    }

    /// Steps until nothing is owed, which needs all snapshots to be closed.
    pub(crate) fn settle(&self) {
        // What the last step took out of the index is freed by one more.
        while self.0.step(3) {}
        self.0.step(3);
        assert!(!self.0.owes_maintenance());
        let statistics = self.0.statistics();
        assert_eq!((statistics.versions_retained, statistics.bytes_retained), (0, 0));
        assert_eq!((statistics.chains_retained, statistics.snapshots_open), (0, 0));
        let names = self.0.maintain::<_, ()>(|_, writer| writer.names());
        assert_eq!(names, Ok(0), "what retains nothing needs no name");
    }
}

impl Txn {
    fn open(&self) -> &OpenSnapshot {
        self.open.as_ref().expect("open until it is dropped")
    }

    pub(crate) fn start(&self) -> Timestamp {
        self.open().start()
    }

    pub(crate) fn view(&self) -> EntryView<'_> {
        let keyspace = self.store.0.participant();
        EntryView::new(keyspace, self.store.0.at(self.open()), Some(&self.writes), &self.time)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Read>, ComputationError> {
        Ok(self
            .view()
            .get(key)?
            .map(|value| (value.version(), value.encoding(), value.bytes().to_vec())))
    }

    pub(crate) fn text(&self, key: &[u8]) -> Option<String> {
        self.get(key).unwrap().map(|(_, _, bytes)| String::from_utf8(bytes).unwrap())
    }

    pub(crate) fn keys(&self, bounds: Bounds<'_>, options: RangeOptions) -> Vec<String> {
        let range = self.view().range(bounds, options);
        range.map(|entry| String::from_utf8(entry.unwrap().0.to_vec()).unwrap()).collect()
    }

    pub(crate) fn commit(mut self) -> Result<Timestamp, Refusal> {
        let mut writes = std::mem::take(&mut self.writes);
        let committed = self.store.0.commit(self.open.take().unwrap(), &mut writes, None);
        committed.map_err(|error| match error {
            CommitError::Refused(refusal) => refusal,
            CommitError::Storage(_) | CommitError::OutcomeUnknown(_) => unreachable!("in memory"),
            CommitError::Poisoned => panic!("poisoned"),
        })
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.store.0.close(open);
        }
    }
}
