//! Shortest paths for engines that have no search of their own: level by level from both
//! ends, the smaller frontier first.

use anyhow::Result;
use selvedge_benches::walk::Neighbourhoods;

/// Finds how far apart nodes are.
pub struct Distances<'a, G> {
    /// Along the edges, and against them.
    graphs: [&'a G; 2],
    /// The number of the search that reached a node last, from each end.
    marks: [Vec<u32>; 2],
    search: u32,
    frontiers: [Vec<u32>; 2],
    next: Vec<u32>,
}

impl<'a, G: Neighbourhoods> Distances<'a, G> {
    /// Along `out`, and backwards along `into`.
    pub fn new(out: &'a G, into: &'a G) -> Self {
        let marks = || vec![0; out.nodes() as usize];
        let (marks, frontiers) = ([marks(), marks()], Default::default());
        Self { graphs: [out, into], marks, search: 0, frontiers, next: Vec::new() }
    }

    /// The number of edges from one node to another; `None` without a path.
    pub fn between(&mut self, from: u32, to: u32) -> Result<Option<u32>> {
        if from == to {
            return Ok(Some(0));
        }
        self.search += 1;
        for (side, end) in [from, to].into_iter().enumerate() {
            self.frontiers[side] = vec![end];
            self.marks[side][end as usize] = self.search;
        }
        let mut edges = 0;
        while self.frontiers.iter().all(|frontier| !frontier.is_empty()) {
            edges += 1;
            let side = usize::from(self.frontiers[0].len() > self.frontiers[1].len());
            if self.advance(side)? {
                return Ok(Some(edges));
            }
        }
        Ok(None)
    }

    /// One level further from one end; whether it met the other.
    fn advance(&mut self, side: usize) -> Result<bool> {
        self.next.clear();
        for node in &self.frontiers[side] {
            for neighbour in self.graphs[side].neighbours(*node)? {
                let at = neighbour as usize;
                if self.marks[1 - side][at] == self.search {
                    return Ok(true);
                }
                if self.marks[side][at] != self.search {
                    self.marks[side][at] = self.search;
                    self.next.push(neighbour);
                }
            }
        }
        std::mem::swap(&mut self.frontiers[side], &mut self.next);
        Ok(false)
    }
}
