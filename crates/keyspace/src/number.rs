//! Numbers of entries, and computing with them.

use num_bigint::BigInt;

use crate::encoding::Encoding;
use crate::mutation::{Operation, V8Sum};
use crate::v8_number::V8Number;

/// A number that an entry may hold.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Number {
    U64(u64),
    V8(V8Number),
}

/// What is computed with the stored number.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Operand {
    U64(u64),
    V8(Box<V8Sum>),
}

/// Why a computation has no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoNumber {
    /// What is stored is no number of the operand's kind.
    #[error("its value is not a number of that kind")]
    WrongType,
    /// The result is beyond its range.
    #[error("the result is beyond its range")]
    OutOfRange,
}

impl Number {
    /// The number that a value is.
    pub(crate) fn of(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        match encoding {
            Encoding::LE64 => bytes.try_into().ok().map(u64::from_le_bytes).map(Self::U64),
            Encoding::V8 => V8Number::decode(bytes).map(Self::V8),
            _ => None,
        }
    }

    /// The value that a number is.
    pub(crate) fn encode(&self) -> (Encoding, Vec<u8>) {
        match self {
            Self::U64(number) => (Encoding::LE64, number.to_le_bytes().to_vec()),
            Self::V8(number) => (Encoding::V8, number.encode()),
        }
    }
}

impl Operand {
    /// What becomes of the stored number; an absent one becomes the operand.
    pub(crate) fn apply(
        &self,
        operation: Operation,
        stored: Option<&Number>,
    ) -> Result<Number, NoNumber> {
        match (self, stored) {
            (Self::U64(operand), None) => Ok(Number::U64(*operand)),
            (Self::U64(operand), Some(Number::U64(stored))) => {
                Ok(Number::U64(operation.apply(Some(*stored), *operand)))
            }
            (Self::U64(_), Some(Number::V8(_))) => Err(NoNumber::WrongType),
            (Self::V8(sum), stored) => sum.apply(stored),
        }
    }
}

impl V8Sum {
    fn apply(&self, stored: Option<&Number>) -> Result<Number, NoNumber> {
        let sum = match (stored, &self.operand) {
            (None, operand) => operand.clone(),
            (Some(Number::U64(stored)), V8Number::BigInt(operand)) => {
                let operand = u64::try_from(operand).map_err(|_| NoNumber::WrongType)?;
                return self.apply_u64(*stored, operand);
            }
            (Some(Number::V8(V8Number::Number(stored))), V8Number::Number(operand)) => {
                V8Number::Number(stored + operand)
            }
            (Some(Number::V8(V8Number::BigInt(stored))), V8Number::BigInt(operand)) => {
                V8Number::BigInt(stored + operand)
            }
            _ => return Err(NoNumber::WrongType),
        };
        self.in_range(sum).map(Number::V8)
    }

    /// Wraps around, unless there is a range.
    fn apply_u64(&self, stored: u64, operand: u64) -> Result<Number, NoNumber> {
        if self.min.is_none() && self.max.is_none() {
            return Ok(Number::U64(stored.wrapping_add(operand)));
        }
        let sum = V8Number::BigInt(BigInt::from(stored) + operand);
        match self.in_range(sum)? {
            V8Number::BigInt(sum) => {
                u64::try_from(sum).map(Number::U64).map_err(|_| NoNumber::OutOfRange)
            }
            V8Number::Number(_) => Err(NoNumber::WrongType),
        }
    }

    fn in_range(&self, sum: V8Number) -> Result<V8Number, NoNumber> {
        if let Some(min) = &self.min
            && less(&sum, min)?
        {
            return if self.clamp { Ok(min.clone()) } else { Err(NoNumber::OutOfRange) };
        }
        if let Some(max) = &self.max
            && less(max, &sum)?
        {
            return if self.clamp { Ok(max.clone()) } else { Err(NoNumber::OutOfRange) };
        }
        Ok(sum)
    }
}

/// Whether one number is less than another of its kind.
fn less(one: &V8Number, other: &V8Number) -> Result<bool, NoNumber> {
    match (one, other) {
        (V8Number::Number(one), V8Number::Number(other)) => Ok(one < other),
        (V8Number::BigInt(one), V8Number::BigInt(other)) => Ok(one < other),
        _ => Err(NoNumber::WrongType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(operand: V8Number) -> V8Sum {
        V8Sum { operand, min: None, max: None, clamp: false }
    }

    fn number(number: f64) -> V8Number {
        V8Number::Number(number)
    }

    fn big(number: i128) -> V8Number {
        V8Number::BigInt(number.into())
    }

    #[test]
    fn adds_numbers_of_one_kind() {
        let v8 = Number::V8;
        assert_eq!(sum(number(1.5)).apply(None), Ok(v8(number(1.5))));
        assert_eq!(sum(number(1.5)).apply(Some(&v8(number(2.0)))), Ok(v8(number(3.5))));
        assert_eq!(sum(big(-3)).apply(Some(&v8(big(2)))), Ok(v8(big(-1))));
        assert_eq!(sum(big(3)).apply(Some(&Number::U64(u64::MAX))), Ok(Number::U64(2)));
        let wrong = Err(NoNumber::WrongType);
        assert_eq!(sum(big(3)).apply(Some(&v8(number(2.0)))), wrong);
        assert_eq!(sum(number(3.0)).apply(Some(&Number::U64(2))), wrong);
        assert_eq!(sum(big(-3)).apply(Some(&Number::U64(2))), wrong);
        assert_eq!(sum(big(1 << 64)).apply(Some(&Number::U64(2))), wrong);
        assert_eq!(Operand::U64(1).apply(Operation::Sum, Some(&v8(big(1)))), wrong);
    }

    #[test]
    fn a_range_is_kept_or_clamped_to() {
        let ranged = |operand, clamp| V8Sum {
            min: Some(big(0)),
            max: Some(big(10)),
            clamp,
            ..sum(big(operand))
        };
        let stored = [Number::V8(big(9)), Number::U64(9)];
        for stored in &stored {
            assert_eq!(ranged(2, false).apply(Some(stored)), Err(NoNumber::OutOfRange));
            assert!(ranged(1, false).apply(Some(stored)).is_ok());
        }
        assert_eq!(ranged(2, true).apply(Some(&stored[0])), Ok(Number::V8(big(10))));
        assert_eq!(ranged(2, true).apply(Some(&stored[1])), Ok(Number::U64(10)));
        assert_eq!(ranged(-20, true).apply(Some(&stored[0])), Ok(Number::V8(big(0))));
        assert_eq!(ranged(11, false).apply(None), Err(NoNumber::OutOfRange));
        let mixed = V8Sum { max: Some(number(1.0)), ..sum(big(1)) };
        assert_eq!(mixed.apply(None), Err(NoNumber::WrongType));
    }
}
