//! selvedge: nodes of one label, each with a field of 100 bytes, addressed by their ids.
//! On disk with a log that is not synced, like the keyspace.

use anyhow::Result;
use selvedge::prelude::*;
use selvedge::{RetryPolicy, SyncLevel};
use tempfile::TempDir;

use super::{Engine, Key, Session, first_value, number_of, portions, selvedge::open, with_number};

const LABEL: &str = "Item";
const FIELD: &str = "value";

pub struct ById {
    db: Db,
    /// The id of key 0; the others follow it.
    first: u64,
    /// Removed when dropped.
    _dir: Option<TempDir>,
}

impl ById {
    pub fn in_memory(keys: u64) -> Result<Self> {
        Self::filled(Db::in_memory(), None, keys)
    }

    pub fn on_disk(keys: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let db = open(&dir.path().join("db.selvedge"), SyncLevel::Off)?;
        Self::filled(db, Some(dir), keys)
    }

    fn filled(db: Db, dir: Option<TempDir>, keys: u64) -> Result<Self> {
        let mut first = None;
        for portion in portions(keys) {
            db.transaction(|ctx| {
                for key in portion {
                    let document = doc! { "value": &first_value(key)[..] };
                    let id = ctx.insert_node(LABEL, None, document)?.get();
                    let first = *first.get_or_insert(id);
                    assert_eq!(id, first + key, "ids of one loader are consecutive");
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Self { db, first: first.unwrap_or(0), _dir: dir })
    }

    fn id(&self, key: &Key) -> NodeId {
        NodeId::new(self.first + u64::from_be_bytes(*key))
    }
}

fn value_of(node: Option<selvedge::Node<'_>>) -> &[u8] {
    let value = node.and_then(|node| node.get(FIELD));
    value.and_then(|value| value.as_bytes()).expect("every key was loaded")
}

impl Engine for ById {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &ById {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        Ok(self.db.view(|snapshot| {
            let mut sum = 0;
            for key in keys {
                sum += number_of(value_of(snapshot.node(self.id(key))?));
            }
            Ok::<_, Error>(sum)
        })?)
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        let policy = RetryPolicy::default().attempts_max(1_000_000);
        self.db.transaction_retry(policy, |ctx| {
            for key in keys {
                let id = self.id(key);
                let value = value_of(ctx.node(id)?);
                let changed = with_number(value, number_of(value) + 1);
                ctx.set(id, FIELD, &changed[..])?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(())
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        Ok(self.db.view(|snapshot| {
            let (mut rows, mut sum) = (0, 0);
            for id in snapshot.scan(LABEL)? {
                rows += 1;
                sum += number_of(value_of(snapshot.node(id)?));
            }
            Ok::<_, Error>((rows, sum))
        })?)
    }
}
