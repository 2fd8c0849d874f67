//! Many edges linked at once: what comes of it is what linking one by one gives.

use proptest::prelude::*;
use selvedge::Result;
use selvedge::env::{Env, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Define, EdgeDef, FieldDef};

const NODES: usize = 8;

type Ends = Vec<(usize, usize)>;
/// An edge as it can be compared: ends, type and document, without its id.
type Told = (NodeId, String, NodeId, String);

fn nodes(db: &Db, count: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let label = |at| if at % 4 == 3 { "Other" } else { "N" };
        (0..count).map(|at| ctx.insert_node(label(at), format!("{at}").as_str(), doc! {})).collect()
    })
}

/// Every edge, as its source and as its target tell it; and the counts.
fn told(db: &Db, nodes: &[NodeId]) -> Result<(Vec<Told>, Vec<Told>, [u64; 2])> {
    let snapshot = db.snapshot()?;
    let along = |direction| -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for node in nodes {
            for edge in snapshot.edges(*node, direction, None)? {
                let document = format!("{:?}", edge.document());
                told.push((edge.source(), edge.edge_type().to_owned(), edge.target(), document));
            }
        }
        told.sort();
        Ok(told)
    };
    let counts = [snapshot.count_edges("E")?, snapshot.count_edges("F")?];
    Ok((along(Direction::Out)?, along(Direction::In)?, counts))
}

/// How a type is made known before.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Unknown,
    Unique,
    Multi,
    /// Every edge gets a field, so it has a document.
    WithDefault,
}

fn begin(db: &Db, kind: Kind, before: &Ends) -> Result<Vec<NodeId>> {
    let nodes = nodes(db, NODES)?;
    match kind {
        Kind::Unknown => {}
        Kind::Unique => db.define_edge_type("E", EdgeTypeDef::unique())?,
        Kind::Multi => db.define_edge_type("E", EdgeTypeDef::multi())?,
        Kind::WithDefault => {
            let edge = EdgeDef::unique("E").field(FieldDef::int("weight").default(1));
            db.define([Define::from(edge)])?;
        }
    }
    for (at, (source, target)) in before.iter().enumerate() {
        // Some have documents, and there is a second type between the same nodes.
        let document = if at % 2 == 0 {
            doc! {}
        } else {
            doc! { "weight": at as i64 }
        };
        let edge_type = if at % 3 == 0 { "F" } else { "E" };
        db.link_nodes(nodes[*source], edge_type, nodes[*target], document)?;
    }
    Ok(nodes)
}

fn ends(most: usize) -> impl Strategy<Value = Ends> {
    prop::collection::vec((0..NODES, 0..NODES), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn is_linking_one_by_one(
        kind in prop::sample::select(
            vec![Kind::Unknown, Kind::Unique, Kind::Multi, Kind::WithDefault]
        ),
        before in ends(12),
        together in ends(40),
        checkpointed in any::<bool>(),
    ) {
        let single = Db::in_memory();
        let nodes = begin(&single, kind, &before).unwrap();
        let files = SimulatedFiles::new(1);
        let open = || {
            let (env, _) = Env::simulated_on(&files, 7);
            Db::builder().env(env).open("/db.selvedge").unwrap()
        };
        let db = open();
        prop_assert_eq!(&begin(&db, kind, &before).unwrap(), &nodes);

        let pairs = || together.iter().map(|(source, target)| (nodes[*source], nodes[*target]));
        let edges = single.snapshot().unwrap().count_edges("E").unwrap();
        for (source, target) in pairs() {
            single.link_nodes(source, "E", target, doc! {}).unwrap();
        }
        let expected = told(&single, &nodes).unwrap();
        let snapshot = db.snapshot().unwrap();
        let new = db.link_many("E", pairs()).unwrap();
        prop_assert_eq!(new, expected.2[0] - edges, "edges that are new");
        prop_assert_eq!(snapshot.count_edges("E").unwrap(), edges, "not seen by older snapshots");
        drop(snapshot);
        prop_assert_eq!(&told(&db, &nodes).unwrap(), &expected);
        prop_assert_eq!(db.check().unwrap(), Vec::<String>::new());

        if checkpointed {
            db.checkpoint().unwrap();
        }
        db.close().unwrap();
        let db = open();
        prop_assert_eq!(&told(&db, &nodes).unwrap(), &expected, "opened again");
        prop_assert_eq!(db.check().unwrap(), Vec::<String>::new());
        // They can be changed like others.
        for (source, target) in pairs().take(3) {
            let gone = [&db, &single].map(|db| db.unlink_nodes(source, "E", target).unwrap());
            prop_assert_eq!(gone[0], gone[1]);
        }
        prop_assert_eq!(told(&db, &nodes).unwrap(), told(&single, &nodes).unwrap());
    }
}

/// So many that they are put in order by counting, hubs among them, twice.
#[test]
fn a_large_graph_is_the_same() -> Result<()> {
    const COUNT: usize = 3000;
    let mut random = 1_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    let pairs: Vec<_> = (0..30_000)
        .map(|at| (if at % 3 == 0 { 7 } else { below(COUNT as u64) }, below(COUNT as u64)))
        .map(|(source, target)| (source as usize, target as usize))
        .collect();
    for def in [EdgeTypeDef::unique(), EdgeTypeDef::multi()] {
        let [together, single] = [Db::in_memory(), Db::in_memory()];
        let mut ids = Vec::new();
        for db in [&together, &single] {
            ids = nodes(db, COUNT)?;
            db.define_edge_type("E", def.clone())?;
        }
        for half in pairs.chunks(20_000) {
            let half = || half.iter().map(|(source, target)| (ids[*source], ids[*target]));
            together.link_many("E", half())?;
            single.transaction(|ctx| {
                half().try_for_each(|(source, target)| {
                    ctx.link_nodes(source, "E", target, doc! {}).map(drop)
                })
            })?;
        }
        assert_eq!(told(&together, &ids)?, told(&single, &ids)?);
        assert_eq!(together.check()?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn what_cannot_be_linked_links_nothing() -> Result<()> {
    let db = Db::in_memory();
    let ids = nodes(&db, NODES)?;
    db.define_edge_type("E", EdgeTypeDef::unique().from("N").to("N"))?;
    let gone = db.insert_node("N", "gone", doc! {})?;
    db.delete_node(gone)?;
    for wrong in [(ids[0], gone), (gone, ids[0]), (ids[0], ids[3]), (ids[3], ids[0])] {
        let refused = db.link_many("E", [(ids[0], ids[1]), wrong, (ids[1], ids[2])]);
        assert!(matches!(refused, Err(Error::Input(_))), "{refused:?}");
    }
    assert!(db.link_many("", [(ids[0], ids[1])]).is_err() && db.link_many("", []).is_err());
    assert_eq!(db.link_many("E", [])?, 0);
    assert_eq!(db.snapshot()?.count_edges("E")?, 0);
    Ok(())
}

/// What a transaction does beside links of a to b, b to b, and a to b again; it is given a,
/// b and c.
type Beside = fn(&mut Transaction<'_>, [NodeId; 3]) -> Result<()>;
/// How such pairs are linked.
type Link = fn(&Db, &[(NodeId, NodeId)]) -> Result<()>;

const BESIDE: [Beside; 14] = [
    |ctx, _| ctx.count_edges("E").map(drop),
    |ctx, _| ctx.edge_types().map(drop),
    |ctx, [a, ..]| ctx.edges(a, Direction::Out, "E").map(drop),
    |ctx, [a, ..]| ctx.edges(a, Direction::In, "E").map(drop),
    |ctx, [_, b, _]| ctx.degree(b, Direction::In, None).map(drop),
    |ctx, [a, b, _]| ctx.edges_between(a, "E", b).map(drop),
    |ctx, [a, _, c]| ctx.edges_between(a, "E", c).map(drop),
    |ctx, [a, ..]| ctx.delete_node(a).map(drop),
    |ctx, [_, b, _]| ctx.delete_node(b).map(drop),
    |ctx, [a, b, _]| ctx.link_nodes(a, "E", b, doc! { "weight": 1 }).map(drop),
    |ctx, [a, _, c]| ctx.link_nodes(a, "E", c, doc! { "weight": 1 }).map(drop),
    |ctx, [a, b, _]| ctx.unlink_nodes(a, "E", b).map(drop),
    |ctx, _| ctx.define_edge_type("E", EdgeTypeDef::multi()),
    |ctx, _| ctx.define_edge_type("E", EdgeTypeDef::unique().from("Q")),
];

/// What comes of it, told: of the links and of who is beside them, who begins before them and
/// ends after them.
fn told_beside(
    beside: Beside,
    (kind, options, reads_first): (Kind, &TransactionOptions, bool),
    link: Link,
) -> Result<String> {
    let db = Db::in_memory();
    let nodes = begin(&db, kind, &vec![])?;
    let [a, b, c] = [nodes[0], nodes[1], nodes[2]];
    let pairs = [(a, b), (b, b), (a, b)];
    let mut other = db.begin(options)?;
    let before = reads_first.then(|| beside(&mut other, [a, b, c]));
    let linked = link(&db, &pairs);
    let after = (!reads_first).then(|| beside(&mut other, [a, b, c]));
    other.set(c, "changed", 1)?;
    let committed = other.commit().map(drop);
    // Nobody is open any more.
    let again = link(&db, &pairs);
    let told = told(&db, &nodes)?;
    assert_eq!(db.check()?, Vec::<String>::new());
    Ok(format!("{before:?} {linked:?} {after:?} {committed:?} {again:?} {told:?}"))
}

#[test]
fn whoever_is_beside_it_fares_as_beside_links_one_by_one() -> Result<()> {
    let mut conflicts = 0;
    for (at, beside) in BESIDE.into_iter().enumerate() {
        for kind in [Kind::Unknown, Kind::Unique, Kind::Multi, Kind::WithDefault] {
            for options in [TransactionOptions::new(), TransactionOptions::serializable()] {
                for reads_first in [false, true] {
                    let how = (kind, &options, reads_first);
                    let together = told_beside(beside, how, |db, pairs| {
                        db.link_many("E", pairs.iter().copied()).map(drop)
                    })?;
                    let single = told_beside(beside, how, |db, pairs| {
                        db.transaction(|ctx| {
                            pairs.iter().try_for_each(|(source, target)| {
                                ctx.link_nodes(*source, "E", *target, doc! {}).map(drop)
                            })
                        })
                    })?;
                    assert_eq!(together, single, "{at}: {how:?}");
                    conflicts += usize::from(together.contains("Conflict"));
                }
            }
        }
    }
    assert!(conflicts > 40, "{conflicts}: hardly anybody is in the way of anybody");
    Ok(())
}
