//! Keys and values on selvedge: nodes with a value of 100 bytes each.

use std::sync::atomic::{AtomicBool, Ordering};

use selvedge::prelude::*;

use crate::Outcome;
use crate::measure::{Done, thread_cpu};
use crate::random::Random;

/// Bytes in a value.
pub const VALUE_BYTES: usize = 100;
/// A value: a counter in the first eight bytes, padding behind.
pub type Value = [u8; VALUE_BYTES];

const LABEL: &str = "Item";
const FIELD: &str = "value";
const NODES_PER_TRANSACTION: u64 = 10_000;

/// The value that a key has at first.
#[must_use]
pub fn first_value(key: u64) -> Value {
    let mut value = [key as u8; VALUE_BYTES];
    value[..8].copy_from_slice(&key.to_le_bytes());
    value
}

/// The counter in a value; 0 if it is too short to hold one.
#[inline]
#[must_use]
pub fn counter(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// The value with its counter raised by one, and the new counter.
#[inline]
#[must_use]
pub fn raised(value: &[u8]) -> (Value, u64) {
    let mut new = [0; VALUE_BYTES];
    let len = value.len().min(VALUE_BYTES);
    new[..len].copy_from_slice(&value[..len]);
    let next = counter(value).wrapping_add(1);
    new[..8].copy_from_slice(&next.to_le_bytes());
    (new, next)
}

/// The name of a key, written without allocating.
#[derive(Clone, Copy, Debug)]
pub struct KeyName([u8; 12]);

impl KeyName {
    /// The name of this key.
    #[inline]
    #[must_use]
    pub fn new(key: u64) -> Self {
        let mut name = *b"key-00000000";
        for (at, digit) in name[4..].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(key >> (28 - at * 4)) as usize & 15];
        }
        Self(name)
    }

    /// As a string.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits")
    }
}

/// A database of values.
#[derive(Debug)]
pub struct KvStore {
    db: Db,
    first: u64,
    keys: u64,
}

#[inline(always)]
fn value_of(node: Option<selvedge::Node<'_>>) -> &[u8] {
    let value = node.and_then(|node| node.get(FIELD));
    value.and_then(|value| value.as_bytes()).expect("every key was loaded")
}

impl KvStore {
    /// A database with so many keys, in nodes with consecutive ids.
    ///
    /// # Errors
    /// Those of the database.
    pub fn load(keys: u64) -> Outcome<Self> {
        Self::load_into(Db::in_memory(), keys)
    }

    /// The same in a database that is there, and empty.
    ///
    /// # Errors
    /// Those of the database.
    pub fn load_into(db: Db, keys: u64) -> Outcome<Self> {
        let mut first = None;
        for from in (0..keys).step_by(NODES_PER_TRANSACTION as usize) {
            db.transaction(|ctx| {
                for key in from..keys.min(from + NODES_PER_TRANSACTION) {
                    let document = doc! { "value": &first_value(key)[..] };
                    let id = ctx.insert_node(LABEL, KeyName::new(key).as_str(), document)?.get();
                    let first = *first.get_or_insert(id);
                    assert_eq!(id, first + key, "ids of one loader are consecutive");
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Self { db, first: first.unwrap_or(0), keys })
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    #[inline]
    fn random_node(&self, random: &mut Random) -> NodeId {
        NodeId::new(self.first + random.below(self.keys))
    }

    /// Opens a snapshot, reads one node by its id, closes the snapshot.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn read1_by_id(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times {
            let id = self.random_node(random);
            let read =
                |snapshot: &Snapshot<'_>| Ok::<_, Error>(counter(value_of(snapshot.node(id)?)));
            sum = sum.wrapping_add(self.db.view(read)?);
        }
        Ok(Done::new(times, sum))
    }

    /// Opens a snapshot, reads one node by its key, closes the snapshot.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn read1_by_key(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times {
            let name = KeyName::new(random.below(self.keys));
            let read = |snapshot: &Snapshot<'_>| {
                Ok::<_, Error>(counter(value_of(snapshot.get_node(LABEL, name.as_str())?)))
            };
            sum = sum.wrapping_add(self.db.view(read)?);
        }
        Ok(Done::new(times, sum))
    }

    /// Reads nodes by their ids, a hundred in each snapshot.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn read100_by_id(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times / 100 {
            sum = self.db.view(|snapshot| {
                (0..100).try_fold(sum, |sum, _| {
                    let node = snapshot.node(self.random_node(random))?;
                    Ok::<_, Error>(sum.wrapping_add(counter(value_of(node))))
                })
            })?;
        }
        Ok(Done::new(times / 100 * 100, sum))
    }

    /// Reads nodes by their keys, a hundred in each snapshot.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn read100_by_key(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times / 100 {
            sum = self.db.view(|snapshot| {
                (0..100).try_fold(sum, |sum, _| {
                    let name = KeyName::new(random.below(self.keys));
                    let node = snapshot.get_node(LABEL, name.as_str())?;
                    Ok::<_, Error>(sum.wrapping_add(counter(value_of(node))))
                })
            })?;
        }
        Ok(Done::new(times / 100 * 100, sum))
    }

    /// Transactions that each raise the counters of `N` random nodes by one, run
    /// again on a conflict.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn raise<const N: usize>(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times {
            let ids = random.distinct::<N>(self.keys).map(|key| NodeId::new(self.first + key));
            let raised = self.db.transaction_retry(RetryPolicy::default(), |ctx| {
                ids.iter().try_fold(0_u64, |sum, id| raise_node(ctx, *id, sum))
            })?;
            sum = sum.wrapping_add(raised);
        }
        Ok(Done::new(times, sum))
    }

    /// As [`KvStore::raise`] of one node, which is found by its key.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn raise1_by_key(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times {
            let name = KeyName::new(random.below(self.keys));
            let raised = self.db.transaction_retry(RetryPolicy::default(), |ctx| {
                let node = ctx.get_node(LABEL, name.as_str())?.expect("every key was loaded");
                raise_node(ctx, node.id(), 0)
            })?;
            sum = sum.wrapping_add(raised);
        }
        Ok(Done::new(times, sum))
    }

    /// Transactions that each set one small property of a random node.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn set_property(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        for turn in 0..times {
            self.db.set(self.random_node(random), "mark", turn)?;
        }
        Ok(Done::new(times, 0))
    }

    /// Scans all nodes in one snapshot, touching one byte of each.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn scan(&self) -> Outcome<Done> {
        self.db.view(|snapshot| {
            let (mut rows, mut sum) = (0, 0);
            for id in snapshot.scan(LABEL)? {
                rows += 1;
                sum += u64::from(value_of(snapshot.node(id)?)[VALUE_BYTES - 1]);
            }
            Ok(Done::new(rows, sum))
        })
    }

    /// As [`KvStore::scan`], while another thread raises counters as fast as it
    /// can. Counts the CPU time of the scan alone.
    ///
    /// # Errors
    /// Those of the database.
    pub fn scan_beside_writer(&self, random: &mut Random) -> Outcome<Done> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    self.raise::<1>(random, 64)?;
                }
                Ok::<_, Error>(())
            });
            let before = thread_cpu();
            let scanned = self.scan();
            let cpu = thread_cpu().saturating_sub(before);
            stop.store(true, Ordering::Relaxed);
            writer.join().expect("the writer does not panic")?;
            Ok(Done { cpu: Some(cpu), ..scanned? })
        })
    }

    /// The sum of all counters.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sum(&self) -> Outcome<u64> {
        self.db.view(|snapshot| {
            snapshot.scan(LABEL)?.try_fold(0_u64, |sum, id| {
                Ok(sum.wrapping_add(counter(value_of(snapshot.node(id)?))))
            })
        })
    }
}

#[inline]
fn raise_node(ctx: &mut Transaction<'_>, id: NodeId, sum: u64) -> Outcome<u64> {
    let (value, next) = raised(value_of(ctx.node(id)?));
    ctx.set(id, FIELD, &value[..])?;
    Ok(sum.wrapping_add(next))
}
