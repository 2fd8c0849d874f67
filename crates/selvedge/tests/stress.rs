//! Many threads on one database, each run checked for what must hold whatever
//! the schedule.
//!
//! A run takes about a second; `SELVEDGE_STRESS_SECONDS` makes it longer, and
//! `SELVEDGE_SEED` repeats what the threads draw, though not how they meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::{EdgeRef, Result};
use selvedge_testkit::threads;

/// How long a test runs, and what its threads draw from.
struct Run {
    until: Instant,
    seed: u64,
}

impl Run {
    /// The share of one of `parts` runs of the same test.
    fn begin(parts: u32) -> Self {
        let seconds = std::env::var("SELVEDGE_STRESS_SECONDS").ok();
        let seconds = seconds.and_then(|seconds| seconds.parse::<f64>().ok()).unwrap_or(1.0);
        let seed = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("SELVEDGE_SEED={seed}");
        Self { until: Instant::now() + Duration::from_secs_f64(seconds) / parts, seed }
    }

    fn random(&self, thread: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ thread.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }
}

fn patient() -> RetryPolicy {
    RetryPolicy::default().attempts_max(1_000_000).delay_max(Duration::from_millis(1))
}

fn integer(reader: &impl Read, node: NodeId, field: &str) -> Result<i64> {
    let node = reader.node(node)?.expect("never deleted");
    Ok(node.typed(field)?.expect("always set"))
}

#[test]
fn no_acknowledged_update_is_lost() -> Result<()> {
    for threads in [1, 2, 4, 8, 16] {
        let run = Run::begin(5);
        let db = Db::in_memory();
        let counter = db.insert_node("Counter", None, doc! { "n": 0 })?;
        let acknowledged = AtomicI64::new(0);
        threads::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while run.goes_on() {
                        let done = db.transaction_retry(patient(), |ctx| {
                            let n = integer(ctx, counter, "n")?;
                            ctx.set(counter, "n", n + 1)
                        });
                        done.expect("patience pays");
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let n = integer(&db.snapshot()?, counter, "n")?;
        assert_eq!(n, acknowledged.into_inner(), "with {threads} threads");
        assert!(n > 0);
        assert_eq!(db.statistics().commits, n as u64 + 1);
    }
    Ok(())
}

#[test]
fn money_stays_and_fields_written_together_are_read_together() -> Result<()> {
    const ACCOUNTS: usize = 12;
    let run = Run::begin(1);
    let db = Db::in_memory();
    let accounts: Vec<_> = (0..ACCOUNTS)
        .map(|_| db.insert_node("Account", None, doc! { "balance": 100, "mirror": 100 }))
        .collect::<Result<_>>()?;
    let (db, run, accounts) = (&db, &run, &accounts);
    let sum = |reader: &dyn Fn(NodeId) -> (i64, i64), ids: &[NodeId]| {
        let mut sum = 0;
        for id in ids {
            let (balance, mirror) = reader(*id);
            assert_eq!(balance, mirror, "written together");
            sum += balance;
        }
        sum
    };
    threads::scope(|scope| {
        for number in 0..3 {
            scope.spawn(move || {
                let mut random = run.random(number);
                while run.goes_on() {
                    let from = accounts[random.usize(..ACCOUNTS)];
                    let to = accounts[random.usize(..ACCOUNTS)];
                    let amount = random.i64(1..20);
                    let done = db.transaction_retry(patient(), |ctx| {
                        for (account, change) in [(from, -amount), (to, amount)] {
                            let now = integer(ctx, account, "balance")? + change;
                            ctx.set_many(account, doc! { "balance": now, "mirror": now })?;
                        }
                        Ok::<_, Error>(())
                    });
                    done.expect("patience pays");
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while run.goes_on() {
                    let snapshot = db.snapshot().expect("few are open");
                    let read = |id| {
                        let field = |field| integer(&snapshot, id, field).expect("reads");
                        (field("balance"), field("mirror"))
                    };
                    let ids: Vec<_> = snapshot.scan("Account").expect("reads").collect();
                    assert_eq!(sum(&read, &ids), 100 * ACCOUNTS as i64);
                    assert_eq!(sum(&read, &ids), 100 * ACCOUNTS as i64, "and again");
                }
            });
        }
    });
    Ok(())
}

/// Of two doctors one must be on call. Each goes off only if both are on: two
/// that do so at once are write skew, which serializable isolation refuses.
#[test]
fn serializable_transactions_never_skew() -> Result<()> {
    const PAIRS: usize = 4;
    let run = Run::begin(1);
    let db = Db::in_memory();
    let pairs: Vec<[NodeId; 2]> = (0..PAIRS)
        .map(|_| {
            let doctor = || db.insert_node("Doctor", None, doc! { "on": 1 });
            Ok([doctor()?, doctor()?])
        })
        .collect::<Result<_>>()?;
    let (db, run, pairs) = (&db, &run, &pairs);
    let options = &TransactionOptions::serializable();
    let went_off = &AtomicU64::new(0);
    threads::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let mut random = run.random(number);
                while run.goes_on() {
                    let pair = pairs[random.usize(..PAIRS)];
                    let me = random.usize(..2);
                    let done = db.transaction_retry_with(patient(), options, |ctx| {
                        let both = integer(ctx, pair[0], "on")? + integer(ctx, pair[1], "on")?;
                        ctx.set(pair[me], "on", i64::from(both < 2))?;
                        Ok::<_, Error>(both == 2)
                    });
                    went_off.fetch_add(u64::from(done.expect("patience pays")), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while run.goes_on() {
                let snapshot = db.snapshot().expect("few are open");
                for pair in pairs {
                    let on = |at: usize| integer(&snapshot, pair[at], "on").expect("reads");
                    assert!(on(0) + on(1) > 0, "nobody is on call at {:?}", snapshot.timestamp());
                }
            }
        });
    });
    assert!(went_off.load(Ordering::Relaxed) > 0);
    Ok(())
}

const TYPES: [&str; 2] = ["UNIQUE", "MULTI"];

/// No edge dangles, both ends agree on every edge, counts agree with scans.
fn check_graph(reader: &impl Read) -> Result<()> {
    let nodes: BTreeSet<_> = reader.scan("Node")?.collect();
    assert_eq!(reader.count("Node")?, nodes.len() as u64);
    assert_eq!(reader.node_count()?, nodes.len() as u64);
    let (mut out, mut into) = (BTreeSet::new(), BTreeSet::new());
    for id in &nodes {
        assert!(reader.contains(*id)? && reader.node(*id)?.is_some());
        out.extend(reader.edges(*id, Direction::Out, None)?.map(|edge| EdgeRef::edge(&edge)));
        into.extend(reader.edges(*id, Direction::In, None)?.map(|edge| EdgeRef::edge(&edge)));
        let degree = reader.degree(*id, Direction::Out, None)?;
        assert_eq!(degree, reader.neighbours(*id, Direction::Out, None)?.count() as u64);
    }
    assert_eq!(out, into, "each edge is at both its ends");
    for edge in &out {
        assert!(nodes.contains(&edge.source) && nodes.contains(&edge.target), "{edge:?} dangles");
    }
    assert_eq!(reader.edge_count()?, out.len() as u64);
    let multi = out.iter().filter(|edge| edge.id.is_some()).count() as u64;
    assert_eq!(reader.count_edges("MULTI")?, multi);
    assert_eq!(reader.count_edges("UNIQUE")?, out.len() as u64 - multi);
    Ok(())
}

#[test]
fn no_edge_dangles() -> Result<()> {
    const NODES: usize = 16;
    let run = Run::begin(1);
    let db = Db::in_memory();
    db.define_edge_type("MULTI", EdgeTypeDef::multi())?;
    let (db, run) = (&db, &run);
    let done = &AtomicU64::new(0);
    threads::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let mut random = run.random(number);
                while run.goes_on() {
                    let draw = |random: &mut fastrand::Rng| format!("k{}", random.usize(..NODES));
                    let (a, b) = (draw(&mut random), draw(&mut random));
                    let (what, kind) = (random.u8(..20), TYPES[random.usize(..2)]);
                    let outcome = db.transaction(|ctx| {
                        let (a, b) = (
                            ctx.upsert_node("Node", &a, doc! { "by": number })?.id,
                            ctx.upsert_node("Node", &b, doc! { "by": number })?.id,
                        );
                        match what {
                            0..12 => drop(ctx.link_nodes(a, kind, b, doc! { "by": number })?),
                            12..16 => drop(ctx.unlink_nodes(a, kind, b)?),
                            _ => drop(ctx.delete_node(a)?),
                        }
                        Ok::<_, Error>(())
                    });
                    storm(db, &mut random, NODES);
                    match outcome {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while run.goes_on() {
                check_graph(&db.snapshot().expect("few are open")).expect("reads");
                db.transaction(|ctx| check_graph(ctx)).expect("reads");
            }
        });
    });
    check_graph(&db.snapshot()?)?;
    assert!(done.load(Ordering::Relaxed) > 0);
    Ok(())
}

/// Links and deletes that touch no document: what they may conflict over is the
/// edge and its ends alone.
fn storm(db: &Db, random: &mut fastrand::Rng, nodes: usize) {
    for _ in 0..8 {
        let key = |random: &mut fastrand::Rng| format!("k{}", random.usize(..nodes));
        let (a, b) = (key(random), key(random));
        let (delete, kind) = (random.u8(..16) == 0, TYPES[random.usize(..2)]);
        let outcome = db.transaction(|ctx| {
            let id = |ctx: &Transaction<'_>, key: &str| {
                Ok::<_, Error>(ctx.get_node("Node", key)?.map(|node| node.id()))
            };
            let (Some(a), Some(b)) = (id(ctx, &a)?, id(ctx, &b)?) else { return Ok(()) };
            if delete {
                ctx.delete_node(a).map(drop)
            } else {
                ctx.link_nodes(a, kind, b, doc! {}).map(drop)
            }
        });
        assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is_retryable()));
    }
}

#[test]
fn a_key_names_one_node_at_every_moment() -> Result<()> {
    const KEYS: usize = 3;
    let run = Run::begin(1);
    let db = Db::in_memory();
    let (db, run) = (&db, &run);
    let inserted = &AtomicU64::new(0);
    threads::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let mut random = run.random(number);
                while run.goes_on() {
                    let key = format!("k{}", random.usize(..KEYS));
                    let what = random.u8(..3);
                    let done = db.transaction(|ctx| {
                        let found = ctx.get_node("User", &key)?.map(|node| node.id());
                        match (found, what) {
                            (None, _) => {
                                ctx.insert_node("User", &*key, doc! { "by": number })?;
                            }
                            (Some(id), 0) => ctx.set(id, "by", number)?,
                            (Some(id), 1) => drop(ctx.delete_node(id)?),
                            // Another node under the same key, at the same commit.
                            (Some(id), _) => {
                                ctx.delete_node(id)?;
                                ctx.insert_node("User", &*key, doc! { "by": number })?;
                            }
                        }
                        Ok::<_, Error>(())
                    });
                    match done {
                        Ok(()) => drop(inserted.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while run.goes_on() {
                let snapshot = db.snapshot().expect("few are open");
                let mut holders = BTreeMap::new();
                let users: Vec<_> = snapshot.scan("User").expect("reads").collect();
                assert_eq!(users.len() as u64, snapshot.count("User").expect("reads"));
                for id in users {
                    let node = snapshot.node(id).expect("reads").expect("scanned");
                    let twin = holders.insert(node.key().expect("all have one").to_owned(), id);
                    assert_eq!(twin, None, "two nodes with one key");
                }
                for key in (0..KEYS).map(|key| format!("k{key}")) {
                    let found =
                        snapshot.get_node("User", &key).expect("reads").map(|node| node.id());
                    assert_eq!(found, holders.get(&key).copied(), "{key}");
                }
            }
        });
    });
    assert!(inserted.load(Ordering::Relaxed) > 0);
    Ok(())
}

#[test]
fn counts_are_those_of_a_scan_at_the_same_snapshot() -> Result<()> {
    const LABELS: [&str; 2] = ["A", "B"];
    let run = Run::begin(1);
    let db = Db::in_memory();
    let (db, run) = (&db, &run);
    threads::scope(|scope| {
        for number in 0..3 {
            scope.spawn(move || {
                let mut random = run.random(number);
                let mut own = Vec::new();
                while run.goes_on() {
                    // Several at once, so that a torn count would show.
                    let batch = random.usize(1..6);
                    if own.len() < 300 && random.bool() {
                        let new = db.transaction(|ctx| {
                            let label = |at| LABELS[at % 2];
                            (0..batch).map(|at| ctx.insert_node(label(at), None, doc! {})).collect()
                        });
                        own.extend::<Vec<NodeId>>(new.expect("nobody is in the way"));
                    } else {
                        let old = own.split_off(own.len().saturating_sub(batch));
                        let done: Result<()> = db.transaction(|ctx| {
                            old.iter().try_for_each(|id| ctx.delete_node(*id).map(drop))
                        });
                        done.expect("nobody is in the way");
                    }
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while run.goes_on() {
                    let snapshot = db.snapshot().expect("few are open");
                    let mut all = 0;
                    for label in LABELS {
                        let scanned = snapshot.scan(label).expect("reads").count() as u64;
                        assert_eq!(snapshot.count(label).expect("reads"), scanned);
                        all += scanned;
                    }
                    assert_eq!(snapshot.node_count().expect("reads"), all);
                }
            });
        }
    });
    Ok(())
}

#[test]
fn the_first_use_of_a_name_by_all_at_once_is_no_conflict() -> Result<()> {
    const THREADS: usize = 6;
    let run = Run::begin(1);
    let db = Db::in_memory();
    let mut rounds = 0;
    while run.goes_on() && rounds < 20_000 {
        let ends: Vec<_> = (0..THREADS)
            .map(|_| {
                Ok([db.insert_node("End", None, doc! {})?, db.insert_node("End", None, doc! {})?])
            })
            .collect::<Result<_>>()?;
        let (label, kind) = (format!("label {rounds}"), format!("type {rounds}"));
        let barrier = Barrier::new(THREADS);
        threads::scope(|scope| {
            for [source, target] in &ends {
                scope.spawn(|| {
                    barrier.wait();
                    let done = db.transaction(|ctx| {
                        ctx.insert_node(&label, None, doc! {})?;
                        ctx.link_nodes(*source, &kind, *target, doc! {})
                    });
                    done.expect("the names are agreed on");
                });
            }
        });
        let snapshot = db.snapshot()?;
        assert_eq!(snapshot.count(&label)?, THREADS as u64);
        assert_eq!(snapshot.count_edges(&kind)?, THREADS as u64);
        let kinds: BTreeSet<_> = ends
            .iter()
            .map(|[source, target]| Ok(snapshot.edge(*source, &kind, *target)?.map(|e| e.edge())))
            .collect::<Result<BTreeSet<_>>>()?
            .into_iter()
            .map(|edge| edge.expect("linked").edge_type)
            .collect();
        assert_eq!(kinds.len(), 1, "one name, one number");
        rounds += 1;
        assert_eq!(snapshot.labels()?.len(), rounds + 1);
        assert_eq!(snapshot.edge_types()?.len(), rounds);
    }
    assert_eq!(db.statistics().names_reserved, 0);
    assert!(rounds > 0);
    Ok(())
}

/// Everything that a reader sees.
fn image(reader: &impl Read) -> Result<Vec<String>> {
    let mut image = vec![format!("{:?} {:?}", reader.labels()?, reader.edge_types()?)];
    for label in reader.labels()? {
        image.push(format!("{label}: {}", reader.count(&label)?));
        for id in reader.scan(&label)? {
            let node = reader.node(id)?.expect("scanned");
            let document = node.document().to_document();
            image.push(format!("{id} {:?} {:?} {document:?}", node.key(), node.version()));
            for edge in reader.edges(id, Direction::Both, None)? {
                image.push(format!("  {:?} {:?}", edge.edge(), edge.document().to_document()));
            }
        }
    }
    Ok(image)
}

#[test]
fn a_long_reader_sees_the_same_all_its_life() -> Result<()> {
    const NODES: usize = 40;
    let run = Run::begin(1);
    let db = Db::in_memory();
    let ids: Vec<_> = (0..NODES)
        .map(|n| db.insert_node("Node", &*format!("{n}"), doc! { "n": n }))
        .collect::<Result<_>>()?;
    for pair in ids.windows(2) {
        db.link_nodes(pair[0], "NEXT", pair[1], doc! { "n": 0 })?;
    }
    let (db, run, ids) = (&db, &run, &ids);
    threads::scope(|scope| {
        for number in 0..2 {
            scope.spawn(move || {
                let mut random = run.random(number);
                while run.goes_on() {
                    let (a, b) = (ids[random.usize(..NODES)], ids[random.usize(..NODES)]);
                    let n = random.i64(..);
                    // Deleted nodes are inserted again, under their keys.
                    let key = random.usize(..NODES).to_string();
                    let _ = db.upsert_node("Node", &key, doc! { "n": n });
                    let _ = match random.u8(..8) {
                        0 => db.delete_node(a).map(drop),
                        1 | 2 => db.unlink_nodes(a, "NEXT", b).map(drop),
                        3 | 4 => db.link_nodes(a, "NEXT", b, doc! { "n": n }).map(drop),
                        5 => db.insert_node(&format!("Label {}", n % 8), None, doc! {}).map(drop),
                        _ => db.set(a, "n", n),
                    };
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let snapshot = db.snapshot().expect("few are open");
                let first = image(&snapshot).expect("reads");
                while run.goes_on() {
                    assert!(image(&snapshot).expect("reads") == first);
                    // Others come and go.
                    let short = db.snapshot().expect("few are open");
                    let once = image(&short).expect("reads");
                    assert!(image(&short).expect("reads") == once);
                }
            });
        }
    });
    Ok(())
}

#[test]
fn a_snapshot_is_shared_and_ends_on_whichever_thread_is_last() -> Result<()> {
    let run = Run::begin(1);
    let db = Db::in_memory();
    let node = db.insert_node("Node", None, doc! { "n": 0 })?;
    while run.goes_on() {
        let n = integer(&db.snapshot()?, node, "n")?;
        let snapshot = Arc::new(db.snapshot()?);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let snapshot = Arc::clone(&snapshot);
                thread::spawn(move || {
                    for _ in 0..20 {
                        assert_eq!(integer(&*snapshot, node, "n").expect("reads"), n);
                    }
                })
            })
            .collect();
        drop(snapshot);
        for _ in 0..10 {
            db.transaction(|ctx| {
                let n = integer(ctx, node, "n")?;
                ctx.set(node, "n", n + 1)
            })?;
        }
        readers.into_iter().for_each(|reader| reader.join().expect("no reader fails"));
    }
    assert_eq!(db.statistics().snapshots_open, 0);
    Ok(())
}

#[test]
fn the_database_goes_while_snapshots_and_transactions_live() -> Result<()> {
    let run = Run::begin(1);
    while run.goes_on() {
        let db = Db::in_memory();
        let node = db.insert_node("Node", "key", doc! { "n": 1 })?;
        let snapshot = db.snapshot()?;
        let mut transaction = db.begin(&TransactionOptions::new())?;
        // Something for the background to do.
        db.set(node, "n", 2)?;
        let other = db.insert_node("Node", None, doc! {})?;
        db.delete_node(other)?;
        let threads = [
            thread::spawn(move || drop(db)),
            thread::spawn(move || {
                for _ in 0..20 {
                    assert_eq!(integer(&snapshot, node, "n").expect("reads"), 1);
                }
            }),
            thread::spawn(move || {
                transaction.insert_node("Node", "new", doc! {}).expect("staged");
                assert_eq!(transaction.count("Node").expect("reads"), 2);
                transaction.commit().expect("nobody is in the way");
            }),
        ];
        threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
    }
    Ok(())
}
