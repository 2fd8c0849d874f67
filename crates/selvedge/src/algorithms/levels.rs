//! Breadth first, level by level: what is how far away.
//!
//! A [`Traversal`](crate::Traversal) gives nodes one by one, with tests on the way;
//! this takes a whole level at a time, which lets memory fetch ahead.

use selvedge_base::NodeId;
use selvedge_graph::{Direction, PathSearch};

use crate::algorithms::node_set::NodeSet;
use crate::algorithms::selection::Algorithms;
use crate::error::Result;

/// The nodes that can be reached from a start, by the number of edges on a
/// shortest way there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Levels {
    nodes: Vec<NodeId>,
    /// Where each level ends.
    ends: Vec<usize>,
}

impl Levels {
    /// The nodes that are so many edges away, in the order in which they were
    /// found; none beyond the last level.
    #[must_use]
    pub fn level(&self, distance: usize) -> &[NodeId] {
        let end = self.ends.get(distance).copied().unwrap_or(self.nodes.len());
        let start = match distance.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).copied().unwrap_or(self.nodes.len()),
        };
        &self.nodes[start..end]
    }

    /// How many levels there are, that of the start included.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.ends.len()
    }

    /// All nodes, the nearest first, with their distances.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, usize)> {
        let level = |distance| self.level(distance).iter().map(move |node| (*node, distance));
        (0..self.depth()).flat_map(level)
    }

    /// All nodes, the nearest first.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }
}

impl Algorithms<'_> {
    /// What can be reached from `start`, and how far away it is. Nothing, if the
    /// start does not exist. Takes memory for what is reached.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..4).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
    /// for (from, to) in [(0, 1), (0, 2), (1, 3), (2, 3), (3, 0)] {
    ///     db.link_nodes(ids[from], "TO", ids[to], doc! {})?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let levels = snapshot.algorithms().edge_type("TO").levels(ids[0])?;
    /// assert_eq!((levels.depth(), levels.level(1), levels.level(2)), (3, &ids[1..3], &ids[3..]));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// None in memory.
    pub fn levels(&self, start: NodeId) -> Result<Levels> {
        let links = self.links();
        let mut levels = Levels::default();
        if !links.contains(start) {
            return Ok(levels);
        }
        let mut seen = NodeSet::from_iter([start]);
        let mut frontier = vec![start];
        while !frontier.is_empty() {
            levels.nodes.extend(&frontier);
            levels.ends.push(levels.nodes.len());
            let mut next = Vec::new();
            links.visit(&frontier, |_, neighbour| {
                if seen.insert(neighbour) {
                    next.push(neighbour);
                }
            });
            frontier = next;
        }
        Ok(levels)
    }

    /// The nodes that can be reached from `start`, itself included, the nearest
    /// first.
    ///
    /// # Errors
    /// None in memory.
    pub fn reachable(&self, start: NodeId) -> Result<Vec<NodeId>> {
        Ok(self.levels(start)?.nodes)
    }

    /// Whether there is a way from `from` to `to`; one to itself there always is.
    /// Searches from both ends at once, unless only some nodes take part.
    ///
    /// # Errors
    /// None in memory.
    pub fn is_reachable(&self, from: NodeId, to: NodeId) -> Result<bool> {
        if self.labels.is_some() {
            return Ok(self.levels(from)?.nodes.contains(&to));
        }
        if self.edge_types.as_ref().is_some_and(Vec::is_empty) {
            return Ok(from == to && self.view.contains(from));
        }
        let search = self.view.shortest_path(from, to).direction(self.direction);
        let types = self.edge_types.iter().flatten();
        Ok(types.fold(search, |search, name| PathSearch::edge_type(search, name)).find().is_some())
    }

    /// The same selection in one direction.
    pub(crate) fn along(&self, direction: Direction) -> Self {
        self.clone().direction(direction)
    }
}
