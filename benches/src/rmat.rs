//! RMAT graphs: skewed like those of the world (Chakrabarti, Zhan, Faloutsos
//! 2004), with the parameters of Graph500 and permuted ids.

use crate::random::Random;

/// Edges for each node.
pub const EDGE_FACTOR: usize = 16;
/// Chances of the quadrants, in 1/100: source low and target low, target high,
/// source high.
const QUADRANTS: [u64; 3] = [57, 19, 19];

/// A directed graph as a list of edges, duplicates and loops included.
#[derive(Clone, Debug)]
pub struct EdgeList {
    /// The number of nodes.
    pub nodes: u32,
    /// Source and target of every edge.
    pub edges: Vec<(u32, u32)>,
}

impl EdgeList {
    /// A graph of `2^scale` nodes.
    #[must_use]
    pub fn rmat(scale: u32, seed: u64) -> Self {
        let nodes = 1_u32 << scale;
        let mut random = Random::new(seed);
        let mut names: Vec<u32> = (0..nodes).collect();
        for last in (1..names.len()).rev() {
            names.swap(last, random.below(last as u64 + 1) as usize);
        }
        let edges = (0..nodes as usize * EDGE_FACTOR)
            .map(|_| {
                let (source, target) = rmat_edge(scale, &mut random);
                (names[source], names[target])
            })
            .collect();
        Self { nodes, edges }
    }

    /// The same graph without duplicates, in the order of the first ones.
    #[must_use]
    pub fn deduplicated(&self) -> Self {
        let mut order: Vec<u32> = (0..self.edges.len() as u32).collect();
        order.sort_unstable_by_key(|at| (self.edges[*at as usize], *at));
        order.dedup_by_key(|at| self.edges[*at as usize]);
        order.sort_unstable();
        let edges = order.into_iter().map(|at| self.edges[at as usize]).collect();
        Self { nodes: self.nodes, edges }
    }
}

fn rmat_edge(scale: u32, random: &mut Random) -> (usize, usize) {
    let (mut source, mut target) = (0, 0);
    for _ in 0..scale {
        let draw = random.below(100);
        let [a, b, c] = QUADRANTS;
        let (low, right) = match draw {
            draw if draw < a => (0, 0),
            draw if draw < a + b => (0, 1),
            draw if draw < a + b + c => (1, 0),
            _ => (1, 1),
        };
        source = source << 1 | low;
        target = target << 1 | right;
    }
    (source, target)
}
