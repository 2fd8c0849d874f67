//! The planner: from a start and what is tested first to an access path.
//!
//! What it takes into the access path, a key, a label, a range of an index, it
//! takes away from the tests; the others stay behind it. A sort that the order of
//! an index satisfies goes, too.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::ops::Bound;
use std::rc::Rc;

use selvedge_base::NodeId;
use selvedge_base::limits::INDEX_RANGES_MAX;
use selvedge_encoding::Value;

use crate::query::condition::{Condition, Demand};
use crate::query::field::{Field, FieldKind};
use crate::query::index_access::{IndexRange, IndexShape, Indexes, ValueBounds};
use crate::query::predicate::{Predicate, Test};
use crate::query::step::{Order, Step, choose_by_order};

/// Where a query starts.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    Nodes(Rc<[NodeId]>),
    Label(String),
    Key(String, String),
    All,
}

/// How the first nodes are found.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    Nodes(Rc<[NodeId]>),
    Key { label: String, key: String },
    Label { label: String },
    All,
    Index(Box<IndexRange>),
}

/// What is run.
pub(crate) struct Plan<'a> {
    pub(crate) access: Access,
    pub(crate) steps: VecDeque<Step<'a>>,
    /// Whether the access path gives the order of a sort that followed it.
    pub(crate) sorted: bool,
}

/// Chooses the access path.
pub(crate) fn plan<'a>(
    start: &Start,
    steps: &[Step<'a>],
    indexes: Option<&dyn Indexes>,
) -> Plan<'a> {
    let mut steps: VecDeque<Step<'a>> = steps.iter().cloned().collect();
    let mut tests = Vec::new();
    while let Some(Step::Test(condition)) = steps.front() {
        tests.extend(Condition::clone(condition).conjuncts());
        steps.pop_front();
    }
    let mut sorted = false;
    let access = match start {
        Start::Nodes(nodes) => Access::Nodes(Rc::clone(nodes)),
        Start::Key(label, key) => Access::Key { label: label.clone(), key: key.clone() },
        Start::All => match take_text(&mut tests, &FieldKind::Label) {
            Some(label) => of_label(label, &mut tests, &mut steps, indexes, &mut sorted),
            None => Access::All,
        },
        Start::Label(label) => {
            of_label(label.clone(), &mut tests, &mut steps, indexes, &mut sorted)
        }
    };
    for test in tests.into_iter().rev() {
        steps.push_front(Step::Test(Rc::new(test)));
    }
    Plan { access, steps, sorted }
}

/// Takes the text that a field must equal from the tests.
fn take_text(tests: &mut Vec<Condition>, wanted: &FieldKind) -> Option<String> {
    let text_of = |test: &Condition| match &test.test {
        Demand::Field(field, predicate) if field.kind() == Some(wanted) => match &predicate.test {
            Test::Eq(operand) => operand.value().as_str().map(str::to_owned),
            _ => None,
        },
        _ => None,
    };
    let (at, text) = tests.iter().enumerate().find_map(|(at, test)| Some((at, text_of(test)?)))?;
    tests.remove(at);
    Some(text)
}

fn of_label(
    label: String,
    tests: &mut Vec<Condition>,
    steps: &mut VecDeque<Step<'_>>,
    indexes: Option<&dyn Indexes>,
    sorted: &mut bool,
) -> Access {
    if let Some(key) = take_text(tests, &FieldKind::Key) {
        return Access::Key { label, key };
    }
    let sort = match steps.front() {
        Some(Step::Sort(keys)) => Some(keys.as_slice()),
        _ => None,
    };
    let shapes = indexes.map(|indexes| indexes.of_label(&label)).unwrap_or_default();
    let mut best: Option<Candidate> = None;
    for shape in shapes {
        let Some(candidate) = Candidate::of(shape, tests, sort) else { continue };
        if best.as_ref().is_none_or(|best| candidate.merit() > best.merit()) {
            best = Some(candidate);
        }
    }
    let Some(Candidate { shape, equal, bounds, covered, order }) = best else {
        return Access::Label { label };
    };
    let mut number = 0;
    tests.retain(|_| {
        number += 1;
        !covered.contains(&(number - 1))
    });
    if order.is_some() {
        steps.pop_front();
        *sorted = true;
    }
    let reverse = order == Some(Order::Desc);
    Access::Index(Box::new(IndexRange { label, index: shape, equal, bounds, reverse, after: None }))
}

/// An index that could be used.
struct Candidate {
    shape: IndexShape,
    equal: Vec<Value>,
    bounds: ValueBounds,
    /// The numbers of the tests that hold for every entry of the range.
    covered: Vec<usize>,
    /// The direction in which it satisfies the sort.
    order: Option<Order>,
}

impl Candidate {
    /// What the tests make of an index; `None` if it lacks nodes that may pass
    /// them, or has some twice, or does not help.
    fn of(shape: IndexShape, tests: &[Condition], sort: Option<&[(Field, Order)]>) -> Option<Self> {
        let mut found = Self {
            shape,
            equal: Vec::new(),
            bounds: ValueBounds::All,
            covered: Vec::new(),
            order: None,
        };
        let fields = found.shape.fields.clone();
        // Multi-value fields have entries for each element: only those of one are
        // of use, and these are fixed first.
        for (place, field) in fields.iter().enumerate() {
            let on_field = |test: &Condition| match &test.test {
                Demand::Field(tested, predicate) if tested.path() == Some(&field.path) => {
                    Some(predicate.clone())
                }
                _ => None,
            };
            let tests: Vec<_> = tests
                .iter()
                .enumerate()
                .filter_map(|(number, test)| Some((number, on_field(test)?)))
                .collect();
            // Nodes without a value have no entry.
            let needs_value = || tests.iter().any(|(_, predicate)| predicate.needs_value());
            if !field.is_always_there && !needs_value() {
                return None;
            }
            let fixed = place == found.equal.len();
            let equal = tests.iter().find_map(|(number, predicate)| match &predicate.test {
                Test::Contains(operand) if field.is_multi => Some((*number, operand)),
                Test::Eq(operand) if !field.is_multi => Some((*number, operand)),
                _ => None,
            });
            match equal {
                Some((number, operand)) if fixed => {
                    found.equal.push(operand.value().clone());
                    if !field.is_multi || field.is_list {
                        found.covered.push(number);
                    }
                }
                _ if field.is_multi => return None,
                _ if fixed => found.narrow(&tests),
                _ => {}
            }
            let exists = tests.iter().filter(|(_, at)| !field.is_multi && at.test == Test::Exists);
            found.covered.extend(exists.map(|(number, _)| *number));
        }
        found.order = sort.and_then(|sort| found.order_of(sort));
        let helps = found.merit() > (false, 0, 0, false);
        helps.then_some(found)
    }

    /// Narrows the values of the field behind those that are fixed.
    fn narrow(&mut self, tests: &[(usize, Predicate)]) {
        let (mut least, mut most) = (Bound::Unbounded, Bound::Unbounded);
        let mut of_bounds = Vec::new();
        for (number, predicate) in tests {
            match &predicate.test {
                Test::Within(operands) if operands.len() <= INDEX_RANGES_MAX => {
                    let values = operands.iter().map(|operand| operand.value().clone());
                    self.bounds = ValueBounds::Within(values.collect());
                    self.covered.push(*number);
                    return;
                }
                Test::Prefix(prefix) if !matches!(self.bounds, ValueBounds::Prefix(_)) => {
                    self.bounds = ValueBounds::Prefix(prefix.clone());
                    of_bounds = vec![*number];
                    (least, most) = (Bound::Unbounded, Bound::Unbounded);
                }
                test if !matches!(self.bounds, ValueBounds::Prefix(_)) => {
                    let (lower, upper) = sides(test);
                    let fits = |bound: &Bound<Value>, side: &Bound<Value>| {
                        matches!((bound, side), (Bound::Unbounded, _) | (_, Bound::Unbounded))
                    };
                    let is_range = lower != Bound::Unbounded || upper != Bound::Unbounded;
                    if is_range && fits(&least, &lower) && fits(&most, &upper) {
                        let new_least =
                            if lower == Bound::Unbounded { least.clone() } else { lower };
                        let new_most = if upper == Bound::Unbounded { most.clone() } else { upper };
                        if are_one_kind(&new_least, &new_most) {
                            (least, most) = (new_least, new_most);
                            of_bounds.push(*number);
                        }
                    }
                }
                _ => {}
            }
        }
        if (&least, &most) != (&Bound::Unbounded, &Bound::Unbounded) {
            self.bounds = ValueBounds::Between(least, most);
        }
        self.covered.extend(of_bounds);
    }

    /// The direction in which the range satisfies a sort: ties come by id, in the
    /// direction of the last key.
    fn order_of(&self, sort: &[(Field, Order)]) -> Option<Order> {
        let (_, order) = sort.last()?;
        let fields = &self.shape.fields;
        let (fixed, free) = fields.split_at(self.equal.len());
        let is_fixed =
            |field: &Field| fixed.iter().any(|at| !at.is_multi && field.path() == Some(&at.path));
        let keys: Vec<_> = sort.iter().filter(|(field, _)| !is_fixed(field)).collect();
        let satisfied = keys.len() == free.len()
            && keys.iter().zip(free).all(|((field, direction), at)| {
                direction == order && field.path() == Some(&at.path)
            });
        satisfied.then_some(*order)
    }

    /// Which of several is the best: a look-up, then what fixes and narrows most.
    fn merit(&self) -> (bool, usize, u8, bool) {
        let is_look_up = self.shape.unique && self.equal.len() == self.shape.fields.len();
        (is_look_up, self.equal.len(), self.bounds.strength(), self.order.is_some())
    }
}

/// The bounds that a test sets.
fn sides(test: &Test) -> (Bound<Value>, Bound<Value>) {
    match test {
        Test::Gt(operand) => (Bound::Excluded(operand.value().clone()), Bound::Unbounded),
        Test::Gte(operand) => (Bound::Included(operand.value().clone()), Bound::Unbounded),
        Test::Lt(operand) => (Bound::Unbounded, Bound::Excluded(operand.value().clone())),
        Test::Lte(operand) => (Bound::Unbounded, Bound::Included(operand.value().clone())),
        Test::Between(least, most) => {
            (Bound::Included(least.value().clone()), Bound::Included(most.value().clone()))
        }
        _ => (Bound::Unbounded, Bound::Unbounded),
    }
}

fn are_one_kind(least: &Bound<Value>, most: &Bound<Value>) -> bool {
    match (least, most) {
        (
            Bound::Included(least) | Bound::Excluded(least),
            Bound::Included(most) | Bound::Excluded(most),
        ) => least.is_same_kind(most),
        _ => true,
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Ids that a plan shows.
        const SHOWN: usize = 5;
        match self {
            Self::Nodes(nodes) => {
                f.write_str("nodes ")?;
                for (at, node) in nodes.iter().take(SHOWN).enumerate() {
                    write!(f, "{}{node}", if at == 0 { "" } else { ", " })?;
                }
                let more = nodes.len().saturating_sub(SHOWN);
                if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::Key { label, key } => write!(f, "key {key:?} of label {label:?}"),
            Self::Label { label } => write!(f, "scan of label {label:?}"),
            Self::All => f.write_str("scan of all labels"),
            Self::Index(range) => range.fmt(f),
        }
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.access.to_string();
        if self.sorted {
            text.push_str(", in the order asked for");
        }
        let mut steps = self.steps.iter();
        while let Some(step) = steps.next() {
            step.write(0, &mut text)?;
            if matches!(step, Step::Sort(_)) && !choose_by_order(steps.clone()) {
                text.push_str("; not to count");
            }
        }
        f.write_str(&text)?;
        f.write_char('\n')
    }
}
