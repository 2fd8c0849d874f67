//! Graphs on selvedge.

use selvedge::AdjacencyView;
use selvedge::prelude::*;

use crate::Outcome;
use crate::measure::Done;
use crate::random::Random;
use crate::rmat::EdgeList;
use crate::walk::Neighbourhoods;

const LABEL: &str = "Node";
/// The type of all edges.
pub const EDGE_TYPE: &str = "LINK";
const NODES_PER_TRANSACTION: usize = 10_000;

/// A database with a graph.
#[derive(Debug)]
pub struct GraphStore {
    db: Db,
    first: u64,
    nodes: u32,
}

impl GraphStore {
    /// A database with so many nodes and no edges; `multi` says whether several
    /// edges may run between the same two nodes.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new(nodes: u32, multi: bool) -> Outcome<Self> {
        Self::new_in(Db::in_memory(), nodes, multi)
    }

    /// The same in a database that is there, and empty.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new_in(db: Db, nodes: u32, multi: bool) -> Outcome<Self> {
        let def = if multi { EdgeTypeDef::multi() } else { EdgeTypeDef::unique() };
        db.define_edge_type(EDGE_TYPE, def)?;
        let mut ids = Vec::with_capacity(nodes as usize);
        while ids.len() < nodes as usize {
            db.transaction(|ctx| {
                for _ in 0..NODES_PER_TRANSACTION.min(nodes as usize - ids.len()) {
                    ids.push(ctx.insert_node(LABEL, None, doc! {})?.get());
                }
                Ok::<_, Error>(())
            })?;
        }
        let first = ids.first().copied().unwrap_or(0);
        let consecutive = ids.iter().zip(first..).all(|(id, expected)| *id == expected);
        assert!(consecutive, "ids of one loader are consecutive");
        Ok(Self { db, first, nodes })
    }

    /// A database with this graph.
    ///
    /// # Errors
    /// Those of the database.
    pub fn load(list: &EdgeList, multi: bool, edges_per_transaction: usize) -> Outcome<Self> {
        let store = Self::new(list.nodes, multi)?;
        store.link_all(list, edges_per_transaction)?;
        Ok(store)
    }

    /// Lays edges in memory in the order of nodes, as [`Db::compact`] does.
    ///
    /// # Errors
    /// Those of the database.
    pub fn compact(&self) -> Outcome<usize> {
        self.db.compact()
    }

    /// Links all edges, so many in each transaction.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn link_all(&self, list: &EdgeList, edges_per_transaction: usize) -> Outcome<Done> {
        for edges in list.edges.chunks(edges_per_transaction) {
            self.db.transaction(|ctx| {
                for (source, target) in edges {
                    ctx.link_nodes(self.id(*source), EDGE_TYPE, self.id(*target), doc! {})?;
                }
                Ok::<_, Error>(())
            })?;
        }
        let edges = self.db.snapshot()?.count_edges(EDGE_TYPE)?;
        Ok(Done::new(edges, edges))
    }

    /// Links all edges of a list at once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn link_together(&self, list: &EdgeList) -> Outcome<Done> {
        let ends = list.edges.iter().map(|(source, target)| (self.id(*source), self.id(*target)));
        let edges = self.db.link_many(EDGE_TYPE, ends)?;
        Ok(Done::new(edges, edges))
    }

    /// Links random nodes, each edge in a transaction of its own.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn link_one_by_one(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        for _ in 0..times {
            let ends = [(); 2].map(|()| self.id(random.below(u64::from(self.nodes)) as u32));
            self.db.link_nodes(ends[0], EDGE_TYPE, ends[1], doc! {})?;
        }
        Ok(Done::new(times, 0))
    }

    /// Adds an edge at every node whose number `every` divides.
    ///
    /// # Errors
    /// Those of the database.
    pub fn disturb(&self, every: u32) -> Outcome<()> {
        for node in (0..self.nodes).step_by(every as usize) {
            self.db.link_nodes(self.id(node), EDGE_TYPE, self.id(node / 2), doc! {})?;
        }
        Ok(())
    }

    /// Adds the same edges to a list; `multi` as in [`GraphStore::new`].
    pub fn disturb_list(list: &mut EdgeList, every: u32, multi: bool) {
        let more = (0..list.nodes).step_by(every as usize).map(|node| (node, node / 2));
        list.edges.extend(more);
        if !multi {
            *list = list.deduplicated();
        }
    }

    /// Shortest paths between random nodes. The checksum is the sum of their
    /// lengths, each plus one.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn shortest_paths(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let snapshot = self.db.snapshot()?;
        let mut sum = 0;
        for _ in 0..times {
            let [from, to] = [(); 2].map(|()| self.id(random.below(u64::from(self.nodes)) as u32));
            let path = snapshot.shortest_path(from, to)?.edge_type(EDGE_TYPE).find();
            sum += path.map_or(0, |path| path.nodes().len() as u64);
        }
        Ok(Done::new(times, sum))
    }

    /// Breadth-first search by the database's own traversal.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn traverse(&self, start: u32) -> Outcome<Done> {
        let snapshot = self.db.snapshot()?;
        let steps = snapshot.traverse(self.id(start))?.edge_type(EDGE_TYPE).depth(1..=u32::MAX);
        let reached = steps.count() as u64;
        Ok(Done::new(reached, reached))
    }

    /// Runs `work` on a snapshot of the graph, following one edge type by name,
    /// or all.
    ///
    /// # Errors
    /// Those of `work`, and those of the database.
    pub fn on_snapshot<T>(
        &self,
        by_name: bool,
        work: impl FnOnce(&SnapshotGraph<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let snapshot = self.db.snapshot()?;
        let edge_type = by_name.then_some(EDGE_TYPE);
        let adjacency = snapshot.adjacency(Direction::Out, edge_type)?;
        work(&SnapshotGraph { store: self, adjacency })
    }

    /// The database itself.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The number of nodes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// The id of a node by its number.
    #[inline]
    #[must_use]
    pub fn id(&self, node: u32) -> NodeId {
        NodeId::new(self.first + u64::from(node))
    }
}

/// A graph at a snapshot.
#[derive(Debug)]
pub struct SnapshotGraph<'a> {
    store: &'a GraphStore,
    /// As is recommended to whom asks for many nodes.
    adjacency: AdjacencyView<'a>,
}

impl Neighbourhoods for SnapshotGraph<'_> {
    fn nodes(&self) -> u32 {
        self.store.nodes
    }

    #[inline]
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>> {
        let first = self.store.first;
        let neighbours = self.adjacency.neighbours(self.store.id(node));
        Ok(neighbours.map(move |neighbour| (neighbour.get() - first) as u32))
    }

    #[inline]
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>> {
        let first = self.store.first;
        let ids = nodes.map(move |node| NodeId::new(first + u64::from(node)));
        let number = move |id: NodeId| (id.get() - first) as u32;
        let each = self.adjacency.neighbours_of_each(ids);
        Ok(each.map(move |(node, neighbours)| (number(node), neighbours.map(number))))
    }
}
