//! The algorithms on the database against petgraph's on a graph that was made from the
//! files.

use std::collections::HashMap;

use petgraph::Undirected;
use petgraph::algo::{dijkstra, page_rank, tarjan_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef as _;
use selvedge::algorithms::{Algorithms, Components, PageRank, Weight};
use selvedge::prelude::*;

use crate::Failure;
use crate::census::Census;
use crate::model::{Hypernym, InstanceHypernym, RELATIONS, Synset};

type Digraph = DiGraph<String, String>;

/// petgraph's graph, and the nodes that its nodes are in a database.
struct Both<'g> {
    graph: &'g Digraph,
    ids: Vec<NodeId>,
}

/// An error if anything differs.
pub(crate) fn check(snapshot: &Snapshot<'_>, census: &Census) -> Result<(), Failure> {
    let all = Both::new(snapshot, &census.graph)?;
    let relations = snapshot.algorithms().label(Synset::LABEL);
    let is_a = relations.clone().edge_type(Hypernym::TYPE).edge_type(InstanceHypernym::TYPE);
    let graph = hypernyms(&census.graph);
    let hypernyms = Both::new(snapshot, &graph)?;

    let below = hypernyms.levels(&is_a.clone().direction(Direction::In), "n00001740")?;
    let related = all.cheapest(&relations, "n02084071")?;
    let components = hypernyms.components(&is_a)?;
    let strong = hypernyms.strong_components(&is_a)?;
    let knots = all.strong_components(&relations)?;
    hypernyms.ranks(&is_a)?;
    ranks_of_petgraph(&graph)?;
    println!(
        "the same as petgraph: {below} levels below entity, costs from dog to {related} synsets, \
         {components} components and {strong} strong ones of hypernyms, {knots} of all relations, \
         PageRank"
    );
    Ok(())
}

/// The same nodes, and of the edges those to what is more general.
fn hypernyms(graph: &Digraph) -> Digraph {
    graph.filter_map(
        |_, key| Some(key.clone()),
        |_, symbol| symbol.starts_with('@').then(|| symbol.clone()),
    )
}

fn differ(what: &str) -> Failure {
    format!("{what} of the database and of petgraph differ").into()
}

/// What a step along a relation costs: each another number, so that none can stand for
/// another.
fn cost(relation: Option<usize>) -> f64 {
    relation.map_or(f64::NAN, |at| (at + 1) as f64)
}

/// Groups of nodes, in one order.
fn sorted(mut groups: Vec<Vec<NodeId>>) -> Vec<Vec<NodeId>> {
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    groups
}

impl<'g> Both<'g> {
    fn new(reader: &impl Read, graph: &'g Digraph) -> Result<Self, Failure> {
        let mut ids = Vec::with_capacity(graph.node_count());
        for key in graph.node_weights() {
            let node = reader.get_node(Synset::LABEL, key)?;
            ids.push(node.ok_or_else(|| format!("the database has no synset {key}"))?.id());
        }
        Ok(Self { graph, ids })
    }

    fn index(&self, key: &str) -> Result<NodeIndex, Failure> {
        let found = self.graph.node_indices().find(|index| self.graph[*index] == key);
        found.ok_or_else(|| format!("the files have no synset {key}").into())
    }

    fn id(&self, index: NodeIndex) -> NodeId {
        self.ids[index.index()]
    }

    /// What can be reached against the edges, and how far away it is: gives the number of
    /// levels.
    fn levels(&self, of: &Algorithms<'_>, start: &str) -> Result<usize, Failure> {
        let start = self.index(start)?;
        let mut reversed = self.graph.clone();
        reversed.reverse();
        let theirs = dijkstra(&reversed, start, None, |_| 1_usize);
        let theirs: HashMap<_, _> =
            theirs.into_iter().map(|(index, level)| (self.id(index), level)).collect();
        let ours = of.levels(self.id(start))?;
        if ours.iter().collect::<HashMap<_, _>>() != theirs {
            return Err(differ("levels"));
        }
        Ok(ours.depth() - 1)
    }

    /// Costs along all relations, forwards and backwards: gives to how many nodes.
    fn cheapest(&self, of: &Algorithms<'_>, start: &str) -> Result<usize, Failure> {
        let start = self.index(start)?;
        let by_symbol: HashMap<_, _> =
            RELATIONS.iter().enumerate().map(|(at, (symbol, _))| (*symbol, at)).collect();
        let by_type: HashMap<_, _> =
            RELATIONS.iter().enumerate().map(|(at, (_, edge_type))| (*edge_type, at)).collect();
        let undirected = self.graph.clone().into_edge_type::<Undirected>();
        let theirs = dijkstra(&undirected, start, None, |edge| {
            cost(by_symbol.get(&**edge.weight()).copied())
        });
        let theirs: HashMap<_, _> =
            theirs.into_iter().map(|(index, cost)| (self.id(index), cost)).collect();
        let weight = Weight::of(|edge| cost(by_type.get(edge.edge_type()).copied()));
        let of = of.clone().direction(Direction::Both);
        let ours = of.cheapest_paths(self.id(start), &weight)?;
        if ours.iter().collect::<HashMap<_, _>>() != theirs {
            return Err(differ("costs"));
        }
        Ok(theirs.len())
    }

    fn components(&self, of: &Algorithms<'_>) -> Result<usize, Failure> {
        let mut sets = UnionFind::new(self.ids.len());
        for edge in self.graph.edge_references() {
            sets.union(edge.source().index(), edge.target().index());
        }
        let mut groups: HashMap<usize, Vec<NodeId>> = HashMap::new();
        for (at, set) in sets.into_labeling().into_iter().enumerate() {
            groups.entry(set).or_default().push(self.ids[at]);
        }
        same_groups(&of.components()?, groups.into_values().collect(), "components")
    }

    fn strong_components(&self, of: &Algorithms<'_>) -> Result<usize, Failure> {
        let theirs = tarjan_scc(self.graph).into_iter();
        let theirs = theirs.map(|group| group.into_iter().map(|index| self.id(index)).collect());
        same_groups(&of.strong_components()?, theirs.collect(), "strong components")
    }

    /// petgraph's own PageRank is another, and takes time by the square of the nodes: this
    /// one is the textbook's, on petgraph's graph.
    fn ranks(&self, of: &Algorithms<'_>) -> Result<(), Failure> {
        let options = PageRank { damping: 0.85, iterations_max: 10, tolerance: -1.0 };
        let ours = of.page_rank(&options)?;
        let count = self.ids.len() as f64;
        let mut ranks = vec![1.0 / count; self.ids.len()];
        for _ in 0..options.iterations_max {
            let stranded: f64 =
                self.graph.externals(petgraph::Outgoing).map(|at| ranks[at.index()]).sum();
            let jumped = (1.0 - options.damping + options.damping * stranded) / count;
            let mut next = vec![jumped; ranks.len()];
            for node in self.graph.node_indices() {
                let targets: Vec<_> = self.graph.neighbors(node).collect();
                for target in &targets {
                    next[target.index()] +=
                        options.damping * ranks[node.index()] / targets.len() as f64;
                }
            }
            ranks = next;
        }
        close(self.ids.iter().map(|id| ours.of(*id)), &ranks)
    }
}

fn same_groups(ours: &Components, theirs: Vec<Vec<NodeId>>, what: &str) -> Result<usize, Failure> {
    if sorted(ours.groups()) != sorted(theirs) {
        return Err(differ(what));
    }
    Ok(ours.len())
}

fn close(ours: impl Iterator<Item = Option<f64>>, theirs: &[f64]) -> Result<(), Failure> {
    let mut pairs = ours.zip(theirs);
    // Relative: most ranks are about one part in 100,000.
    let is_close = |(ours, theirs): (Option<f64>, &f64)| {
        ours.is_some_and(|ours| (ours - theirs).abs() <= 1e-9 * theirs.abs())
    };
    if pairs.all(is_close) { Ok(()) } else { Err(differ("ranks")) }
}

/// petgraph's own PageRank leaves out jumps along edges, and takes several edges for one:
/// where nobody jumps and none are several, it is the same. Of hypernyms among verbs, since
/// it takes time by the square of the nodes.
fn ranks_of_petgraph(hypernyms: &Digraph) -> Result<(), Failure> {
    let verbs = hypernyms.filter_map(
        |_, key| key.starts_with('v').then(|| key.clone()),
        |_, symbol| Some(symbol.clone()),
    );
    let db = Db::in_memory();
    db.transaction(|ctx| {
        for key in verbs.node_weights() {
            ctx.insert_node(Synset::LABEL, key.as_str(), doc! {})?;
        }
        Ok::<_, Error>(())
    })?;
    let snapshot = db.snapshot()?;
    let both = Both::new(&snapshot, &verbs)?;
    db.transaction(|ctx| {
        for edge in verbs.edge_references() {
            let (from, to) = (both.id(edge.source()), both.id(edge.target()));
            ctx.link_nodes(from, Hypernym::TYPE, to, doc! {})?;
        }
        Ok::<_, Error>(())
    })?;
    const ITERATIONS: u32 = 3;
    let options = PageRank { damping: 1.0, iterations_max: ITERATIONS, tolerance: -1.0 };
    let snapshot = db.snapshot()?;
    let ours = snapshot.algorithms().page_rank(&options)?;
    let theirs = page_rank(&verbs, 1.0, ITERATIONS as usize);
    close(both.ids.iter().map(|id| ours.of(*id)), &theirs)
}
