//! Defaults that a migration brings to fields of unique indexes, while others write.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use selvedge::prelude::*;
use selvedge::{FieldDef, IndexDef, InputError, MigrationProgress, MigrationStage, NodeDef};

/// Of each tenant at most one of a kind. The index is there, and complete.
fn shops(count: u64) -> Db {
    let db = Db::in_memory();
    let shop = NodeDef::new("Shop")
        .field(FieldDef::uint("tenant"))
        .field(FieldDef::string("kind").optional())
        .field(FieldDef::int("n").optional())
        .index(IndexDef::on(["tenant", "kind"]).named("one").unique());
    db.define([shop]).expect("new");
    let insert = |ctx: &mut Transaction<'_>| {
        (0..count).try_for_each(|tenant| {
            ctx.insert_node("Shop", None, doc! { "tenant": tenant }).map(drop)
        })
    };
    db.transaction(insert).expect("they fit");
    db
}

fn with_default() -> FieldDef {
    FieldDef::string("kind").default("main")
}

fn assert_sound(db: &Db) {
    assert_eq!(db.check().expect("it can be checked"), Vec::<String>::new());
    assert_eq!(db.schema().expect("in memory").changes().count(), 0, "nothing is under way");
}

/// A node that was written beside a migration took the place, in a unique index that was
/// complete, of the default that another was to get: the conversion ended half way, and
/// with the same error whenever it was tried again.
#[test]
fn no_write_takes_what_a_migration_is_to_give() {
    let db = shops(600);
    let node = |tenant: u64| {
        let snapshot = db.snapshot().expect("few are open");
        let mut ids = snapshot.scan("Shop").expect("in memory");
        ids.nth(usize::try_from(tenant).expect("small")).expect("inserted")
    };
    let (first, last) = (node(0), node(599));
    let side = db
        .insert_node("Shop", None, doc! { "tenant": 7_000, "kind": "side" })
        .expect("nothing is under way");
    let mut stages = Vec::new();
    let report = |progress: MigrationProgress| {
        if !matches!(
            (progress.stage, progress.done),
            (MigrationStage::Verifying, 601) | (MigrationStage::Converting, 256)
        ) {
            return;
        }
        stages.push(progress.stage);
        let refused = |written: selvedge::Result<()>| {
            let error = written.expect_err("it is kept for another");
            assert!(matches!(error.input(), Some(InputError::DefaultKept { .. })), "{error}");
            assert_eq!(
                error.to_string(),
                "the node would have, in the unique index \"one\" of \"Shop\", the default of a \
                 migration that is under way: give it another value, or wait until that has ended"
            );
        };
        let insert = |document: Document| db.insert_node("Shop", None, document).map(drop);
        // Explicit or not, and as an edit.
        refused(insert(doc! { "tenant": 599, "kind": "main" }));
        refused(insert(doc! { "tenant": 599 }));
        refused(insert(doc! { "tenant": 8_000 }));
        refused(db.unset(side, "kind").map(drop));
        refused(db.set(side, "kind", "main"));
        refused(db.set(last, "tenant", 8_000));
        // What has it already, what has another value, and what goes.
        db.set(last, "n", 1).expect("it keeps its place");
        db.set(first, "kind", "main").expect("it would come to have that");
        insert(doc! { "tenant": 599 + stages.len() as u64, "kind": "side" }).expect("free");
        let gone = insert(doc! { "tenant": 9_000, "kind": "gone" });
        gone.expect("free");
        let snapshot = db.snapshot().expect("few are open");
        let keyed = snapshot.index("Shop", "one").expect("ready");
        let gone = keyed.equal(9_000).equal("gone").ids().expect("in memory").next();
        db.delete_node(gone.expect("inserted").expect("in memory")).expect("there");
    };
    db.migrate("Shop").change_field(with_default()).on_progress(report).run().expect("unique");
    assert_eq!(stages, [MigrationStage::Verifying, MigrationStage::Converting]);
    assert_sound(&db);
    // Afterwards the index says who may have it.
    let taken = db.insert_node("Shop", None, doc! { "tenant": 599 }).expect_err("of the last");
    assert!(
        matches!(taken.input(), Some(InputError::UniqueViolation { holder, .. }) if *holder == last)
    );
    db.insert_node("Shop", None, doc! { "tenant": 8_000 }).expect("free");
    assert_sound(&db);
}

const TENANTS: u64 = 300;

/// A write that may have no place beside the default.
fn write(db: &Db, rng: &mut fastrand::Rng) -> selvedge::Result<()> {
    if rng.u8(..3) == 0 {
        let mut document = doc! { "tenant": rng.u64(..2 * TENANTS) };
        if rng.u8(..4) > 0 {
            document.set("kind", ["main", "side", "back"][rng.usize(..3)]);
        }
        return db.insert_node("Shop", None, document).map(drop);
    }
    db.transaction(|ctx| {
        let found = ctx.scan("Shop")?.nth(rng.usize(..TENANTS as usize));
        let Some(node) = found else { return Ok(()) };
        match rng.u8(..4) {
            0 => ctx.unset(node, "kind").map(drop),
            1 => ctx.set(node, "kind", "main"),
            2 => ctx.set(node, "n", 1),
            _ => ctx.delete_node(node).map(drop),
        }
    })
}

/// A migration that is refused has changed nothing; one that is not is complete. Writers
/// that insert, take away and set go on meanwhile.
#[test]
fn writers_beside_it_meet_a_whole_migration_or_none() {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 12;
    let (mut done, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let db = shops(TENANTS);
        // From the start, when somebody may have written what cannot be converted; or, in
        // every second round, as soon as it is known that everything can be.
        let (go, stop) = (AtomicBool::new(round % 2 == 0), AtomicBool::new(false));
        let written = AtomicU64::new(0);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (db, go, stop, written) = (&db, &go, &stop, &written);
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(100 * round + writer);
                    while !stop.load(Ordering::Relaxed) {
                        if !go.load(Ordering::Relaxed) {
                            thread::yield_now();
                            continue;
                        }
                        match write(db, &mut rng) {
                            Ok(()) => drop(written.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => assert!(
                                error.is_retryable() || error.input().is_some(),
                                "round {round}: {error}"
                            ),
                        }
                    }
                });
            }
            while go.load(Ordering::Relaxed) && written.load(Ordering::Relaxed) < 4 * round {
                thread::yield_now();
            }
            let verified = |progress: MigrationProgress| {
                let is_verified = progress.done == progress.of;
                go.fetch_or(is_verified, Ordering::Relaxed);
            };
            let migration = db.migrate("Shop").change_field(with_default());
            let outcome = migration.on_progress(verified).run();
            let snapshot = db.snapshot().expect("few are open");
            stop.store(true, Ordering::Relaxed);
            let nodes = snapshot.scan("Shop").expect("in memory").map(|id| {
                let node = snapshot.node(id).expect("in memory").expect("scanned");
                node.get("kind").is_some()
            });
            let lacking = nodes.filter(|there| !there).count();
            match outcome {
                Ok(()) => {
                    done += 1;
                    assert_eq!(lacking, 0, "round {round}: one was left behind");
                }
                Err(error) => {
                    refused += 1;
                    assert!(
                        matches!(error.input(), Some(InputError::Duplicate { .. })),
                        "round {round}: {error}"
                    );
                    assert!(lacking > 0, "round {round}: nothing was converted");
                }
            }
        });
        assert_sound(&db);
    }
    assert!(done >= ROUNDS / 2, "{done} were carried out, {refused} refused");
}
