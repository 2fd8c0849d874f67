//! The graph workloads, written once for whatever has neighbours.

use crate::Outcome;
use crate::measure::Done;
use crate::random::Random;

const UNREACHED: u32 = u32::MAX;
/// The node that the search starts from is looked for among so many.
const START_CANDIDATES: u32 = 5_000;
const DAMPING: f64 = 0.85;

/// Nodes numbered from 0, and the edges out of each.
pub trait Neighbourhoods {
    /// The number of nodes.
    fn nodes(&self) -> u32;

    /// The targets of the edges out of a node, once for each edge.
    ///
    /// # Errors
    /// Those of the database.
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>>;

    /// The same for each of these nodes, in their order.
    ///
    /// # Errors
    /// Those of the database.
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>>;
}

/// Visits every edge in the order of the nodes.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn sweep(graph: &impl Neighbourhoods) -> Outcome<Done> {
    let (mut edges, mut sum) = (0, 0_u64);
    graph.each(0..graph.nodes())?.for_each(|(_, neighbours)| {
        edges += neighbours.len() as u64;
        sum += neighbours.fold(0, |sum, neighbour| sum + u64::from(neighbour));
    });
    Ok(Done::new(edges, sum))
}

/// As [`sweep`], with a call for each node.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn sweep_by_calls(graph: &impl Neighbourhoods) -> Outcome<Done> {
    let (mut edges, mut sum) = (0, 0_u64);
    for node in 0..graph.nodes() {
        let neighbours = graph.neighbours(node)?;
        edges += neighbours.len() as u64;
        sum += neighbours.fold(0, |sum, neighbour| sum + u64::from(neighbour));
    }
    Ok(Done::new(edges, sum))
}

/// The node with the most edges out among the first few thousand.
///
/// # Errors
/// Those of the database.
pub fn start_of_search(graph: &impl Neighbourhoods) -> Outcome<u32> {
    let mut best = (0, 0);
    for node in 0..graph.nodes().min(START_CANDIDATES) {
        let degree = graph.neighbours(node)?.len();
        if degree > best.0 {
            best = (degree, node);
        }
    }
    Ok(best.1)
}

/// Breadth-first search, top down, level by level. The work is the edges it
/// looked at; the checksum mixes how many nodes it reached and their depths.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn breadth_first(graph: &impl Neighbourhoods, start: u32) -> Outcome<Done> {
    let mut depths = vec![UNREACHED; graph.nodes() as usize];
    let (mut frontier, mut next) = (vec![start], Vec::new());
    depths[start as usize] = 0;
    let (mut depth, mut reached, mut edges, mut depths_sum) = (0, 0, 0, 0);
    while !frontier.is_empty() {
        reached += frontier.len() as u64;
        depths_sum += frontier.len() as u64 * u64::from(depth);
        depth += 1;
        graph.each(frontier.iter().copied())?.for_each(|(_, neighbours)| {
            edges += neighbours.len() as u64;
            neighbours.for_each(|neighbour| {
                let place = &mut depths[neighbour as usize];
                if *place == UNREACHED {
                    *place = depth;
                    next.push(neighbour);
                }
            });
        });
        std::mem::swap(&mut frontier, &mut next);
        next.clear();
    }
    Ok(Done::new(edges, reached << 32 | depths_sum))
}

/// As [`breadth_first`], with one queue and a call for each node.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn breadth_first_by_calls(graph: &impl Neighbourhoods, start: u32) -> Outcome<Done> {
    let mut depths = vec![UNREACHED; graph.nodes() as usize];
    let mut queue = Vec::with_capacity(graph.nodes() as usize);
    depths[start as usize] = 0;
    queue.push(start);
    let (mut at, mut edges, mut depths_sum) = (0, 0, 0);
    while let Some(node) = queue.get(at).copied() {
        at += 1;
        let depth = depths[node as usize];
        depths_sum += u64::from(depth);
        let neighbours = graph.neighbours(node)?;
        edges += neighbours.len() as u64;
        neighbours.for_each(|neighbour| {
            let place = &mut depths[neighbour as usize];
            if *place == UNREACHED {
                *place = depth + 1;
                queue.push(neighbour);
            }
        });
    }
    Ok(Done::new(edges, (queue.len() as u64) << 32 | depths_sum))
}

/// Some turns of PageRank by pushing. The work is the edges pushed along; the
/// checksum is the sum of the ranks, in millionths.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn page_rank(graph: &impl Neighbourhoods, turns: u32) -> Outcome<Done> {
    let nodes = graph.nodes() as usize;
    let base = (1.0 - DAMPING) / nodes as f64;
    let mut ranks = vec![1.0 / nodes as f64; nodes];
    let mut edges = 0;
    for _ in 0..turns {
        let mut next = vec![base; nodes];
        graph.each(0..nodes as u32)?.for_each(|(node, neighbours)| {
            let rank = ranks[node as usize];
            let degree = neighbours.len();
            edges += degree as u64;
            let share = DAMPING * rank / degree.max(1) as f64;
            neighbours.for_each(|neighbour| next[neighbour as usize] += share);
        });
        ranks = next;
    }
    Ok(Done::new(edges, (ranks.iter().sum::<f64>() * 1e6).round() as u64))
}

/// All neighbours of random nodes. The work is the nodes.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn one_hop(graph: &impl Neighbourhoods, random: &mut Random, times: u64) -> Outcome<Done> {
    let nodes = u64::from(graph.nodes());
    let mut sum = 0_u64;
    for _ in 0..times {
        let neighbours = graph.neighbours(random.below(nodes) as u32)?;
        sum = neighbours.fold(sum, |sum, neighbour| sum + u64::from(neighbour));
    }
    Ok(Done::new(times, sum))
}

/// All neighbours of all neighbours of random nodes. The work is the nodes.
///
/// # Errors
/// Those of the database.
#[inline(never)]
pub fn two_hop(graph: &impl Neighbourhoods, random: &mut Random, times: u64) -> Outcome<Done> {
    let nodes = u64::from(graph.nodes());
    let mut sum = 0_u64;
    for _ in 0..times {
        for middle in graph.neighbours(random.below(nodes) as u32)? {
            let neighbours = graph.neighbours(middle)?;
            sum = neighbours.fold(sum, |sum, neighbour| sum + u64::from(neighbour));
        }
    }
    Ok(Done::new(times, sum))
}
