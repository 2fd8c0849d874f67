//! Algorithms one by one: bad weights, what does not exist, order.

use selvedge::algorithms::{AlgorithmError, PageRank, Weight};
use selvedge::prelude::*;

/// Nodes in a row, with the weights between them.
fn row(weights: &[Document]) -> (Db, Vec<NodeId>) {
    let db = Db::in_memory();
    let ids = db.transaction(|ctx| {
        let ids: Vec<_> = (0..=weights.len())
            .map(|_| ctx.insert_node("N", None, doc! {}))
            .collect::<selvedge::Result<_>>()?;
        for (pair, weight) in ids.windows(2).zip(weights) {
            ctx.link_nodes(pair[0], "TO", pair[1], weight.clone())?;
        }
        Ok::<_, Error>(ids)
    });
    (db, ids.unwrap())
}

fn refusal<T>(result: selvedge::Result<T>) -> AlgorithmError {
    match result {
        Err(error @ Error::Algorithm(_)) => {
            assert_eq!(error.kind(), selvedge::ErrorKind::Input);
            let Error::Algorithm(error) = error else { unreachable!("matched above") };
            *error
        }
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn bad_weights_are_told_with_their_edge() {
    let weights = [
        (doc! {}, "has no `w` to be its weight"),
        (doc! { "w": -1 }, "is -1: weights are finite, and not negative"),
        (doc! { "w": f64::NAN }, "is NaN"),
        (doc! { "w": f64::INFINITY }, "is inf"),
        (doc! { "w": "far" }, "is string, and cannot be its weight"),
        (doc! { "w": null }, "is null, and cannot"),
    ];
    for (bad, text) in weights {
        let (db, ids) = row(&[doc! { "w": 1 }, bad]);
        let snapshot = db.snapshot().unwrap();
        let (of, weight) = (snapshot.algorithms(), Weight::field("w"));
        let (from, to) = (ids[0], ids[2]);
        let errors = [
            refusal(of.cheapest_paths(from, &weight)),
            refusal(of.cheapest_path(from, to, &weight)),
            refusal(of.a_star(from, to, &weight, |_| 0.0)),
            refusal(of.k_cheapest_paths(from, to, 2, &weight)),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.contains(text), "{error}");
            assert!(error.contains(&format!("edge {}", ids[1])), "{error}");
        }
        // Behind the target nobody looks.
        assert!(of.cheapest_path(from, ids[1], &weight).unwrap().is_some());
    }
    let (db, ids) = row(&[doc! {}, doc! { "w": 2 }]);
    let snapshot = db.snapshot().unwrap();
    let of = snapshot.algorithms();
    let cost = |weight: Weight<'_>| of.cheapest_paths(ids[0], &weight).map(|p| p.cost(ids[2]));
    assert_eq!(cost(Weight::field_or("w", 0.5)).unwrap(), Some(2.5));
    assert_eq!(cost(Weight::one()).unwrap(), Some(2.0));
    assert_eq!(cost(Weight::of(|edge| edge.target().get() as f64)).unwrap(), Some(5.0));
    assert!(matches!(refusal(cost(Weight::of(|_| -0.5))), AlgorithmError::BadWeight { .. }));
    assert!(matches!(refusal(cost(Weight::field_or("w", -1.0))), AlgorithmError::BadWeight { .. }));
    assert!(matches!(refusal(cost(Weight::field("a..b"))), AlgorithmError::Path(_)));
}

#[test]
fn bad_estimates_and_options_are_told() {
    let (db, ids) = row(&[doc! {}]);
    let snapshot = db.snapshot().unwrap();
    let of = snapshot.algorithms();
    for bad in [f64::NAN, -1.0] {
        let refused = refusal(of.a_star(ids[0], ids[1], &Weight::one(), |_| bad));
        assert!(matches!(refused, AlgorithmError::BadEstimate { node, .. } if node == ids[0]));
    }
    for damping in [-0.1, 1.1, f64::NAN] {
        let refused = refusal(of.page_rank(&PageRank { damping, ..PageRank::default() }));
        assert!(matches!(refused, AlgorithmError::Option { .. }), "{refused}");
    }
    let tolerance = PageRank { tolerance: f64::NAN, ..PageRank::default() };
    assert!(matches!(refusal(of.page_rank(&tolerance)), AlgorithmError::Option { .. }));
}

#[test]
fn an_estimate_that_is_not_consistent_does_no_harm() {
    // The estimate is never too much, but falls by more than an edge costs: node 1
    // is left at 3 before it is found that 1 + 1 lead there.
    let db = Db::in_memory();
    let ids: Vec<_> = (0..4).map(|_| db.insert_node("N", None, doc! {}).unwrap()).collect();
    for (from, to, w) in [(0, 1, 3), (0, 2, 1), (2, 1, 1), (1, 3, 10)] {
        db.link_nodes(ids[from], "TO", ids[to], doc! { "w": w }).unwrap();
    }
    let estimates = [0.0, 0.0, 11.0, 0.0];
    let snapshot = db.snapshot().unwrap();
    let path = snapshot
        .algorithms()
        .a_star(ids[0], ids[3], &Weight::field("w"), |node| {
            estimates[(node.get() - ids[0].get()) as usize]
        })
        .unwrap()
        .unwrap();
    assert_eq!((path.cost(), path.nodes()), (12.0, &[ids[0], ids[2], ids[1], ids[3]][..]));
}

#[test]
fn what_does_not_exist_is_not_reached() {
    let (db, ids) = row(&[doc! { "w": 1 }]);
    let nobody = NodeId::new(1 << 45);
    let snapshot = db.snapshot().unwrap();
    let (of, weight) = (snapshot.algorithms(), Weight::field("w"));
    assert_eq!(of.levels(nobody).unwrap().depth(), 0);
    assert!(!of.is_reachable(nobody, nobody).unwrap());
    assert!(of.is_reachable(ids[0], ids[0]).unwrap());
    assert_eq!(of.cheapest_paths(nobody, &weight).unwrap().iter().count(), 0);
    for (from, to) in [(nobody, ids[0]), (ids[0], nobody), (ids[1], ids[0])] {
        assert_eq!(of.cheapest_path(from, to, &weight).unwrap(), None);
        assert!(of.k_cheapest_paths(from, to, 3, &weight).unwrap().is_empty());
        assert!(!of.is_reachable(from, to).unwrap());
    }
    let of = snapshot.algorithms().edge_type("NONE");
    assert_eq!(of.reachable(ids[0]).unwrap(), [ids[0]]);
    assert_eq!(of.components().unwrap().len(), 2);
    assert_eq!(snapshot.algorithms().label("None").components().unwrap().len(), 0);
    let ranks = snapshot.algorithms().label("None").page_rank(&PageRank::default()).unwrap();
    assert_eq!((ranks.iter().count(), ranks.of(ids[0]), ranks.iterations()), (0, None, 0));
    let levels = snapshot.algorithms().levels(ids[0]).unwrap();
    assert_eq!((levels.level(1), levels.level(2), levels.level(9)), (&ids[1..], &[][..], &[][..]));
}

#[test]
fn deep_graphs_do_not_take_the_stack_and_ids_may_lie_far_apart() {
    let count = 200_000;
    let (db, ids) = row(&vec![doc! {}; count]);
    db.link_nodes(ids[count], "TO", ids[0], doc! {}).unwrap();
    // Of the first ones only one is left: ids do not begin where they began, and
    // most of them are gone.
    let snapshot = db.snapshot().unwrap();
    let of = snapshot.algorithms();
    assert_eq!(of.strong_components().unwrap().len(), 1);
    assert_eq!(of.components().unwrap().len(), 1);
    assert_eq!(of.levels(ids[5]).unwrap().depth(), count + 1);
    let path = of.cheapest_path(ids[0], ids[count], &Weight::one()).unwrap().unwrap();
    assert_eq!((path.cost(), path.edges().len()), (count as f64, count));
    db.transaction(|ctx| {
        for id in &ids[1..count] {
            ctx.delete_node(*id)?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    let snapshot = db.snapshot().unwrap();
    let strong = snapshot.algorithms().strong_components().unwrap();
    assert_eq!(strong.groups(), [[ids[0]], [ids[count]]]);
    let ranks = snapshot.algorithms().page_rank(&PageRank::default()).unwrap();
    assert_eq!(ranks.top(5).first().map(|(node, _)| *node), Some(ids[0]));
}

/// The cost of a path became infinite, and infinite paths were as good as one another.
#[test]
fn costs_that_no_number_holds_are_refused() {
    let half = f64::MAX / 2.0;
    let (db, ids) = row(&[doc! { "w": half }, doc! { "w": half }, doc! { "w": f64::MAX }]);
    let weight = Weight::field("w");
    let [a, b, c, d] = ids[..] else { panic!("four nodes") };
    let refused = |snapshot: &Snapshot<'_>| {
        let of = snapshot.algorithms();
        [
            refusal(of.cheapest_paths(a, &weight)),
            refusal(of.cheapest_path(a, d, &weight)),
            refusal(of.a_star(a, d, &weight, |_| 0.0)),
            refusal(of.a_star(a, d, &weight, |_| f64::MAX)),
            refusal(of.k_cheapest_paths(a, d, 1, &weight)),
        ]
    };
    let snapshot = db.snapshot().unwrap();
    for error in refused(&snapshot) {
        assert_eq!(
            error.to_string(),
            format!(
                "the cheapest path to {d} costs more than a number can be: the sum of its weights \
                 leaves the range at edge {c} -TO-> {d}; use a greater unit"
            )
        );
    }
    // At the limit there is a number, and what lies beyond the target does not matter.
    let of = snapshot.algorithms();
    assert_eq!(of.cheapest_path(a, c, &weight).unwrap().unwrap().cost(), f64::MAX);
    assert!(of.cheapest_path(d, a, &weight).unwrap().is_none());
    // Nor does a way that is too long beside another, unless it is asked for.
    db.link_nodes(b, "TO", d, doc! { "w": 1 }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let of = snapshot.algorithms();
    assert_eq!(of.cheapest_paths(a, &weight).unwrap().cost(d), Some(half + 1.0));
    assert_eq!(of.k_cheapest_paths(a, d, 1, &weight).unwrap().len(), 1);
    let error = refusal(of.k_cheapest_paths(a, d, 2, &weight));
    assert!(matches!(error, AlgorithmError::CostOutOfRange { node, .. } if node == d));
    // What cannot be reached is no matter of cost, wherever the search has been.
    let far = db.insert_node("N", None, doc! {}).unwrap();
    let other = db.insert_node("N", None, doc! {}).unwrap();
    db.link_nodes(d, "ONLY", other, doc! { "w": f64::MAX }).unwrap();
    db.link_nodes(c, "ONLY", d, doc! { "w": f64::MAX }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let only = snapshot.algorithms().edge_type("ONLY");
    assert!(only.cheapest_path(c, far, &weight).unwrap().is_none());
    let error = refusal(only.cheapest_path(c, other, &weight)).to_string();
    assert!(error.contains(&format!("edge {d} -ONLY-> {other}")), "{error}");
}
