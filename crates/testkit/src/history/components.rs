//! Cycles of a directed graph, by its strongly connected components (Tarjan).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

/// An edge, and what it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: usize,
}

/// A directed graph.
pub(super) struct Digraph {
    /// Sorted by their sources.
    edges: Vec<Edge>,
    /// Where the edges of each vertex begin, and those of the last end.
    offsets: Vec<usize>,
}

/// Vertices of a component from which its shortest cycle is looked for.
const TRIES: usize = 32;
/// Components of which a cycle is told.
const CYCLES_MAX: usize = 20;

/// A vertex under way: which, and which of its edges comes next.
struct Frame {
    vertex: usize,
    next: usize,
}

const UNSEEN: usize = usize::MAX;

impl Digraph {
    pub(super) fn new(vertices: usize, mut edges: Vec<Edge>) -> Self {
        edges.sort_by_key(|edge| edge.from);
        let mut offsets = vec![0; vertices + 1];
        for edge in &edges {
            offsets[edge.from + 1] += 1;
        }
        for vertex in 0..vertices {
            offsets[vertex + 1] += offsets[vertex];
        }
        Self { edges, offsets }
    }

    fn edges_of(&self, vertex: usize) -> &[Edge] {
        &self.edges[self.offsets[vertex]..self.offsets[vertex + 1]]
    }

    /// A short cycle of each component that has one, by the labels of its edges.
    pub(super) fn cycles(&self) -> Vec<Vec<usize>> {
        let knots = self.components().into_iter().take(CYCLES_MAX);
        knots.filter_map(|knot| self.shortest_cycle(&knot)).collect()
    }

    /// The components of more than one vertex.
    fn components(&self) -> Vec<Vec<usize>> {
        let vertices = self.offsets.len() - 1;
        let (mut index, mut low) = (vec![UNSEEN; vertices], vec![0; vertices]);
        let mut is_open = vec![false; vertices];
        let (mut open, mut found, mut count) = (Vec::new(), Vec::new(), 0);
        for root in 0..vertices {
            if index[root] != UNSEEN {
                continue;
            }
            let mut path = vec![Frame { vertex: root, next: 0 }];
            while let Some(Frame { vertex, next }) = path.last_mut() {
                let vertex = *vertex;
                if *next == 0 {
                    (index[vertex], low[vertex]) = (count, count);
                    count += 1;
                    open.push(vertex);
                    is_open[vertex] = true;
                }
                if let Some(edge) = self.edges_of(vertex).get(*next) {
                    *next += 1;
                    if index[edge.to] == UNSEEN {
                        path.push(Frame { vertex: edge.to, next: 0 });
                    } else if is_open[edge.to] {
                        low[vertex] = low[vertex].min(index[edge.to]);
                    }
                    continue;
                }
                path.pop();
                if let Some(parent) = path.last() {
                    low[parent.vertex] = low[parent.vertex].min(low[vertex]);
                }
                if low[vertex] == index[vertex] {
                    let place = open.iter().rposition(|other| *other == vertex);
                    let component = open.split_off(place.expect("a root is open until here"));
                    component.iter().for_each(|member| is_open[*member] = false);
                    if component.len() > 1 {
                        found.push(component);
                    }
                }
            }
        }
        found
    }

    fn shortest_cycle(&self, component: &[usize]) -> Option<Vec<usize>> {
        let members: HashSet<_> = component.iter().copied().collect();
        let starts = component.iter().take(TRIES);
        let cycles = starts.filter_map(|start| self.cycle_through(*start, &members));
        cycles.min_by_key(Vec::len)
    }

    fn cycle_through(&self, start: usize, members: &HashSet<usize>) -> Option<Vec<usize>> {
        let mut came_by: HashMap<usize, Edge> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(vertex) = queue.pop_front() {
            for edge in self.edges_of(vertex).iter().filter(|edge| members.contains(&edge.to)) {
                if edge.to == start {
                    let mut labels = vec![edge.label];
                    let mut at = edge.from;
                    while at != start {
                        let edge = came_by[&at];
                        labels.push(edge.label);
                        at = edge.from;
                    }
                    labels.reverse();
                    return Some(labels);
                }
                if let Entry::Vacant(unmet) = came_by.entry(edge.to) {
                    unmet.insert(*edge);
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }
}
