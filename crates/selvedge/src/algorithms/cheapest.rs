//! Cheapest paths: Dijkstra's algorithm, and A*, which is that with an estimate.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use selvedge_base::NodeId;
use selvedge_base::hash::{Map, Set};
use selvedge_graph::Edge;

use crate::algorithms::error::AlgorithmError;
use crate::algorithms::selection::{Algorithms, Links};
use crate::algorithms::weight::Weight;
use crate::error::Result;

/// A path and what it costs.
#[derive(Clone, PartialEq, Debug)]
pub struct WeightedPath {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) edges: Vec<Edge>,
    /// What it costs to come to each node.
    pub(crate) costs: Vec<f64>,
}

impl WeightedPath {
    /// The nodes, both ends included.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The edges between them, each in the direction that it has.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The sum of the weights.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.costs.last().copied().unwrap_or(0.0)
    }
}

/// The cheapest paths from one node to all that can be reached from it.
#[derive(Clone, Debug, Default)]
pub struct CheapestPaths {
    reached: Map<NodeId, Reached>,
    /// The nodes, the cheapest first.
    order: Vec<NodeId>,
}

/// How a node is reached.
#[derive(Clone, Copy, Debug)]
struct Reached {
    cost: f64,
    /// The node before, and the edge; `None` for the start.
    by: Option<(NodeId, Edge)>,
    is_settled: bool,
}

impl CheapestPaths {
    /// What it costs to come to a node; `None` if it cannot be reached.
    #[must_use]
    pub fn cost(&self, node: NodeId) -> Option<f64> {
        self.reached.get(&node).map(|reached| reached.cost)
    }

    /// The cheapest path to a node.
    #[must_use]
    pub fn path(&self, node: NodeId) -> Option<WeightedPath> {
        let mut path = WeightedPath { nodes: Vec::new(), edges: Vec::new(), costs: Vec::new() };
        let mut at = Some(node);
        while let Some(node) = at {
            let reached = self.reached.get(&node)?;
            path.nodes.push(node);
            path.costs.push(reached.cost);
            path.edges.extend(reached.by.map(|(_, edge)| edge));
            at = reached.by.map(|(before, _)| before);
        }
        path.nodes.reverse();
        path.edges.reverse();
        path.costs.reverse();
        Some(path)
    }

    /// All nodes that can be reached, the cheapest first, with what they cost; at
    /// the same cost in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, f64)> {
        self.order.iter().filter_map(|node| Some((*node, self.cost(*node)?)))
    }
}

/// A node that waits for its turn.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The cost, and what is estimated to be still to come.
    rank: f64,
    cost: f64,
    node: NodeId,
}

impl Ord for Waiting {
    /// The greatest is the first to leave the heap: the cheapest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.total_cmp(&self.rank).then_with(|| other.node.cmp(&self.node))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

type Estimate<'e> = &'e dyn Fn(NodeId) -> f64;

/// What a search is told.
pub(crate) struct Search<'s, 'a> {
    pub(crate) links: &'s Links<'a>,
    pub(crate) weight: &'s Weight<'s>,
    /// Where it may end.
    pub(crate) target: Option<NodeId>,
    pub(crate) estimate: Option<Estimate<'s>>,
    /// Nodes that it may not enter.
    pub(crate) closed_nodes: Set<NodeId>,
    /// Nodes that it may not enter straight from the start.
    pub(crate) closed_first: Set<NodeId>,
}

impl<'s, 'a> Search<'s, 'a> {
    pub(crate) fn new(links: &'s Links<'a>, weight: &'s Weight<'s>) -> Self {
        Self {
            links,
            weight,
            target: None,
            estimate: None,
            closed_nodes: Set::default(),
            closed_first: Set::default(),
        }
    }

    fn waiting(&self, node: NodeId, cost: f64) -> Result<Waiting, AlgorithmError> {
        let estimate = self.estimate.map_or(0.0, |estimate| estimate(node));
        if estimate.is_nan() || estimate < 0.0 {
            let estimate = estimate.to_string();
            return Err(AlgorithmError::BadEstimate { node, estimate });
        }
        Ok(Waiting { rank: cost + estimate, cost, node })
    }

    /// Searches from a node that it costs something to come to. A node is left
    /// again if a cheaper way to it is found, as there may be where estimates are
    /// not consistent.
    pub(crate) fn run(&self, start: NodeId, cost: f64) -> Result<CheapestPaths> {
        let mut found = CheapestPaths::default();
        if !self.links.contains(start) {
            return Ok(found);
        }
        found.reached.insert(start, Reached { cost, by: None, is_settled: false });
        let mut heap = BinaryHeap::from([self.waiting(start, cost)?]);
        while let Some(Waiting { node, cost, .. }) = heap.pop() {
            let Some(reached) = found.reached.get_mut(&node) else { continue };
            // A cheaper way was found since.
            if cost > reached.cost {
                continue;
            }
            if cost.is_infinite() && self.target.is_none_or(|target| target == node) {
                return Err(self.out_of_range(&found, node).into());
            }
            if !reached.is_settled {
                reached.is_settled = true;
                found.order.push(node);
            }
            if self.target == Some(node) {
                break;
            }
            for (next, edge) in self.links.edges(node)? {
                let weight = self.weight.read(&edge)?;
                let is_closed = self.closed_nodes.contains(&next)
                    || node == start && self.closed_first.contains(&next);
                let next_cost = cost + weight;
                let known = found.reached.get(&next);
                if is_closed || known.is_some_and(|known| known.cost <= next_cost) {
                    continue;
                }
                let is_settled = known.is_some_and(|known| known.is_settled);
                let by = Some((node, edge.edge()));
                found.reached.insert(next, Reached { cost: next_cost, by, is_settled });
                heap.push(self.waiting(next, next_cost)?);
            }
        }
        // An edge that costs nothing leads to nodes of the same cost, later.
        let CheapestPaths { reached, order } = &mut found;
        order.sort_by(|a, b| reached[a].cost.total_cmp(&reached[b].cost).then_with(|| a.cmp(b)));
        Ok(found)
    }

    /// No path to this node has a cost that is a number.
    fn out_of_range(&self, found: &CheapestPaths, node: NodeId) -> AlgorithmError {
        let (mut at, mut edge) = (node, None);
        // Back to the first cost that is none.
        while let Some(reached) = found.reached.get(&at).filter(|at| at.cost.is_infinite())
            && let Some((before, by)) = reached.by
        {
            (at, edge) = (before, Some(by));
        }
        let edge = self.links.named(edge.expect("costs begin finite, and an edge adds to them"));
        AlgorithmError::CostOutOfRange { node, edge }
    }

    /// The cheapest path to the target.
    pub(crate) fn path(&self, start: NodeId, cost: f64) -> Result<Option<WeightedPath>> {
        let found = self.run(start, cost)?;
        let target = self
            .target
            .filter(|target| found.reached.get(target).is_some_and(|reached| reached.is_settled));
        Ok(target.and_then(|target| found.path(target)))
    }
}

impl Algorithms<'_> {
    /// The cheapest paths from a node to all that can be reached from it
    /// (Dijkstra, 1959). Of paths with the same cost the first to be found. Takes
    /// memory for what is reached.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::algorithms::Weight;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..3).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
    /// for (from, to, km) in [(0, 1, 5), (1, 2, 5), (0, 2, 20)] {
    ///     db.link_nodes(ids[from], "ROAD", ids[to], doc! { "km": km })?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let roads = snapshot.algorithms().edge_type("ROAD");
    /// let paths = roads.cheapest_paths(ids[0], &Weight::field("km"))?;
    /// assert_eq!(paths.cost(ids[2]), Some(10.0));
    /// assert_eq!(paths.path(ids[2]).expect("there is one").nodes(), ids);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`AlgorithmError`], if an edge that is looked at has no weight or a negative
    /// one, or if the cheapest path to a node costs more than the greatest `f64`
    /// ([`CostOutOfRange`](AlgorithmError::CostOutOfRange)); a document that is damaged
    /// on disk.
    pub fn cheapest_paths(&self, from: NodeId, weight: &Weight<'_>) -> Result<CheapestPaths> {
        weight.check()?;
        Search::new(&self.links(), weight).run(from, 0.0)
    }

    /// The cheapest path between two nodes; `None` if there is none, or an end does
    /// not exist. Looks no further than the cost of it.
    ///
    /// # Errors
    /// As [`cheapest_paths`](Self::cheapest_paths).
    pub fn cheapest_path(
        &self,
        from: NodeId,
        to: NodeId,
        weight: &Weight<'_>,
    ) -> Result<Option<WeightedPath>> {
        weight.check()?;
        let links = self.links();
        Search { target: Some(to), ..Search::new(&links, weight) }.path(from, 0.0)
    }

    /// The cheapest path between two nodes, by A* (Hart, Nilsson and Raphael,
    /// 1968): `estimate` says what the way from a node to `to` may cost. If that is
    /// never too much, what is found is the cheapest; the closer it is, the fewer
    /// nodes are looked at.
    ///
    /// # Errors
    /// As [`cheapest_paths`](Self::cheapest_paths); also if an estimate is negative
    /// or not a number.
    pub fn a_star(
        &self,
        from: NodeId,
        to: NodeId,
        weight: &Weight<'_>,
        estimate: impl Fn(NodeId) -> f64,
    ) -> Result<Option<WeightedPath>> {
        weight.check()?;
        let links = self.links();
        let search = Search::new(&links, weight);
        Search { target: Some(to), estimate: Some(&estimate), ..search }.path(from, 0.0)
    }
}
