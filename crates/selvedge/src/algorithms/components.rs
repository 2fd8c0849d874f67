//! Connected components: weak ones by union and find, strong ones by Tarjan's
//! algorithm (1972).

use selvedge_base::NodeId;
use selvedge_graph::Direction;

use crate::algorithms::numbering::{Numbering, Rows};
use crate::algorithms::selection::Algorithms;
use crate::error::Result;

/// Which nodes hang together. Components are numbered from 0, in the order of
/// their smallest nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Components {
    /// In the order of ids.
    nodes: Vec<NodeId>,
    /// The component of each.
    of: Vec<u32>,
    count: usize,
}

impl Components {
    /// Numbers components anew, in the order of their smallest nodes, given
    /// something that the nodes of each have in common and others do not.
    fn new(nodes: Vec<NodeId>, common: &[u32]) -> Self {
        let mut numbers = vec![u32::MAX; nodes.len()];
        let (mut count, mut of) = (0, Vec::with_capacity(nodes.len()));
        for common in common {
            let number = &mut numbers[*common as usize];
            if *number == u32::MAX {
                *number = count;
                count += 1;
            }
            of.push(*number);
        }
        Self { nodes, of, count: count as usize }
    }

    /// How many components there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none, as in a graph without nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The component of a node; `None` if it does not take part.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<usize> {
        let place = self.nodes.binary_search(&node).ok()?;
        Some(self.of[place] as usize)
    }

    /// All nodes in the order of their ids, with their components.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, usize)> {
        self.nodes.iter().zip(&self.of).map(|(node, component)| (*node, *component as usize))
    }

    /// How many nodes each component has.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        self.of.iter().for_each(|component| sizes[*component as usize] += 1);
        sizes
    }

    /// The nodes of each component, in the order of their ids.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<NodeId>> {
        let mut groups: Vec<_> = self.sizes().into_iter().map(Vec::with_capacity).collect();
        self.iter().for_each(|(node, component)| groups[component].push(node));
        groups
    }
}

impl Algorithms<'_> {
    /// The weakly connected components: nodes hang together whichever way edges
    /// point. Takes about 12 bytes a node.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..4).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
    /// db.link_nodes(ids[2], "TO", ids[0], doc! {})?;
    /// let snapshot = db.snapshot()?;
    /// let components = snapshot.algorithms().components()?;
    /// assert_eq!(components.groups(), [vec![ids[0], ids[2]], vec![ids[1]], vec![ids[3]]]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`AlgorithmError::TooManyNodes`](crate::algorithms::AlgorithmError::TooManyNodes).
    pub fn components(&self) -> Result<Components> {
        let numbering = Numbering::of(self)?;
        let mut above: Vec<u32> = (0..numbering.len() as u32).collect();
        let links = self.links_along(Direction::Out);
        links.visit(numbering.ids(), |node, neighbour| {
            let numbers = (numbering.number(node), numbering.number(neighbour));
            if let (Some(one), Some(other)) = numbers {
                unite(&mut above, one, other);
            }
        });
        let roots: Vec<_> = (0..above.len() as u32).map(|node| root(&mut above, node)).collect();
        Ok(Components::new(numbering.into_ids(), &roots))
    }

    /// The strongly connected components: of two nodes in one, each can be reached
    /// from the other. Takes about 24 bytes a node and 4 an edge.
    ///
    /// # Errors
    /// As [`components`](Self::components).
    pub fn strong_components(&self) -> Result<Components> {
        let numbering = Numbering::of(self)?;
        let rows = numbering.rows(&self.along(self.direction).links());
        let of = Tarjan::new(&rows, numbering.len()).run();
        Ok(Components::new(numbering.into_ids(), &of))
    }
}

/// The root of a tree; halves the way there for those who come later.
fn root(above: &mut [u32], mut node: u32) -> u32 {
    while above[node as usize] != node {
        let next = above[above[node as usize] as usize];
        above[node as usize] = next;
        node = next;
    }
    node
}

/// Makes two trees one; the smaller number is the root.
fn unite(above: &mut [u32], one: u32, other: u32) {
    let (one, other) = (root(above, one), root(above, other));
    above[one.max(other) as usize] = one.min(other);
}

/// Tarjan's algorithm, with a stack of its own: graphs are deeper than the
/// thread's.
struct Tarjan<'r> {
    rows: &'r Rows,
    /// When each node was entered, from 1; 0: not yet.
    entered: Vec<u32>,
    /// The earliest node that can be reached and is not done.
    low: Vec<u32>,
    is_open: Vec<bool>,
    open: Vec<u32>,
    of: Vec<u32>,
}

impl<'r> Tarjan<'r> {
    fn new(rows: &'r Rows, nodes: usize) -> Self {
        Self {
            rows,
            entered: vec![0; nodes],
            low: vec![0; nodes],
            is_open: vec![false; nodes],
            open: Vec::new(),
            of: vec![0; nodes],
        }
    }

    fn run(mut self) -> Vec<u32> {
        let mut time = 0;
        // Nodes that were entered and not left, and which neighbour comes next.
        let mut walk: Vec<(u32, usize)> = Vec::new();
        for start in 0..self.entered.len() as u32 {
            if self.entered[start as usize] != 0 {
                continue;
            }
            walk.push((start, 0));
            while let Some((node, place)) = walk.last_mut() {
                let (at, next) = (*node as usize, *place);
                if next == 0 && self.entered[at] == 0 {
                    time += 1;
                    (self.entered[at], self.low[at]) = (time, time);
                    self.open.push(*node);
                    self.is_open[at] = true;
                }
                match self.rows.row(at).get(next) {
                    Some(neighbour) => {
                        *place += 1;
                        let to = *neighbour as usize;
                        if self.entered[to] == 0 {
                            walk.push((*neighbour, 0));
                        } else if self.is_open[to] {
                            self.low[at] = self.low[at].min(self.entered[to]);
                        }
                    }
                    None => {
                        walk.pop();
                        if let Some((before, _)) = walk.last() {
                            let before = *before as usize;
                            self.low[before] = self.low[before].min(self.low[at]);
                        }
                        self.leave(at);
                    }
                }
            }
        }
        self.of
    }

    /// A node from which nothing earlier can be reached is the first of its
    /// component, and all that are open behind it are the rest.
    fn leave(&mut self, node: usize) {
        if self.low[node] != self.entered[node] {
            return;
        }
        while let Some(member) = self.open.pop() {
            self.is_open[member as usize] = false;
            self.of[member as usize] = node as u32;
            if member as usize == node {
                break;
            }
        }
    }
}
