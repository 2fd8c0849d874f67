//! Conditions: predicates of fields, and what joins them.

use std::fmt;
use std::ops::Not;

use crate::query::error::QueryError;
use crate::query::field::{Field, Subject};
use crate::query::predicate::{Predicate, Test, check_depth, joined};

/// What nodes, or edges, must fulfil: [`has`] makes one, [`and`](Self::and),
/// [`or`](Self::or) and [`not`](crate::query::not) combine them.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::query::{eq, gt, has};
///
/// let db = Db::in_memory();
/// db.insert_node("User", "alice", doc! { "age": 31, "city": "Oslo" })?;
/// db.insert_node("User", "bob", doc! { "age": 19, "city": "Bergen" })?;
/// let snapshot = db.snapshot()?;
/// let either = has("age", gt(30)).or(has("city", eq("Bergen")));
/// assert_eq!(snapshot.query().from_label("User").matching(either).count()?, 2);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    pub(crate) test: Demand,
    depth: usize,
}

/// What a condition demands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Demand {
    Field(Field, Predicate),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// The condition that a predicate holds of a field.
pub fn has(field: impl Into<Field>, predicate: Predicate) -> Condition {
    Condition { test: Demand::Field(field.into(), predicate), depth: 1 }
}

impl Condition {
    /// What holds where both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = Vec::new();
        for part in [self, other] {
            match part.test {
                Demand::All(parts) => all.extend(parts),
                test => all.push(Self { test, depth: part.depth }),
            }
        }
        Self::over(all, Demand::All)
    }

    /// What holds where one of them does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut any = Vec::new();
        for part in [self, other] {
            match part.test {
                Demand::Any(parts) => any.extend(parts),
                test => any.push(Self { test, depth: part.depth }),
            }
        }
        Self::over(any, Demand::Any)
    }

    fn over(parts: Vec<Self>, join: fn(Vec<Self>) -> Demand) -> Self {
        let depth = 1 + parts.iter().map(|part| part.depth).max().unwrap_or(0);
        Self { test: join(parts), depth }
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        check_depth(self.depth)?;
        match &self.test {
            Demand::Field(field, predicate) => field.check().and_then(|()| predicate.check()),
            Demand::All(parts) | Demand::Any(parts) => parts.iter().try_for_each(Self::check),
            Demand::Not(part) => part.check(),
        }
    }

    /// The same condition of edges.
    pub(crate) fn of_edges(self) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(Self::of_edges).collect();
        let test = match self.test {
            Demand::Field(field, predicate) => Demand::Field(field.of_edges(), predicate),
            Demand::All(parts) => Demand::All(all(parts)),
            Demand::Any(parts) => Demand::Any(all(parts)),
            Demand::Not(part) => Demand::Not(Box::new(part.of_edges())),
        };
        Self { test, depth: self.depth }
    }

    fn any_field(&self, test: &dyn Fn(&Field) -> bool) -> bool {
        match &self.test {
            Demand::Field(field, _) => test(field),
            Demand::All(parts) | Demand::Any(parts) => parts.iter().any(|at| at.any_field(test)),
            Demand::Not(part) => part.any_field(test),
        }
    }

    /// Whether it reads the edge that led to a node.
    pub(crate) fn reads_edge(&self) -> bool {
        self.any_field(&Field::reads_edge)
    }

    /// Whether it reads the node.
    pub(crate) fn reads_node(&self) -> bool {
        self.any_field(&|field| !field.reads_edge())
    }

    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        match &self.test {
            Demand::Field(field, predicate) => predicate.holds(field.read(subject)),
            Demand::All(parts) => parts.iter().all(|part| part.holds(subject)),
            Demand::Any(parts) => parts.iter().any(|part| part.holds(subject)),
            Demand::Not(part) => !part.holds(subject),
        }
    }

    /// Its parts, all of which must hold.
    pub(crate) fn conjuncts(self) -> Vec<Self> {
        match self.test {
            Demand::All(parts) => parts.into_iter().flat_map(Self::conjuncts).collect(),
            Demand::Field(field, Predicate { test: Test::And(parts), .. }) => {
                parts.into_iter().flat_map(|part| has(field.clone(), part).conjuncts()).collect()
            }
            _ => vec![self],
        }
    }
}

impl Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        Self { depth: self.depth + 1, test: Demand::Not(Box::new(self)) }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.test {
            Demand::Field(field, predicate) => write!(f, "{}", predicate.of_field(field)),
            Demand::All(parts) => {
                f.write_str("(")?;
                joined(f, parts, " and ")?;
                f.write_str(")")
            }
            Demand::Any(parts) => {
                f.write_str("(")?;
                joined(f, parts, " or ")?;
                f.write_str(")")
            }
            Demand::Not(part) => write!(f, "not ({part})"),
        }
    }
}
