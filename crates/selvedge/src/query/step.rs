//! The steps of a query, one after the other.

use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

use selvedge_graph::{Direction, Node};

use crate::query::condition::Condition;
use crate::query::edge_types::EdgeTypes;
use crate::query::field::Field;

/// Which way to sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The least first; what has no value comes before all that have one.
    #[default]
    Asc,
    /// The greatest first; what has no value comes last.
    Desc,
}

pub(crate) type NodeFilter<'a> = Rc<dyn Fn(&Node<'a>) -> bool + 'a>;

/// One step.
#[derive(Clone)]
pub(crate) enum Step<'a> {
    Hop(Hop),
    Test(Rc<Condition>),
    Filter(NodeFilter<'a>),
    Repeat(Vec<Step<'a>>, RangeInclusive<u32>),
    Distinct,
    Sort(Vec<(Field, Order)>),
    Skip(u64),
    Limit(u64),
}

/// To the neighbours of a node.
#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) direction: Direction,
    pub(crate) edge_types: EdgeTypes,
    /// What the edge must fulfil.
    pub(crate) edges: Option<Rc<Condition>>,
}

impl Step<'_> {
    /// Whether it looks at one node at a time, whatever came before.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Step::Hop(_) | Step::Test(_) | Step::Filter(_) | Step::Repeat(..))
    }

    /// Whether it only keeps or drops what comes.
    pub(crate) fn is_test(&self) -> bool {
        matches!(self, Step::Test(_) | Step::Filter(_))
    }

    /// Steps, those of repeated parts included.
    pub(crate) fn count(&self) -> usize {
        match self {
            Step::Repeat(body, _) => 1 + body.iter().map(Step::count).sum::<usize>(),
            _ => 1,
        }
    }

    /// Whether it reads the edge that led to a node.
    pub(crate) fn reads_edge(&self) -> bool {
        match self {
            Step::Test(condition) => condition.reads_edge(),
            Step::Repeat(body, _) => body.iter().any(Step::reads_edge),
            Step::Sort(keys) => keys.iter().any(|(field, _)| field.reads_edge()),
            _ => false,
        }
    }

    /// Writes it as lines of a plan, `depth` levels in.
    pub(crate) fn write(&self, depth: usize, to: &mut impl fmt::Write) -> fmt::Result {
        write!(to, "\n{:width$}{self}", "", width = 2 * depth)?;
        if let Step::Repeat(body, _) = self {
            body.iter().try_for_each(|step| step.write(depth + 1, to))?;
        }
        Ok(())
    }
}

/// The steps by which nodes are counted: without sorts, where how many come out does not
/// depend on the order.
pub(crate) fn counting<'a>(steps: &[Step<'a>]) -> Vec<Step<'a>> {
    let mut left = steps.iter();
    let mut counting = Vec::with_capacity(steps.len());
    while let Some(step) = left.next() {
        if !matches!(step, Step::Sort(_)) || choose_by_order(left.clone()) {
            counting.push(step.clone());
        }
    }
    counting
}

/// Whether other nodes may pass these steps if they come in another order: some are
/// chosen by their place, and what follows does not treat all nodes alike.
pub(crate) fn choose_by_order<'s, 'a: 's>(
    mut steps: impl Iterator<Item = &'s Step<'a>> + Clone,
) -> bool {
    let by_place = |step: &Step<'_>| matches!(step, Step::Skip(_) | Step::Limit(_));
    loop {
        match steps.next() {
            None => return false,
            Some(step) if by_place(step) => {
                return !steps.all(|step| by_place(step) || matches!(step, Step::Sort(_)));
            }
            // The copy that comes first stays, with the edge that led to it.
            Some(Step::Distinct) if steps.clone().any(Step::reads_edge) => return true,
            Some(_) => {}
        }
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Hop(hop) => hop.fmt(f),
            Step::Test(condition) => write!(f, "keep {condition}"),
            Step::Filter(_) => f.write_str("keep what a closure accepts"),
            Step::Repeat(_, times) => {
                write!(f, "repeat {} to {} times", times.start(), times.end())
            }
            Step::Distinct => f.write_str("distinct nodes"),
            Step::Sort(keys) => {
                f.write_str("sort by ")?;
                for (at, (field, order)) in keys.iter().enumerate() {
                    let order = if *order == Order::Desc { " desc" } else { "" };
                    write!(f, "{}{field}{order}", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Step::Skip(nodes) => write!(f, "skip {nodes}"),
            Step::Limit(nodes) => write!(f, "limit {nodes}"),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::Out => "out",
            Direction::In => "in",
            Direction::Both => "both",
        })?;
        write!(f, " {}", self.edge_types)?;
        match &self.edges {
            Some(condition) => write!(f, " over edges with {condition}"),
            None => Ok(()),
        }
    }
}
