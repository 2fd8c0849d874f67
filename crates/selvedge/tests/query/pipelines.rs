//! Random pipelines over random graphs, at snapshots and inside transactions.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use selvedge::prelude::*;
use selvedge::query::{EdgeTypes, Field, Order, PageCursor, Query, avg, count, has, max, min, sum};

use crate::graph::{Known, committed, stage};
use crate::naive::NaiveWay;
use crate::shape::{FIELDS, FieldShape, LABELS, Start, StepShape, TYPES, graph, start, steps};

type Checked = Result<(), TestCaseError>;

fn field(shape: FieldShape) -> Field {
    match shape {
        FieldShape::Node(at) => FIELDS[at].into(),
        FieldShape::Edge => Field::edge("v"),
        FieldShape::EdgeType => Field::edge_type(),
        FieldShape::Label => Field::label(),
        FieldShape::Key => Field::key(),
        FieldShape::Id => Field::id(),
    }
}

fn add<'a>(query: Query<'a>, step: &StepShape) -> Query<'a> {
    match step {
        StepShape::Hop(direction, kinds, test) => {
            let names = |kinds: &Vec<usize>| kinds.iter().map(|kind| TYPES[*kind]).collect();
            let kinds: Option<Vec<&str>> = kinds.as_ref().map(names);
            let kinds = match kinds.as_deref() {
                Some([kind]) => EdgeTypes::from(*kind),
                Some(kinds) => EdgeTypes::from(kinds),
                None => EdgeTypes::from(None),
            };
            match (direction, test.as_ref().map(|test| has("v", test.predicate()))) {
                (Direction::Out, None) => query.out(kinds),
                (Direction::In, None) => query.in_(kinds),
                (Direction::Both, None) => query.both(kinds),
                (Direction::Out, Some(test)) => query.out_edges(kinds, test),
                (Direction::In, Some(test)) => query.in_edges(kinds, test),
                (Direction::Both, Some(test)) => query.both_edges(kinds, test),
            }
        }
        StepShape::Has(at, test) => query.has(field(*at), test.predicate()),
        StepShape::Either(f, a, g, b) => {
            query.matching(has(field(*f), a.predicate()).or(has(field(*g), b.predicate())))
        }
        StepShape::Filter(rest) => {
            let rest = *rest;
            query.filter(move |node| node.id().get() % 2 == rest)
        }
        StepShape::Repeat(from, to) => query.repeat(*from..=*to),
        StepShape::RepeatSteps(from, to, steps) => {
            query.repeat_steps(*from..=*to, |query| steps.iter().fold(query, add))
        }
        StepShape::Dedup => query.dedup(),
        StepShape::Order(keys) => keys.iter().fold(query, |query, (key, desc)| {
            query.order_by(field(*key), if *desc { Order::Desc } else { Order::Asc })
        }),
        StepShape::Skip(nodes) => query.skip(*nodes),
        StepShape::Limit(nodes) => query.limit(*nodes),
    }
}

fn query<'a>(
    reader: &'a impl Read,
    start: &Start,
    steps: &[StepShape],
    ids: &[NodeId],
) -> Query<'a> {
    let at = |place: &usize| ids[*place % ids.len()];
    let query = match start {
        Start::Node(place) => reader.query().from(at(place)),
        Start::Nodes(places) => reader.query().from_nodes(places.iter().map(at)),
        Start::Label(label) => reader.query().from_label(LABELS[*label]),
        Start::Key(label, key) => reader.query().from_key(LABELS[*label], &format!("k{key}")),
        Start::All => reader.query().from_all(),
    };
    steps.iter().fold(query, add)
}

/// Every way of asking, against the naive answer.
fn check(query: &Query<'_>, known: &Known, ways: &[NaiveWay]) -> Checked {
    let ends: Vec<_> = ways.iter().map(NaiveWay::end).collect();
    let ids: Vec<_> = query.ids().unwrap().map(Result::unwrap).collect();
    prop_assert_eq!(&ids, &ends, "{}", query.explain().unwrap());
    let nodes: Vec<_> = query.nodes().unwrap().map(|node| node.unwrap().id()).collect();
    prop_assert_eq!(&nodes, &ends);
    prop_assert_eq!(query.count().unwrap(), ways.len() as u64);
    prop_assert_eq!(query.exists().unwrap(), !ways.is_empty());
    let first = query.first().unwrap().map(|node| node.id());
    prop_assert_eq!(first, ends.first().copied());

    let number = |edge: &selvedge::EdgeRef<'_>| edge.get("number").and_then(|n| n.as_i64());
    let edges: Vec<_> = query.edges().unwrap().map(|edge| number(&edge.unwrap())).collect();
    let last = ways.iter().filter_map(|way| way.edges.last());
    prop_assert_eq!(edges, last.map(|edge| Some(edge.number)).collect::<Vec<_>>());
    let paths: Vec<_> = query.paths().unwrap().map(Result::unwrap).collect();
    prop_assert_eq!(paths.len(), ways.len());
    for (path, way) in paths.iter().zip(ways) {
        prop_assert_eq!(path.nodes(), &way.nodes[..]);
        let numbers: Vec<_> = path.edges().iter().map(number).collect();
        prop_assert_eq!(numbers, way.edges.iter().map(|at| Some(at.number)).collect::<Vec<_>>());
    }
    check_values(query, known, ways)
}

fn check_values(query: &Query<'_>, known: &Known, ways: &[NaiveWay]) -> Checked {
    let shapes = [FieldShape::Node(0), FieldShape::Node(1), FieldShape::Edge, FieldShape::Key];
    let rows = query.select(shapes.map(field)).rows().unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap().to_values()).collect();
    let naive = |way: &NaiveWay| shapes.map(|shape| known.field(shape, way)).to_vec();
    prop_assert_eq!(rows, ways.iter().map(naive).collect::<Vec<_>>());

    let mut groups: Vec<(Option<Value>, u64)> = Vec::new();
    let cmp = |a: &Option<Value>, b: &Option<Value>| match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    for way in ways {
        let value = known.field(FieldShape::Node(0), way);
        match groups.iter_mut().find(|(group, _)| cmp(group, &value).is_eq()) {
            Some((_, count)) => *count += 1,
            None => groups.push((value, 1)),
        }
    }
    groups.sort_by(|(a, _), (b, _)| cmp(a, b));
    prop_assert_eq!(query.group_count("v").unwrap(), groups);

    let of = |shape| ways.iter().filter_map(move |way| known.field(shape, way));
    let numbers: Vec<i64> = of(FieldShape::Node(2)).filter_map(|value| value.as_i64()).collect();
    let total: i64 = numbers.iter().sum();
    let average = Value::from(total as f64 / numbers.len() as f64);
    let mut values: Vec<_> = of(FieldShape::Node(0)).filter(|value| !value.is_null()).collect();
    let all = [sum("w"), avg("w"), min("v"), max("v"), count("v")];
    let all = query.aggregate(all).unwrap();
    prop_assert_eq!(&all[0], &Value::from(total));
    prop_assert_eq!(&all[1], &(if numbers.is_empty() { Value::Null } else { average }));
    prop_assert_eq!(&all[4], &Value::from(values.len() as u64));
    values.sort_by(Value::total_cmp);
    let equals = |a: &Value, b: Option<&Value>| a.total_cmp(b.unwrap_or(&Value::Null)).is_eq();
    assert!(equals(&all[2], values.first()) && equals(&all[3], values.last()));
    Ok(())
}

/// All pages, one after the other, against the nodes that there are.
fn check_pages(reader: &impl Read, known: &Known, shape: &Shape<'_>) -> Checked {
    let Shape { start, steps, ids } = *shape;
    let reads_edge = |keys: &[(FieldShape, bool)]| {
        keys.iter().any(|(at, _)| matches!(at, FieldShape::Edge | FieldShape::EdgeType))
    };
    let is_hop = |step: &StepShape| {
        matches!(step, StepShape::Hop(..) | StepShape::Repeat(..) | StepShape::RepeatSteps(..))
    };
    let is_sort = |step: &StepShape| matches!(step, StepShape::Order(_));
    // What a page refuses has a test of its own; one sort is left behind the last hop.
    let behind = steps.iter().rposition(is_hop).map_or(0, |at| at + 1);
    let last_sort = steps.iter().rposition(is_sort);
    let is_fit = |(at, step): &(usize, &StepShape)| match step {
        _ if *at < behind => true,
        StepShape::Skip(_) | StepShape::Limit(_) => false,
        StepShape::Order(keys) => Some(*at) == last_sort && !reads_edge(keys),
        _ => true,
    };
    let steps: Vec<_> =
        steps.iter().enumerate().filter(is_fit).map(|(_, step)| step.clone()).collect();
    let mut whole = steps.clone();
    let behind = steps.iter().rposition(is_hop).map_or(0, |at| at + 1);
    let sort = steps[behind..].iter().find(|step| is_sort(step)).cloned();
    whole.push(sort.unwrap_or_else(|| StepShape::Order(vec![(FieldShape::Id, false)])));
    whole.push(StepShape::Dedup);
    let Some(ways) = known.evaluate(start, &whole, ids) else { return Ok(()) };
    let expected: Vec<_> = ways.iter().map(NaiveWay::end).collect();
    for rows in [1, 2, 100] {
        let (mut found, mut cursor) = (Vec::new(), None::<PageCursor>);
        loop {
            prop_assert!(found.len() <= expected.len(), "pages that do not end");
            let query = query(reader, start, &steps, ids);
            let page = query.page(cursor.as_ref(), rows).unwrap();
            found.extend(page.rows.iter().map(|node| node.id()));
            let Some(next) = page.cursor else { break };
            prop_assert_eq!(page.rows.len(), rows);
            cursor = Some(next.to_string().parse().unwrap());
        }
        prop_assert_eq!(&found, &expected, "{} rows a page", rows);
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Shape<'s> {
    start: &'s Start,
    steps: &'s [StepShape],
    ids: &'s [NodeId],
}

fn check_all(reader: &impl Read, known: &Known, shape: &Shape<'_>) -> Checked {
    let Shape { start, steps, ids } = *shape;
    if let Some(ways) = known.evaluate(start, steps, ids) {
        check(&query(reader, start, steps, ids), known, &ways)?;
    }
    check_pages(reader, known, shape)
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 256;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_query_finds_what_the_naive_evaluation_finds(
        graph in graph(),
        start in start(),
        steps in steps(),
    ) {
        let (db, known) = committed(&graph);
        let mut ids: Vec<_> = known.nodes.iter().map(|node| node.id).collect();
        ids.push(NodeId::new(1 << 40));
        let snapshot = db.snapshot().unwrap();
        check_all(&snapshot, &known, &Shape { start: &start, steps: &steps, ids: &ids })?;

        let mut ctx = db.begin(&TransactionOptions::default()).unwrap();
        let staged = stage(&mut ctx, &known, &graph);
        ids.extend(staged.nodes.iter().filter(|node| node.is_own).map(|node| node.id));
        check_all(&ctx, &staged, &Shape { start: &start, steps: &steps, ids: &ids })?;
        // And once it is committed.
        ctx.commit().unwrap();
        let mut seen = staged.clone();
        seen.nodes.iter_mut().for_each(|node| node.is_own = false);
        let snapshot = db.snapshot().unwrap();
        check_all(&snapshot, &seen, &Shape { start: &start, steps: &steps, ids: &ids })?;
    }
}
