//! Building a query: where it starts, and its steps.

use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

use selvedge_base::NodeId;
use selvedge_base::limits::{QUERY_HELD_MAX, QUERY_REPEATS_MAX, QUERY_STEPS_MAX};
use selvedge_graph::{Direction, Node};

use crate::error::Result;
use crate::query::condition::{Condition, has};
use crate::query::edge_types::EdgeTypes;
use crate::query::error::QueryError;
use crate::query::field::Field;
use crate::query::plan::{Plan, Start, plan};
use crate::query::position::{Source, Tracking};
use crate::query::predicate::{Predicate, eq};
use crate::query::run::Run;
use crate::query::step::{Hop, Order, Step, counting};

/// A query that has yet to be told where to start, see
/// [`Read::query`](crate::Read::query).
#[derive(Clone, Copy)]
pub struct QueryStart<'a> {
    pub(crate) source: Source<'a>,
}

impl<'a> QueryStart<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source }
    }

    /// Starts from a node, given by its id or as it was read
    /// (`&`[`Stored`](crate::Stored)); from nothing, if it does not exist.
    #[must_use]
    pub fn from(self, node: impl Into<NodeId>) -> Query<'a> {
        self.from_nodes([node.into()])
    }

    /// Starts from nodes, in the order given; those that do not exist are left
    /// out.
    #[must_use]
    pub fn from_nodes(self, nodes: impl IntoIterator<Item = NodeId>) -> Query<'a> {
        Query::new(self.source, Start::Nodes(nodes.into_iter().collect()))
    }

    /// Starts from all nodes with a label, in the order of
    /// [`Read::scan`](crate::Read::scan); from none, if there is no such label.
    #[must_use]
    pub fn from_label(self, label: &str) -> Query<'a> {
        Query::new(self.source, Start::Label(label.to_owned()))
    }

    /// Starts from the node with a label and a key, if it exists.
    #[must_use]
    pub fn from_key(self, label: &str, key: &str) -> Query<'a> {
        Query::new(self.source, Start::Key(label.to_owned(), key.to_owned()))
    }

    /// Starts from all nodes, label by label.
    #[must_use]
    pub fn from_all(self) -> Query<'a> {
        Query::new(self.source, Start::All)
    }
}

impl fmt::Debug for QueryStart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStart").finish_non_exhaustive()
    }
}

/// A question to a snapshot or a transaction: where to start, where to go, what to
/// keep. Nothing is read before one of its last methods asks for what comes out:
/// [`nodes`](Self::nodes), [`count`](Self::count), [`page`](Self::page) and so on.
///
/// See the guide, and [`Read::query`](crate::Read::query) for an example. What is
/// wrong with a query is told by these last methods, as an
/// [`Error::Query`](crate::Error::Query).
#[derive(Clone)]
pub struct Query<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) start: Start,
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) held_max: usize,
    /// The first thing that was wrong.
    error: Option<Box<QueryError>>,
}

impl<'a> Query<'a> {
    pub(crate) fn new(source: Source<'a>, start: Start) -> Self {
        Self { source, start, steps: Vec::new(), held_max: QUERY_HELD_MAX, error: None }
    }

    pub(crate) fn note(&mut self, checked: Result<(), QueryError>) {
        if let Err(error) = checked {
            self.error.get_or_insert_with(|| Box::new(error));
        }
    }

    fn step(mut self, step: Step<'a>) -> Self {
        self.steps.push(step);
        self
    }

    fn hop(
        mut self,
        direction: Direction,
        edge_types: impl Into<EdgeTypes>,
        edges: Option<Condition>,
    ) -> Self {
        self.note(edges.as_ref().map_or(Ok(()), Condition::check));
        let edges = edges.map(|condition| Rc::new(condition.of_edges()));
        let edge_types = edge_types.into();
        self.step(Step::Hop(Hop { direction, edge_types, edges }))
    }

    /// Goes to the neighbours along edges out: of a type, of several
    /// (`["KNOWS", "LIKES"]`, those of the first come first), or of all (`None`); a
    /// neighbour comes once for each edge to it.
    #[must_use]
    pub fn out(self, edge_types: impl Into<EdgeTypes>) -> Self {
        self.hop(Direction::Out, edge_types, None)
    }

    /// Goes to the neighbours along edges in.
    #[must_use]
    pub fn in_(self, edge_types: impl Into<EdgeTypes>) -> Self {
        self.hop(Direction::In, edge_types, None)
    }

    /// Goes to the neighbours along edges out, then to those along edges in.
    #[must_use]
    pub fn both(self, edge_types: impl Into<EdgeTypes>) -> Self {
        self.hop(Direction::Both, edge_types, None)
    }

    /// As [`out`](Self::out), along edges that fulfil a condition, whose paths
    /// lead into the documents of the edges.
    #[must_use]
    pub fn out_edges(self, edge_types: impl Into<EdgeTypes>, condition: Condition) -> Self {
        self.hop(Direction::Out, edge_types, Some(condition))
    }

    /// As [`in_`](Self::in_), along edges that fulfil a condition.
    #[must_use]
    pub fn in_edges(self, edge_types: impl Into<EdgeTypes>, condition: Condition) -> Self {
        self.hop(Direction::In, edge_types, Some(condition))
    }

    /// As [`both`](Self::both), along edges that fulfil a condition.
    #[must_use]
    pub fn both_edges(self, edge_types: impl Into<EdgeTypes>, condition: Condition) -> Self {
        self.hop(Direction::Both, edge_types, Some(condition))
    }

    /// Keeps nodes of whose field a predicate holds.
    #[must_use]
    pub fn has(self, field: impl Into<Field>, predicate: Predicate) -> Self {
        self.matching(has(field, predicate))
    }

    /// Keeps nodes that fulfil a condition.
    #[must_use]
    pub fn matching(mut self, condition: Condition) -> Self {
        self.note(condition.check());
        self.step(Step::Test(Rc::new(condition)))
    }

    /// Keeps nodes with a label.
    #[must_use]
    pub fn has_label(self, label: &str) -> Self {
        self.has(Field::label(), eq(label))
    }

    /// Keeps nodes with a key.
    #[must_use]
    pub fn has_key(self, key: &str) -> Self {
        self.has(Field::key(), eq(key))
    }

    /// Keeps nodes that a closure accepts. No index helps it.
    #[must_use]
    pub fn filter(self, test: impl Fn(&Node<'a>) -> bool + 'a) -> Self {
        self.step(Step::Filter(Rc::new(test)))
    }

    /// Repeats the last hop, with what tests come behind it: with `1..=3`, what
    /// one, two and three hops lead to comes out, the nearest first. 0 times gives
    /// the node itself.
    ///
    /// A node comes once for each way that leads to it, and on a circle there are
    /// many: let [`dedup`](Self::dedup) follow, and each node is visited once.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..4).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
    /// for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 3)] {
    ///     db.link_nodes(ids[from], "TO", ids[to], doc! {})?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let near = snapshot.query().from(ids[0]).out("TO").repeat(1..=1000).dedup().ids()?;
    /// assert_eq!(near.collect::<Result<Vec<_>, _>>()?, [ids[1], ids[2], ids[0], ids[3]]);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn repeat(mut self, times: RangeInclusive<u32>) -> Self {
        let hop = self.steps.iter().rposition(|step| !step.is_test());
        let body = match hop {
            Some(at) if matches!(self.steps[at], Step::Hop(_)) => self.steps.split_off(at),
            _ => {
                self.note(Err(QueryError::NothingToRepeat));
                Vec::new()
            }
        };
        self.repeated(body, times)
    }

    /// Repeats several steps: hops and tests.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::eq;
    ///
    /// # let db = Db::in_memory();
    /// # let alice = db.insert_node("User", "alice", doc! {})?;
    /// let snapshot = db.snapshot()?;
    /// // Colleagues, their colleagues, and theirs.
    /// let colleagues = snapshot
    ///     .query()
    ///     .from(alice)
    ///     .repeat_steps(1..=3, |steps| steps.out("WORKS_AT").has("open", eq(true)).in_("WORKS_AT"))
    ///     .dedup()
    ///     .count()?;
    /// assert_eq!(colleagues, 0);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn repeat_steps(
        mut self,
        times: RangeInclusive<u32>,
        steps: impl FnOnce(Self) -> Self,
    ) -> Self {
        let body = steps(Self::new(self.source, Start::Nodes([].into())));
        if let Some(error) = body.error {
            self.note(Err(*error));
        }
        if body.steps.is_empty() {
            self.note(Err(QueryError::NothingToRepeat));
        }
        self.repeated(body.steps, times)
    }

    fn repeated(mut self, body: Vec<Step<'a>>, times: RangeInclusive<u32>) -> Self {
        if let Some(step) = body.iter().find(|step| !step.is_local()) {
            let step = step.to_string();
            self.note(Err(QueryError::CannotRepeat { step }));
        }
        let (from, to) = (*times.start(), *times.end());
        if from > to || to > QUERY_REPEATS_MAX {
            self.note(Err(QueryError::RepeatTimes { from, to }));
        }
        self.step(Step::Repeat(body, times))
    }

    /// Keeps the first of each node. Holds the ids that have come, up to
    /// [`held_max`](Self::held_max).
    #[must_use]
    pub fn dedup(self) -> Self {
        self.step(Step::Distinct)
    }

    /// Sorts by a field; given several times in a row, by the first field first.
    /// Nodes that are equal in all of them come by their ids, in the direction of
    /// the last one. Nodes without the field come before all others, or last in
    /// descending order. Holds all that it sorts, up to
    /// [`held_max`](Self::held_max); with a limit behind it, about twice that many.
    #[must_use]
    pub fn order_by(mut self, field: impl Into<Field>, order: Order) -> Self {
        let field = field.into();
        self.note(field.check());
        if let Some(Step::Sort(keys)) = self.steps.last_mut() {
            keys.push((field, order));
            return self;
        }
        self.step(Step::Sort(vec![(field, order)]))
    }

    /// Leaves out the first nodes.
    #[must_use]
    pub fn skip(self, nodes: u64) -> Self {
        self.step(Step::Skip(nodes))
    }

    /// Ends behind so many nodes.
    #[must_use]
    pub fn limit(self, nodes: u64) -> Self {
        self.step(Step::Limit(nodes))
    }

    /// How many nodes a step may hold in memory, instead of
    /// [`QUERY_HELD_MAX`]: those that [`dedup`](Self::dedup) has seen, that are
    /// sorted or grouped, that a repeat has yet to leave.
    #[must_use]
    pub fn held_max(mut self, nodes: usize) -> Self {
        self.held_max = nodes;
        self
    }

    /// How the query will be run, as text: the access path, then a line for each
    /// step.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::gt;
    ///
    /// let db = Db::in_memory();
    /// let snapshot = db.snapshot()?;
    /// let query = snapshot.query().from_label("User").has("age", gt(30)).out("KNOWS").dedup();
    /// assert_eq!(
    ///     query.explain()?,
    ///     "scan of label \"User\"\nkeep age > 30\nout \"KNOWS\"\ndistinct nodes\n"
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A sort that [`count`](Self::count) and [`exists`](Self::exists) leave out is marked
    /// so: `sort by age; not to count`.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn explain(&self) -> Result<String> {
        Ok(self.plan()?.to_string())
    }

    /// The plan, if the query is right.
    pub(crate) fn plan(&self) -> Result<Plan<'a>> {
        self.check()?;
        Ok(plan(&self.start, &self.steps, self.source.indexes))
    }

    /// The plan by which nodes are counted, or looked for at all, if the query is right.
    pub(crate) fn counting_plan(&self) -> Result<Plan<'a>> {
        self.check()?;
        Ok(plan(&self.start, &counting(&self.steps), self.source.indexes))
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if let Some(error) = &self.error {
            return Err(QueryError::clone(error));
        }
        let steps = self.steps.iter().map(Step::count).sum();
        if steps > QUERY_STEPS_MAX {
            return Err(QueryError::TooManySteps { steps });
        }
        Ok(())
    }

    /// A run that tracks at least so much of the way.
    pub(crate) fn run(&self, tracking: Tracking) -> Run<'a> {
        let reads_edge = self.steps.iter().any(Step::reads_edge);
        let tracking = if reads_edge { tracking.max(Tracking::LastEdge) } else { tracking };
        Run { tracking, held_max: self.held_max, ..Run::new(self.source) }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = plan(&self.start, &self.steps, self.source.indexes);
        f.debug_struct("Query").field("plan", &plan.to_string()).finish_non_exhaustive()
    }
}
