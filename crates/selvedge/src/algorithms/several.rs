//! Several cheapest paths without loops (Yen, 1971).

use std::cmp::Ordering;

use selvedge_base::NodeId;

use crate::algorithms::cheapest::{Search, WeightedPath};
use crate::algorithms::error::AlgorithmError;
use crate::algorithms::selection::Algorithms;
use crate::algorithms::weight::Weight;
use crate::error::{Error, Result};

impl Algorithms<'_> {
    /// The `count` cheapest paths between two nodes, the cheapest first; fewer, if
    /// there are no more. No path passes a node twice, and no two pass the same
    /// nodes: of several edges between two nodes the lightest is taken. At the same
    /// cost they come as they are found, which the same graph gives again.
    ///
    /// Searches about once for each node of each path.
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
    /// let paths = snapshot.algorithms().k_cheapest_paths(ids[0], ids[2], 5, &Weight::field("km"))?;
    /// let costs: Vec<_> = paths.iter().map(|path| path.cost()).collect();
    /// assert_eq!(costs, [10.0, 20.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`cheapest_paths`](Self::cheapest_paths).
    pub fn k_cheapest_paths(
        &self,
        from: NodeId,
        to: NodeId,
        count: usize,
        weight: &Weight<'_>,
    ) -> Result<Vec<WeightedPath>> {
        weight.check()?;
        let links = self.links();
        let search = || Search { target: Some(to), ..Search::new(&links, weight) };
        let mut paths: Vec<WeightedPath> = Vec::new();
        if count == 0 {
            return Ok(paths);
        }
        paths.extend(search().path(from, 0.0)?);
        // What costs more than a number can be; an error if it is needed.
        let mut too_much = None;
        // The cheapest last.
        let mut candidates: Vec<WeightedPath> = Vec::new();
        while let Some(last) = paths.last().filter(|_| paths.len() < count) {
            for spur in 0..last.nodes.len() - 1 {
                let root = &last.nodes[..=spur];
                let mut search = search();
                search.closed_nodes.extend(&root[..spur]);
                let of_root = paths.iter().filter(|path| path.nodes.starts_with(root));
                search.closed_first.extend(of_root.map(|path| path.nodes[spur + 1]));
                let end = match search.path(root[spur], last.costs[spur]) {
                    Ok(Some(end)) => end,
                    Ok(None) => continue,
                    // Another may do.
                    Err(Error::Algorithm(error))
                        if matches!(*error, AlgorithmError::CostOutOfRange { .. }) =>
                    {
                        too_much.get_or_insert(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let candidate = WeightedPath {
                    nodes: [&root[..spur], &end.nodes].concat(),
                    edges: [&last.edges[..spur], &end.edges].concat(),
                    costs: [&last.costs[..spur], &end.costs].concat(),
                };
                if let Err(place) = candidates.binary_search_by(|at| order(&candidate, at)) {
                    candidates.insert(place, candidate);
                }
            }
            match candidates.pop() {
                Some(next) => paths.push(next),
                None => match too_much {
                    Some(error) => return Err(Error::Algorithm(error)),
                    None => break,
                },
            }
        }
        Ok(paths)
    }
}

/// By cost, then by nodes.
fn order(one: &WeightedPath, other: &WeightedPath) -> Ordering {
    one.cost().total_cmp(&other.cost()).then_with(|| one.nodes.cmp(&other.nodes))
}
