//! The schema now, and as open snapshots have it: a list, newest first, that is read
//! without a lock and without counting who reads. What nobody's snapshot reads by leaves
//! it, and waits in the engine's limbo for those that are open then.
#![expect(unsafe_code, reason = "schemas are shared by raw pointer")]

use std::sync::Arc;

use selvedge_base::sync::atomic::{AtomicPtr, Ordering};
use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::{ActiveStarts, Retired, SnapshotRef};
use selvedge_schema::Schema;

use crate::kv::space::{FullKey, Own};

/// The key of the entry that is the schema.
pub(crate) fn schema_key() -> FullKey {
    Own::Schema.key(&[])
}

/// The schemas that somebody may read by.
#[derive(Debug, Default)]
pub(crate) struct SchemaCell {
    newest: AtomicPtr<Held>,
}

/// A schema, and the commit since which it holds.
#[derive(Debug)]
struct Held {
    since: Timestamp,
    schema: Arc<Schema>,
    older: AtomicPtr<Held>,
}

impl SchemaCell {
    /// The schema as of a snapshot; `None`: nothing was defined by then.
    #[inline]
    pub(crate) fn at<'s>(&'s self, at: SnapshotRef<'s>) -> Option<&'s Arc<Schema>> {
        // SAFETY: the snapshot is open for 's.
        unsafe { self.as_of(at.start()) }
    }

    /// The schema as of a timestamp.
    ///
    /// # Safety
    /// For `'s` a snapshot is open that began there, or the commit lock is held while one
    /// is.
    #[inline]
    pub(crate) unsafe fn as_of<'s>(&self, start: Timestamp) -> Option<&'s Arc<Schema>> {
        // Acquire, partner: the Release store in `install`. Whoever began at or behind
        // that commit has read `visible`, which was published after it.
        let newest = self.newest.load(Ordering::Acquire);
        if newest.is_null() {
            return None;
        }
        // SAFETY: the caller's contract.
        unsafe { Self::find(newest, start) }
    }

    /// # Safety
    /// As for [`as_of`](Self::as_of); `held` is in the list, or was when the snapshot
    /// began.
    unsafe fn find<'s>(mut held: *const Held, start: Timestamp) -> Option<&'s Arc<Schema>> {
        // Ends: each is older than the one before.
        // SAFETY: what leaves the list outlives the snapshots of the time, and leads to
        // what was there then.
        while let Some(found) = unsafe { held.as_ref() } {
            if found.since <= start || mutant::is("schema-of-now") {
                return Some(&found.schema);
            }
            // Acquire: as in `as_of`; `prune` stores what was reached before.
            held = found.older.load(Ordering::Acquire);
        }
        None
    }

    /// The newest schema, if it came after a start timestamp, and since when it holds.
    ///
    /// # Safety
    /// For `'s` the commit lock is held, and nothing is installed.
    #[inline]
    pub(crate) unsafe fn newer_than<'s>(
        &self,
        start: Timestamp,
    ) -> Option<(Timestamp, &'s Arc<Schema>)> {
        // Relaxed: written under the commit lock.
        // SAFETY: the newest never leaves the list.
        let newest = unsafe { self.newest.load(Ordering::Relaxed).as_ref() }?;
        (newest.since > start).then_some((newest.since, &newest.schema))
    }

    /// Makes this the schema since `commit`, which is not published yet; for the holder
    /// of the commit lock.
    pub(crate) fn install(&self, schema: Arc<Schema>, commit: Timestamp) {
        // Relaxed: written under the commit lock.
        let older = AtomicPtr::new(self.newest.load(Ordering::Relaxed));
        let held = Box::into_raw(Box::new(Held { since: commit, schema, older }));
        // Release, partner: the Acquire load in `as_of`.
        self.newest.store(held, Ordering::Release);
    }

    /// Takes out what no open snapshot reads by; gives how many are left.
    ///
    /// # Safety
    /// The commit lock is held, everything is published, and what is retired goes into
    /// the limbo.
    pub(crate) unsafe fn prune(
        &self,
        active: &ActiveStarts,
        mut retire: impl FnMut(Retired),
    ) -> usize {
        // Relaxed, here and below: written under the commit lock.
        // SAFETY: what is in the list is alive, here and below.
        let Some(mut kept) = (unsafe { self.newest.load(Ordering::Relaxed).as_ref() }) else {
            return 0;
        };
        let (mut left, mut until) = (1, kept.since);
        loop {
            let at = kept.older.load(Ordering::Relaxed);
            // SAFETY: as above.
            let Some(held) = (unsafe { at.as_ref() }) else { return left };
            if active.within(held.since, until).is_none() {
                // Release: `find` goes on from there, by an address that it has loaded
                // from elsewhere before.
                kept.older.store(held.older.load(Ordering::Relaxed), Ordering::Release);
                until = held.since;
                // SAFETY: made by Box, unlinked just now.
                retire(Retired::new(unsafe { Box::from_raw(at) }));
            } else {
                (left, until) = (left + 1, held.since);
                kept = held;
            }
        }
    }
}

impl Drop for SchemaCell {
    fn drop(&mut self) {
        let mut held = self.newest.load(Ordering::Acquire);
        while !held.is_null() {
            // SAFETY: owned alone; made by Box.
            let gone = unsafe { Box::from_raw(held) };
            held = gone.older.load(Ordering::Acquire);
        }
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
        // SAFETY: one thread, which uses nothing that was pruned.
        let at = |start: u64| unsafe { cell.as_of(Timestamp::new(start)) };
        // SAFETY: as above.
        let newer = |start: u64| unsafe { cell.newer_than(Timestamp::new(start)) };
        assert!(at(5).is_none() && newer(0).is_none());
        let schemas: Vec<Arc<Schema>> = (0..4).map(|_| Arc::default()).collect();
        for (number, schema) in (1..).zip(&schemas) {
            cell.install(Arc::clone(schema), Timestamp::new(10 * number));
        }
        let number = |start: u64| {
            let found = at(start)?;
            schemas.iter().position(|schema| Arc::ptr_eq(schema, found))
        };
        assert_eq!(
            [9, 10, 19, 20, 40, 99].map(number),
            [None, Some(0), Some(0), Some(1), Some(3), Some(3)]
        );
        assert!(newer(40).is_none());
        assert_eq!(newer(39).map(|(since, _)| since), Some(Timestamp::new(40)));
        let mut limbo = Vec::new();
        let active: ActiveStarts = [Timestamp::new(25)].into_iter().collect();
        // SAFETY: as above.
        assert_eq!(unsafe { cell.prune(&active, |retired| limbo.push(retired)) }, 2);
        assert_eq!(limbo.len(), 2);
        assert_eq!([25, 45].map(number), [Some(1), Some(3)]);
        let shared = |at: usize| Arc::strong_count(&schemas[at]) == 2;
        assert!((0..4).all(shared), "what left the list waits");
        limbo.clear();
        assert_eq!([0, 1, 2, 3].map(shared), [false, true, false, true]);
        // SAFETY: as above.
        assert_eq!(unsafe { cell.prune(&ActiveStarts::new(), drop) }, 1);
        drop(cell);
        assert!(!(0..4).any(shared));
    }
}
