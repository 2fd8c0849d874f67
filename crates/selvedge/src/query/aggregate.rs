//! Adding up: sums, averages, least and greatest values, counts.

use selvedge_base::NodeId;
use selvedge_encoding::{Value, ValueRef};

use crate::query::error::QueryError;
use crate::query::field::{Field, Subject};

/// One value over all nodes of a query: [`sum`], [`avg`], [`min`], [`max`],
/// [`count`]. Absent and null fields are left out.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    kind: Kind,
    field: Field,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    Count,
}

/// The sum of a field: of integers exact, an integer; otherwise a float. 0 of
/// nothing. Other values than numbers are an error, and so is a sum of finite numbers
/// that leaves the range: [`QueryError::SumOutOfRange`], as in SQL.
pub fn sum(field: impl Into<Field>) -> Aggregate {
    Aggregate { kind: Kind::Sum, field: field.into() }
}

/// The average of a field, a float; null of nothing. Other values than numbers are
/// an error, and so is a sum that leaves the range, as for [`sum`].
pub fn avg(field: impl Into<Field>) -> Aggregate {
    Aggregate { kind: Kind::Avg, field: field.into() }
}

/// The least value of a field, of whatever kind; null of nothing.
pub fn min(field: impl Into<Field>) -> Aggregate {
    Aggregate { kind: Kind::Min, field: field.into() }
}

/// The greatest value of a field, of whatever kind; null of nothing.
pub fn max(field: impl Into<Field>) -> Aggregate {
    Aggregate { kind: Kind::Max, field: field.into() }
}

/// How many nodes have the field.
pub fn count(field: impl Into<Field>) -> Aggregate {
    Aggregate { kind: Kind::Count, field: field.into() }
}

/// An aggregate under way.
pub(crate) struct Totals<'a> {
    aggregate: Aggregate,
    count: u64,
    /// Integers: no sum of fewer than 2^63 of them leaves this range.
    integers: i128,
    floats: FloatSum,
    has_floats: bool,
    extreme: Option<ValueRef<'a>>,
}

/// A sum of floats that keeps what each addition rounds off (Neumaier, 1974).
#[derive(Default)]
struct FloatSum {
    sum: f64,
    rounded_off: f64,
    /// The sum of what is infinite or not a number.
    not_finite: f64,
}

impl FloatSum {
    fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.not_finite += number;
            return;
        }
        let sum = self.sum + number;
        if sum.is_finite() {
            let (large, small) = if self.sum.abs() >= number.abs() {
                (self.sum, number)
            } else {
                (number, self.sum)
            };
            self.rounded_off += (large - sum) + small;
        }
        self.sum = sum;
    }

    /// `None` if finite numbers had a sum that is not.
    fn value(&self) -> Option<f64> {
        if self.not_finite != 0.0 {
            return Some(self.not_finite);
        }
        Some(self.sum + self.rounded_off).filter(|sum| sum.is_finite())
    }
}

impl<'a> Totals<'a> {
    pub(crate) fn new(aggregate: Aggregate) -> Self {
        Self {
            aggregate,
            count: 0,
            integers: 0,
            floats: FloatSum::default(),
            has_floats: false,
            extreme: None,
        }
    }

    pub(crate) fn field(&self) -> &Field {
        &self.aggregate.field
    }

    pub(crate) fn add(&mut self, node: NodeId, subject: &Subject<'a>) -> Result<(), QueryError> {
        let value = self.field().read(subject).filter(|value| !value.is_null());
        let Some(value) = value else { return Ok(()) };
        self.count += 1;
        let replaces = |extreme: &ValueRef<'_>| match self.aggregate.kind {
            Kind::Min => value.total_cmp(extreme).is_lt(),
            _ => value.total_cmp(extreme).is_gt(),
        };
        match self.aggregate.kind {
            Kind::Count => {}
            Kind::Min | Kind::Max => {
                if self.extreme.as_ref().is_none_or(replaces) {
                    self.extreme = Some(value);
                }
            }
            Kind::Sum | Kind::Avg => match value {
                ValueRef::I64(number) => self.integers += i128::from(number),
                ValueRef::U64(number) => self.integers += i128::from(number),
                ValueRef::F64(number) => {
                    self.has_floats = true;
                    self.floats.add(number);
                }
                other => {
                    let (field, found) = (self.field().to_string(), other.type_name());
                    return Err(QueryError::NotANumber { field, node, found });
                }
            },
        }
        Ok(())
    }

    pub(crate) fn value(mut self) -> Result<Value, QueryError> {
        Ok(match self.aggregate.kind {
            Kind::Count => Value::from(self.count),
            Kind::Min | Kind::Max => self.extreme.map_or(Value::Null, |value| value.to_value()),
            Kind::Avg if self.count == 0 => Value::Null,
            Kind::Avg => Value::F64(self.float_sum()? / self.count as f64),
            Kind::Sum if self.has_floats => Value::F64(self.float_sum()?),
            Kind::Sum => match (i64::try_from(self.integers), u64::try_from(self.integers)) {
                (Ok(sum), _) => Value::from(sum),
                (_, Ok(sum)) => Value::from(sum),
                _ => return Err(self.out_of_range("integers")),
            },
        })
    }

    fn float_sum(&mut self) -> Result<f64, QueryError> {
        self.floats.add(self.integers as f64);
        self.floats.value().ok_or_else(|| self.out_of_range("floats"))
    }

    fn out_of_range(&self, numbers: &'static str) -> QueryError {
        QueryError::SumOutOfRange { field: self.field().to_string(), numbers }
    }
}
