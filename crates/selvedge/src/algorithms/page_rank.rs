//! PageRank (Brin and Page, 1998), by power iteration.

use selvedge_base::NodeId;

use crate::algorithms::error::AlgorithmError;
use crate::algorithms::numbering::Numbering;
use crate::algorithms::selection::Algorithms;
use crate::error::Result;

/// How ranks are computed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PageRank {
    /// How likely it is to follow an edge rather than to jump anywhere, 0 to 1.
    pub damping: f64,
    /// Iterations at most.
    pub iterations_max: u32,
    /// Ends when an iteration changes all ranks together by no more than this.
    pub tolerance: f64,
}

impl Default for PageRank {
    fn default() -> Self {
        Self { damping: 0.85, iterations_max: 100, tolerance: 1e-9 }
    }
}

/// The rank of each node. They add up to 1.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ranks {
    /// In the order of ids.
    nodes: Vec<NodeId>,
    ranks: Vec<f64>,
    iterations: u32,
}

impl Ranks {
    /// The rank of a node; `None` if it does not take part.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<f64> {
        self.nodes.binary_search(&node).ok().map(|place| self.ranks[place])
    }

    /// All nodes in the order of their ids, with their ranks.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, f64)> {
        self.nodes.iter().copied().zip(self.ranks.iter().copied())
    }

    /// The nodes with the highest ranks, the highest first; at the same rank in the
    /// order of their ids.
    #[must_use]
    pub fn top(&self, count: usize) -> Vec<(NodeId, f64)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        all.truncate(count);
        all
    }

    /// How many iterations it took.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl Algorithms<'_> {
    /// The PageRank of each node: where one is found who follows edges at random,
    /// each of a node's edges as likely as the others, and now and then jumps to
    /// any node. From a node without edges one jumps always. The same graph gives
    /// the same ranks to the last bit. Takes about 40 bytes a node and 4 an edge.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::algorithms::PageRank;
    ///
    /// let db = Db::in_memory();
    /// let ids: Vec<_> = (0..3).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
    /// for (from, to) in [(0, 2), (1, 2), (2, 0)] {
    ///     db.link_nodes(ids[from], "TO", ids[to], doc! {})?;
    /// }
    /// let snapshot = db.snapshot()?;
    /// let ranks = snapshot.algorithms().page_rank(&PageRank::default())?;
    /// assert_eq!(ranks.top(2).iter().map(|(node, _)| *node).collect::<Vec<_>>(), [ids[2], ids[0]]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`AlgorithmError::Option`], if the damping does not lie between 0 and 1;
    /// [`AlgorithmError::TooManyNodes`].
    pub fn page_rank(&self, options: &PageRank) -> Result<Ranks> {
        let PageRank { damping, iterations_max, tolerance } = *options;
        if !(0.0..=1.0).contains(&damping) {
            let expected = "it is a probability, 0 to 1";
            let what = "the damping";
            return Err(
                AlgorithmError::Option { what, given: damping.to_string(), expected }.into()
            );
        }
        if tolerance.is_nan() {
            let (what, expected) = ("the tolerance", "it is a number");
            return Err(
                AlgorithmError::Option { what, given: tolerance.to_string(), expected }.into()
            );
        }
        let numbering = Numbering::of(self)?;
        let count = numbering.len();
        // From whom each node is reached: its rank comes from theirs.
        let sources = numbering.rows(&self.links_along(self.direction.reverse()));
        let mut degrees = vec![0_u32; count];
        sources.all().iter().for_each(|node| degrees[*node as usize] += 1);
        let mut ranks = vec![1.0 / count as f64; count];
        let (mut shares, mut next) = (vec![0.0; count], vec![0.0; count]);
        let mut iterations = 0;
        while iterations < iterations_max && count > 0 {
            iterations += 1;
            let mut stranded = 0.0;
            for ((share, rank), degree) in shares.iter_mut().zip(&ranks).zip(&degrees) {
                if *degree == 0 {
                    stranded += rank;
                } else {
                    *share = rank / f64::from(*degree);
                }
            }
            let jumped = (1.0 - damping + damping * stranded) / count as f64;
            let mut change = 0.0;
            for (node, next) in next.iter_mut().enumerate() {
                let row = sources.row(node).iter();
                let followed: f64 = row.map(|source| shares[*source as usize]).sum();
                *next = jumped + damping * followed;
                change += (*next - ranks[node]).abs();
            }
            std::mem::swap(&mut ranks, &mut next);
            if change <= tolerance {
                break;
            }
        }
        Ok(Ranks { nodes: numbering.into_ids(), ranks, iterations })
    }
}
