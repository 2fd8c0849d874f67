//! What a commit writes, as bytes for the log, and back.
//!
//! ```text
//! time | changes: kind u8, key, then by the bits of the kind:
//!          a value (encoding u8, expires, bytes) | computations (how many, each one's
//!          operation and operand)
//! ```
//!
//! Blind mutations are logged as they were staged, and evaluated again on the state
//! that the commits before have made: the same, so they give the same.

use num_bigint::{BigInt, Sign};
use selvedge_base::Timestamp;
use selvedge_storage::codec::{Bytes, Misfit, misfit, put_bytes, put_number};

use crate::encoding::Encoding;
use crate::entry_writes::{CommitTime, EntryWrites};
use crate::keyspace::Keyspace;
use crate::mutation::{Mutation, Operation, V8Sum};
use crate::number::Operand;
use crate::number_steps::Step;
use crate::v8_number::V8Number;

// What is done with a key: bits of its kind.
const VALUE: u8 = 1;
const TOMBSTONE: u8 = 2;
const COMPUTED: u8 = 4;
const ONLY_EXPIRED: u8 = 8;
const STAMPED: u8 = 16;

// Kinds of operands.
const U64: u8 = 0;
const V8: u8 = 1;
const NONE: u8 = 0;
const NUMBER: u8 = 1;
const BIGINT: u8 = 2;

impl EntryWrites {
    /// Appends what a commit of these writes does, as [`Keyspace::decode_writes`]
    /// reads it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.time.get());
        for (key, staged) in self.entries.iter() {
            let version = staged.replacement.and_then(|at| self.versions.get(at));
            let kind = match version {
                None => 0,
                Some(version) if version.is_tombstone() => TOMBSTONE,
                Some(_) => VALUE,
            };
            let computed = if staged.steps.is_some() { COMPUTED } else { 0 };
            let expired = if staged.only_expired { ONLY_EXPIRED } else { 0 };
            out.push(kind | computed | expired);
            put_bytes(out, key);
            if let Some(version) = version.filter(|version| !version.is_tombstone()) {
                out.push(version.header().encoding.get());
                put_number(out, version.header().expires);
                put_bytes(out, version.bytes());
            }
            if let Some(last) = staged.steps {
                let chain = self.steps.chain(last);
                put_number(out, chain.len() as u64);
                chain.for_each(|step| put_step(out, step));
            }
        }
        for write in &self.stamped {
            let Some(version) = &write.version else { continue };
            out.push(STAMPED | VALUE);
            put_bytes(out, &write.key);
            out.push(version.header().encoding.get());
            put_number(out, version.header().expires);
            put_bytes(out, version.bytes());
        }
    }
}

fn put_step(out: &mut Vec<u8>, step: &Step) {
    out.push(match step.operation {
        Operation::Sum => 0,
        Operation::Min => 1,
        Operation::Max => 2,
    });
    match &step.operand {
        Operand::U64(operand) => {
            out.push(U64);
            put_number(out, *operand);
        }
        Operand::V8(sum) => {
            out.push(V8);
            put_v8(out, Some(&sum.operand));
            put_v8(out, sum.min.as_ref());
            put_v8(out, sum.max.as_ref());
            out.push(u8::from(sum.clamp));
        }
    }
}

fn put_v8(out: &mut Vec<u8>, number: Option<&V8Number>) {
    match number {
        None => out.push(NONE),
        Some(V8Number::Number(number)) => {
            out.push(NUMBER);
            out.extend(number.to_le_bytes());
        }
        Some(V8Number::BigInt(number)) => {
            let (sign, magnitude) = number.to_bytes_le();
            out.extend([BIGINT, u8::from(sign == Sign::Minus)]);
            put_bytes(out, &magnitude);
        }
    }
}

fn read_v8(bytes: &mut Bytes<'_>) -> Result<Option<V8Number>, Misfit> {
    Ok(match bytes.byte()? {
        NONE => None,
        NUMBER => {
            let Ok(number) = bytes.take(8)?.try_into() else { return misfit("it ends early") };
            Some(V8Number::Number(f64::from_le_bytes(number)))
        }
        BIGINT => {
            let sign = if bytes.byte()? == 0 { Sign::Plus } else { Sign::Minus };
            Some(V8Number::BigInt(BigInt::from_bytes_le(sign, bytes.bytes()?)))
        }
        kind => return misfit(format!("there is no number of kind {kind}")),
    })
}

fn read_step(bytes: &mut Bytes<'_>) -> Result<(Operation, Operand), Misfit> {
    let operation = match bytes.byte()? {
        0 => Operation::Sum,
        1 => Operation::Min,
        2 => Operation::Max,
        other => return misfit(format!("there is no computation of kind {other}")),
    };
    let operand = match (operation, bytes.byte()?) {
        (_, U64) => Operand::U64(bytes.number()?),
        (Operation::Sum, V8) => {
            let Some(operand) = read_v8(bytes)? else { return misfit("a sum without operand") };
            let (min, max) = (read_v8(bytes)?, read_v8(bytes)?);
            let sum = V8Sum { operand, min, max, clamp: bytes.byte()? != 0 };
            Operand::V8(Box::new(sum))
        }
        (_, other) => return misfit(format!("there is no operand of kind {other}")),
    };
    Ok((operation, operand))
}

impl Keyspace {
    /// Reads what a logged commit wrote into `writes`, which are empty, ready to be
    /// installed: computed with what is stored, so the caller holds the commit lock,
    /// and installs them next.
    ///
    /// # Errors
    /// [`Misfit`] if the bytes say what cannot have been committed.
    pub fn decode_writes(&self, bytes: &[u8], writes: &mut EntryWrites) -> Result<(), Misfit> {
        let mut bytes = Bytes(bytes);
        writes.time = CommitTime::Logged(bytes.number()?);
        while let Ok(kind) = bytes.byte() {
            let key = bytes.bytes()?;
            self.decode_change(kind, key, &mut bytes, writes)?;
        }
        // Nothing of it conflicts, or is checked: it was committed.
        writes.judge(self, Timestamp::ZERO).or_else(|refusal| misfit(refusal.to_string()))
    }

    fn decode_change(
        &self,
        kind: u8,
        key: &[u8],
        bytes: &mut Bytes<'_>,
        writes: &mut EntryWrites,
    ) -> Result<(), Misfit> {
        if kind & STAMPED == 0 && writes.staged(key).is_some() {
            return misfit("a key comes twice");
        }
        let staged = match kind & !COMPUTED {
            0 if kind & COMPUTED != 0 => Ok(()),
            VALUE => {
                let (encoding, expires) = (Encoding::new(bytes.byte()?), bytes.number()?);
                writes.mutate(key, Mutation::SetUntil(encoding, bytes.bytes()?, expires))
            }
            TOMBSTONE => writes.mutate(key, Mutation::Delete),
            change if change == TOMBSTONE | ONLY_EXPIRED => writes.expire(key),
            change if change == STAMPED | VALUE => {
                let (encoding, expires) = (Encoding::new(bytes.byte()?), bytes.number()?);
                writes.set_stamped(key, encoding, bytes.bytes()?, expires)
            }
            _ => return misfit(format!("there is no change of kind {kind}")),
        };
        staged.or_else(|error| misfit(error.to_string()))?;
        if kind & COMPUTED != 0 {
            for _ in 0..bytes.number()? {
                let (operation, operand) = read_step(bytes)?;
                let staged = writes.compute(key, operation, operand);
                staged.or_else(|error| misfit(error.to_string()))?;
            }
        }
        Ok(())
    }
}
