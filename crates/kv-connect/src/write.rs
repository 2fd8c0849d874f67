//! `atomic_write`: checks, then mutations, all or nothing.
//!
//! Everything that can be wrong with a request by itself is found before any of it
//! reaches the database.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prost::Message as _;
use selvedge::{
    Atomic, AtomicOutcome, Key, Kv, KvEncoding, KvValue, Message, Timestamp, V8Number, V8Sum,
    Versionstamp,
};

use crate::limits::{
    CHECKS_MAX, ENQUEUE_BACKOFF_MS_MAX, ENQUEUE_BACKOFFS_MAX, ENQUEUE_DELAY_MS_MAX,
    ENQUEUE_UNDELIVERED_KEYS_MAX, KEY_BYTES_MAX, MUTATION_BYTES_MAX, MUTATIONS_MAX,
    READ_KEY_BYTES_MAX, VALUE_BYTES_MAX, WRITE_KEY_BYTES_MAX,
};
use crate::refusal::Refusal;
use crate::wire;

/// An atomic operation that may be tried.
#[derive(Debug)]
pub(crate) struct Write {
    checks: Vec<(Bytes, Option<Versionstamp>)>,
    mutations: Vec<Mutation>,
    enqueues: Vec<wire::Enqueue>,
}

#[derive(Debug)]
struct Mutation {
    key: Bytes,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Set { encoding: KvEncoding, data: Bytes, expires: Option<u64> },
    SetVersionstamped { encoding: KvEncoding, data: Bytes, expires: Option<u64> },
    Delete,
    Sum(u64),
    Min(u64),
    Max(u64),
    SumV8(Box<V8Sum>),
}

impl Write {
    pub(crate) fn decode(body: Bytes) -> Result<Self, Refusal> {
        let write = wire::decode(body, |write: &mut wire::AtomicWrite| {
            write.checks.truncate(CHECKS_MAX + 1);
            write.mutations.truncate(MUTATIONS_MAX + 1);
            write.enqueues.truncate(MUTATIONS_MAX + 1);
        })?;
        if write.checks.len() > CHECKS_MAX {
            return Err(Refusal::TooManyChecks);
        }
        if write.mutations.len() + write.enqueues.len() > MUTATIONS_MAX {
            return Err(Refusal::TooManyMutations);
        }
        let mut size = Size::default();
        let checks = write.checks.into_iter().map(|check| read_check(check, &mut size));
        let checks = checks.collect::<Result<_, _>>()?;
        let mutations =
            write.mutations.into_iter().map(|mutation| Mutation::read(mutation, &mut size));
        let mutations = mutations.collect::<Result<_, _>>()?;
        for enqueue in &write.enqueues {
            check_enqueue(enqueue, &mut size)?;
        }
        if size.all > MUTATION_BYTES_MAX {
            return Err(Refusal::MutationsTooLarge);
        }
        if size.keys > KEY_BYTES_MAX {
            return Err(Refusal::KeysTooLarge);
        }
        Ok(Self { checks, mutations, enqueues: write.enqueues })
    }

    /// The operation, on a keyspace.
    pub(crate) fn stage<'kv>(&self, kv: &'kv Kv) -> Atomic<'kv> {
        let mut atomic = kv.atomic();
        for (key, versionstamp) in &self.checks {
            atomic = atomic.check(key, *versionstamp);
        }
        for mutation in &self.mutations {
            atomic = mutation.stage(atomic);
        }
        let now = unix_millis();
        for enqueue in &self.enqueues {
            atomic = atomic.enqueue(message(enqueue, now));
        }
        atomic
    }
}

/// Bytes so far.
#[derive(Debug, Default)]
struct Size {
    all: usize,
    /// Of keys that get a value.
    keys: usize,
}

fn read_check(
    check: wire::Check,
    size: &mut Size,
) -> Result<(Bytes, Option<Versionstamp>), Refusal> {
    match check.key.len() {
        0 => return Err(Refusal::KeyEmpty),
        READ_KEY_BYTES_MAX.. if check.key.len() > READ_KEY_BYTES_MAX => {
            return Err(Refusal::ReadKeyTooLarge);
        }
        bytes => size.all += bytes,
    }
    let stamp: Option<[u8; 10]> = match &*check.versionstamp {
        [] => None,
        stamp => Some(stamp.try_into().map_err(|_| Refusal::InvalidVersionstamp)?),
    };
    // What no commit can have had, no entry has: nor this one.
    let never = Versionstamp::from(Timestamp::MAX);
    let stamp = stamp.map(|stamp| Versionstamp::from_bytes(stamp).unwrap_or(never));
    Ok((check.key, stamp))
}

fn check_write_key(key: &Bytes) -> Result<(), Refusal> {
    match key.len() {
        0 => Err(Refusal::KeyEmpty),
        bytes if bytes > WRITE_KEY_BYTES_MAX => Err(Refusal::WriteKeyTooLarge),
        _ => Ok(()),
    }
}

impl Mutation {
    fn read(mutation: wire::Mutation, size: &mut Size) -> Result<Self, Refusal> {
        check_write_key(&mutation.key)?;
        let value_bytes = mutation.value.as_ref().map_or(0, |value| value.data.len());
        if value_bytes > VALUE_BYTES_MAX {
            return Err(Refusal::ValueTooLarge);
        }
        size.all += mutation.key.len() + value_bytes;
        let expires = match mutation.expire_at_ms {
            0 | -1 => None,
            millis => Some(u64::try_from(millis).map_err(|_| Refusal::InvalidExpireAt)?),
        };
        let wire::Mutation { key, value, mutation_type, .. } = &mutation;
        if *mutation_type == wire::DELETE {
            return Ok(Self { key: key.clone(), change: Change::Delete });
        }
        size.keys += key.len();
        let value = value.as_ref().ok_or(Refusal::InvalidMutation)?;
        let (encoding, data) = (read_encoding(value)?, value.data.clone());
        let change = match *mutation_type {
            wire::SET => Change::Set { encoding, data, expires },
            wire::SET_VERSIONSTAMPED => Change::SetVersionstamped { encoding, data, expires },
            wire::SUM if encoding == KvEncoding::V8 => {
                Change::SumV8(Box::new(read_sum(&mutation, &data)?))
            }
            wire::SUM => Change::Sum(read_operand("sum", encoding, &data)?),
            wire::MIN => Change::Min(read_operand("min", encoding, &data)?),
            wire::MAX => Change::Max(read_operand("max", encoding, &data)?),
            _ => return Err(Refusal::InvalidMutation),
        };
        Ok(Self { key: mutation.key, change })
    }

    fn stage<'kv>(&self, atomic: Atomic<'kv>) -> Atomic<'kv> {
        let key = &self.key;
        let expiring = |atomic: Atomic<'kv>, expires: &Option<u64>| match expires {
            Some(millis) => atomic.expire_at(*millis),
            None => atomic,
        };
        match &self.change {
            Change::Set { encoding, data, expires } => {
                expiring(atomic.set_encoded(key, *encoding, data), expires)
            }
            Change::SetVersionstamped { encoding, data, expires } => {
                expiring(atomic.set_versionstamped_encoded(key, *encoding, data), expires)
            }
            Change::Delete => atomic.delete(key),
            Change::Sum(operand) => atomic.sum(key, *operand),
            Change::Min(operand) => atomic.min(key, *operand),
            Change::Max(operand) => atomic.max(key, *operand),
            Change::SumV8(sum) => atomic.sum_v8(key, sum),
        }
    }
}

fn read_encoding(value: &wire::Value) -> Result<KvEncoding, Refusal> {
    match value.encoding {
        wire::V8 => Ok(KvEncoding::V8),
        wire::BYTES => Ok(KvEncoding::BYTES),
        wire::LE64 if value.data.len() == size_of::<u64>() => Ok(KvEncoding::LE64),
        wire::LE64 => Err(Refusal::NotEightBytes(value.data.len())),
        other => Err(Refusal::UnknownEncoding(other)),
    }
}

fn read_operand(
    operation: &'static str,
    encoding: KvEncoding,
    data: &[u8],
) -> Result<u64, Refusal> {
    let bytes = data.try_into().ok().filter(|_| encoding == KvEncoding::LE64);
    bytes.map(u64::from_le_bytes).ok_or(Refusal::OperandType(operation))
}

/// A sum of JavaScript's numbers; its range is of the operand's kind.
fn read_sum(mutation: &wire::Mutation, data: &[u8]) -> Result<V8Sum, Refusal> {
    let operand = V8Number::decode(data).ok_or(Refusal::OperandType("sum"))?;
    let kind = std::mem::discriminant(&operand);
    let bound = |bytes: &[u8]| match bytes {
        [] => Ok(None),
        bytes => {
            let bound = V8Number::decode(bytes).filter(|n| std::mem::discriminant(n) == kind);
            bound.map(Some).ok_or(Refusal::InvalidMutation)
        }
    };
    let (min, max) = (bound(&mutation.sum_min)?, bound(&mutation.sum_max)?);
    Ok(V8Sum { operand, min, max, clamp: mutation.sum_clamp })
}

fn check_enqueue(enqueue: &wire::Enqueue, size: &mut Size) -> Result<(), Refusal> {
    if enqueue.payload.len() > VALUE_BYTES_MAX {
        return Err(Refusal::ValueTooLarge);
    }
    if enqueue.keys_if_undelivered.len() > ENQUEUE_UNDELIVERED_KEYS_MAX {
        return Err(Refusal::TooManyUndeliveredKeys);
    }
    if enqueue.backoff_schedule.len() > ENQUEUE_BACKOFFS_MAX {
        return Err(Refusal::TooManyBackoffs);
    }
    if enqueue.backoff_schedule.iter().any(|millis| *millis > ENQUEUE_BACKOFF_MS_MAX) {
        return Err(Refusal::BackoffTooLarge);
    }
    let deadline = u64::try_from(enqueue.deadline_ms).map_err(|_| Refusal::InvalidDeadline)?;
    if deadline.saturating_sub(unix_millis()) > ENQUEUE_DELAY_MS_MAX {
        return Err(Refusal::InvalidDeadline);
    }
    size.all += enqueue.payload.len() + size_of_val(&*enqueue.backoff_schedule);
    for key in &enqueue.keys_if_undelivered {
        check_write_key(key)?;
        size.all += key.len();
    }
    Ok(())
}

/// A message of the keyspace's queue, which the Rust API can take from there.
fn message(enqueue: &wire::Enqueue, now: u64) -> Message<'_> {
    let delay = u64::try_from(enqueue.deadline_ms).unwrap_or(0).saturating_sub(now);
    let payload = KvValue::V8((&*enqueue.payload).into());
    let mut message =
        Message::new(payload).delay(Duration::from_millis(delay.min(ENQUEUE_DELAY_MS_MAX)));
    if !enqueue.backoff_schedule.is_empty() {
        let millis = enqueue.backoff_schedule.iter().map(|millis| u64::from(*millis));
        message = message.backoff(millis.map(Duration::from_millis).collect::<Vec<_>>());
    }
    for key in &enqueue.keys_if_undelivered {
        message = message.if_undelivered(Key::from_bytes(key.to_vec()));
    }
    message
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The answer to an atomic operation.
pub(crate) fn answer(outcome: AtomicOutcome) -> Bytes {
    let output = match outcome {
        AtomicOutcome::Committed(commit) => wire::AtomicWriteOutput {
            status: wire::WRITE_SUCCESS,
            versionstamp: commit.versionstamp().to_bytes().to_vec(),
            failed_checks: Vec::new(),
        },
        AtomicOutcome::ChecksFailed(failed) => wire::AtomicWriteOutput {
            status: wire::WRITE_CHECK_FAILURE,
            versionstamp: Vec::new(),
            failed_checks: failed.into_iter().map(|index| index as u32).collect(),
        },
    };
    output.encode_to_vec().into()
}
