//! Where property indexes come in: what a query asks of them, and what it may
//! expect.
//!
//! An index of a label holds an entry for each of its nodes that has all of the
//! indexed fields; entries are ordered by the values of these, in the total order
//! of values, and then by the id of the node. A multi-value field that is a list
//! has an entry for each distinct element.

use std::fmt;
use std::ops::Bound;

use selvedge_base::NodeId;
use selvedge_encoding::{FieldPath, Value};

use crate::error::Result;
use crate::query::predicate::joined;

/// The indexes that a snapshot or a transaction may read, those that are complete
/// at its start.
pub trait Indexes {
    /// The indexes of a label.
    fn of_label(&self, label: &str) -> Vec<IndexShape>;

    /// The nodes in a range of an index, in its order, or reversed; own writes
    /// included. Validated under serializable.
    ///
    /// # Errors
    /// Those of reading.
    fn nodes<'a>(
        &'a self,
        range: &IndexRange,
    ) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>>;
}

/// What a query needs to know of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexShape {
    /// Its name.
    pub name: String,
    /// What it indexes, in the order of its keys.
    pub fields: Vec<IndexField>,
    /// Whether no two nodes have the same values.
    pub unique: bool,
}

/// One field of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexField {
    /// Where it lies in the document.
    pub path: FieldPath,
    /// Whether each element of a list has an entry of its own.
    pub is_multi: bool,
    /// Whether every node of the label has exactly one value there, so that no entry
    /// is missing for the want of it.
    pub is_always_there: bool,
    /// Whether every value there is a list. A multi-value field that is none has an
    /// entry, too, for the value itself, which no test of elements means.
    pub is_list: bool,
}

/// Which entries of an index are read, and in which order.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexRange {
    /// The label.
    pub label: String,
    /// The index.
    pub index: IndexShape,
    /// The values of the first fields.
    pub equal: Vec<Value>,
    /// The values of the field behind them; those behind that are free.
    pub bounds: ValueBounds,
    /// Whether the entries come last to first.
    pub reverse: bool,
    /// Only entries behind this one, in the order that they come in: the values of
    /// the indexed fields as far as the query sorts by them, and the node.
    pub after: Option<IndexPlace>,
}

impl IndexRange {
    /// The fields that `equal` does not fix.
    pub(crate) fn free_paths(&self) -> Vec<&FieldPath> {
        self.index.fields.iter().skip(self.equal.len()).map(|field| &field.path).collect()
    }
}

/// A place in an index.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexPlace {
    /// The values of fields, from the first that `equal` does not fix.
    pub values: Vec<Value>,
    /// The node.
    pub node: NodeId,
}

/// Which values of a field are read.
#[derive(Clone, PartialEq, Debug)]
pub enum ValueBounds {
    /// All.
    All,
    /// One of these; ascending, none equal to another.
    Within(Vec<Value>),
    /// Those between two values. Where a side has no bound, the kind of the other
    /// one's value is the bound: greater than 30 are only numbers.
    Between(Bound<Value>, Bound<Value>),
    /// Strings that begin so.
    Prefix(String),
}

impl ValueBounds {
    /// How much they narrow the range: more is better.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Between(Bound::Unbounded, _) | Self::Between(_, Bound::Unbounded) => 1,
            Self::Between(_, _) | Self::Prefix(_) => 2,
            Self::Within(_) => 3,
        }
    }
}

/// A value as a plan shows it.
struct Shown<'v>(&'v Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::I64(value) => write!(f, "{value}"),
            Value::U64(value) => write!(f, "{value}"),
            Value::F64(value) => write!(f, "{value:?}"),
            Value::String(value) => write!(f, "{value:?}"),
            Value::Timestamp(value) => write!(f, "{value}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Displays a value as a plan shows it.
pub(crate) fn shown(value: &Value) -> impl fmt::Display + '_ {
    Shown(value)
}

impl fmt::Display for IndexRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, index, equal, bounds, reverse, .. } = self;
        let paths: Vec<_> = index.fields.iter().map(|field| field.path.as_str()).collect();
        write!(f, "index {:?} on {label:?} ({})", index.name, paths.join(", "))?;
        let mut parts = Vec::new();
        for (field, value) in paths.iter().zip(equal) {
            parts.push(format!("{field} = {}", shown(value)));
        }
        if let Some(field) = paths.get(equal.len()) {
            parts.extend(bounds_of(field, bounds));
        }
        if !parts.is_empty() {
            f.write_str(": ")?;
            joined(f, &parts, ", ")?;
        }
        f.write_str(if *reverse { ", reversed" } else { "" })
    }
}

fn bounds_of(field: &str, bounds: &ValueBounds) -> Vec<String> {
    match bounds {
        ValueBounds::All => Vec::new(),
        ValueBounds::Within(values) => {
            let values: Vec<_> = values.iter().map(|value| shown(value).to_string()).collect();
            vec![format!("{field} within [{}]", values.join(", "))]
        }
        ValueBounds::Prefix(prefix) => vec![format!("{field} begins with {prefix:?}")],
        ValueBounds::Between(least, most) => {
            let least = match least {
                Bound::Included(value) => Some(format!("{field} >= {}", shown(value))),
                Bound::Excluded(value) => Some(format!("{field} > {}", shown(value))),
                Bound::Unbounded => None,
            };
            let most = match most {
                Bound::Included(value) => Some(format!("{field} <= {}", shown(value))),
                Bound::Excluded(value) => Some(format!("{field} < {}", shown(value))),
                Bound::Unbounded => None,
            };
            least.into_iter().chain(most).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use selvedge_encoding::{Document, doc};
    use selvedge_graph::GraphView;

    use super::*;
    use crate::query::builder::{Query, QueryStart};
    use crate::query::page::PageCursor;
    use crate::query::position::Source;
    use crate::query::{
        Order, Predicate, between, contains, eq, exists, gt, gte, lt, lte, not, prefix, within,
    };
    use crate::read::Sealed as _;
    use crate::{Db, Snapshot};

    /// What indexes are held to, by sorting all nodes at each look-up.
    struct Sorted<'a> {
        view: GraphView<'a>,
        shapes: Vec<IndexShape>,
    }

    fn shape(name: &str, fields: &[(&str, bool)], unique: bool) -> IndexShape {
        let field = |(path, is_multi): &(&str, bool)| IndexField {
            path: FieldPath::parse(path).unwrap(),
            is_multi: *is_multi,
            is_always_there: false,
            is_list: false,
        };
        IndexShape { name: name.to_owned(), fields: fields.iter().map(field).collect(), unique }
    }

    fn shapes() -> Vec<IndexShape> {
        vec![
            shape("by_a", &[("a", false)], false),
            shape("by_b_a", &[("b", false), ("a", false)], false),
            shape("by_tag_a", &[("tags", true), ("a", false)], false),
            shape("by_id", &[("id", false)], true),
            shape("by_tag", &[("tags", true)], false),
        ]
    }

    /// The same, of nodes that all have these fields, tags as a list.
    fn shapes_with(always_there: &[&str]) -> Vec<IndexShape> {
        let mut shapes = shapes();
        for field in shapes.iter_mut().flat_map(|shape| &mut shape.fields) {
            let is_there = always_there.contains(&field.path.as_str());
            (field.is_always_there, field.is_list) = (is_there && !field.is_multi, is_there);
        }
        shapes
    }

    fn cmp(one: &[Value], other: &[Value]) -> Ordering {
        let orders = one.iter().zip(other).map(|(one, other)| one.total_cmp(other));
        orders.fold(Ordering::Equal, Ordering::then)
    }

    fn is_within(bounds: &ValueBounds, value: &Value) -> bool {
        let side = |bound: &Bound<Value>, wanted: Ordering| match bound {
            Bound::Unbounded => true,
            Bound::Included(at) => {
                value.is_same_kind(at) && [wanted, Ordering::Equal].contains(&value.total_cmp(at))
            }
            Bound::Excluded(at) => value.is_same_kind(at) && value.total_cmp(at) == wanted,
        };
        match bounds {
            ValueBounds::All => true,
            ValueBounds::Within(values) => values.iter().any(|at| at.total_cmp(value).is_eq()),
            ValueBounds::Prefix(text) => value.as_str().is_some_and(|at| at.starts_with(&**text)),
            ValueBounds::Between(least, most) => {
                side(least, Ordering::Greater) && side(most, Ordering::Less)
            }
        }
    }

    impl Sorted<'_> {
        /// The keys of a node's entries.
        fn entries(&self, shape: &IndexShape, node: NodeId) -> Vec<Vec<Value>> {
            let document = self.view.node(node).unwrap().document();
            let mut keys = vec![Vec::new()];
            for field in &shape.fields {
                let mut values = match field.path.get(document).map(|value| value.to_value()) {
                    None => Vec::new(),
                    Some(Value::List(values)) if field.is_multi => values,
                    Some(value) => vec![value],
                };
                values.sort_by(Value::total_cmp);
                values.dedup_by(|a, b| a.total_cmp(b).is_eq());
                let with = |key: &Vec<Value>, value: &Value| {
                    [&key[..], std::slice::from_ref(value)].concat()
                };
                keys = keys.iter().flat_map(|key| values.iter().map(|v| with(key, v))).collect();
            }
            keys
        }
    }

    impl Indexes for Sorted<'_> {
        fn of_label(&self, label: &str) -> Vec<IndexShape> {
            if label == "N" { self.shapes.clone() } else { Vec::new() }
        }

        fn nodes<'a>(
            &'a self,
            range: &IndexRange,
        ) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>> {
            let IndexRange { label, index, equal, bounds, reverse, after } = range;
            let nodes = self.view.scan(label);
            let entries = |node| self.entries(index, node).into_iter().map(move |key| (key, node));
            let mut found: Vec<_> = nodes.flat_map(entries).collect();
            found.retain(|(key, _)| {
                cmp(equal, key).is_eq()
                    && key.get(equal.len()).is_none_or(|value| is_within(bounds, value))
            });
            let order = |(one, a): &(Vec<Value>, NodeId), (other, b): &(Vec<Value>, NodeId)| {
                let order = cmp(one, other).then(a.cmp(b));
                if *reverse { order.reverse() } else { order }
            };
            found.sort_by(order);
            if let Some(after) = after {
                let place = ([&equal[..], &after.values].concat(), after.node);
                found.retain(|entry| order(entry, &place).is_gt());
            }
            Ok(Box::new(found.into_iter().map(|(_, node)| Ok(node))))
        }
    }

    fn value(random: &mut fastrand::Rng) -> Value {
        match random.u8(0..6) {
            0 => ["", "a", "ab", "b"][random.usize(0..4)].into(),
            1 => Value::Null,
            2 => Value::F64(f64::from(random.u8(0..6)) / 2.0),
            _ => Value::from(random.i64(0..4)),
        }
    }

    fn document(random: &mut fastrand::Rng, id: i64, always_there: &[&str]) -> Document {
        let mut document = doc! { "id": id };
        for field in ["a", "b"] {
            if always_there.contains(&field) || random.u8(0..5) > 0 {
                document.set(field, value(random));
            }
        }
        match if always_there.contains(&"tags") { 2 } else { random.u8(0..4) } {
            0 => document.set("tags", value(random)),
            1 => None,
            _ => {
                let tags: Vec<_> = (0..random.u8(0..4)).map(|_| value(random)).collect();
                document.set("tags", Value::List(tags))
            }
        };
        document
    }

    fn predicate(random: &mut fastrand::Rng) -> Predicate {
        let one = value(random);
        match random.u8(0..12) {
            0 | 1 => eq(one),
            2 => gt(one),
            3 => gte(one),
            4 => lt(one),
            5 => lte(one),
            6 => between(one, value(random)),
            7 => within([one, value(random), value(random)]),
            8 => prefix("a"),
            9 => not(eq(one)),
            10 => contains(one),
            _ => exists(),
        }
    }

    fn query<'a>(
        snapshot: &'a Snapshot<'_>,
        indexes: Option<&'a dyn Indexes>,
        seed: u64,
    ) -> Query<'a> {
        let random = &mut fastrand::Rng::with_seed(seed);
        let mut query = QueryStart::new(Source { view: snapshot.view(), indexes }).from_label("N");
        for _ in 0..random.u8(0..4) {
            let field = ["a", "b", "tags", "id"][random.usize(0..4)];
            query = query.has(field, predicate(random));
        }
        for _ in 0..random.u8(0..3) {
            let order = if random.u8(0..3) == 0 { Order::Asc } else { Order::Desc };
            query = query.order_by(["a", "b", "id"][random.usize(0..3)], order);
        }
        query
    }

    fn pages(query: &Query<'_>) -> Vec<NodeId> {
        let (mut found, mut cursor) = (Vec::new(), None::<PageCursor>);
        loop {
            let page = query.page(cursor.as_ref(), 2).unwrap();
            found.extend(page.rows.iter().map(|node| node.id()));
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return found,
            }
        }
    }

    #[test]
    fn what_is_found_does_not_depend_on_the_access_path() {
        let (mut used, mut sorted) = (0, 0);
        for seed in 0..3000 {
            let random = &mut fastrand::Rng::with_seed(seed / 10);
            let db = Db::in_memory();
            let always_there: &[&str] =
                [&[][..], &["a", "tags"], &["b", "id"], &["a", "b", "id"]][random.usize(0..4)];
            for id in 0..random.i64(0..12) {
                db.insert_node("N", None, document(random, id, always_there)).unwrap();
            }
            let snapshot = db.snapshot().unwrap();
            let indexes = Sorted { view: snapshot.view(), shapes: shapes_with(always_there) };
            let (with, without) =
                (query(&snapshot, Some(&indexes), seed), query(&snapshot, None, seed));
            let plan = with.explain().unwrap();
            used += u32::from(plan.starts_with("index"));
            sorted += u32::from(plan.contains("in the order asked for"));
            let ids = |query: &Query<'_>| -> Vec<_> {
                let mut ids: Vec<_> = query.ids().unwrap().map(|id| id.unwrap()).collect();
                if !query.steps.iter().any(|step| !step.is_test()) {
                    ids.sort_unstable();
                }
                ids
            };
            assert_eq!(ids(&with), ids(&without), "seed {seed}: {plan}");
            assert_eq!(pages(&with), pages(&without), "seed {seed}, pages: {plan}");
        }
        assert!(used > 1500 && sorted > 300, "{used} used an index, {sorted} its order");
    }

    #[test]
    fn plans_with_indexes() {
        let db = Db::in_memory();
        let snapshot = db.snapshot().unwrap();
        let indexes = Sorted { view: snapshot.view(), shapes: shapes() };
        let start = QueryStart::new(Source { view: snapshot.view(), indexes: Some(&indexes) });
        let n = || start.from_label("N");
        let plan = |query: Query<'_>| query.explain().unwrap();
        // A look-up before all else.
        assert_eq!(
            plan(n().has("a", eq(1)).has("b", gt(2)).has("id", eq(7))),
            "index \"by_id\" on \"N\" (id): id = 7\nkeep a = 1\nkeep b > 2\n"
        );
        // The field behind those that are fixed is narrowed; the other side is the kind.
        assert_eq!(
            plan(n().has("b", eq("x")).has("a", gt(2).and(lte(9))).has("a", lt(8))),
            "index \"by_b_a\" on \"N\" (b, a): b = \"x\", a > 2, a <= 9\nkeep a < 8\n"
        );
        assert_eq!(
            plan(n().has("a", gt(2)).has("a", lt("x"))),
            "index \"by_a\" on \"N\" (a): a > 2\nkeep a < \"x\"\n"
        );
        assert_eq!(
            plan(n().has("a", within([3, 1])).order_by("a", Order::Desc)),
            "index \"by_a\" on \"N\" (a): a within [1, 3], reversed, in the order asked for\n"
        );
        // A list is found by its elements, and only by them; what is none has an entry, too.
        assert_eq!(
            plan(n().has("tags", contains("x")).has("a", prefix("y")).order_by("a", Order::Asc)),
            "index \"by_tag_a\" on \"N\" (tags, a): tags = \"x\", a begins with \"y\", \
             in the order asked for\nkeep tags contains \"x\"\n"
        );
        assert_eq!(plan(n().has("tags", eq(1))), "scan of label \"N\"\nkeep tags = 1\n");
        // For its order alone, once nodes without the field are out.
        assert_eq!(
            plan(n().has("a", exists()).order_by("a", Order::Asc)),
            "index \"by_a\" on \"N\" (a), in the order asked for\n"
        );
        assert_eq!(
            plan(n().order_by("a", Order::Asc)),
            "scan of label \"N\"\nsort by a; not to count\n"
        );
        assert_eq!(
            plan(n().has("a", not(eq(1))).order_by("a", Order::Asc)),
            "scan of label \"N\"\nkeep not (a = 1)\nsort by a; not to count\n"
        );
        // Ties come by id, not by what else is indexed.
        assert_eq!(
            plan(n().has("b", gt(0)).has("a", exists()).order_by("b", Order::Asc)),
            "index \"by_b_a\" on \"N\" (b, a): b > 0\nsort by b; not to count\n"
        );
        // Both directions at once are nobody's.
        let both = n().has("b", gt(0)).has("a", exists());
        assert_eq!(
            plan(both.order_by("b", Order::Asc).order_by("a", Order::Desc)),
            "index \"by_b_a\" on \"N\" (b, a): b > 0\nsort by b, a desc; not to count\n"
        );
    }

    #[test]
    fn plans_over_fields_that_all_nodes_have() {
        let db = Db::in_memory();
        let snapshot = db.snapshot().unwrap();
        let plan = |query: Query<'_>| query.explain().unwrap();
        // Nothing needs to be asked of them.
        let indexes = Sorted { view: snapshot.view(), shapes: shapes_with(&["a"]) };
        let start = QueryStart::new(Source { view: snapshot.view(), indexes: Some(&indexes) });
        let n = || start.from_label("N");
        assert_eq!(
            plan(n().order_by("a", Order::Desc)),
            "index \"by_a\" on \"N\" (a), reversed, in the order asked for\n"
        );
        assert_eq!(
            plan(n().has("b", eq(1)).order_by("a", Order::Asc)),
            "index \"by_b_a\" on \"N\" (b, a): b = 1, in the order asked for\n"
        );
        assert_eq!(plan(n().has("b", gt(1))), "index \"by_b_a\" on \"N\" (b, a): b > 1\n");
        assert_eq!(
            plan(n().has("a", not(eq(1))).order_by("a", Order::Asc)),
            "index \"by_a\" on \"N\" (a), in the order asked for\nkeep not (a = 1)\n"
        );
        assert_eq!(
            plan(n().order_by("b", Order::Asc)),
            "scan of label \"N\"\nsort by b; not to count\n"
        );
        let indexes = Sorted { view: snapshot.view(), shapes: shapes_with(&["tags"]) };
        let start = QueryStart::new(Source { view: snapshot.view(), indexes: Some(&indexes) });
        assert_eq!(
            plan(start.from_label("N").has("tags", contains("x"))),
            "index \"by_tag\" on \"N\" (tags): tags = \"x\"\n"
        );
        let other = start.from_label("Other").has("a", eq(1));
        assert_eq!(plan(other), "scan of label \"Other\"\nkeep a = 1\n");
    }
}
