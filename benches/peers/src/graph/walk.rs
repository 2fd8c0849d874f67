//! Walks over a graph, the same code for every engine.

use anyhow::Result;
use selvedge_benches::measure::Done;
use selvedge_benches::random::Random;
use selvedge_benches::walk::{self, Neighbourhoods};

/// Turns of PageRank.
const TURNS: u32 = 3;

/// A walk. Its work is edges, or starting nodes where it says hops.
#[derive(Clone, Copy)]
pub enum Walk {
    /// Every edge in the order of the nodes.
    Sweep,
    /// Breadth-first search, top down.
    BreadthFirst { start: u32 },
    /// By pushing.
    PageRank,
    /// All neighbours of random nodes.
    OneHop { seed: u64, times: u64 },
    /// All neighbours of all neighbours of random nodes, once for each way there.
    TwoHop { seed: u64, times: u64 },
    /// One hop further.
    ThreeHop { seed: u64, times: u64 },
}

impl Walk {
    /// Walks.
    pub fn over(self, graph: &impl Neighbourhoods) -> Result<Done> {
        Ok(match self {
            Self::Sweep => walk::sweep(graph)?,
            Self::BreadthFirst { start } => walk::breadth_first(graph, start)?,
            Self::PageRank => walk::page_rank(graph, TURNS)?,
            Self::OneHop { seed, times } => walk::one_hop(graph, &mut Random::new(seed), times)?,
            Self::TwoHop { seed, times } => walk::two_hop(graph, &mut Random::new(seed), times)?,
            Self::ThreeHop { seed, times } => three_hop(graph, &mut Random::new(seed), times)?,
        })
    }

    /// Whether two engines came to the same result. Ranks are sums of fractions in whatever
    /// order an engine keeps its edges; they are told in millionths.
    pub fn agree(self, one: Done, other: Done) -> bool {
        let tolerance = u64::from(matches!(self, Self::PageRank));
        one.work == other.work && one.check.abs_diff(other.check) <= tolerance
    }
}

#[inline(never)]
fn three_hop(graph: &impl Neighbourhoods, random: &mut Random, times: u64) -> Result<Done> {
    let nodes = u64::from(graph.nodes());
    let mut sum = 0_u64;
    for _ in 0..times {
        for first in graph.neighbours(random.below(nodes) as u32)? {
            for second in graph.neighbours(first)? {
                let neighbours = graph.neighbours(second)?;
                sum = neighbours.fold(sum, |sum, neighbour| sum + u64::from(neighbour));
            }
        }
    }
    Ok(Done::new(times, sum))
}
