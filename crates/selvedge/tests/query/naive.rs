//! The naive evaluation of a pipeline: every step makes a list of whole ways.

use std::cmp::Ordering;

use selvedge::prelude::*;

use crate::graph::{Known, KnownEdge};
use crate::shape::{FieldShape, LABELS, Start, StepShape, TYPES, Test};

/// Ways beyond which an evaluation is not worth its while.
const WAYS_MAX: usize = 3_000;

/// A way: its nodes, and the edges between.
#[derive(Clone, Debug)]
pub(crate) struct NaiveWay {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) edges: Vec<KnownEdge>,
}

impl NaiveWay {
    pub(crate) fn end(&self) -> NodeId {
        *self.nodes.last().expect("a way has a node")
    }
}

fn kind(value: &Value) -> &'static str {
    match value.type_name() {
        "i64" | "u64" | "f64" => "number",
        other => other,
    }
}

fn ordered(value: &Value, operand: &Value, test: fn(Ordering) -> bool) -> bool {
    kind(value) == kind(operand) && test(value.total_cmp(operand))
}

fn holds(test: &Test, value: Option<&Value>) -> bool {
    let some = |test: &dyn Fn(&Value) -> bool| value.is_some_and(test);
    match test {
        Test::Eq(operand) => some(&|value| value.total_cmp(operand).is_eq()),
        Test::Ne(operand) => some(&|value| value.total_cmp(operand).is_ne()),
        Test::Gt(operand) => some(&|value| ordered(value, operand, Ordering::is_gt)),
        Test::Gte(operand) => some(&|value| ordered(value, operand, Ordering::is_ge)),
        Test::Lt(operand) => some(&|value| ordered(value, operand, Ordering::is_lt)),
        Test::Lte(operand) => some(&|value| ordered(value, operand, Ordering::is_le)),
        Test::Between(least, most) => some(&|value| {
            ordered(value, least, Ordering::is_ge) && ordered(value, most, Ordering::is_le)
        }),
        Test::Within(all) => some(&|value| all.iter().any(|at| value.total_cmp(at).is_eq())),
        Test::Prefix(text) => some(&|value| value.as_str().is_some_and(|v| v.starts_with(text))),
        Test::Substring(text) => some(&|value| value.as_str().is_some_and(|v| v.contains(text))),
        Test::Contains(operand) => some(&|value| {
            value.as_list().is_some_and(|all| all.iter().any(|at| at.total_cmp(operand).is_eq()))
        }),
        Test::Exists => value.is_some(),
        Test::Absent => value.is_none(),
        Test::And(a, b) => holds(a, value) && holds(b, value),
        Test::Or(a, b) => holds(a, value) || holds(b, value),
        Test::Not(a) => !holds(a, value),
    }
}

impl Known {
    pub(crate) fn field(&self, field: FieldShape, way: &NaiveWay) -> Option<Value> {
        let node = self.node(way.end()).expect("a way leads to nodes that exist");
        match field {
            FieldShape::Node(at) => node.fields[at].clone(),
            FieldShape::Edge => way.edges.last()?.value.clone(),
            FieldShape::EdgeType => Some(TYPES[way.edges.last()?.kind].into()),
            FieldShape::Label => Some(LABELS[node.label].into()),
            FieldShape::Key => Some(node.key.as_str().into()),
            FieldShape::Id => Some(node.id.get().into()),
        }
    }

    /// The nodes that exist with a label: own ones last.
    fn scan(&self, label: usize) -> Vec<NodeId> {
        let with_label = self.nodes.iter().filter(|node| node.label == label);
        let (own, mut old): (Vec<_>, Vec<_>) = with_label.partition(|node| node.is_own);
        old.sort_by_key(|node| node.id);
        old.into_iter().chain(own).map(|node| node.id).collect()
    }

    fn start(&self, start: &Start, ids: &[NodeId]) -> Vec<NaiveWay> {
        let at = |place: &usize| ids[*place % ids.len()];
        let found = match start {
            Start::Node(place) => vec![at(place)],
            Start::Nodes(places) => places.iter().map(at).collect(),
            Start::Label(label) => self.scan(*label),
            Start::Key(label, key) => {
                let key = format!("k{key}");
                let mut nodes = self.nodes.iter();
                let node = nodes.find(|node| node.label == *label && node.key == key);
                node.map(|node| node.id).into_iter().collect()
            }
            Start::All => (0..LABELS.len()).flat_map(|label| self.scan(label)).collect(),
        };
        let exists = found.into_iter().filter(|id| self.node(*id).is_some());
        exists.map(|id| NaiveWay { nodes: vec![id], edges: Vec::new() }).collect()
    }

    fn hop(
        &self,
        way: &NaiveWay,
        direction: Direction,
        kind: Option<usize>,
        test: Option<&Test>,
    ) -> Vec<NaiveWay> {
        let from = way.end();
        let mut found = Vec::new();
        for one in [Direction::Out, Direction::In] {
            if direction != one && direction != Direction::Both {
                continue;
            }
            let ends = |edge: &KnownEdge| match one {
                Direction::Out => (edge.from, edge.to),
                _ => (edge.to, edge.from),
            };
            let mut edges: Vec<_> = self.edges.iter().filter(|edge| ends(edge).0 == from).collect();
            edges.retain(|edge| kind.is_none_or(|kind| edge.kind == kind));
            edges.retain(|edge| test.is_none_or(|test| holds(test, edge.value.as_ref())));
            edges.sort_by_key(|edge| (edge.kind, ends(edge).1, edge.edge.id));
            for edge in edges {
                let mut way = way.clone();
                way.nodes.push(ends(edge).1);
                way.edges.push(edge.clone());
                found.push(way);
            }
        }
        found
    }

    /// `None` if there are too many ways.
    fn repeat(
        &self,
        ways: Vec<NaiveWay>,
        body: &[StepShape],
        (from, to): (u32, u32),
    ) -> Option<Vec<NaiveWay>> {
        let mut found = Vec::new();
        for way in ways {
            let mut level = vec![way];
            for times in 0..=to {
                if times >= from {
                    found.extend(level.iter().cloned());
                }
                if times < to {
                    level = self.run(level, body)?;
                }
                if level.len() + found.len() > WAYS_MAX {
                    return None;
                }
            }
        }
        Some(found)
    }

    fn sorted(&self, ways: &mut [NaiveWay], keys: &[(FieldShape, bool)]) {
        ways.sort_by(|a, b| {
            let directed = |order: Ordering, desc: bool| if desc { order.reverse() } else { order };
            for (field, desc) in keys {
                let order = match (self.field(*field, a), self.field(*field, b)) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    (a, b) => a.is_some().cmp(&b.is_some()),
                };
                if order.is_ne() {
                    return directed(order, *desc);
                }
            }
            directed(a.end().cmp(&b.end()), keys.last().is_some_and(|(_, desc)| *desc))
        });
    }

    fn run(&self, mut ways: Vec<NaiveWay>, steps: &[StepShape]) -> Option<Vec<NaiveWay>> {
        for (place, step) in steps.iter().enumerate() {
            let passes = |field: FieldShape, test: &Test, way: &NaiveWay| {
                holds(test, self.field(field, way).as_ref())
            };
            // What a repeat behind it repeats is done there.
            if repeated(steps, place) {
                continue;
            }
            match step {
                StepShape::Hop(direction, kinds, test) => {
                    let mut each: Vec<Option<usize>> = Vec::new();
                    match kinds {
                        None => each.push(None),
                        Some(kinds) => kinds.iter().map(|kind| Some(*kind)).for_each(|kind| {
                            if !each.contains(&kind) {
                                each.push(kind);
                            }
                        }),
                    }
                    let hop = |way| {
                        let along =
                            |kind: &Option<usize>| self.hop(way, *direction, *kind, test.as_ref());
                        each.iter().flat_map(along).collect::<Vec<_>>()
                    };
                    ways = ways.iter().flat_map(hop).collect();
                }
                StepShape::Has(field, test) => ways.retain(|way| passes(*field, test, way)),
                StepShape::Either(f, a, g, b) => {
                    ways.retain(|way| passes(*f, a, way) || passes(*g, b, way));
                }
                StepShape::Filter(rest) => ways.retain(|way| way.end().get() % 2 == *rest),
                StepShape::Repeat(from, to) => {
                    let body = &steps[hop_before(steps, place)..place];
                    ways = self.repeat(ways, body, (*from, *to))?;
                }
                StepShape::RepeatSteps(from, to, body) => {
                    ways = self.repeat(ways, body, (*from, *to))?;
                }
                StepShape::Dedup => {
                    let mut seen = Vec::new();
                    ways.retain(|way| {
                        let is_new = !seen.contains(&way.end());
                        seen.push(way.end());
                        is_new
                    });
                }
                StepShape::Order(keys) => self.sorted(&mut ways, keys),
                StepShape::Skip(skipped) => drop(ways.drain(..ways.len().min(*skipped as usize))),
                StepShape::Limit(limit) => ways.truncate(*limit as usize),
            }
            if ways.len() > WAYS_MAX {
                return None;
            }
        }
        Some(ways)
    }

    /// What a pipeline finds; `None` if that is too much.
    pub(crate) fn evaluate(
        &self,
        start: &Start,
        steps: &[StepShape],
        ids: &[NodeId],
    ) -> Option<Vec<NaiveWay>> {
        self.run(self.start(start, ids), steps)
    }
}

fn hop_before(steps: &[StepShape], place: usize) -> usize {
    let mut before = (0..place).rev();
    before.find(|at| matches!(steps[*at], StepShape::Hop(..))).expect("a hop before the repeat")
}

/// Whether a repeat behind this step repeats it.
fn repeated(steps: &[StepShape], place: usize) -> bool {
    let repeat = (place + 1..steps.len()).find(|at| {
        !matches!(steps[*at], StepShape::Has(..) | StepShape::Either(..) | StepShape::Filter(_))
    });
    let Some(at) = repeat.filter(|at| matches!(steps[*at], StepShape::Repeat(..))) else {
        return false;
    };
    place >= hop_before(steps, at)
}
