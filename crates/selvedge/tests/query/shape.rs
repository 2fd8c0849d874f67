//! What random graphs and pipelines are made of.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option};
use selvedge::query::{
    Predicate, absent, between, contains, eq, exists, gt, gte, lt, lte, ne, not, prefix, substring,
    within,
};
use selvedge::{DateTime, Direction, Value, doc};

pub(crate) const LABELS: [&str; 2] = ["A", "B"];
/// The second is multi.
pub(crate) const TYPES: [&str; 2] = ["T", "U"];
/// Fields of nodes that hold anything; `w` holds an integer, or is absent.
pub(crate) const FIELDS: [&str; 3] = ["v", "in.v", "w"];

/// A node: its label, `v`, `in.v` and `w`.
#[derive(Clone, Debug)]
pub(crate) struct NodeShape {
    pub(crate) label: usize,
    pub(crate) fields: [Option<Value>; 3],
    pub(crate) is_staged: bool,
}

/// An edge between two nodes, by their places, with a `v`.
#[derive(Clone, Debug)]
pub(crate) struct EdgeShape {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: usize,
    pub(crate) value: Option<Value>,
    pub(crate) is_staged: bool,
}

/// What a transaction does before it reads, beside staging what is staged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    DeleteNode(usize),
    DeleteEdge(usize),
    SetNode(usize, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct GraphShape {
    pub(crate) nodes: Vec<NodeShape>,
    pub(crate) edges: Vec<EdgeShape>,
    pub(crate) edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
pub(crate) enum Start {
    Node(usize),
    Nodes(Vec<usize>),
    Label(usize),
    Key(usize, usize),
    All,
}

/// A predicate, as the query and as the naive evaluation have it.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Eq(Value),
    Ne(Value),
    Gt(Value),
    Gte(Value),
    Lt(Value),
    Lte(Value),
    Between(Value, Value),
    Within(Vec<Value>),
    Prefix(String),
    Substring(String),
    Contains(Value),
    Exists,
    Absent,
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
}

impl Test {
    pub(crate) fn predicate(&self) -> Predicate {
        match self.clone() {
            Self::Eq(value) => eq(value),
            Self::Ne(value) => ne(value),
            Self::Gt(value) => gt(value),
            Self::Gte(value) => gte(value),
            Self::Lt(value) => lt(value),
            Self::Lte(value) => lte(value),
            Self::Between(least, most) => between(least, most),
            Self::Within(values) => within(values),
            Self::Prefix(text) => prefix(text),
            Self::Substring(text) => substring(text),
            Self::Contains(value) => contains(value),
            Self::Exists => exists(),
            Self::Absent => absent(),
            Self::And(a, b) => a.predicate().and(b.predicate()),
            Self::Or(a, b) => a.predicate().or(b.predicate()),
            Self::Not(a) => not(a.predicate()),
        }
    }
}

/// Which field is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FieldShape {
    Node(usize),
    Edge,
    Label,
    Key,
    Id,
    EdgeType,
}

#[derive(Clone, Debug)]
pub(crate) enum StepShape {
    /// Along all edge types, or along some, of which one may come twice.
    Hop(Direction, Option<Vec<usize>>, Option<Test>),
    Has(FieldShape, Test),
    /// Two tests, either of which may hold.
    Either(FieldShape, Test, FieldShape, Test),
    /// Ids that leave a remainder.
    Filter(u64),
    Repeat(u32, u32),
    RepeatSteps(u32, u32, Vec<StepShape>),
    Dedup,
    Order(Vec<(FieldShape, bool)>),
    Skip(u64),
    Limit(u64),
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just(""), Just("a"), Just("ab"), Just("b"), Just("ba")];
    prop_oneof![
        4 => (-2_i64..3).prop_map(Value::from),
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(0.5), Just(f64::NAN)]
            .prop_map(Value::from),
        1 => Just(Value::from(u64::MAX)),
        3 => text.prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => collection::vec(0_i64..3, 0..3).prop_map(|all| {
            Value::List(all.into_iter().map(Value::from).collect())
        }),
        1 => (0_i64..2).prop_map(|n| doc! { "x": n }.into()),
        1 => (0_i64..2).prop_map(|n| Value::Timestamp(DateTime::from_micros(n))),
        1 => Just(Value::Vector(vec![1.0, 2.0])),
    ]
}

fn node() -> impl Strategy<Value = NodeShape> {
    let w = option::of((-5_i64..6).prop_map(Value::from));
    let fields = (option::weighted(0.8, value()), option::weighted(0.8, value()), w);
    (0..LABELS.len(), fields, any::<bool>()).prop_map(|(label, (v, inner, w), is_staged)| {
        NodeShape { label, fields: [v, inner, w], is_staged }
    })
}

fn edge() -> impl Strategy<Value = EdgeShape> {
    let (ends, kind) = ((0..8_usize, 0..8_usize), 0..TYPES.len());
    (ends, kind, option::of(value()), any::<bool>()).prop_map(
        |((from, to), kind, value, is_staged)| EdgeShape { from, to, kind, value, is_staged },
    )
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..8_usize).prop_map(Edit::DeleteNode),
        (0..12_usize).prop_map(Edit::DeleteEdge),
        (0..8_usize, 0..3_i64).prop_map(|(node, value)| Edit::SetNode(node, value)),
    ]
}

pub(crate) fn graph() -> impl Strategy<Value = GraphShape> {
    let nodes = collection::vec(node(), 1..8);
    let edges = collection::vec(edge(), 0..14);
    (nodes, edges, collection::vec(edit(), 0..4)).prop_map(|(nodes, edges, edits)| GraphShape {
        nodes,
        edges,
        edits,
    })
}

pub(crate) fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        (0..8_usize).prop_map(Start::Node),
        collection::vec(0..8_usize, 0..4).prop_map(Start::Nodes),
        (0..LABELS.len()).prop_map(Start::Label),
        (0..LABELS.len(), 0..8_usize).prop_map(|(label, key)| Start::Key(label, key)),
        Just(Start::All),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let text = || prop_oneof![Just("a"), Just("b"), Just("")].prop_map(str::to_owned);
    let leaf = prop_oneof![
        value().prop_map(Test::Eq),
        value().prop_map(Test::Ne),
        value().prop_map(Test::Gt),
        value().prop_map(Test::Gte),
        value().prop_map(Test::Lt),
        value().prop_map(Test::Lte),
        (value(), value()).prop_map(|(least, most)| Test::Between(least, most)),
        collection::vec(value(), 0..4).prop_map(Test::Within),
        text().prop_map(Test::Prefix),
        text().prop_map(Test::Substring),
        value().prop_map(Test::Contains),
        Just(Test::Exists),
        Just(Test::Absent),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Test::And(a.into(), b.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Test::Or(a.into(), b.into())),
            inner.prop_map(|a| Test::Not(a.into())),
        ]
    })
}

pub(crate) fn field() -> impl Strategy<Value = FieldShape> {
    prop_oneof![
        6 => (0..FIELDS.len()).prop_map(FieldShape::Node),
        1 => Just(FieldShape::Edge),
        1 => Just(FieldShape::EdgeType),
        1 => Just(FieldShape::Label),
        1 => Just(FieldShape::Key),
        1 => Just(FieldShape::Id),
    ]
}

/// Hops and tests.
fn local_step() -> impl Strategy<Value = StepShape> {
    let direction = prop_oneof![Just(Direction::Out), Just(Direction::In), Just(Direction::Both)];
    let kinds = prop_oneof![
        3 => collection::vec(0..TYPES.len(), 1),
        1 => collection::vec(0..TYPES.len(), 0..4),
    ];
    prop_oneof![
        4 => (direction, option::of(kinds), option::weighted(0.3, test()))
            .prop_map(|(direction, kinds, test)| StepShape::Hop(direction, kinds, test)),
        3 => (field(), test()).prop_map(|(field, test)| StepShape::Has(field, test)),
        1 => (field(), test(), field(), test())
            .prop_map(|(f, a, g, b)| StepShape::Either(f, a, g, b)),
        1 => (0..2_u64).prop_map(StepShape::Filter),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = StepShape> {
    prop_oneof![
        8 => local_step(),
        2 => (0..2_u32, 0..3_u32).prop_map(|(from, more)| StepShape::Repeat(from, from + more)),
        1 => (0..2_u32, 0..3_u32, collection::vec(local_step(), 1..3))
            .prop_map(|(from, more, steps)| StepShape::RepeatSteps(from, from + more, steps)),
        3 => Just(StepShape::Dedup),
        2 => collection::vec((field(), any::<bool>()), 1..3).prop_map(StepShape::Order),
        1 => (0..3_u64).prop_map(StepShape::Skip),
        1 => (0..4_u64).prop_map(StepShape::Limit),
    ]
}

/// Steps that the builder accepts: what stands before a repeat can be repeated.
pub(crate) fn steps() -> impl Strategy<Value = Vec<StepShape>> {
    collection::vec(step(), 0..5).prop_map(|steps| {
        let mut kept: Vec<StepShape> = Vec::new();
        for step in steps {
            let is_test = |at: &&StepShape| {
                matches!(at, StepShape::Has(..) | StepShape::Either(..) | StepShape::Filter(_))
            };
            let before = kept.iter().rev().find(|at| !is_test(at));
            let repeats_nothing = !matches!(before, Some(StepShape::Hop(..)));
            // Sorts in a row are one sort.
            let continues = matches!(kept.last(), Some(StepShape::Order(_)));
            let is_wrong = match &step {
                StepShape::Repeat(..) => repeats_nothing,
                StepShape::Order(_) => continues,
                _ => false,
            };
            if !is_wrong {
                kept.push(step);
            }
        }
        kept
    })
}
