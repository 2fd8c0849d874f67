//! Watching keys for changes.

use std::fmt;
use std::sync::mpsc::{Receiver, sync_channel};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_base::sync::Arc;
use selvedge_base::sync::atomic::{AtomicBool, Ordering};
use selvedge_keyspace::{Bell, Watcher};

use crate::error::{Error, Result};
use crate::kv::entry::KvEntry;
use crate::kv::handle::Kv;
use crate::kv::space::SPACE_BYTES;
use crate::pending_sync::PendingSync;

/// The entries of watched keys, in the order of the keys, as of one moment.
pub type Watched = Vec<Option<KvEntry<'static>>>;

/// Tells when keys change, from [`Kv::watch`]: first the state of all of them, then
/// another one whenever one has changed. Each is one consistent snapshot; several
/// changes may be told as one, and the last one is always told.
///
/// Ends when the database is closed.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::key;
///
/// let db = Db::in_memory();
/// let kv = db.kv();
/// let mut changes = kv.watch([key!["visits"]])?;
/// assert!(changes.next().expect("open")?[0].is_none(), "first the state as it is");
/// kv.atomic().sum(&key!["visits"], 1).commit()?;
/// let now = changes.next().expect("open")?;
/// assert_eq!(now[0].as_ref().and_then(|entry| entry.number()), Some(1));
/// # Ok::<(), Error>(())
/// ```
pub struct KvWatch {
    kv: Kv,
    watcher: Watcher,
    durable_only: bool,
    /// What was told last, by versions.
    told: Option<Vec<Option<Timestamp>>>,
    /// What of that may not be on the disk.
    pending: Option<PendingSync>,
}

impl KvWatch {
    /// The keys are entered before anything is read, so that no change falls between.
    pub(crate) fn new(kv: &Kv, watcher: Watcher) -> Self {
        Self { kv: kv.clone(), watcher, durable_only: false, told: None, pending: None }
    }

    /// Tells only what is on the disk.
    #[must_use]
    pub fn durable_only(mut self) -> Self {
        self.durable_only = true;
        self
    }

    /// What was told last and is not on the disk yet, once: for those who wait for it
    /// elsewhere, before they tell anybody.
    #[must_use]
    pub fn pending_sync(&mut self) -> Option<PendingSync> {
        self.pending.take()
    }

    /// The state of the keys, if it is another than was told last.
    fn look(&mut self) -> Result<Option<Watched>> {
        let snapshot = match self.durable_only {
            true => self.kv.db.snapshot_durable()?,
            false => self.kv.db.snapshot()?,
        };
        let view = snapshot.keyspace(&self.kv)?;
        let keys = self.watcher.keys().iter().map(|key| &key[SPACE_BYTES..]);
        let watched = view.get_many(keys)?;
        let versions: Vec<_> = watched
            .iter()
            .map(|entry| entry.as_ref()?.versionstamp().map(|stamp| stamp.timestamp()))
            .collect();
        if self.told.as_ref() == Some(&versions) {
            return Ok(None);
        }
        self.told = Some(versions);
        self.pending = snapshot.pending_sync();
        Ok(Some(watched.into_iter().map(|entry| entry.map(KvEntry::into_owned)).collect()))
    }

    /// The next state of the keys, if there is one within `longest`.
    ///
    /// # Errors
    /// [`Error::Closed`] once the database is closed; otherwise as
    /// [`Db::snapshot`](crate::Db::snapshot).
    pub fn next_within(&mut self, longest: Duration) -> Result<Option<Watched>> {
        let clock = std::time::Instant::now();
        loop {
            if let Some(watched) = self.look()? {
                return Ok(Some(watched));
            }
            let left = longest.saturating_sub(clock.elapsed());
            if !self.watcher.bell().wait(Some(left)) {
                return Ok(None);
            }
        }
    }

    /// The next state of the keys, if there is one; if not, `waker` is woken when it is
    /// worth to ask again.
    ///
    /// # Errors
    /// As [`next_within`](Self::next_within).
    pub fn poll_next(&mut self, waker: &Waker) -> Poll<Result<Watched>> {
        loop {
            match self.look() {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Some(watched)) => return Poll::Ready(Ok(watched)),
                Ok(None) if self.watcher.bell().poll(waker) => {}
                Ok(None) => return Poll::Pending,
            }
        }
    }

    /// The states through a channel, from a thread of its own, which ends when the
    /// other side is dropped.
    ///
    /// # Errors
    /// [`Error::Storage`] if the system gives no thread.
    pub fn into_channel(mut self) -> Result<KvChanges> {
        let (sender, receiver) = sync_channel(1);
        let (bell, ended) = (Arc::clone(self.watcher.bell()), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&ended);
        let run = move || {
            while !ends.load(Ordering::Acquire) {
                let told = match self.look() {
                    Ok(Some(watched)) => sender.send(Ok(watched)).is_ok(),
                    Ok(None) => self.watcher.bell().wait(None),
                    Err(Error::Closed) => false,
                    Err(error) => {
                        let _ = sender.send(Err(error));
                        false
                    }
                };
                if !told {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("selvedge-watch".into()).spawn(run);
        spawned.map_err(|error| {
            let what = format!("no thread for a channel of changes: {error}");
            Error::System(what)
        })?;
        Ok(KvChanges { receiver: Some(receiver), bell, ended })
    }
}

impl Iterator for KvWatch {
    type Item = Result<Watched>;

    /// Waits for the next state.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.look() {
                Ok(Some(watched)) => return Some(Ok(watched)),
                Ok(None) => {}
                Err(Error::Closed) => return None,
                Err(error) => return Some(Err(error)),
            }
            let _ = self.watcher.bell().wait(None);
        }
    }
}

impl fmt::Debug for KvWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvWatch").field("keys", &self.watcher.keys().len()).finish_non_exhaustive()
    }
}

/// Changes through a channel, from [`KvWatch::into_channel`].
#[derive(Debug)]
pub struct KvChanges {
    /// There until dropped.
    receiver: Option<Receiver<Result<Watched>>>,
    bell: Arc<Bell>,
    ended: Arc<AtomicBool>,
}

impl std::ops::Deref for KvChanges {
    type Target = Receiver<Result<Watched>>;

    fn deref(&self) -> &Self::Target {
        self.receiver.as_ref().expect("there until dropped")
    }
}

impl Drop for KvChanges {
    fn drop(&mut self) {
        // The thread waits for a change, or for room in the channel.
        self.ended.store(true, Ordering::Release);
        self.receiver = None;
        self.bell.ring();
    }
}
