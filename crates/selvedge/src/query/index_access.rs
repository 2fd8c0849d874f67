//! Where property indexes come in: what a query asks of them, and what it may
//! expect.
//!
//! An index of a label holds an entry for each of its nodes that has all of the
//! indexed fields; entries are ordered by the values of these, in the total order
//! of values, and then by the id of the node. A multi-value field that is a list
//! has an entry for each distinct element.

use std::fmt;
use std::ops::Bound;

use selvedge_base::NodeId;
use selvedge_encoding::{FieldPath, Value};

use crate::error::Result;
use crate::query::predicate::joined;

/// The indexes that a snapshot or a transaction may read, those that are complete
/// at its start.
pub trait Indexes {
    /// The indexes of a label.
    fn of_label(&self, label: &str) -> Vec<IndexShape>;

    /// The nodes in a range of an index, in its order, or reversed; own writes
    /// included. Validated under serializable.
    ///
    /// # Errors
    /// Those of reading.
    fn nodes<'a>(
        &'a self,
        range: &IndexRange,
    ) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>>;
}

/// What a query needs to know of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexShape {
    /// Its name.
    pub name: String,
    /// What it indexes, in the order of its keys.
    pub fields: Vec<IndexField>,
    /// Whether no two nodes have the same values.
    pub unique: bool,
}

/// One field of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexField {
    /// Where it lies in the document.
    pub path: FieldPath,
    /// Whether each element of a list has an entry of its own.
    pub is_multi: bool,
}

/// Which entries of an index are read, and in which order.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexRange {
    /// The label.
    pub label: String,
    /// The index.
    pub index: IndexShape,
    /// The values of the first fields.
    pub equal: Vec<Value>,
    /// The values of the field behind them; those behind that are free.
    pub bounds: ValueBounds,
    /// Whether the entries come last to first.
    pub reverse: bool,
    /// Only entries behind this one, in the order that they come in: the values of
    /// the indexed fields as far as the query sorts by them, and the node.
    pub after: Option<IndexPlace>,
}

impl IndexRange {
    /// The fields that `equal` does not fix.
    pub(crate) fn free_paths(&self) -> Vec<&FieldPath> {
        self.index.fields.iter().skip(self.equal.len()).map(|field| &field.path).collect()
    }
}

/// A place in an index.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexPlace {
    /// The values of fields, from the first that `equal` does not fix.
    pub values: Vec<Value>,
    /// The node.
    pub node: NodeId,
}

/// Which values of a field are read.
#[derive(Clone, PartialEq, Debug)]
pub enum ValueBounds {
    /// All.
    All,
    /// One of these; ascending, none equal to another.
    Within(Vec<Value>),
    /// Those between two values. Where a side has no bound, the kind of the other
    /// one's value is the bound: greater than 30 are only numbers.
    Between(Bound<Value>, Bound<Value>),
    /// Strings that begin so.
    Prefix(String),
}

impl ValueBounds {
    /// How much they narrow the range: more is better.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Between(Bound::Unbounded, _) | Self::Between(_, Bound::Unbounded) => 1,
            Self::Between(_, _) | Self::Prefix(_) => 2,
            Self::Within(_) => 3,
        }
    }
}

/// A value as a plan shows it.
struct Shown<'v>(&'v Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::I64(value) => write!(f, "{value}"),
            Value::U64(value) => write!(f, "{value}"),
            Value::F64(value) => write!(f, "{value:?}"),
            Value::String(value) => write!(f, "{value:?}"),
            Value::Timestamp(value) => write!(f, "{value}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Displays a value as a plan shows it.
pub(crate) fn shown(value: &Value) -> impl fmt::Display + '_ {
    Shown(value)
}

impl fmt::Display for IndexRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, index, equal, bounds, reverse, .. } = self;
        let paths: Vec<_> = index.fields.iter().map(|field| field.path.as_str()).collect();
        write!(f, "index {:?} on {label:?} ({})", index.name, paths.join(", "))?;
        let mut parts = Vec::new();
        for (field, value) in paths.iter().zip(equal) {
            parts.push(format!("{field} = {}", shown(value)));
        }
        if let Some(field) = paths.get(equal.len()) {
            parts.extend(bounds_of(field, bounds));
        }
        if !parts.is_empty() {
            f.write_str(": ")?;
            joined(f, &parts, ", ")?;
        }
        f.write_str(if *reverse { ", reversed" } else { "" })
    }
}

fn bounds_of(field: &str, bounds: &ValueBounds) -> Vec<String> {
    match bounds {
        ValueBounds::All => Vec::new(),
        ValueBounds::Within(values) => {
            let values: Vec<_> = values.iter().map(|value| shown(value).to_string()).collect();
            vec![format!("{field} within [{}]", values.join(", "))]
        }
        ValueBounds::Prefix(prefix) => vec![format!("{field} begins with {prefix:?}")],
        ValueBounds::Between(least, most) => {
            let least = match least {
                Bound::Included(value) => Some(format!("{field} >= {}", shown(value))),
                Bound::Excluded(value) => Some(format!("{field} > {}", shown(value))),
                Bound::Unbounded => None,
            };
            let most = match most {
                Bound::Included(value) => Some(format!("{field} <= {}", shown(value))),
                Bound::Excluded(value) => Some(format!("{field} < {}", shown(value))),
                Bound::Unbounded => None,
            };
            least.into_iter().chain(most).collect()
        }
    }
}
