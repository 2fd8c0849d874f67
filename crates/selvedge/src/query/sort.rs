//! Sorting, whole or only the first.

use std::cmp::Ordering;

use selvedge_base::NodeId;
use selvedge_encoding::ValueRef;

use crate::error::Result;
use crate::query::field::Field;
use crate::query::position::{Position, Stream, check_held};
use crate::query::run::Run;
use crate::query::step::Order;

/// Fields, each with a direction; the first counts most.
pub(crate) type SortedBy = Vec<(Field, Order)>;

/// What nodes are sorted by: fields, and then the id, in the direction of the last
/// field.
#[derive(Clone, Debug, Default)]
pub(crate) struct SortKeys(SortedBy);

/// The values of one node.
pub(crate) type SortValues<'a> = Vec<Option<ValueRef<'a>>>;

impl SortKeys {
    pub(crate) fn new(keys: SortedBy) -> Self {
        Self(keys)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.0.iter().map(|(field, _)| field)
    }

    pub(crate) fn read<'a>(&self, run: &Run<'a>, at: &Position<'a>) -> Result<SortValues<'a>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let subject = at.subject(&run.source.view)?;
        Ok(self.fields().map(|field| field.read(&subject)).collect())
    }

    /// How two nodes stand, by values and ids. Values of any two lifetimes: those
    /// of a cursor are none of a snapshot.
    pub(crate) fn compare(
        &self,
        (values_a, a): (&[Option<ValueRef<'_>>], NodeId),
        (values_b, b): (&[Option<ValueRef<'_>>], NodeId),
    ) -> Ordering {
        let directed = |order: Ordering, by: Order| match by {
            Order::Asc => order,
            Order::Desc => order.reverse(),
        };
        for ((_, by), (a, b)) in self.0.iter().zip(values_a.iter().zip(values_b)) {
            let order = match (a, b) {
                (Some(a), Some(b)) => a.total_cmp(b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            };
            if order.is_ne() {
                return directed(order, *by);
            }
        }
        directed(a.cmp(&b), self.0.last().map_or(Order::Asc, |(_, by)| *by))
    }
}

/// Holds what it sorts; where only the first so many are wanted, about twice as
/// many.
pub(crate) struct First<'a> {
    keys: SortKeys,
    wanted: Option<usize>,
    found: Vec<(SortValues<'a>, Position<'a>)>,
    held_max: usize,
    is_distinct: bool,
}

/// What is held beyond twice the wanted before it is cut.
const SLACK: usize = 1024;

impl<'a> First<'a> {
    /// Keeps the first `wanted` nodes, or all; of the copies of a node only one, if
    /// that is asked for.
    pub(crate) fn new(
        keys: SortKeys,
        wanted: Option<usize>,
        held_max: usize,
        is_distinct: bool,
    ) -> Self {
        Self { keys, wanted, found: Vec::new(), held_max, is_distinct }
    }

    pub(crate) fn push(&mut self, values: SortValues<'a>, at: Position<'a>) -> Result<()> {
        self.found.push((values, at));
        check_held(self.found.len(), self.held_max, "a sort")?;
        if let Some(wanted) = self.wanted {
            let twice = wanted.saturating_mul(2);
            // The slack saves cuts; there is none where so much may not be held.
            let most = twice.saturating_add(SLACK).min(self.held_max).max(twice);
            if self.found.len() >= most {
                self.cut(wanted);
            }
        }
        Ok(())
    }

    /// Stable, so that copies of a node stay in the order in which they came.
    fn cut(&mut self, wanted: usize) {
        let keys = &self.keys;
        self.found.sort_by(|(values_a, a), (values_b, b)| {
            keys.compare((values_a, a.node), (values_b, b.node))
        });
        if self.is_distinct {
            self.found.dedup_by_key(|(_, at)| at.node);
        }
        self.found.truncate(wanted);
    }

    pub(crate) fn into_sorted(mut self) -> Vec<(SortValues<'a>, Position<'a>)> {
        self.cut(self.wanted.unwrap_or(usize::MAX));
        self.found
    }
}

/// A sorting step.
pub(crate) struct Sorted<'a> {
    run: Run<'a>,
    input: Option<(Stream<'a>, First<'a>)>,
    sorted: std::vec::IntoIter<(SortValues<'a>, Position<'a>)>,
}

impl<'a> Sorted<'a> {
    pub(crate) fn new(
        run: Run<'a>,
        input: Stream<'a>,
        keys: SortedBy,
        wanted: Option<usize>,
    ) -> Self {
        let first = First::new(SortKeys::new(keys), wanted, run.held_max, false);
        Self { run, input: Some((input, first)), sorted: Vec::new().into_iter() }
    }

    fn sort(&mut self) -> Result<()> {
        let Some((input, mut first)) = self.input.take() else { return Ok(()) };
        for at in input {
            let at = at?;
            first.push(first.keys.read(&self.run, &at)?, at)?;
        }
        self.sorted = first.into_sorted().into_iter();
        Ok(())
    }
}

impl<'a> Iterator for Sorted<'a> {
    type Item = Result<Position<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.sort() {
            return Some(Err(error));
        }
        self.sorted.next().map(|(_, at)| Ok(at))
    }
}
