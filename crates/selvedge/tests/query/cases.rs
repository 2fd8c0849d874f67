//! Queries one by one: plans, refusals, limits, what does not exist.

use selvedge::prelude::*;
use selvedge::query::{
    Field, Order, Query, QueryError, avg, between, count, eq, exists, gt, has, lt, not, sum, within,
};

/// Four users in a circle, and a company where two of them work.
fn people() -> (Db, Vec<NodeId>) {
    let db = Db::in_memory();
    let ids = db.transaction(|ctx| {
        let mut ids = Vec::new();
        for (key, age) in [("a", 20), ("b", 30), ("c", 40), ("d", 50)] {
            ids.push(ctx.insert_node("User", key, doc! { "age": age, "in": { "x": age } })?);
        }
        ids.push(ctx.insert_node("Company", "acme", doc! { "name": "Acme" })?);
        for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            ctx.link_nodes(ids[from], "KNOWS", ids[to], doc! { "since": 2000 + from as i64 })?;
        }
        for from in [0, 2] {
            ctx.link_nodes(ids[from], "WORKS_AT", ids[4], doc! {})?;
        }
        Ok::<_, Error>(ids)
    });
    (db, ids.unwrap())
}

fn ids(query: &Query<'_>) -> Vec<NodeId> {
    query.ids().unwrap().map(Result::unwrap).collect()
}

fn refusal<T>(result: selvedge::Result<T>) -> QueryError {
    match result {
        Err(Error::Query(error)) => *error,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn what_does_not_exist_gives_nothing() {
    let (db, ids_of) = people();
    let snapshot = db.snapshot().unwrap();
    let query = || snapshot.query();
    assert_eq!(query().from_label("Nobody").count().unwrap(), 0);
    assert_eq!(query().from_key("User", "z").count().unwrap(), 0);
    assert_eq!(query().from_key("Nobody", "a").count().unwrap(), 0);
    assert_eq!(query().from(NodeId::new(1 << 45)).count().unwrap(), 0);
    assert_eq!(query().from_nodes([]).count().unwrap(), 0);
    let from = || query().from(ids_of[0]);
    assert_eq!(from().out("NOTHING").count().unwrap(), 0);
    assert!(!from().both_edges("NOTHING", has("x", exists())).exists().unwrap());
    assert_eq!(from().has("no.such[3].field", exists()).first().unwrap().map(|at| at.id()), None);
    assert_eq!(from().edges().unwrap().count(), 0, "no hop, no edge");
    assert_eq!(query().from_all().has_label("Nobody").count().unwrap(), 0);
    let empty = Db::in_memory();
    assert_eq!(empty.snapshot().unwrap().query().from_all().count().unwrap(), 0);
}

#[test]
fn plans_read_as_they_run() {
    let (db, ids) = people();
    let snapshot = db.snapshot().unwrap();
    let plan = |query: Query<'_>| query.explain().unwrap();
    assert_eq!(plan(snapshot.query().from(ids[0])), format!("nodes {}\n", ids[0]));
    let many = snapshot.query().from_nodes((1..=7).map(NodeId::new));
    assert_eq!(plan(many), "nodes n1, n2, n3, n4, n5 and 2 more\n");
    // A key, though it is tested for after the label and among other tests.
    let users = || snapshot.query().from_label("User");
    assert_eq!(
        plan(users().has("age", gt(30).and(lt(60))).has_key("c")),
        "key \"c\" of label \"User\"\nkeep age > 30\nkeep age < 60\n"
    );
    assert_eq!(
        plan(users().has_key("a").has_key("b")),
        "key \"a\" of label \"User\"\nkeep key() = \"b\"\n"
    );
    assert_eq!(
        plan(snapshot.query().from_all().has("age", within([3, 1, 3])).has_label("User")),
        "scan of label \"User\"\nkeep age within [1, 3]\n"
    );
    assert_eq!(
        plan(snapshot.query().from_all().out(None)),
        "scan of all labels\nout along all types\n"
    );
    let long = users()
        .matching(has("in.x", between(1, 2.5)).or(not(has("age", eq("x\"")))))
        .filter(|_| true)
        .out_edges("KNOWS", has("since", gt(2019)).and(has("why", exists())))
        .has_label("User")
        .repeat(1..=3)
        .dedup()
        .repeat_steps(0..=1, |steps| steps.in_("WORKS_AT").repeat(2..=2).both(None))
        .order_by("age", Order::Desc)
        .order_by(Field::edge("since"), Order::Asc)
        .skip(5)
        .limit(10);
    assert_eq!(
        plan(long),
        "scan of label \"User\"\n\
         keep (in.x between 1 and 2.5 or not (age = \"x\\\"\"))\n\
         keep what a closure accepts\n\
         repeat 1 to 3 times\n\
         \x20 out \"KNOWS\" over edges with (edge(since) > 2019 and edge(why) exists)\n\
         \x20 keep label() = \"User\"\n\
         distinct nodes\n\
         repeat 0 to 1 times\n\
         \x20 repeat 2 to 2 times\n\
         \x20   in \"WORKS_AT\"\n\
         \x20 both along all types\n\
         sort by age desc, edge(since); not to count\n\
         skip 5\n\
         limit 10\n"
    );
}

#[test]
fn wrong_queries_are_refused_when_they_run() {
    let (db, _) = people();
    let snapshot = db.snapshot().unwrap();
    let users = || snapshot.query().from_label("User");
    for path in ["", "a..b", "a[", "a[x]", "[0]", "a.[1]"] {
        let wrong = [
            users().has(path, exists()).explain().map(drop),
            users().order_by(path, Order::Asc).nodes().map(drop),
            users().order_by("age", Order::Asc).order_by(path, Order::Asc).nodes().map(drop),
            users().out_edges(None, has(path, exists())).count().map(drop),
            users().repeat_steps(1..=1, |at| at.out(None).has(path, exists())).exists().map(drop),
            users().group_count(path).map(drop),
            users().aggregate([count(path)]).map(drop),
            users().select([path]).rows().map(drop),
            users().select([path]).page(None, 1).map(drop),
            users().has(Field::edge(path), exists()).edges().map(drop),
        ];
        for result in wrong {
            let Err(error) = result else { panic!("{path:?} was taken for a path") };
            assert_eq!(error.kind(), selvedge::ErrorKind::Input);
            assert!(matches!(refusal::<()>(Err(error)), QueryError::Path(_)));
        }
    }
    assert_eq!(refusal(users().repeat(1..=2).count()), QueryError::NothingToRepeat);
    assert_eq!(refusal(users().out(None).dedup().repeat(1..=2).ids()), QueryError::NothingToRepeat);
    assert_eq!(refusal(users().repeat_steps(1..=2, |at| at).count()), QueryError::NothingToRepeat);
    let repeat = users().repeat_steps(1..=2, |at| at.out(None).limit(3));
    assert_eq!(refusal(repeat.count()), QueryError::CannotRepeat { step: "limit 3".to_owned() });
    let turned = std::ops::RangeInclusive::new(3, 2);
    let times = refusal(users().out(None).repeat(turned).paths());
    assert_eq!(times, QueryError::RepeatTimes { from: 3, to: 2 });
    // A value that cannot be stored.
    let deep = (0..200).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    assert!(matches!(refusal(users().has("age", eq(deep)).count()), QueryError::Operand(_)));
    // The first thing that is wrong is told.
    let both = users().has("a..b", exists()).repeat(1..=2);
    assert!(matches!(refusal(both.count()), QueryError::Path(_)));
}

#[test]
fn only_numbers_are_added_up() {
    let (db, _) = people();
    db.insert_node("User", "e", doc! { "age": "old", "big": u64::MAX }).unwrap();
    let node = db.insert_node("User", "f", doc! { "big": u64::MAX }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let users = || snapshot.query().from_label("User");
    let found = refusal(users().aggregate([sum("age")]));
    let text = found.to_string();
    assert!(text.starts_with("`age` of n") && text.contains("is string: only numbers"), "{text}");
    let out = refusal(users().aggregate([sum("big")]));
    assert_eq!(out.to_string(), "the sum of `big` leaves the range of integers");
    let one = snapshot.query().from(node).aggregate([sum("big")]).unwrap();
    assert_eq!(one, [Value::from(u64::MAX)]);
    // Small numbers do not vanish beside large ones.
    let db = Db::in_memory();
    for n in [1e100, 1.0, -1e100, 1.0] {
        db.insert_node("N", None, doc! { "n": n }).unwrap();
    }
    let snapshot = db.snapshot().unwrap();
    let sums =
        snapshot.query().from_label("N").aggregate([sum("n"), count("m"), sum("m")]).unwrap();
    assert_eq!(sums, [Value::from(2.0), Value::from(0), Value::from(0)]);
}

/// A sum that no float holds is told, rather than being infinite; at the limit, and where
/// infinite numbers are added up, there is one.
#[test]
fn sums_of_floats_stay_finite_or_are_refused() {
    let of = |numbers: &[f64]| {
        let db = Db::in_memory();
        for number in numbers {
            db.insert_node("N", None, doc! { "n": *number }).unwrap();
        }
        let snapshot = db.snapshot().unwrap();
        let all = snapshot.query().from_label("N");
        [all.aggregate([sum("n")]), all.aggregate([avg("n")])]
    };
    for too_much in [&[f64::MAX, f64::MAX][..], &[-f64::MAX, -f64::MAX], &[f64::MAX, 1e300]] {
        for refused in of(too_much) {
            let QueryError::SumOutOfRange { field, numbers } = refusal(refused) else {
                panic!("another refusal");
            };
            assert_eq!((&*field, numbers), ("n", "floats"));
        }
    }
    // What is rounded off may take the last step.
    let half_a_step = 2_f64.powi(969);
    let [just_beyond, _] = of(&[f64::MAX, half_a_step, half_a_step]);
    assert!(matches!(refusal(just_beyond), QueryError::SumOutOfRange { .. }));
    let [most, _] = of(&[f64::MAX, 1.0]);
    assert_eq!(most.unwrap(), [Value::from(f64::MAX)]);
    let [both, mean] = of(&[f64::MAX, -f64::MAX]);
    assert_eq!((both.unwrap(), mean.unwrap()), (vec![Value::from(0.0)], vec![Value::from(0.0)]));
    for numbers in [&[f64::INFINITY, 1.0][..], &[f64::MAX, f64::MAX, f64::INFINITY]] {
        let [infinite, _] = of(numbers);
        assert_eq!(infinite.unwrap(), [Value::from(f64::INFINITY)]);
    }
}

/// Counting, and looking whether there is one, held and read all there was for the sake
/// of an order that nobody sees.
#[test]
fn nothing_is_sorted_to_be_counted() {
    let (db, _) = people();
    let snapshot = db.snapshot().unwrap();
    let by_age = || snapshot.query().from_label("User").order_by("age", Order::Asc).held_max(1);
    for query in [
        by_age(),
        by_age().has("age", exists()),
        by_age().limit(3),
        by_age().skip(1).limit(2),
        by_age().order_by("name", Order::Desc).limit(3).order_by("age", Order::Desc).skip(1),
        by_age().out("KNOWS"),
    ] {
        let counted = query.count().unwrap_or_else(|error| panic!("{error}: {query:?}"));
        assert!(counted > 0 && query.exists().unwrap());
        assert_eq!(counted, query.held_max(100).ids().unwrap().count() as u64);
    }
    // Whose place decides, and who is then looked at, has to be sorted.
    for query in [
        by_age().limit(1).has("age", exists()),
        by_age().limit(1).out("KNOWS"),
        by_age().skip(1).dedup(),
        by_age().dedup().limit(1).has("age", exists()),
        by_age().dedup().has(Field::edge("since"), exists()),
    ] {
        assert!(matches!(refusal(query.count()), QueryError::Held { what: "a sort", .. }));
        assert!(matches!(refusal(query.exists()), QueryError::Held { what: "a sort", .. }));
    }
    assert_eq!(
        by_age().limit(3).explain().unwrap(),
        "scan of label \"User\"\nsort by age; not to count\nlimit 3\n"
    );
    let sorted = by_age().limit(3).has("age", exists()).explain().unwrap();
    assert!(sorted.ends_with("sort by age\nlimit 3\nkeep age exists\n"), "{sorted}");
}

#[test]
fn every_limit_is_met() {
    let (db, ids_of) = people();
    let snapshot = db.snapshot().unwrap();
    let users = || snapshot.query().from_label("User");
    let held = |result: selvedge::Result<u64>, what: &str| {
        let error = refusal(result);
        assert!(matches!(&error, QueryError::Held { what: held, .. } if *held == what), "{error}");
    };
    // What holds exactly as much as it may passes.
    assert_eq!(users().dedup().held_max(4).count().unwrap(), 4);
    held(users().dedup().held_max(3).count(), "distinct nodes");
    let ids_of_all = |query: &Query<'_>| -> selvedge::Result<u64> {
        query.ids()?.try_fold(0, |count, id| id.map(|_| count + 1))
    };
    let by_age = users().order_by("age", Order::Asc);
    assert_eq!(ids_of_all(&by_age.clone().held_max(4)).unwrap(), 4);
    held(ids_of_all(&by_age.held_max(3)), "a sort");
    // With a limit, twice that is enough.
    let youngest = |held| users().order_by("age", Order::Asc).held_max(held).limit(1);
    assert_eq!(ids_of_all(&youngest(2)).unwrap(), 1);
    held(ids_of_all(&youngest(1)), "a sort");
    let youngest = || users().order_by("age", Order::Asc).held_max(2);
    let first = youngest().first().unwrap().unwrap().id();
    assert_eq!(ids(&users().order_by("age", Order::Asc))[0], first);
    let row = youngest().select([Field::id()]).first().unwrap().unwrap();
    assert_eq!(row.typed::<u64>(0).unwrap(), Some(first.get()));
    assert_eq!(
        users().order_by("age", Order::Asc).held_max(4).page(None, 1).unwrap().rows.len(),
        1
    );
    assert_eq!(users().held_max(4).group_count("age").unwrap().len(), 4);
    held(users().held_max(3).group_count("age").map(|groups| groups.len() as u64), "groups");
    // From one node two ways lead on each time, so 2^n nodes wait.
    let ways = |times, held| {
        let from = snapshot.query().from(ids_of[0]);
        from.both("KNOWS").repeat(times..=times).held_max(held).count()
    };
    assert_eq!(ways(5, 1 << 20).unwrap(), 32);
    held(ways(12, 1000), "nodes that a repeat has yet to leave");
    // Each node once: a circle is no matter.
    let all = snapshot.query().from(ids_of[0]).both("KNOWS").repeat(0..=1_000_000).dedup();
    assert_eq!(all.held_max(100).count().unwrap(), 4);
    let past = users().out(None).repeat(0..=selvedge::limits::QUERY_REPEATS_MAX + 1);
    assert!(matches!(refusal(past.count()), QueryError::RepeatTimes { .. }));

    let steps = |count| (0..count).fold(users(), |query, _| query.has("age", exists()));
    assert_eq!(steps(selvedge::limits::QUERY_STEPS_MAX).count().unwrap(), 4);
    let many = refusal(steps(selvedge::limits::QUERY_STEPS_MAX + 1).count());
    assert_eq!(many, QueryError::TooManySteps { steps: selvedge::limits::QUERY_STEPS_MAX + 1 });
    let hops = (0..200).fold(users(), |query, _| query.repeat_steps(1..=1, |at| at.out(None)));
    assert_eq!(refusal(hops.count()), QueryError::TooManySteps { steps: 400 });

    let deep = |depth| {
        (1..depth).fold(has("age", exists()), |at, _| not(not(at.or(has("age", exists())))))
    };
    assert_eq!(users().matching(deep(20)).count().unwrap(), 4);
    assert!(matches!(refusal(users().matching(deep(100)).count()), QueryError::TooDeep { .. }));
    let deep = |depth| (1..depth).fold(exists(), |at, _| not(at));
    let limit = selvedge::limits::QUERY_CONDITION_DEPTH_MAX;
    assert_eq!(
        users().has("age", not(deep(limit - 1))).count().unwrap(),
        if limit.is_multiple_of(2) { 0 } else { 4 }
    );
    assert!(matches!(
        refusal(users().has("age", deep(limit + 1)).count()),
        QueryError::TooDeep { .. }
    ));
    // A chain is flat.
    let flat = (0..1000).fold(has("age", exists()), |at, n| at.and(has("age", gt(n - 1000))));
    assert_eq!(users().matching(flat).count().unwrap(), 4);
}

#[test]
fn long_ways_are_followed_and_freed() {
    let db = Db::in_memory();
    let count = 50_000;
    let ids: Vec<_> = db
        .transaction(|ctx| {
            let ids: Vec<_> = (0..count)
                .map(|_| ctx.insert_node("N", None, doc! {}))
                .collect::<selvedge::Result<_>>()?;
            ids.windows(2)
                .try_for_each(|pair| ctx.link_nodes(pair[0], "TO", pair[1], doc! {}).map(drop))?;
            Ok::<_, Error>(ids)
        })
        .unwrap();
    let snapshot = db.snapshot().unwrap();
    let far = count as u32 - 1;
    let all = snapshot.query().from(ids[0]).out("TO").repeat(far..=far);
    let longest = all.paths().unwrap().last().unwrap().unwrap();
    assert_eq!(longest.nodes(), ids);
    assert_eq!(longest.edges().len(), count - 1);
}

#[test]
fn only_what_is_asked_for_is_looked_at() {
    let (db, ids_of) = people();
    let snapshot = db.snapshot().unwrap();
    let looked = std::cell::Cell::new(0);
    let users = snapshot.query().from_label("User").filter(|_| {
        looked.set(looked.get() + 1);
        true
    });
    assert_eq!(users.first().unwrap().map(|node| node.id()), Some(ids_of[0]));
    assert_eq!(looked.get(), 1);
    let two: Vec<_> = users.clone().out("KNOWS").limit(2).ids().unwrap().collect();
    assert_eq!((two.len(), looked.get()), (2, 3));
    assert!(users.exists().unwrap());
    assert_eq!(looked.get(), 4);
    assert_eq!(users.page(None, 2).unwrap().rows.len(), 2);
    assert_eq!(looked.get(), 7, "one more than the page, to know whether there is another");
    assert_eq!(snapshot.query().from_label("User").count().unwrap(), 4);
    assert_eq!(ids(&snapshot.query().from_label("User").skip(3)), &ids_of[3..4]);
}

#[test]
fn serializable_transactions_validate_what_queries_read() {
    let (db, ids_of) = people();
    type Look<'l> = &'l dyn Fn(&Transaction<'_>) -> u64;
    let reads: [(&str, Look<'_>); 4] = [
        ("a scan", &|ctx| ctx.query().from_label("User").count().unwrap()),
        ("a test", &|ctx| ctx.query().from(ids_of[0]).has("age", gt(1)).count().unwrap()),
        ("a hop", &|ctx| ctx.query().from(ids_of[1]).in_("KNOWS").count().unwrap()),
        ("a key", &|ctx| ctx.query().from_key("User", "new").count().unwrap()),
    ];
    for (what, read) in reads {
        let mut ctx = db.begin(&TransactionOptions::serializable()).unwrap();
        read(&ctx);
        ctx.insert_node("Note", None, doc! {}).unwrap();
        db.transaction(|other| {
            let node = other.insert_node("User", "new", doc! {})?;
            other.link_nodes(node, "KNOWS", ids_of[1], doc! {})?;
            other.set(ids_of[0], "age", 21)
        })
        .unwrap();
        let refused = ctx.commit();
        assert!(matches!(refused, Err(Error::Conflict(_))), "{what}: {refused:?}");
        let new = db.snapshot().unwrap().get_node("User", "new").unwrap().unwrap().id();
        db.delete_node(new).unwrap();
    }
}
