//! Runs of the model, drawn at random, and shrunk when they fail.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::{BoxedStrategy, Union};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use selvedge::{Document, EdgeTypeDef, Isolation, Uniqueness, Value};
use selvedge_testkit::model::{
    Computation, DIRECTIONS, ENTRIES, Expected, FIELDS, Harness, KEYS, LABELS, Look, Mutation,
    Name, Pick, Shape, Slot, TYPES, Transition, Walk, Write,
};

fn slots(shape: &Shape, wanted: Slot) -> Option<BoxedStrategy<usize>> {
    let slots = shape.slots(wanted);
    (!slots.is_empty()).then(|| prop::sample::select(slots).boxed())
}

fn one_of(names: [Name; 3]) -> impl Strategy<Value = Name> + Clone {
    prop::sample::select(names.to_vec())
}

fn value() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        6 => (0..3_i64).prop_map(Value::from),
        1 => Just(Value::from("a string that is longer than the others, by far")),
        1 => Just(Value::from(vec![1_i64, 2, 3])),
    ]
}

/// Documents without fields are as frequent as others: an edge without a
/// document has no record.
fn document() -> impl Strategy<Value = Document> + Clone {
    let fields = prop::collection::vec((one_of(FIELDS), value()), 0..3);
    prop_oneof![Just(Document::new()), fields.prop_map(Document::from_iter)]
}

fn def() -> impl Strategy<Value = EdgeTypeDef> + Clone {
    prop_oneof![
        1 => Just(EdgeTypeDef::unique()),
        2 => Just(EdgeTypeDef::multi()),
        1 => Just(EdgeTypeDef::unique().from("A").to("B")),
        1 => Just(EdgeTypeDef::multi().from("A")),
    ]
}

fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![4 => 0..3_u64, 1 => Just(u64::MAX)]
}

fn write() -> BoxedStrategy<Write> {
    let pick = any::<Pick>;
    let key = prop_oneof![1 => Just(None), 3 => one_of(KEYS).prop_map(Some)];
    prop_oneof![
        4 => (one_of(LABELS), key, document())
            .prop_map(|(label, key, document)| Write::Insert { label, key, document }),
        2 => (one_of(LABELS), one_of(KEYS), document())
            .prop_map(|(label, key, document)| Write::Upsert { label, key, document }),
        2 => (pick(), one_of(FIELDS), value())
            .prop_map(|(node, field, value)| Write::Set { node, field, value }),
        1 => (pick(), document()).prop_map(|(node, fields)| Write::SetMany { node, fields }),
        1 => (pick(), one_of(FIELDS)).prop_map(|(node, field)| Write::Unset { node, field }),
        1 => (pick(), document()).prop_map(|(node, document)| Write::Replace { node, document }),
        3 => pick().prop_map(|node| Write::Delete { node }),
        1 => (one_of(TYPES), def()).prop_map(|(name, def)| Write::Define { name, def }),
        8 => (pick(), one_of(TYPES), pick(), document()).prop_map(
            |(source, edge_type, target, document)| {
                Write::Link { source, edge_type, target, document }
            }
        ),
        2 => (pick(), one_of(TYPES), pick())
            .prop_map(|(source, edge_type, target)| Write::Unlink { source, edge_type, target }),
        2 => pick().prop_map(|edge| Write::UnlinkEdge { edge }),
        2 => (pick(), document()).prop_map(|(edge, fields)| Write::UpdateEdge { edge, fields }),
        1 => (pick(), one_of(FIELDS)).prop_map(|(edge, field)| Write::UnsetEdge { edge, field }),
        1 => (pick(), document()).prop_map(|(edge, document)| Write::ReplaceEdge { edge, document }),
        2 => (0..ENTRIES, number()).prop_map(|(key, value)| Write::SetEntry { key, value }),
        2 => (0..ENTRIES).prop_map(|key| Write::DeleteEntry { key }),
        3 => (0..ENTRIES, computation(), number()).prop_map(|(key, computation, operand)| {
            Write::Compute { key, computation, operand }
        }),
        1 => pick().prop_map(|entry| Write::DeleteStamped { entry }),
    ]
    .boxed()
}

fn computation() -> impl Strategy<Value = Computation> + Clone {
    prop::sample::select(Computation::ALL.to_vec())
}

fn expected() -> impl Strategy<Value = Expected> + Clone {
    prop_oneof![
        4 => Just(Expected::Seen),
        1 => Just(Expected::Latest),
        1 => Just(Expected::Absent),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        1 => (0..ENTRIES, number()).prop_map(|(key, value)| Mutation::Set { key, value }),
        2 => (0..ENTRIES, number())
            .prop_map(|(prefix, value)| Mutation::SetStamped { prefix, value }),
        1 => (0..ENTRIES).prop_map(|key| Mutation::Delete { key }),
        3 => (0..ENTRIES, computation(), number()).prop_map(|(key, computation, operand)| {
            Mutation::Compute { key, computation, operand }
        }),
    ]
}

/// Atomic operations, most of whose checks hold.
fn atomic() -> impl Strategy<Value = Transition> {
    let expected = prop_oneof![
        1 => Just(Expected::Seen),
        6 => Just(Expected::Latest),
        1 => Just(Expected::Absent),
    ];
    let checks = prop::collection::vec((0..ENTRIES, expected), 0..3);
    let mutations = prop::collection::vec(mutation(), 0..5);
    (checks, mutations).prop_map(|(checks, mutations)| Transition::Atomic { checks, mutations })
}

fn look() -> BoxedStrategy<Look<Pick>> {
    let pick = any::<Pick>;
    let direction = || prop::sample::select(DIRECTIONS.to_vec());
    let kind = || prop::option::of(one_of(TYPES));
    let unique = prop_oneof![Just(Uniqueness::Node), Just(Uniqueness::None)];
    prop_oneof![
        pick().prop_map(Look::Node),
        pick().prop_map(Look::Contains),
        (one_of(LABELS), one_of(KEYS)).prop_map(|(label, key)| Look::Key(label, key)),
        one_of(LABELS).prop_map(Look::Scan),
        one_of(LABELS).prop_map(Look::Count),
        one_of(TYPES).prop_map(Look::CountEdges),
        Just(Look::NodeCount),
        Just(Look::EdgeCount),
        Just(Look::Labels),
        Just(Look::EdgeTypes),
        one_of(TYPES).prop_map(Look::Definition),
        (pick(), direction(), kind()).prop_map(|(a, d, k)| Look::Neighbours(a, d, k)),
        (pick(), direction(), kind()).prop_map(|(a, d, k)| Look::Degree(a, d, k)),
        (pick(), direction(), kind()).prop_map(|(a, d, k)| Look::Edges(a, d, k)),
        (pick(), one_of(TYPES), pick()).prop_map(|(a, k, b)| Look::Between(a, k, b)),
        (pick(), direction(), kind(), 0..2_u32, 0..2_u32, unique).prop_map(
            |(a, direction, edge_type, from, more, uniqueness)| {
                Look::Walk(a, Walk { direction, edge_type, depth: from..=from + more, uniqueness })
            }
        ),
        (pick(), pick(), direction(), kind()).prop_map(|(a, b, d, k)| Look::Path(a, b, d, k)),
        (0..ENTRIES).prop_map(Look::Entry),
        (0..ENTRIES, 1..=ENTRIES).prop_map(|(from, more)| Look::Entries(from, from + more)),
    ]
    .boxed()
}

/// The machine that generates runs.
pub(crate) struct Runs;

impl ReferenceStateMachine for Runs {
    type State = Shape;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Shape> {
        Just(Shape::default()).boxed()
    }

    fn transitions(shape: &Shape) -> BoxedStrategy<Transition> {
        let mut choices = vec![
            (8, write().prop_map(Transition::Auto).boxed()),
            (3, atomic().boxed()),
            (1, (1..4_usize).prop_map(|most| Transition::Step { most }).boxed()),
        ];
        if let Some(slots) = slots(shape, Slot::Empty) {
            let isolation = prop_oneof![Just(Isolation::Snapshot), Just(Isolation::Serializable)];
            let begin = (slots.clone(), isolation);
            let begin = begin.prop_map(|(slot, isolation)| Transition::Begin { slot, isolation });
            choices.push((8, begin.boxed()));
            choices.push((2, slots.prop_map(|slot| Transition::Snapshot { slot }).boxed()));
        }
        if let Some(slots) = slots(shape, Slot::Snapshot) {
            choices.push((1, slots.prop_map(|slot| Transition::Drop { slot }).boxed()));
        }
        if let Some(slots) = slots(shape, Slot::Transaction) {
            choices.push((1, slots.clone().prop_map(|slot| Transition::Drop { slot }).boxed()));
            choices.push((5, slots.clone().prop_map(|slot| Transition::Commit { slot }).boxed()));
            choices.extend(within(&slots));
        }
        Union::new_weighted(choices).boxed()
    }

    fn preconditions(shape: &Shape, transition: &Transition) -> bool {
        shape.permits(transition)
    }

    fn apply(shape: Shape, transition: &Transition) -> Shape {
        shape.after(transition)
    }
}

/// Steps inside one of the transactions `slots`.
fn within(slots: &BoxedStrategy<usize>) -> Vec<(u32, BoxedStrategy<Transition>)> {
    let slot = || slots.clone();
    let pick = any::<Pick>;
    vec![
        (24, (slot(), write()).prop_map(|(slot, write)| Transition::Write { slot, write }).boxed()),
        (6, (slot(), look()).prop_map(|(slot, look)| Transition::Look { slot, look }).boxed()),
        (2, slot().prop_map(|slot| Transition::Savepoint { slot }).boxed()),
        (
            2,
            (slot(), pick())
                .prop_map(|(slot, savepoint)| Transition::RollbackTo { slot, savepoint })
                .boxed(),
        ),
        (
            1,
            (slot(), pick())
                .prop_map(|(slot, savepoint)| Transition::Release { slot, savepoint })
                .boxed(),
        ),
        (
            1,
            (slot(), pick())
                .prop_map(|(slot, node)| Transition::GetForUpdate { slot, node })
                .boxed(),
        ),
        (
            1,
            (slot(), pick(), expected())
                .prop_map(|(slot, node, expected)| Transition::Check { slot, node, expected })
                .boxed(),
        ),
        (
            1,
            (slot(), 0..ENTRIES, expected())
                .prop_map(|(slot, key, expected)| Transition::CheckEntry { slot, key, expected })
                .boxed(),
        ),
    ]
}

/// The test that `proptest-state-machine` runs.
pub(crate) struct ModelTest;

impl StateMachineTest for ModelTest {
    type SystemUnderTest = Harness;
    type Reference = Runs;

    fn init_test(_: &Shape) -> Harness {
        Harness::in_memory()
    }

    fn apply(mut harness: Harness, _: &Shape, transition: Transition) -> Harness {
        harness.step(transition);
        harness
    }

    fn check_invariants(harness: &Harness, _: &Shape) {
        harness.compare_one();
        harness.compare_statistics();
    }

    fn teardown(harness: Harness, _: Shape) {
        harness.end();
    }
}
