//! The schema now, and as open snapshots have it.

use std::sync::Arc;

use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_base::sync::{LockRank, Mutex, mutex};
use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::ActiveStarts;
use selvedge_schema::Schema;

use crate::kv::space::{FullKey, Space};

/// In the database's own keyspace: the schema.
const SCHEMA: &[u8] = &[3];

/// The key of the entry that is the schema.
pub(crate) fn schema_key() -> FullKey {
    Space::SYSTEM.key(SCHEMA)
}

/// The schemas that somebody may read by.
#[derive(Debug)]
pub(crate) struct SchemaCell {
    /// Since when the newest schema holds; 0: nothing was ever defined.
    since: AtomicU64,
    /// Oldest first, each with the commit since which it holds.
    schemas: Mutex<Vec<(Timestamp, Arc<Schema>)>>,
}

impl Default for SchemaCell {
    fn default() -> Self {
        Self { since: AtomicU64::new(0), schemas: mutex(LockRank::Definitions, Vec::new()) }
    }
}

impl SchemaCell {
    /// The schema as of a start timestamp; `None`: nothing was defined by then.
    #[inline]
    pub(crate) fn at(&self, start: Timestamp) -> Option<Arc<Schema>> {
        // Relaxed: whoever began at or behind the commit that installed the first
        // schema has read `visible`, which was published after this.
        if self.since.load(Ordering::Relaxed) == 0 { None } else { self.find(start) }
    }

    #[cold]
    fn find(&self, start: Timestamp) -> Option<Arc<Schema>> {
        let schemas = self.schemas.lock();
        let mut newest_first = schemas.iter().rev();
        let found = newest_first.find(|(since, _)| *since <= start || mutant::is("schema-of-now"));
        found.map(|(_, schema)| Arc::clone(schema))
    }

    /// The newest schema, if it came after a start timestamp, and since when it holds;
    /// for the holder of the commit lock.
    #[inline]
    pub(crate) fn newer_than(&self, start: Timestamp) -> Option<(Timestamp, Arc<Schema>)> {
        // Relaxed: written under the commit lock.
        let newer = self.since.load(Ordering::Relaxed) > start.get();
        newer.then(|| self.schemas.lock().last().cloned()).flatten()
    }

    /// Makes this the schema since `commit`, which is not published yet.
    pub(crate) fn install(&self, schema: Arc<Schema>, commit: Timestamp) {
        self.schemas.lock().push((commit, schema));
        // Relaxed: see `at`.
        self.since.store(commit.get(), Ordering::Relaxed);
    }

    /// Drops what no open snapshot reads by; gives how many are left.
    pub(crate) fn prune(&self, active: &ActiveStarts) -> usize {
        let mut schemas = self.schemas.lock();
        let mut until = Timestamp::MAX;
        // From the newest, which stays, to older ones.
        for at in (0..schemas.len()).rev() {
            let since = schemas[at].0;
            let newest = at + 1 == schemas.len();
            if !newest && active.within(since, until).is_none() {
                schemas.remove(at);
            }
            until = since;
        }
        schemas.len()
    }
}

#[cfg(test)]
mod tests {
    use selvedge_encoding::{doc, encode};
    use selvedge_keyspace::{Encoding, EntryWrites};

    use super::*;
    use crate::db::Db;
    use crate::error::ErrorKind;

    /// A stored schema that cannot be read is damage: of the log, and of a checkpoint.
    #[test]
    fn a_schema_that_is_not_understood_is_refused() {
        let newer = encode(&doc! { "format": 2 }).unwrap();
        for (bytes, what) in [
            (&b"no document"[..], "the schema is damaged: "),
            (&newer, "the schema has format 2, and this program knows formats up to 1"),
        ] {
            for checkpoint in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let db = Db::open(dir.path()).unwrap();
                let mut entries = EntryWrites::new();
                entries.put(&schema_key(), Encoding::BYTES, bytes).unwrap();
                db.kv().commit_entries(entries).unwrap();
                if checkpoint {
                    db.checkpoint().unwrap();
                }
                drop(db);
                let error = Db::open(dir.path()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Restore);
                assert!(error.to_string().contains(what), "{error}");
            }
        }
    }

    #[test]
    fn gives_each_start_its_schema_and_keeps_what_is_read() {
        let cell = SchemaCell::default();
        let at = Timestamp::new;
        assert!(cell.at(at(5)).is_none() && cell.newer_than(at(0)).is_none());
        let schemas: Vec<Arc<Schema>> = (0..4).map(|_| Arc::default()).collect();
        for (number, schema) in (1..).zip(&schemas) {
            cell.install(Arc::clone(schema), at(10 * number));
        }
        let number = |start: u64| {
            let found = cell.at(at(start))?;
            schemas.iter().position(|schema| Arc::ptr_eq(schema, &found))
        };
        assert_eq!(
            [9, 10, 19, 20, 40, 99].map(number),
            [None, Some(0), Some(0), Some(1), Some(3), Some(3)]
        );
        assert!(cell.newer_than(at(40)).is_none());
        assert_eq!(cell.newer_than(at(39)).map(|(since, _)| since), Some(at(40)));
        assert_eq!(cell.prune(&[at(25)].into_iter().collect()), 2);
        assert_eq!([25, 45].map(number), [Some(1), Some(3)]);
        assert_eq!(cell.prune(&ActiveStarts::new()), 1);
    }
}
