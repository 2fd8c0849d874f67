//! The total order over values that indexes use.

use std::borrow::Borrow;
use std::cmp::Ordering;

use selvedge_base::limits::DOCUMENT_DEPTH_MAX;

use crate::{Value, ValueRef};

impl Value {
    /// Compares in the order of indexes, which holds across types:
    ///
    /// null < bool < numbers < string < bytes < timestamp < vector < list < map.
    ///
    /// Numbers compare by their exact value, whatever type holds them, so that
    /// `1` and `1.0` are equal here, as are `0.0` and `-0.0`; NaN comes after
    /// every other number. Strings and bytes compare byte by byte, vectors and
    /// lists element by element, maps field by field in the order of the names,
    /// by name and then by value; the shorter one of two with a common beginning
    /// comes first.
    ///
    /// ```
    /// use std::cmp::Ordering;
    /// use selvedge_encoding::Value;
    ///
    /// let big = Value::I64((1 << 53) + 1);
    /// assert_eq!(big.total_cmp(&Value::F64(9_007_199_254_740_992.0)), Ordering::Greater);
    /// assert_eq!(Value::I64(1).total_cmp(&Value::F64(1.0)), Ordering::Equal);
    /// assert_eq!(Value::Null.total_cmp(&Value::Bool(false)), Ordering::Less);
    /// ```
    pub fn total_cmp(&self, other: &Self) -> Ordering {
        self.cmp_at(other, 0)
    }

    /// Whether both are of one kind, as [`ValueRef::is_same_kind`] tells.
    #[must_use]
    pub fn is_same_kind(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl ValueRef<'_> {
    /// Compares in the order of indexes, as [`Value::total_cmp`] does.
    ///
    /// ```
    /// use std::cmp::Ordering;
    /// use selvedge_encoding::ValueRef;
    ///
    /// assert_eq!(ValueRef::I64(1).total_cmp(&ValueRef::F64(1.5)), Ordering::Less);
    /// ```
    #[inline]
    pub fn total_cmp(&self, other: &ValueRef<'_>) -> Ordering {
        self.cmp_at(other, 0)
    }

    /// Whether both are of one kind: there are nine, in the order of
    /// [`total_cmp`](Self::total_cmp), and all numbers are of one.
    #[must_use]
    #[inline]
    pub fn is_same_kind(&self, other: &ValueRef<'_>) -> bool {
        self.rank() == other.rank()
    }
}

/// The order, for owned values and for those in bytes alike. Beyond a depth of
/// `$depth_max` all are equal: bytes nest deeper only if they are damaged.
macro_rules! total_order {
    ($value:ident, $other:ty, $depth_max:expr) => {
        fn cmp_at(&self, other: &$other, depth: usize) -> Ordering {
            match (self, other) {
                ($value::Bool(a), $value::Bool(b)) => a.cmp(b),
                ($value::I64(a), $value::I64(b)) => a.cmp(b),
                ($value::F64(a), $value::F64(b)) => cmp_floats(*a, *b),
                ($value::String(a), $value::String(b)) => a.cmp(b),
                ($value::Bytes(a), $value::Bytes(b)) => a.cmp(b),
                ($value::Timestamp(a), $value::Timestamp(b)) => a.cmp(b),
                ($value::Vector(a), $value::Vector(b)) => {
                    cmp_sequences(a.iter(), b.iter(), |a, b| cmp_floats(number(a), number(b)))
                }
                ($value::List(_) | $value::Map(_), _) if depth > $depth_max => {
                    self.rank().cmp(&other.rank())
                }
                ($value::List(a), $value::List(b)) => {
                    cmp_sequences(a.iter(), b.iter(), |a, b| a.cmp_at(&b, depth + 1))
                }
                ($value::Map(a), $value::Map(b)) => {
                    cmp_sequences(a.iter(), b.iter(), |(name_a, a), (name_b, b)| {
                        name_a.cmp(name_b).then_with(|| a.cmp_at(&b, depth + 1))
                    })
                }
                _ => match (self.integer(), other.integer(), self, other) {
                    (Some(a), Some(b), _, _) => a.cmp(&b),
                    (Some(a), None, _, $value::F64(b)) => cmp_integer_with_float(a, *b),
                    (None, Some(b), $value::F64(a), _) => cmp_integer_with_float(b, *a).reverse(),
                    _ => self.rank().cmp(&other.rank()),
                },
            }
        }

        fn integer(&self) -> Option<i128> {
            match self {
                Self::I64(value) => Some(i128::from(*value)),
                Self::U64(value) => Some(i128::from(*value)),
                _ => None,
            }
        }

        fn rank(&self) -> u8 {
            match self {
                Self::Null => 0,
                Self::Bool(_) => 1,
                Self::I64(_) | Self::U64(_) | Self::F64(_) => 2,
                Self::String(_) => 3,
                Self::Bytes(_) => 4,
                Self::Timestamp(_) => 5,
                Self::Vector(_) => 6,
                Self::List(_) => 7,
                Self::Map(_) => 8,
            }
        }
    };
}

impl Value {
    total_order!(Value, Self, usize::MAX);
}

impl ValueRef<'_> {
    total_order!(ValueRef, ValueRef<'_>, DOCUMENT_DEPTH_MAX);
}

fn number(number: impl Borrow<f32>) -> f64 {
    f64::from(*number.borrow())
}

/// `-0.0` equals `0.0`; NaN equals itself and comes last.
fn cmp_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Compares exactly. `integer` lies in the range of `i64` or of `u64`.
fn cmp_integer_with_float(integer: i128, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Less;
    }
    // The cast cuts towards zero and saturates at numbers far beyond `integer`,
    // so that it errs by less than one and only in what the fraction then tells.
    let whole = float as i128;
    integer.cmp(&whole).then_with(|| cmp_floats(0.0, float.fract()))
}

/// Lexicographic comparison by `cmp`.
fn cmp_sequences<A, B>(
    a: impl IntoIterator<Item = A>,
    b: impl IntoIterator<Item = B>,
    mut cmp: impl FnMut(A, B) -> Ordering,
) -> Ordering {
    let mut b = b.into_iter();
    for left in a {
        let Some(right) = b.next() else { return Ordering::Greater };
        let order = cmp(left, right);
        if order.is_ne() {
            return order;
        }
    }
    if b.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DateTime, DocRef, doc, encode};

    /// Every later class is greater than every earlier one; the values of one
    /// class are equal.
    #[test]
    fn classes_stand_in_order() {
        let two_63 = 9_223_372_036_854_775_808.0_f64;
        let two_53 = 9_007_199_254_740_992.0_f64;
        let classes: Vec<Vec<Value>> = vec![
            vec![Value::Null],
            vec![false.into()],
            vec![true.into()],
            vec![f64::NEG_INFINITY.into()],
            vec![(-two_63 * 2.0).into()],
            vec![i64::MIN.into(), (-two_63).into()],
            vec![(i64::MIN + 1).into()],
            vec![(-1).into(), (-1.0).into()],
            vec![(-0.5).into()],
            vec![0.into(), 0.0.into(), (-0.0).into(), Value::U64(0)],
            vec![f64::MIN_POSITIVE.into()],
            vec![0.5.into()],
            vec![1.into(), 1.0.into()],
            vec![((1i64 << 53) - 1).into(), (two_53 - 1.0).into()],
            vec![(1i64 << 53).into(), two_53.into()],
            vec![((1i64 << 53) + 1).into()],
            vec![((1i64 << 53) + 2).into(), (two_53 + 2.0).into()],
            vec![i64::MAX.into()],
            vec![(1u64 << 63).into(), two_63.into()],
            vec![((1u64 << 63) + 1).into()],
            vec![u64::MAX.into()],
            vec![(two_63 * 2.0).into()],
            vec![f64::INFINITY.into()],
            vec![f64::NAN.into(), Value::F64(-f64::NAN)],
            vec!["".into()],
            vec!["a".into()],
            vec!["aa".into()],
            vec!["b".into()],
            vec!["é".into()],
            vec![b"".into()],
            vec![b"\xff".into()],
            vec![DateTime::MIN.into()],
            vec![DateTime::MAX.into()],
            vec![Value::Vector(vec![])],
            vec![[1f32].into(), [1f32].into()],
            vec![[1f32, -1.0].into()],
            vec![[f32::NAN].into()],
            vec![Value::List(vec![])],
            vec![[1].into(), [1.0].into()],
            vec![[1, 0].into()],
            vec![[2].into()],
            vec![doc! {}.into()],
            vec![doc! {"a": 1}.into(), doc! {"a": 1.0}.into()],
            vec![doc! {"a": 1, "b": 0}.into()],
            vec![doc! {"a": 2}.into()],
            vec![doc! {"b": 0}.into()],
        ];
        let ranked: Vec<(usize, &Value)> =
            classes.iter().enumerate().flat_map(|(i, c)| c.iter().map(move |v| (i, v))).collect();
        let stored: Vec<_> =
            ranked.iter().map(|(_, v)| encode(&doc! { "v": (*v).clone() }).unwrap()).collect();
        let read = |at: usize| DocRef::trusted(&stored[at]).get("v").unwrap();
        for (at_a, (rank_a, a)) in ranked.iter().enumerate() {
            for (at_b, (rank_b, b)) in ranked.iter().enumerate() {
                let expected = rank_a.cmp(rank_b);
                assert_eq!(a.total_cmp(b), expected, "{a:?} with {b:?}");
                assert_eq!(read(at_a).total_cmp(&read(at_b)), expected, "{a:?} with {b:?}, stored");
            }
        }
    }
}
