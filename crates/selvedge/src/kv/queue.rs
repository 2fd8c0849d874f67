//! Queues: messages that are delivered at least once, and later if asked.
//!
//! A message is an entry of the database's own keyspace, under the time from which on
//! it may be delivered. Taking it changes nothing there, so that a crash gives it back;
//! finishing it removes it, and failing puts it under a later time, in one commit.
//!
//! ```text
//! 02 | keyspace u16 | deliver at u64 | number in its operation u32 | stamp
//! ```

use std::fmt;
use std::ops::Bound;
use std::time::Duration;

use selvedge_base::hash::Set;
use selvedge_base::mutant;
use selvedge_base::sync::{Arc, LockRank, Mutex, mutex};
use selvedge_encoding::{Document, Key, Value, encode};
use selvedge_keyspace::{Encoding, EntryWrites, Mutation};

use crate::error::{Error, Result};
use crate::kv::error::KvError;
use crate::kv::handle::Kv;
use crate::kv::limits::KvLimits;
use crate::kv::space::{FullKey, Own, Space};
use crate::kv::value::{KvValue, document};

/// How a message is kept: as documents are.
const RECORD: Encoding = Encoding::new(16);

/// How long the delivery of a message may be put off.
pub const MESSAGE_DELAY_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a message may be delivered again.
pub const MESSAGE_RETRIES_MAX: usize = 5;
/// How long each of these may wait.
pub const MESSAGE_BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// Keys to which a message that was not delivered is written, at most.
pub const MESSAGE_UNDELIVERED_KEYS_MAX: usize = 10;

/// A message that fails is delivered again after these times, if it does not say.
const BACKOFF: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// A message for the queue of a keyspace, see [`Kv::enqueue`].
#[derive(Clone, Debug)]
pub struct Message<'v> {
    payload: KvValue<'v>,
    delay: Duration,
    backoff: Vec<Duration>,
    undelivered: Vec<Key>,
}

impl<'v, V: Into<KvValue<'v>>> From<V> for Message<'v> {
    fn from(payload: V) -> Self {
        Self::new(payload)
    }
}

impl<'v> Message<'v> {
    /// A message to be delivered at once.
    pub fn new(payload: impl Into<KvValue<'v>>) -> Self {
        let backoff = BACKOFF.to_vec();
        Self { payload: payload.into(), delay: Duration::ZERO, backoff, undelivered: Vec::new() }
    }

    /// Delivered no earlier than in so much time: at most [`MESSAGE_DELAY_MAX`].
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// After how much time it is delivered again when it fails, for the first time, the
    /// second and so on: at most [`MESSAGE_RETRIES_MAX`] times of at most
    /// [`MESSAGE_BACKOFF_MAX`]. By default 100 ms, 1 s, 5 s, 30 s, 60 s.
    #[must_use]
    pub fn backoff(mut self, times: impl Into<Vec<Duration>>) -> Self {
        self.backoff = times.into();
        self
    }

    /// A key that gets the message as its value when it has failed for the last time.
    #[must_use]
    pub fn if_undelivered(mut self, key: Key) -> Self {
        self.undelivered.push(key);
        self
    }

    fn check(&self, limits: &KvLimits) -> Result<(), KvError> {
        let refuse = |what: String| Err(KvError::Message { what });
        if self.delay > MESSAGE_DELAY_MAX {
            return refuse(format!(
                "a delay of {:?}: the limit is {MESSAGE_DELAY_MAX:?}",
                self.delay
            ));
        }
        if self.backoff.len() > MESSAGE_RETRIES_MAX {
            let count = self.backoff.len();
            return refuse(format!("{count} retries: the limit is {MESSAGE_RETRIES_MAX}"));
        }
        if let Some(time) = self.backoff.iter().find(|time| **time > MESSAGE_BACKOFF_MAX) {
            return refuse(format!("a retry after {time:?}: the limit is {MESSAGE_BACKOFF_MAX:?}"));
        }
        if self.undelivered.len() > MESSAGE_UNDELIVERED_KEYS_MAX {
            let count = self.undelivered.len();
            let limit = MESSAGE_UNDELIVERED_KEYS_MAX;
            return refuse(format!("{count} keys if undelivered: the limit is {limit}"));
        }
        self.undelivered.iter().try_for_each(|key| limits.check_key(key.as_bytes()))
    }

    /// Stages it as the message with this number of an operation; the bytes of its payload
    /// and keys.
    pub(crate) fn stage(
        self,
        space: Space,
        (now, limits): (u64, &KvLimits),
        number: u32,
        writes: &mut EntryWrites,
    ) -> Result<usize> {
        self.check(limits)?;
        let at = now.saturating_add(millis(self.delay));
        let (encoding, payload) = self.payload.encode()?;
        limits.check_value(&payload)?;
        let keys = self.undelivered.iter().map(|key| key.as_bytes().len());
        let bytes = payload.len() + keys.sum::<usize>();
        let record = Record {
            encoding,
            payload: payload.into_owned(),
            attempt: 0,
            backoff: self.backoff.iter().map(|time| millis(*time)).collect(),
            undelivered: self.undelivered.into_iter().map(Key::into_bytes).collect(),
        };
        record.stage(space, at, number, writes)?;
        Ok(bytes)
    }
}

/// A message as it is kept.
#[derive(Clone, PartialEq, Debug)]
struct Record {
    encoding: Encoding,
    payload: Vec<u8>,
    /// How often it has failed.
    attempt: u64,
    /// In milliseconds.
    backoff: Vec<u64>,
    undelivered: Vec<Vec<u8>>,
}

impl Record {
    fn stage(&self, space: Space, at: u64, number: u32, writes: &mut EntryWrites) -> Result<()> {
        let mut document = Document::new();
        document.set("encoding", i64::from(self.encoding.get()));
        document.set("payload", Value::Bytes(self.payload.clone()));
        document.set("attempt", self.attempt as i64);
        let backoff = self.backoff.iter().map(|millis| Value::I64(*millis as i64));
        document.set("backoff", Value::List(backoff.collect()));
        let keys = self.undelivered.iter().map(|key| Value::Bytes(key.clone()));
        document.set("undelivered", Value::List(keys.collect()));
        let bytes = encode(&document).map_err(KvError::Unencodable)?;
        let mut prefix = queue_key(Own::Messages, space);
        prefix.extend_from_slice(&at.to_be_bytes());
        prefix.extend_from_slice(&number.to_be_bytes());
        let staged = writes.set_stamped(&prefix, RECORD, &bytes, 0);
        staged.map_err(|error| KvError::staging(&error))?;
        writes.ring_also(&queue_key(Own::Bell, space));
        Ok(())
    }

    fn read(encoding: Encoding, bytes: &[u8]) -> Result<Self, KvError> {
        let damaged = || KvError::WrongEncoding {
            expected: "a message of a queue",
            found: "damaged".to_owned(),
        };
        let document = document(encoding, bytes)?.to_document();
        let number = |name| match document.get(name) {
            Some(Value::I64(number)) => u64::try_from(*number).map_err(|_| damaged()),
            _ => Err(damaged()),
        };
        let Some(Value::Bytes(payload)) = document.get("payload") else { return Err(damaged()) };
        let Some(Value::List(backoff)) = document.get("backoff") else { return Err(damaged()) };
        let Some(Value::List(keys)) = document.get("undelivered") else { return Err(damaged()) };
        let backoff = backoff.iter().map(|time| match time {
            Value::I64(millis) => u64::try_from(*millis).map_err(|_| damaged()),
            _ => Err(damaged()),
        });
        let undelivered = keys.iter().map(|key| match key {
            Value::Bytes(key) => Ok(key.clone()),
            _ => Err(damaged()),
        });
        Ok(Self {
            encoding: Encoding::new(u8::try_from(number("encoding")?).map_err(|_| damaged())?),
            payload: payload.clone(),
            attempt: number("attempt")?,
            backoff: backoff.collect::<Result<_, _>>()?,
            undelivered: undelivered.collect::<Result<_, _>>()?,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn queue_key(kind: Own, space: Space) -> FullKey {
    kind.key(&space.number().to_be_bytes())
}

/// Messages that somebody is working on, by their keys.
#[derive(Debug)]
pub(crate) struct Claims(Mutex<Set<Box<[u8]>>>);

impl Default for Claims {
    fn default() -> Self {
        Self(mutex(LockRank::QueueClaims, Set::default()))
    }
}

impl Claims {
    fn take(&self, key: &[u8]) -> bool {
        self.0.lock().insert(key.into())
    }

    fn give_back(&self, key: &[u8]) {
        self.0.lock().remove(key);
    }
}

/// A message that was delivered. [`finish`](Self::finish) it when it is done; if it is
/// dropped instead, it has failed, and is delivered again.
#[must_use = "a message that is not finished is delivered again"]
pub struct Delivery {
    kv: Kv,
    key: FullKey,
    record: Record,
    claims: Arc<Claims>,
    ended: bool,
}

impl Delivery {
    /// What was sent.
    ///
    /// # Errors
    /// [`KvError::WrongEncoding`] if its bytes are in no encoding that is known.
    pub fn value(&self) -> Result<KvValue<'_>, KvError> {
        KvValue::decode(self.record.encoding, &self.record.payload)
    }

    /// How often it has failed before.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.record.attempt
    }

    /// It is done: it will not be delivered again.
    ///
    /// # Errors
    /// As [`Atomic::commit`](crate::Atomic::commit); it is delivered again then.
    pub fn finish(mut self) -> Result<()> {
        self.ended = true;
        let mut writes = EntryWrites::new();
        let staged = writes.mutate(&self.key, Mutation::Delete);
        staged.map_err(|error| KvError::staging(&error))?;
        self.kv.commit_entries(writes)
    }

    /// It has failed: it is delivered again after a time, or written to the keys for
    /// the undelivered if it has failed too often.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn fail(mut self) -> Result<()> {
        self.ended = true;
        self.put_off()
    }

    fn put_off(&self) -> Result<()> {
        let mut writes = EntryWrites::new();
        let stage = |error| KvError::staging(&error);
        writes.mutate(&self.key, Mutation::Delete).map_err(stage)?;
        let failed = usize::try_from(self.record.attempt).unwrap_or(usize::MAX);
        if let Some(time) = self.record.backoff.get(failed) {
            let now = self.kv.with_keyspace(|keyspace| keyspace.now())?;
            let record = Record { attempt: self.record.attempt + 1, ..self.record.clone() };
            if mutant::is("message-not-put-off") {
                return self.kv.commit_entries(writes);
            }
            record.stage(self.kv.space, now.saturating_add(*time), 0, &mut writes)?;
        } else {
            for key in self.record.undelivered.iter().filter(|_| !mutant::is("dead-letter-lost")) {
                let set = Mutation::Set(self.record.encoding, &self.record.payload);
                writes.mutate(&self.kv.space.key(key), set).map_err(stage)?;
            }
        }
        self.kv.commit_entries(writes)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.ended {
            // If that fails, it is delivered again at once.
            let _ = self.put_off();
        }
        self.claims.give_back(&self.key);
        // Somebody may have passed it over.
        let _ = self.kv.with_keyspace(|keyspace| {
            keyspace.watchers().ring_key(&queue_key(Own::Bell, self.kv.space));
        });
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("value", &self.value())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

/// What there is for one who asks.
enum Due {
    Now(Delivery),
    /// At this time, in milliseconds since the epoch, if at all.
    Later(Option<u64>),
}

/// Queues: each keyspace has one.
impl Kv {
    /// Puts a message into the queue of this keyspace. It is delivered to one of those
    /// who [`dequeue`](Self::dequeue), at least once: again, if that fails, or if the
    /// process ends before it is finished.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::{KvValue, Message, key};
    /// use std::time::Duration;
    ///
    /// let db = Db::in_memory();
    /// let kv = db.kv();
    /// kv.enqueue("send the letter")?;
    /// kv.enqueue(Message::new("and again").delay(Duration::from_secs(3600)))?;
    ///
    /// let delivery = kv.dequeue()?.expect("one is due");
    /// assert_eq!(delivery.value()?, KvValue::from("send the letter"));
    /// delivery.finish()?;
    /// assert!(kv.dequeue()?.is_none());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if it is over a limit; otherwise as
    /// [`Atomic::commit`](crate::Atomic::commit).
    pub fn enqueue<'v>(&self, message: impl Into<Message<'v>>) -> Result<()> {
        self.atomic().enqueue(message).commit().map(drop)
    }

    /// The message that is due first, if one is and nobody works on it yet.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn dequeue(&self) -> Result<Option<Delivery>> {
        match self.due()? {
            Due::Now(delivery) => Ok(Some(delivery)),
            Due::Later(_) => Ok(None),
        }
    }

    /// Waits for a message for at most `longest`.
    ///
    /// # Errors
    /// As [`dequeue`](Self::dequeue).
    pub fn dequeue_within(&self, longest: Duration) -> Result<Option<Delivery>> {
        let started = std::time::Instant::now();
        let bell_key = queue_key(Own::Bell, self.space).into_vec().into_boxed_slice();
        let watcher = self.with_keyspace(|keyspace| keyspace.watchers().watch(vec![bell_key]))?;
        loop {
            let at = match self.due()? {
                Due::Now(delivery) => return Ok(Some(delivery)),
                Due::Later(at) => at,
            };
            let left = longest.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let now = self.with_keyspace(|keyspace| keyspace.now())?;
            let until = at.map(|at| Duration::from_millis(at.saturating_sub(now).max(1)));
            let _ = watcher.bell().wait(Some(until.map_or(left, |until| until.min(left))));
        }
    }

    /// Takes messages and hands them to `work`, one after the other, until the database
    /// is closed: finished if it returns `Ok`, failed otherwise. Several threads may
    /// listen to one queue.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::KvValue;
    ///
    /// let db = Db::in_memory();
    /// let kv = db.kv();
    /// let listener = std::thread::spawn(move || {
    ///     let mut sum = 0;
    ///     kv.listen(|message| {
    ///         if let KvValue::U64(number) = message.value()? {
    ///             sum += number;
    ///         }
    ///         Ok::<_, Error>(())
    ///     })?;
    ///     Ok::<_, Error>(sum)
    /// });
    /// let kv = db.kv();
    /// kv.enqueue(3_u64)?;
    /// kv.enqueue(4_u64)?;
    /// # while db.statistics().entries > 0 { std::thread::yield_now(); db.step(100); }
    /// db.close()?;
    /// assert_eq!(listener.join().expect("no panic")?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`dequeue`](Self::dequeue), but for [`Error::Closed`].
    pub fn listen<E>(&self, mut work: impl FnMut(&Delivery) -> Result<(), E>) -> Result<()> {
        let mut next = || match self.dequeue_within(Duration::MAX)? {
            Some(delivery) if work(&delivery).is_ok() => delivery.finish(),
            Some(delivery) => delivery.fail(),
            None => Ok(()),
        };
        loop {
            match next() {
                Ok(()) => {}
                Err(Error::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn due(&self) -> Result<Due> {
        let engine = self.db.engine()?;
        let (keyspace, claims) = (&engine.participant().keyspace, &engine.participant().claims);
        let now = keyspace.now();
        let first = queue_key(Own::Messages, self.space);
        let mut last = first.clone();
        last.extend_from_slice(&[0xFF; 8]);
        let snapshot = self.db.snapshot()?;
        let view = snapshot.entry_view();
        let bounds = (Bound::Included(&*first), Bound::Included(&*last));
        for entry in view.range(bounds, Default::default()) {
            let (key, _) = entry.map_err(|error| KvError::computing(&error))?;
            let at = key.get(first.len()..first.len() + 8).and_then(|at| at.try_into().ok());
            let at = at.map_or(0, u64::from_be_bytes);
            if at > now {
                return Ok(Due::Later(Some(at)));
            }
            if claims.take(key)
                && let Some(delivery) = self.claimed(key, claims)?
            {
                return Ok(Due::Now(delivery));
            }
        }
        Ok(Due::Later(None))
    }

    /// The message that was claimed, if it is still there: somebody may have finished
    /// it after it was seen, and before it was claimed.
    fn claimed(&self, key: &[u8], claims: &Arc<Claims>) -> Result<Option<Delivery>> {
        let read = || {
            let snapshot = self.db.snapshot()?;
            let value = snapshot.entry_view().get(key);
            let value = value.map_err(|error| KvError::computing(&error))?;
            let record = value.map(|value| Record::read(value.encoding(), value.bytes()));
            Ok::<_, Error>(record.transpose()?)
        };
        match read() {
            Ok(Some(record)) => {
                let (kv, key, claims) =
                    (self.clone(), FullKey::from_slice(key), Arc::clone(claims));
                Ok(Some(Delivery { kv, key, record, claims, ended: false }))
            }
            other => {
                claims.give_back(key);
                other.map(|_| None)
            }
        }
    }
}
