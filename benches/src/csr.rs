//! The limit of graphs: compressed sparse rows of four-byte ids.

use crate::Outcome;
use crate::measure::Done;
use crate::random::Random;
use crate::rmat::EdgeList;
use crate::walk::Neighbourhoods;

/// The edges out of each node, one row behind the other.
#[derive(Clone, Debug)]
pub struct Csr {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Csr {
    /// The rows of these edges, each in the order of the edges.
    #[inline(never)]
    #[must_use]
    pub fn new(list: &EdgeList) -> Self {
        Self::of(list.nodes, list.edges.iter().copied())
    }

    /// The edges the other way round.
    #[must_use]
    pub fn reversed(list: &EdgeList) -> Self {
        Self::of(list.nodes, list.edges.iter().map(|(source, target)| (*target, *source)))
    }

    fn of(nodes: u32, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes as usize + 2];
        let mut count = 0;
        for (source, _) in edges.clone() {
            starts[source as usize + 2] += 1;
            count += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut targets = vec![0; count];
        for (source, target) in edges {
            let place = &mut starts[source as usize + 1];
            targets[*place as usize] = target;
            *place += 1;
        }
        starts.pop();
        Self { starts, targets }
    }

    /// With each row sorted, as the database keeps them: then both visit the
    /// same nodes in the same order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        for node in 0..self.nodes() {
            let (from, until) = self.row(node);
            self.targets[from..until].sort_unstable();
        }
        self
    }

    /// What loading did: the number of edges.
    #[must_use]
    pub fn loaded(&self) -> Done {
        Done::new(self.targets.len() as u64, self.targets.len() as u64)
    }

    #[inline]
    fn row(&self, node: u32) -> (usize, usize) {
        let [from, until] = [node as usize, node as usize + 1].map(|at| self.starts[at] as usize);
        (from, until)
    }

    #[inline]
    fn targets(&self, node: u32) -> &[u32] {
        let (from, until) = self.row(node);
        &self.targets[from..until]
    }
}

impl Neighbourhoods for Csr {
    fn nodes(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    #[inline]
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>> {
        Ok(self.targets(node).iter().copied())
    }

    #[inline]
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>> {
        Ok(nodes.map(|node| (node, self.targets(node).iter().copied())))
    }
}

/// Marks which nodes a search has reached, and from which side; forgets them all
/// at once.
#[derive(Debug)]
struct Reached {
    marks: Vec<u32>,
    search: u32,
}

/// Finds how far apart two nodes are, level by level from both ends, the smaller
/// frontier first.
#[derive(Debug)]
pub struct Distances<'a> {
    rows: [&'a Csr; 2],
    reached: [Reached; 2],
    frontiers: [Vec<u32>; 2],
    next: Vec<u32>,
}

impl<'a> Distances<'a> {
    /// Along `out`, and backwards along `into`, its reverse.
    #[must_use]
    pub fn new(out: &'a Csr, into: &'a Csr) -> Self {
        let marks = || Reached { marks: vec![0; out.nodes() as usize], search: 0 };
        Self {
            rows: [out, into],
            reached: [marks(), marks()],
            frontiers: Default::default(),
            next: Vec::new(),
        }
    }

    /// Distances between random nodes. The checksum is the sum of the lengths of
    /// the paths, each plus one.
    #[inline(never)]
    pub fn between_random(&mut self, random: &mut Random, times: u64) -> Done {
        let nodes = u64::from(self.rows[0].nodes());
        let mut sum = 0;
        for _ in 0..times {
            let [from, to] = [(); 2].map(|()| random.below(nodes) as u32);
            sum += self.between(from, to).map_or(0, |edges| u64::from(edges) + 1);
        }
        Done::new(times, sum)
    }

    /// The number of edges from one node to another; `None` without a path.
    pub fn between(&mut self, from: u32, to: u32) -> Option<u32> {
        if from == to {
            return Some(0);
        }
        for (side, end) in [from, to].into_iter().enumerate() {
            self.frontiers[side].clear();
            self.frontiers[side].push(end);
            let reached = &mut self.reached[side];
            reached.search += 1;
            reached.marks[end as usize] = reached.search;
        }
        let mut edges = 0;
        while self.frontiers.iter().all(|frontier| !frontier.is_empty()) {
            edges += 1;
            let side = usize::from(self.frontiers[0].len() > self.frontiers[1].len());
            if self.advance(side) {
                return Some(edges);
            }
        }
        None
    }

    /// One level further from one side; whether it met the other.
    fn advance(&mut self, side: usize) -> bool {
        self.next.clear();
        let [first, second] = &mut self.reached;
        let (mine, other) = if side == 0 { (first, second) } else { (second, first) };
        for node in &self.frontiers[side] {
            for neighbour in self.rows[side].targets(*node) {
                let at = *neighbour as usize;
                if other.marks[at] == other.search {
                    return true;
                }
                if mine.marks[at] != mine.search {
                    mine.marks[at] = mine.search;
                    self.next.push(*neighbour);
                }
            }
        }
        std::mem::swap(&mut self.frontiers[side], &mut self.next);
        false
    }
}
