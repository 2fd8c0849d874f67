//! Eight writers, good and bad, while definitions change: no snapshot ever holds a
//! document that its schema forbids.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use selvedge::prelude::*;
use selvedge::{
    Definition, EdgeDef, ErrorKind, FieldDef, MigrationProgress, MigrationStage, NodeDef, Owner,
    Phase, Violation,
};

const WRITERS: u64 = 8;
const ROUNDS: u64 = 12;
const NODES: u64 = 64;
const WRITES_BETWEEN_CHANGES: u64 = 50;

fn user() -> NodeDef {
    NodeDef::new("User").field(FieldDef::int("age").min(0).max(100)).field(FieldDef::string("name"))
}

fn knows() -> EdgeDef {
    EdgeDef::unique("KNOWS").field(FieldDef::int("since").min(1900))
}

/// Whether a stored document is one that its definition allows: of the new one, or
/// convertible to it, while it is being converted.
fn judge(definition: &Definition, document: selvedge::DocRef<'_>) -> Result<(), Violation> {
    match definition.change() {
        Some(change) if change.phase() == Phase::Converting => {
            change.check_convertible(document, None)
        }
        _ => definition.document().map_or(Ok(()), |def| {
            let missing = def.check(document, None)?;
            assert!(missing.is_none(), "a default is missing");
            Ok(())
        }),
    }
}

/// Judges everything that one snapshot sees; gives the number of documents.
fn judge_all(db: &Db) -> u64 {
    let snapshot = db.snapshot().expect("few are open");
    let schema = snapshot.schema().expect("in memory");
    let of = |owner: Owner| schema.definition(&owner).cloned().expect("defined");
    let (user, knows) = (of(Owner::Label("User".into())), of(Owner::EdgeType("KNOWS".into())));
    let mut judged = 0;
    for id in snapshot.scan("User").expect("in memory") {
        let node = snapshot.node(id).expect("in memory").expect("scanned");
        judge(&user, node.document())
            .unwrap_or_else(|wrong| panic!("{id} at {}: {wrong}", snapshot.timestamp()));
        for edge in snapshot.edges(id, Direction::Out, "KNOWS").expect("in memory") {
            judge(&knows, edge.document())
                .unwrap_or_else(|wrong| panic!("{:?}: {wrong}", edge.edge()));
            judged += 1;
        }
        judged += 1;
    }
    judged
}

/// A value that is right about every second time, by the first definition or a later
/// one.
fn value(rng: &mut fastrand::Rng) -> Value {
    match rng.u32(0..6) {
        0..3 => rng.i64(0..=100).into(),
        3 => rng.i64(101..200).into(),
        4 => "old".into(),
        _ => (-1).into(),
    }
}

fn document(rng: &mut fastrand::Rng) -> Document {
    let mut document = doc! {};
    let (age, name) =
        (["age", "years"][rng.usize(..2)], ["name", "title"][usize::from(rng.u8(..9) == 0)]);
    document.set(age, value(rng));
    if rng.u8(..8) > 0 {
        document.set(name, "x");
    }
    if rng.u8(..4) == 0 {
        document.set("level", value(rng));
    }
    document
}

fn write(db: &Db, rng: &mut fastrand::Rng) -> selvedge::Result<()> {
    let key = format!("u{}", rng.u64(..NODES));
    match rng.u8(..8) {
        0 => db.upsert_node("User", &key, document(rng)).map(drop),
        1 => db.insert_node("User", &*key, document(rng)).map(drop),
        2 => db
            .batch([
                Op::upsert_node("User", &key, document(rng)),
                Op::set(("User", &*key), "age", value(rng)),
            ])
            .map(drop),
        3 => db.transaction(|ctx| {
            let found = ctx.get_node("User", &key)?.map(|node| node.id());
            found.map_or(Ok(()), |node| {
                ctx.unset(node, ["name", "age", "level"][rng.usize(..3)]).map(drop)
            })
        }),
        4 if rng.u8(..8) == 0 => db.transaction(|ctx| {
            let found = ctx.get_node("User", &key)?.map(|node| node.id());
            found.map_or(Ok(()), |node| ctx.delete_node(node).map(drop))
        }),
        4 | 5 => db.transaction(|ctx| {
            let other = format!("u{}", rng.u64(..NODES));
            let ends = [&key, &other]
                .map(|key| ctx.get_node("User", key).map(|node| node.map(|node| node.id())));
            let [Ok(Some(from)), Ok(Some(to))] = ends else { return Ok(()) };
            ctx.link_nodes(from, "KNOWS", to, doc! { "since": rng.i64(1890..2000) }).map(drop)
        }),
        _ => db.transaction(|ctx| {
            let found = ctx.get_node("User", &key)?.map(|node| node.id());
            // Time for somebody else to define anew.
            thread::yield_now();
            let field = ["age", "years", "level"][rng.usize(..3)];
            found.map_or(Ok(()), |node| ctx.set(node, field, value(rng)))
        }),
    }
}

/// One definition after the other; those that what is there does not allow fail.
fn change(db: &Db, round: u64, wait: impl Fn()) -> (u64, u64) {
    let user = || db.migrate("User");
    let changes = [
        user().rename_field("age", "years"),
        user().add_field(FieldDef::int("level").default(1).min(0)),
        user().change_field(FieldDef::int("years").min(0).max(round as i64)),
        db.migrate_edges("KNOWS").change_field(FieldDef::int("since").min(1950)),
        user().make_optional("name"),
        user().drop_field("level"),
        user().rename_field("years", "age"),
        user().make_required("name"),
        user().change_field(FieldDef::string("name").default("none")),
        user().make_required("name"),
        user().change_field(FieldDef::int("age").min(0).max(100)),
        db.migrate_edges("KNOWS").change_field(FieldDef::int("since").min(1900)),
    ];
    let (mut done, mut refused) = (0, 0);
    for migration in changes {
        wait();
        match migration.run() {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(matches!(error, Error::Schema(_)), "{error}");
                refused += 1;
            }
        }
    }
    (done, refused)
}

#[test]
fn eight_writers_never_get_an_invalid_document_in() {
    let db = Db::in_memory();
    db.define([user()]).expect("new");
    db.define([knows()]).expect("new");
    let ended = AtomicBool::new(false);
    let [accepted, refused, conflicts, judged] = [const { AtomicU64::new(0) }; 4];
    let (mut changed, mut unchanged) = (0, 0);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (db, ended, accepted, refused, conflicts) =
                (&db, &ended, &accepted, &refused, &conflicts);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(writer);
                while !ended.load(Ordering::Relaxed) {
                    let counter = match write(db, &mut rng) {
                        Ok(()) => accepted,
                        Err(error) if error.is_retryable() => conflicts,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Input, "{error}");
                            refused
                        }
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                judged.fetch_add(judge_all(&db), Ordering::Relaxed);
            }
        });
        // However it ends, the others end too.
        let changes = thread::Builder::new().spawn_scoped(scope, || {
            let writes = || accepted.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed);
            let wait = || {
                let before = writes();
                while writes() < before + WRITES_BETWEEN_CHANGES {
                    thread::yield_now();
                }
            };
            let rounds = (0..ROUNDS).map(|round| change(&db, 50 + round, wait));
            rounds.fold((0, 0), |sum, round| (sum.0 + round.0, sum.1 + round.1))
        });
        let changes = changes.expect("few threads").join();
        ended.store(true, Ordering::Relaxed);
        (changed, unchanged) = changes.expect("no change fails otherwise");
    });
    judge_all(&db);
    assert_eq!(db.check(), Ok(vec![]));
    let [accepted, refused, conflicts, judged] =
        [accepted, refused, conflicts, judged].map(AtomicU64::into_inner);
    let by_definition = db.statistics().conflicts_definition;
    println!(
        "{accepted} accepted, {refused} refused, {conflicts} conflicts, {by_definition} of them \
         by definition, {judged} judged, {changed} changes, {unchanged} refused"
    );
    assert!(accepted > 500 && refused > 500 && by_definition > 10 && judged > 100);
    assert!(changed > ROUNDS && unchanged > 0, "{changed} changed, {unchanged} not");
}

/// A migration that somebody else had finished, while another one had begun, was finished
/// again: the other one, that is, before it had come to its end.
#[test]
fn nobody_finishes_the_migration_of_another() {
    let db = Db::in_memory();
    db.define([NodeDef::new("N").field(FieldDef::int("n"))]).expect("new");
    let ids: Vec<NodeId> = db
        .transaction(|ctx| (0..600).map(|n| ctx.insert_node("N", None, doc! { "n": n })).collect())
        .expect("they fit");
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let mut second = Some((begun, may_end));
    let mut other = None;
    db.migrate("N")
        .add_field(FieldDef::int("one").default(1))
        .on_progress(|progress| {
            if progress.stage != MigrationStage::Converting || progress.done < progress.of {
                return;
            }
            let Some((begun, may_end)) = second.take() else { return };
            db.migrate("N").run().expect("it is taken up, and finished");
            let db = db.clone();
            other = Some(std::thread::spawn(move || {
                let wait = |progress: MigrationProgress| {
                    if progress.stage == MigrationStage::Converting && progress.done == 256 {
                        begun.send(()).expect("somebody waits");
                        may_end.recv().expect("somebody tells");
                    }
                };
                let two = FieldDef::int("two").default(2);
                db.migrate("N").add_field(two).on_progress(wait).run()
            }));
            has_begun.recv().expect("it begins");
        })
        .run()
        .expect("it was finished");
    end.send(()).expect("somebody waits");
    other.expect("begun").join().expect("no panic").expect("it ends");
    let snapshot = db.snapshot().expect("few are open");
    for id in ids {
        let node = snapshot.node(id).expect("in memory").expect("inserted");
        assert_eq!(node.typed::<i64>("two"), Ok(Some(2)), "{id}");
    }
}
