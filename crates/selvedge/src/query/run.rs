//! Running a plan: each step an iterator over the one before, pulled from the end.

use std::collections::VecDeque;
use std::rc::Rc;

use selvedge_base::NodeId;
use selvedge_base::limits::QUERY_HELD_MAX;
use selvedge_graph::{AdjacencyView, Edges, GraphView, LabelScan, Neighbours};

use crate::error::{Error, Result};
use crate::query::condition::Condition;
use crate::query::field::Subject;
use crate::query::plan::{Access, Plan};
use crate::query::position::{Position, Seen, Source, Stream, Tracking, Via};
use crate::query::repeat::Repeat;
use crate::query::sort::Sorted;
use crate::query::step::{Hop, Step};

/// What all steps of a run share.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) tracking: Tracking,
    pub(crate) held_max: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, tracking: Tracking::Nothing, held_max: QUERY_HELD_MAX }
    }

    /// What comes out of a plan.
    pub(crate) fn plan(self, plan: Plan<'a>) -> Result<Stream<'a>> {
        let first = self.access(&plan.access)?;
        Ok(self.steps(first, plan.steps.into()))
    }

    /// What comes out of an access path.
    pub(crate) fn access(self, access: &Access) -> Result<Stream<'a>> {
        let view = self.source.view;
        let found = |id| Ok(Position::start(id));
        Ok(match access {
            Access::Nodes(nodes) => {
                let (nodes, mut at) = (Rc::clone(nodes), 0);
                let all = std::iter::from_fn(move || {
                    at += 1;
                    nodes.get(at - 1).copied()
                });
                Box::new(all.filter(move |id| view.contains(*id)).map(found))
            }
            Access::Key { label, key } => {
                let node = view.by_key(label, key);
                Box::new(node.into_iter().map(move |node| found(node.id())))
            }
            Access::Label { label } => Box::new(view.scan(label).map(found)),
            Access::All => Box::new(AllLabels::new(view).map(found)),
            Access::Index(range) => {
                let nodes = match self.source.indexes {
                    Some(indexes) => indexes.nodes(range)?,
                    // Only who has indexes is given a plan with one.
                    None => Box::new(std::iter::empty()),
                };
                Box::new(nodes.map(|id| id.map(Position::start)))
            }
        })
    }

    /// Puts steps behind a stream.
    pub(crate) fn steps(self, mut stream: Stream<'a>, steps: Vec<Step<'a>>) -> Stream<'a> {
        let mut steps: VecDeque<Step<'a>> = steps.into();
        while let Some(step) = steps.pop_front() {
            stream = match step {
                Step::Hop(hop) => self.hop(stream, &hop),
                Step::Test(condition) => self.test(stream, condition),
                Step::Filter(test) => {
                    let view = self.source.view;
                    keep(stream, move |at| Ok(at.read(&view)?.is_some_and(|node| test(&node))))
                }
                Step::Repeat(body, times) => {
                    let once = self.tracking == Tracking::Nothing && are_made_distinct(&steps);
                    Box::new(Repeat::new(self, stream, body, times, once))
                }
                Step::Distinct => {
                    let mut seen = Seen::new(self.held_max);
                    keep(stream, move |at| seen.is_new(at.node))
                }
                Step::Sort(keys) => {
                    let first = first_wanted(&steps);
                    Box::new(Sorted::new(self, stream, keys, first))
                }
                Step::Skip(nodes) => skip(stream, nodes),
                Step::Limit(nodes) => limit(stream, nodes),
            };
        }
        stream
    }

    fn hop(self, input: Stream<'a>, hop: &Hop) -> Stream<'a> {
        let view = self.source.view;
        let ways = hop.edge_types.iter().map(|of| view.adjacency(hop.direction, of)).collect();
        if hop.edges.is_none() && self.tracking == Tracking::Nothing {
            return Box::new(NodeHop { input, ways, from: None, next_way: 0, around: None });
        }
        let condition = hop.edges.clone();
        Box::new(EdgeHop {
            run: self,
            input,
            ways,
            condition,
            from: None,
            next_way: 0,
            edges: None,
        })
    }

    fn test(self, input: Stream<'a>, condition: Rc<Condition>) -> Stream<'a> {
        let view = self.source.view;
        let reads_node = condition.reads_node();
        keep(input, move |at| {
            let node = if reads_node { at.read(&view)? } else { None };
            Ok(condition.holds(&Subject { node, edge: at.edge() }))
        })
    }
}

/// Whether nodes that come twice are dropped before anybody could tell.
fn are_made_distinct(steps: &VecDeque<Step<'_>>) -> bool {
    let mut behind = steps.iter().skip_while(|at| at.is_test());
    matches!(behind.next(), Some(Step::Distinct))
}

/// How many of the first are wanted by the steps behind a sort.
fn first_wanted(steps: &VecDeque<Step<'_>>) -> Option<usize> {
    let mut skipped = 0_u64;
    for step in steps {
        match step {
            Step::Skip(nodes) => skipped = skipped.saturating_add(*nodes),
            Step::Limit(nodes) => return usize::try_from(skipped.saturating_add(*nodes)).ok(),
            _ => return None,
        }
    }
    None
}

/// Keeps what passes a test.
fn keep<'a>(
    input: Stream<'a>,
    mut test: impl FnMut(&Position<'a>) -> Result<bool> + 'a,
) -> Stream<'a> {
    Box::new(input.filter_map(move |at| match at {
        Ok(at) => match test(&at) {
            Ok(true) => Some(Ok(at)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        },
        error => Some(error),
    }))
}

fn skip(mut input: Stream<'_>, mut nodes: u64) -> Stream<'_> {
    Box::new(std::iter::from_fn(move || {
        while nodes > 0 {
            nodes -= 1;
            if let Err(error) = input.next()? {
                return Some(Err(error));
            }
        }
        input.next()
    }))
}

/// What is beyond the limit is not even looked for.
fn limit(mut input: Stream<'_>, mut nodes: u64) -> Stream<'_> {
    Box::new(std::iter::from_fn(move || {
        nodes = nodes.checked_sub(1)?;
        input.next()
    }))
}

/// The nodes of all labels, label by label.
struct AllLabels<'a> {
    view: GraphView<'a>,
    labels: std::vec::IntoIter<String>,
    scan: Option<LabelScan<'a>>,
}

impl<'a> AllLabels<'a> {
    fn new(view: GraphView<'a>) -> Self {
        Self { view, labels: view.labels().into_iter(), scan: None }
    }
}

impl Iterator for AllLabels<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        loop {
            if let Some(id) = self.scan.as_mut().and_then(Iterator::next) {
                return Some(id);
            }
            self.scan = Some(self.view.scan(&self.labels.next()?));
        }
    }
}

/// To neighbours, when nobody asks for the edges.
struct NodeHop<'a> {
    input: Stream<'a>,
    /// By which edges it leaves a node, one after the other.
    ways: Vec<AdjacencyView<'a>>,
    /// Where it is leaving from.
    from: Option<NodeId>,
    next_way: usize,
    around: Option<Neighbours<'a>>,
}

impl<'a> Iterator for NodeHop<'a> {
    type Item = Result<Position<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(node) = self.around.as_mut().and_then(Iterator::next) {
                return Some(Ok(Position::start(node)));
            }
            if let (Some(from), Some(way)) = (self.from, self.ways.get(self.next_way)) {
                self.around = Some(way.neighbours(from));
                self.next_way += 1;
                continue;
            }
            match self.input.next()? {
                Ok(at) => (self.from, self.next_way) = (Some(at.node), 0),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// To neighbours by way of edges.
struct EdgeHop<'a> {
    run: Run<'a>,
    input: Stream<'a>,
    ways: Vec<AdjacencyView<'a>>,
    condition: Option<Rc<Condition>>,
    from: Option<Position<'a>>,
    next_way: usize,
    edges: Option<Edges<'a>>,
}

impl<'a> EdgeHop<'a> {
    /// The other end of the next edge that passes.
    fn leave(&mut self) -> Result<Option<Position<'a>>> {
        let (Some(from), Some(edges)) = (&self.from, &mut self.edges) else { return Ok(None) };
        for edge in edges.by_ref() {
            let node = if edge.source() == from.node { edge.target() } else { edge.source() };
            let to = Position::start(node);
            if let Some(condition) = &self.condition {
                let read = condition.reads_node();
                let node = if read { to.read(&self.run.source.view)? } else { None };
                if !condition.holds(&Subject { node, edge: Some(edge) }) {
                    continue;
                }
            }
            let via = match self.run.tracking {
                Tracking::Nothing => None,
                Tracking::LastEdge => Some(Via { from: from.node, edge, before: None }),
                Tracking::Path => Some(Via { from: from.node, edge, before: from.via.clone() }),
            };
            return Ok(Some(Position { via: via.map(Rc::new), ..to }));
        }
        self.edges = None;
        Ok(None)
    }
}

impl<'a> Iterator for EdgeHop<'a> {
    type Item = Result<Position<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.leave() {
                Ok(Some(to)) => return Some(Ok(to)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            if let (Some(from), Some(way)) = (&self.from, self.ways.get(self.next_way)) {
                self.next_way += 1;
                match way.edges(from.node) {
                    Ok(edges) => self.edges = Some(edges),
                    Err(error) => return Some(Err(Error::from(error))),
                }
                continue;
            }
            match self.input.next()? {
                Ok(at) => (self.from, self.next_way) = (Some(at), 0),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
