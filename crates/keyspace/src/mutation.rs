//! Blind mutations: changes that do not depend on what the transaction has read.

use std::fmt;

use selvedge_base::mutant;

use crate::encoding::Encoding;
use crate::v8_number::V8Number;

/// A change of an entry that is evaluated against the latest state, when the
/// transaction commits, and so never conflicts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mutation<'v> {
    /// Gives the entry a value that stays, whether it exists or not.
    Set(Encoding, &'v [u8]),
    /// Gives the entry a value that is there until a moment, in milliseconds since
    /// the epoch; 0: it stays.
    SetUntil(Encoding, &'v [u8], u64),
    /// Removes the entry, if it exists.
    Delete,
    /// Adds to the stored number, wrapping around at 2^64; an absent entry
    /// becomes the operand.
    Sum(u64),
    /// The smaller of the stored number and the operand; an absent entry becomes
    /// the operand.
    Min(u64),
    /// The larger of the stored number and the operand; an absent entry becomes
    /// the operand.
    Max(u64),
    /// Adds JavaScript's numbers, or bigints, as [`V8Sum`] says.
    SumV8(&'v V8Sum),
}

/// A sum of numbers in the encoding [`Encoding::V8`]: both numbers, or both bigints.
/// A bigint from 0 to 2^64 is added to an [`Encoding::LE64`] number as one of its
/// kind.
#[derive(Clone, PartialEq, Debug)]
pub struct V8Sum {
    /// What is added.
    pub operand: V8Number,
    /// The least that the sum may be.
    pub min: Option<V8Number>,
    /// The most that the sum may be.
    pub max: Option<V8Number>,
    /// Whether a sum beyond those becomes the nearest of them; an error otherwise.
    pub clamp: bool,
}

/// A computation on the stored number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// [`Mutation::Sum`].
    Sum,
    /// [`Mutation::Min`].
    Min,
    /// [`Mutation::Max`].
    Max,
}

impl Operation {
    /// What becomes of the stored number. Two operations of a kind in a row are
    /// one whose operand is `apply(Some(first), second)`.
    pub(crate) fn apply(self, stored: Option<u64>, operand: u64) -> u64 {
        let Some(stored) = stored else { return operand };
        match self {
            Self::Sum => stored.wrapping_add(operand),
            Self::Min if mutant::is("min-keeps-larger") => stored.max(operand),
            Self::Min => stored.min(operand),
            Self::Max => stored.max(operand),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}
