//! What a query gives: nodes, ids, edges, paths, numbers.

use std::fmt;

use selvedge_base::NodeId;
use selvedge_encoding::Value;
use selvedge_graph::{EdgeRef, GraphView, Node};

use crate::error::Result;
use crate::query::aggregate::{Aggregate, Totals};
use crate::query::builder::Query;
use crate::query::field::Field;
use crate::query::group::Groups;
use crate::query::plan::{Access, Plan};
use crate::query::position::{Position, Stream, Tracking};
use crate::query::rows::Select;
use crate::query::step::Step;

impl<'a> Query<'a> {
    fn stream(&self, tracking: Tracking) -> Result<Stream<'a>> {
        self.run(tracking).plan(self.plan()?)
    }

    /// The first of them: a sort need not hold more.
    pub(crate) fn stream_first(&self, tracking: Tracking) -> Result<Stream<'a>> {
        let mut plan = self.plan()?;
        plan.steps.push_back(Step::Limit(1));
        self.run(tracking).plan(plan)
    }

    /// The nodes, as they are found. An error is a document that is damaged on
    /// disk, or a limit; it is the last item.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn nodes(&self) -> Result<Nodes<'a>> {
        Ok(Nodes { found: Found::new(self.stream(Tracking::Nothing)?), view: self.source.view })
    }

    /// The ids of the nodes.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn ids(&self) -> Result<NodeIds<'a>> {
        Ok(NodeIds { found: Found::new(self.stream(Tracking::Nothing)?) })
    }

    /// The edges by which the last hop led to the nodes, one for each; none for
    /// nodes that no hop led to.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::{gt, has};
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! { "km": 12 })?;
    /// let snapshot = db.snapshot()?;
    /// let long = snapshot.query().from(a).out_edges("TO", has("km", gt(10))).edges()?;
    /// let long: Vec<_> = long.collect::<Result<_, _>>()?;
    /// assert!(long.len() == 1 && long[0].get("km").unwrap() == 12);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn edges(&self) -> Result<FoundEdges<'a>> {
        Ok(FoundEdges { found: Found::new(self.stream(Tracking::LastEdge)?) })
    }

    /// The ways to the nodes, from where each began.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn paths(&self) -> Result<Ways<'a>> {
        Ok(Ways { found: Found::new(self.stream(Tracking::Path)?) })
    }

    /// How many nodes there are. Of a whole label, and of a last hop along all
    /// edges of a type, they are not visited; and nothing is sorted, unless it is chosen
    /// by its place and then tested, or left.
    ///
    /// # Errors
    /// What is wrong with the query; a document that is damaged on disk.
    pub fn count(&self) -> Result<u64> {
        let view = self.source.view;
        let mut plan = self.counting_plan()?;
        match (&plan.access, plan.steps.back()) {
            (Access::Label { label }, None) => return Ok(view.count(label)),
            (_, Some(Step::Hop(hop))) if hop.edges.is_none() => {
                let hop = hop.clone();
                plan.steps.pop_back();
                let degree = |at: Position<'_>| {
                    let of_types = hop.edge_types.iter();
                    of_types.map(|of| view.degree(at.node, hop.direction, of) as u64).sum::<u64>()
                };
                return self
                    .run(Tracking::Nothing)
                    .plan(plan)?
                    .try_fold(0, |sum, at| Ok(sum + degree(at?)));
            }
            _ => {}
        }
        self.run(Tracking::Nothing).plan(plan)?.try_fold(0, |count, at| at.map(|_| count + 1))
    }

    /// The first node, if there is one.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn first(&self) -> Result<Option<Node<'a>>> {
        let found = Found::new(self.stream_first(Tracking::Nothing)?);
        Nodes { found, view: self.source.view }.next().transpose()
    }

    /// Whether there is a node. Sorts as little as [`count`](Self::count).
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn exists(&self) -> Result<bool> {
        // Whether a way or ten lead there is all the same.
        let Plan { access, mut steps, sorted } = self.counting_plan()?;
        if matches!(steps.back(), Some(Step::Repeat(..) | Step::Test(_) | Step::Filter(_))) {
            steps.push_back(Step::Distinct);
        }
        let plan = Plan { access, steps, sorted };
        Ok(self.run(Tracking::Nothing).plan(plan)?.next().transpose()?.is_some())
    }

    /// How many nodes there are for each value of a field, in the order of values;
    /// those that do not have it come first, under `None`. Values that are equal
    /// in that order, such as `1` and `1.0`, are one group, under the one that
    /// came first. Holds the values, up to [`held_max`](Self::held_max).
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// for city in ["Oslo", "Bergen", "Oslo"] {
    ///     db.insert_node("User", None, doc! { "city": city })?;
    /// }
    /// let cities = db.snapshot()?.query().from_label("User").group_count("city")?;
    /// assert_eq!(cities, [(Some("Bergen".into()), 1), (Some("Oslo".into()), 2)]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn group_count(&self, field: impl Into<Field>) -> Result<Vec<(Option<Value>, u64)>> {
        let field = field.into();
        field.check()?;
        let (view, mut groups) = (self.source.view, Groups::new(self.held_max));
        for at in self.stream(self.tracking_of(&[&field]))? {
            groups.add(field.read(&at?.subject(&view)?))?;
        }
        Ok(groups.into_counts())
    }

    /// Sums, averages, least and greatest values, counts: one value for each.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::{avg, count, max, min, sum};
    ///
    /// let db = Db::in_memory();
    /// for age in [20, 30, 43] {
    ///     db.insert_node("User", None, doc! { "age": age })?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let users = snapshot.query().from_label("User");
    /// let all = users.aggregate([sum("age"), avg("age"), min("age"), max("age"), count("age")])?;
    /// assert_eq!(all, [93.into(), 31.0.into(), 20.into(), 43.into(), Value::from(3)]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`count`](Self::count);
    /// [`QueryError::NotANumber`](crate::query::QueryError::NotANumber) and
    /// [`SumOutOfRange`](crate::query::QueryError::SumOutOfRange).
    pub fn aggregate(&self, of: impl IntoIterator<Item = Aggregate>) -> Result<Vec<Value>> {
        let mut totals: Vec<_> = of.into_iter().map(Totals::new).collect();
        totals.iter().try_for_each(|total| total.field().check())?;
        let fields: Vec<_> = totals.iter().map(Totals::field).collect();
        let (view, tracking) = (self.source.view, self.tracking_of(&fields));
        for at in self.stream(tracking)? {
            let at = at?;
            let subject = at.subject(&view)?;
            totals.iter_mut().try_for_each(|total| total.add(at.node, &subject))?;
        }
        Ok(totals.into_iter().map(Totals::value).collect::<Result<_, _>>()?)
    }

    /// Of each node these fields, as a row.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.insert_node("User", "alice", doc! { "name": "Alice", "address": { "city": "Oslo" } })?;
    /// let snapshot = db.snapshot()?;
    /// let users = snapshot.query().from_label("User").select(["name", "address.city", "age"]);
    /// for row in users.rows()? {
    ///     let row = row?;
    ///     assert_eq!(row.typed::<&str>(0)?, Some("Alice"));
    ///     assert_eq!(row.to_values(), [Some("Alice".into()), Some("Oslo".into()), None]);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn select<F: Into<Field>>(&self, fields: impl IntoIterator<Item = F>) -> Select<'a> {
        Select::new(self.clone(), fields.into_iter().map(Into::into).collect())
    }

    /// What must be tracked for these to be read.
    pub(crate) fn tracking_of(&self, fields: &[&Field]) -> Tracking {
        let reads_edge = fields.iter().any(|field| field.reads_edge());
        if reads_edge { Tracking::LastEdge } else { Tracking::Nothing }
    }
}

/// What a query found; ends behind an error.
pub(crate) struct Found<'a>(Option<Stream<'a>>);

impl<'a> Found<'a> {
    pub(crate) fn new(stream: Stream<'a>) -> Self {
        Self(Some(stream))
    }

    /// Gives nothing any more.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

impl<'a> Iterator for Found<'a> {
    type Item = Result<Position<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.as_mut()?.next();
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        next
    }
}

/// The nodes that a query finds, see [`Query::nodes`].
pub struct Nodes<'a> {
    found: Found<'a>,
    view: GraphView<'a>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Result<Node<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.found.find_map(|at| at.and_then(|at| at.read(&self.view)).transpose())?;
        if node.is_err() {
            self.found.end();
        }
        Some(node)
    }
}

/// The ids of the nodes that a query finds, see [`Query::ids`].
pub struct NodeIds<'a> {
    found: Found<'a>,
}

impl Iterator for NodeIds<'_> {
    type Item = Result<NodeId>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.found.next()?.map(|at| at.node))
    }
}

/// The edges that a query finds, see [`Query::edges`].
pub struct FoundEdges<'a> {
    found: Found<'a>,
}

impl<'a> Iterator for FoundEdges<'a> {
    type Item = Result<EdgeRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.found.find_map(|at| at.map(|at| at.edge()).transpose())
    }
}

/// The ways that a query finds, see [`Query::paths`].
pub struct Ways<'a> {
    found: Found<'a>,
}

impl<'a> Iterator for Ways<'a> {
    type Item = Result<Way<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.found.next()?.map(|at| Way::to(&at)))
    }
}

/// A way from where a query began to what it found; it may pass a node twice.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    nodes: Vec<NodeId>,
    edges: Vec<EdgeRef<'a>>,
}

impl<'a> Way<'a> {
    fn to(at: &Position<'a>) -> Self {
        let (mut nodes, mut edges) = (vec![at.node], Vec::new());
        let mut last = at.via.as_ref();
        while let Some(via) = last {
            nodes.push(via.from);
            edges.push(via.edge);
            last = via.before.as_ref();
        }
        nodes.reverse();
        edges.reverse();
        Self { nodes, edges }
    }

    /// The nodes, both ends included.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The edges between them, each in the direction that it has.
    #[must_use]
    pub fn edges(&self) -> &[EdgeRef<'a>] {
        &self.edges
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque!(Nodes, NodeIds, FoundEdges, Ways);
