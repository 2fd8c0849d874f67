//! Predicates: what a value is tested for.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Not;

use selvedge_base::limits::QUERY_CONDITION_DEPTH_MAX;
use selvedge_encoding::{DocRef, Document, EncodeError, Value, ValueRef, encode};

use crate::query::error::QueryError;
use crate::query::index_access::shown;

/// What the value of a field is tested for: [`eq`], [`gt`], [`within`] and their
/// like make one; [`and`](Self::and), [`or`](Self::or) and [`not`] combine them.
///
/// Values compare as [`Value::total_cmp`] says, so that `1` equals `1.0`, but an
/// order holds only between values of one kind: a string is neither greater nor
/// less than a number, though it sorts behind it. NaN is greater than every other
/// number.
///
/// Of a field that is absent nothing holds but [`absent`], and what [`not`] makes of
/// a predicate that does not hold. Null is a value.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::query::{absent, between, eq, gt, lt, ne, not};
///
/// let db = Db::in_memory();
/// for (key, document) in
///     [("a", doc! { "n": 1 }), ("b", doc! { "n": 2.5 }), ("c", doc! { "n": "3" }), ("d", doc! {})]
/// {
///     db.insert_node("N", key, document)?;
/// }
/// let snapshot = db.snapshot()?;
/// let keys = |predicate| {
///     let nodes = snapshot.query().from_label("N").has("n", predicate).nodes()?;
///     nodes.map(|node| Ok(node?.key().unwrap().to_owned())).collect::<selvedge::Result<String>>()
/// };
/// assert_eq!(keys(gt(1))?, "b");
/// assert_eq!(keys(between(1, 3).and(ne(2.5)))?, "a");
/// assert_eq!(keys(eq("3").or(absent()))?, "cd");
/// assert_eq!(keys(not(lt(2)))?, "bcd");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Predicate {
    pub(crate) test: Test,
    depth: usize,
}

/// How a predicate tests.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Test {
    Eq(Operand),
    Ne(Operand),
    Gt(Operand),
    Gte(Operand),
    Lt(Operand),
    Lte(Operand),
    Between(Operand, Operand),
    /// Sorted, none twice.
    Within(Vec<Operand>),
    Prefix(String),
    Substring(String),
    Contains(Operand),
    Exists,
    Absent,
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
}

/// A value to compare stored ones with.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Operand {
    value: Value,
    /// A document with the value, for vectors, lists and maps: these are compared
    /// as they are stored.
    stored: Result<Vec<u8>, EncodeError>,
}

impl Operand {
    fn new(value: Value) -> Self {
        let stored = match &value {
            Value::Vector(_) | Value::List(_) | Value::Map(_) => {
                let mut document = Document::new();
                document.set("", value.clone());
                encode(&document)
            }
            _ => Ok(Vec::new()),
        };
        Self { value, stored }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    #[inline]
    pub(crate) fn get(&self) -> ValueRef<'_> {
        match &self.value {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::I64(value) => ValueRef::I64(*value),
            Value::U64(value) => ValueRef::U64(*value),
            Value::F64(value) => ValueRef::F64(*value),
            Value::String(value) => ValueRef::String(value),
            Value::Bytes(value) => ValueRef::Bytes(value),
            Value::Timestamp(value) => ValueRef::Timestamp(*value),
            Value::Vector(_) | Value::List(_) | Value::Map(_) => {
                let stored = self.stored.as_deref().unwrap_or_default();
                DocRef::trusted(stored).get("").unwrap_or(ValueRef::Null)
            }
        }
    }

    fn equals(&self, value: &ValueRef<'_>) -> bool {
        value.total_cmp(&self.get()).is_eq()
    }

    /// How a value of the same kind stands to this one.
    fn order_of(&self, value: &ValueRef<'_>) -> Option<Ordering> {
        let operand = self.get();
        value.is_same_kind(&operand).then(|| value.total_cmp(&operand))
    }
}

impl Predicate {
    fn of(test: Test) -> Self {
        Self { test, depth: 1 }
    }

    /// What holds where both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = Vec::new();
        for part in [self, other] {
            match part.test {
                Test::And(parts) => all.extend(parts),
                test => all.push(Self { test, depth: part.depth }),
            }
        }
        Self::over(all, Test::And)
    }

    /// What holds where one of them does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut any = Vec::new();
        for part in [self, other] {
            match part.test {
                Test::Or(parts) => any.extend(parts),
                test => any.push(Self { test, depth: part.depth }),
            }
        }
        Self::over(any, Test::Or)
    }

    fn over(parts: Vec<Self>, join: fn(Vec<Self>) -> Test) -> Self {
        let depth = 1 + parts.iter().map(|part| part.depth).max().unwrap_or(0);
        Self { test: join(parts), depth }
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        check_depth(self.depth)?;
        let stored = |operand: &Operand| operand.stored.clone().map(drop);
        match &self.test {
            Test::Eq(operand)
            | Test::Ne(operand)
            | Test::Gt(operand)
            | Test::Gte(operand)
            | Test::Lt(operand)
            | Test::Lte(operand)
            | Test::Contains(operand) => stored(operand)?,
            Test::Between(least, most) => stored(least).and_then(|()| stored(most))?,
            Test::Within(operands) => operands.iter().try_for_each(stored)?,
            Test::And(parts) | Test::Or(parts) => parts.iter().try_for_each(Self::check)?,
            Test::Not(part) => part.check()?,
            Test::Prefix(_) | Test::Substring(_) | Test::Exists | Test::Absent => {}
        }
        Ok(())
    }

    /// Whether it holds of a value, or of its absence.
    pub(crate) fn holds(&self, value: Option<ValueRef<'_>>) -> bool {
        match &self.test {
            Test::And(parts) => return parts.iter().all(|part| part.holds(value)),
            Test::Or(parts) => return parts.iter().any(|part| part.holds(value)),
            Test::Not(part) => return !part.holds(value),
            Test::Absent => return value.is_none(),
            _ => {}
        }
        let Some(value) = value else { return false };
        let ordered = |operand: &Operand, test: fn(Ordering) -> bool| {
            operand.order_of(&value).is_some_and(test)
        };
        match &self.test {
            Test::Eq(operand) => operand.equals(&value),
            Test::Ne(operand) => !operand.equals(&value),
            Test::Gt(operand) => ordered(operand, Ordering::is_gt),
            Test::Gte(operand) => ordered(operand, Ordering::is_ge),
            Test::Lt(operand) => ordered(operand, Ordering::is_lt),
            Test::Lte(operand) => ordered(operand, Ordering::is_le),
            Test::Between(least, most) => {
                ordered(least, Ordering::is_ge) && ordered(most, Ordering::is_le)
            }
            Test::Within(operands) => {
                operands.binary_search_by(|at| value.total_cmp(&at.get()).reverse()).is_ok()
            }
            Test::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(&**prefix)),
            Test::Substring(part) => value.as_str().is_some_and(|text| text.contains(&**part)),
            Test::Contains(operand) => {
                value.as_list().is_some_and(|list| list.iter().any(|at| operand.equals(&at)))
            }
            Test::Exists => true,
            Test::Absent | Test::And(_) | Test::Or(_) | Test::Not(_) => {
                unreachable!("answered above")
            }
        }
    }

    /// Whether it holds only of values that are there.
    pub(crate) fn needs_value(&self) -> bool {
        match &self.test {
            Test::Absent | Test::Not(_) => false,
            Test::And(parts) => parts.iter().any(Self::needs_value),
            Test::Or(parts) => !parts.is_empty() && parts.iter().all(Self::needs_value),
            _ => true,
        }
    }

    /// Displays it as a test of `field`.
    pub(crate) fn of_field<'p>(&'p self, field: &'p dyn fmt::Display) -> impl fmt::Display + 'p {
        Tested { field, predicate: self }
    }
}

/// Refuses conditions that nest too deep.
pub(crate) fn check_depth(depth: usize) -> Result<(), QueryError> {
    if depth > QUERY_CONDITION_DEPTH_MAX {
        return Err(QueryError::TooDeep { depth, limit: QUERY_CONDITION_DEPTH_MAX });
    }
    Ok(())
}

impl Not for Predicate {
    type Output = Self;

    fn not(self) -> Self {
        Self { depth: self.depth + 1, test: Test::Not(Box::new(self)) }
    }
}

struct Tested<'p> {
    field: &'p dyn fmt::Display,
    predicate: &'p Predicate,
}

impl fmt::Display for Tested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match &self.predicate.test {
            Test::Eq(operand) => write!(f, "{field} = {operand}"),
            Test::Ne(operand) => write!(f, "{field} != {operand}"),
            Test::Gt(operand) => write!(f, "{field} > {operand}"),
            Test::Gte(operand) => write!(f, "{field} >= {operand}"),
            Test::Lt(operand) => write!(f, "{field} < {operand}"),
            Test::Lte(operand) => write!(f, "{field} <= {operand}"),
            Test::Between(least, most) => write!(f, "{field} between {least} and {most}"),
            Test::Within(operands) => {
                write!(f, "{field} within [")?;
                joined(f, operands, ", ")?;
                f.write_str("]")
            }
            Test::Prefix(prefix) => write!(f, "{field} begins with {prefix:?}"),
            Test::Substring(part) => write!(f, "{field} has {part:?} in it"),
            Test::Contains(operand) => write!(f, "{field} contains {operand}"),
            Test::Exists => write!(f, "{field} exists"),
            Test::Absent => write!(f, "{field} is absent"),
            Test::And(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.of_field(field)).collect();
                f.write_str("(")?;
                joined(f, &parts, " and ")?;
                f.write_str(")")
            }
            Test::Or(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.of_field(field)).collect();
                f.write_str("(")?;
                joined(f, &parts, " or ")?;
                f.write_str(")")
            }
            Test::Not(part) => write!(f, "not ({})", part.of_field(field)),
        }
    }
}

/// Writes what is displayed, with something between each and the next.
pub(crate) fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[impl fmt::Display],
    between: &str,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if at == 0 { "" } else { between })?;
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(&self.value).fmt(f)
    }
}

/// Equal to a value: `1` equals `1.0`.
pub fn eq(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Eq(Operand::new(value.into())))
}

/// There, and not equal to a value.
pub fn ne(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Ne(Operand::new(value.into())))
}

/// Greater than a value of its kind.
pub fn gt(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Gt(Operand::new(value.into())))
}

/// Greater than a value of its kind, or equal to it.
pub fn gte(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Gte(Operand::new(value.into())))
}

/// Less than a value of its kind.
pub fn lt(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Lt(Operand::new(value.into())))
}

/// Less than a value of its kind, or equal to it.
pub fn lte(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Lte(Operand::new(value.into())))
}

/// Between two values of its kind, or equal to one of them.
pub fn between(least: impl Into<Value>, most: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Between(Operand::new(least.into()), Operand::new(most.into())))
}

/// Equal to one of these values.
pub fn within<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Predicate {
    let mut operands: Vec<_> = values.into_iter().map(|value| Operand::new(value.into())).collect();
    operands.sort_by(|a, b| a.get().total_cmp(&b.get()));
    operands.dedup_by(|a, b| a.equals(&b.get()));
    Predicate::of(Test::Within(operands))
}

/// A string that begins so.
pub fn prefix(text: impl Into<String>) -> Predicate {
    Predicate::of(Test::Prefix(text.into()))
}

/// A string with this text in it.
pub fn substring(text: impl Into<String>) -> Predicate {
    Predicate::of(Test::Substring(text.into()))
}

/// A list with an element that equals the value.
pub fn contains(value: impl Into<Value>) -> Predicate {
    Predicate::of(Test::Contains(Operand::new(value.into())))
}

/// There, be it null.
#[must_use]
pub fn exists() -> Predicate {
    Predicate::of(Test::Exists)
}

/// Not there.
#[must_use]
pub fn absent() -> Predicate {
    Predicate::of(Test::Absent)
}

/// What holds where the predicate, or the condition, does not: of absent fields,
/// too.
pub fn not<T: Not<Output = T>>(test: T) -> T {
    !test
}
