//! Crashes in the midst of a change of definitions: the database opens, and whoever
//! asks for the change again brings it to its end.

use std::path::Path;

use selvedge::env::{Env, Fault, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, Define, EdgeDef, FieldDef, NodeDef, Result};

/// More than two transactions convert.
const NODES: i64 = 520;

fn open(files: &SimulatedFiles) -> Result<Db> {
    let (env, _) = Env::simulated_on(files, 7);
    let builder = Db::builder().env(env).background(Background::Manual);
    builder.log_segment_bytes(4096).document_bytes(0).open(Path::new("db"))
}

/// A machine with a database of nodes, closed.
fn machine(setup: fn(&Db) -> Result<()>) -> SimulatedFiles {
    let files = SimulatedFiles::new(3);
    let db = open(&files).expect("new");
    db.transaction(|ctx| {
        let mut last = ctx.insert_node("First", None, doc! {})?;
        for n in 0..NODES {
            let node =
                ctx.insert_node("User", &*format!("u{n}"), doc! { "nick": n.to_string() })?;
            ctx.link_nodes(last, "NEXT", node, doc! {})?;
            last = node;
        }
        Ok::<_, Error>(())
    })
    .expect("nothing is defined");
    setup(&db).expect("nothing fails yet");
    db.close().expect("open");
    files
}

/// Documents of all nodes with the label, and of all edges of the type.
fn documents(db: &Db) -> Result<(Vec<Document>, Vec<Document>)> {
    let snapshot = db.snapshot()?;
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    for id in snapshot.scan("User")? {
        nodes.extend(snapshot.node(id)?.map(|node| node.document().to_document()));
        edges.extend(
            snapshot.edges(id, Direction::In, "NEXT")?.map(|edge| edge.document().to_document()),
        );
    }
    Ok((nodes, edges))
}

/// Runs `change` with a fault at each operation on files, or at every few of them, one machine each; then opens
/// the database, judges what is there, and runs it again.
fn at_every_operation(
    (fault, every): (Fault, usize),
    setup: fn(&Db) -> Result<()>,
    change: fn(&Db) -> Result<()>,
    judge: fn(&Db) -> Result<()>,
) -> u64 {
    let mut interrupted = 0;
    for later in (0..).step_by(every) {
        let files = machine(setup);
        let db = open(&files).expect("closed");
        files.plan(files.operation_count() + later, fault);
        let done = change(&db);
        drop(db);
        if files.down().is_none() {
            assert_eq!(done, Ok(()), "nothing went wrong");
            break;
        }
        interrupted += 1;
        files.recover();
        let db = open(&files).expect("it opens after every crash");
        judge(&db).expect("what is there is readable");
        change(&db).expect("it goes on where it was");
        assert_eq!(db.check(), Ok(vec![]));
        files.crash();
        drop(db);
        let db = open(&files).expect("it opens again");
        assert!(db.schema().expect("few are open").changes().next().is_none(), "all is done");
        let (nodes, edges) = documents(&db).expect("readable");
        for (n, document) in nodes.into_iter().enumerate() {
            assert_eq!(document, doc! { "alias": n.to_string(), "level": 1 });
        }
        assert!(edges.iter().all(|document| *document == doc! { "weight": 1 }));
        assert!(db.insert_node("User", None, doc! { "nick": "x" }).is_err(), "it holds");
    }
    interrupted
}

fn user() -> NodeDef {
    NodeDef::new("User").field(FieldDef::string("nick"))
}

/// As the program would at each start: it defines what it wants, and migrates what is
/// of an older version.
fn migrate(db: &Db) -> Result<()> {
    db.define([EdgeDef::unique("NEXT").field(FieldDef::int("weight").default(1))])?;
    let schema = db.schema()?;
    if schema.node("User").is_some_and(|user| user.field("nick").is_some()) {
        let migration = db.migrate("User").rename_field("nick", "alias");
        return migration.add_field(FieldDef::int("level").default(1)).run();
    }
    // Begun to be converted, perhaps.
    db.migrate("User").run()
}

/// Each document is an old one or a new one, and new where the new definition holds
/// only if it was converted already; nothing is lost.
fn judge(db: &Db) -> Result<()> {
    let (nodes, edges) = documents(db)?;
    assert_eq!((nodes.len(), edges.len()), (NODES as usize, NODES as usize));
    for (n, document) in nodes.iter().enumerate() {
        let (old, new) =
            (doc! { "nick": n.to_string() }, doc! { "alias": n.to_string(), "level": 1 });
        let renamed = db.schema()?.node("User").is_some_and(|user| user.field("alias").is_some());
        assert!(*document == old || renamed && *document == new, "{document:?}");
    }
    assert!(edges.iter().all(|document| [doc! {}, doc! { "weight": 1 }].contains(document)));
    // Whatever has not been converted is edited as if it were.
    let node = db.snapshot()?.get_node("User", "u519")?.expect("the last one").id();
    let renamed = db.schema()?.node("User").is_some_and(|user| user.field("alias").is_some());
    db.set(node, if renamed { "alias" } else { "nick" }, "519")
}

#[test]
fn a_migration_survives_a_crash_at_every_operation() {
    let interrupted =
        at_every_operation((Fault::Crash, 1), |db| db.define([user()]), migrate, judge);
    assert!(interrupted > 20, "{interrupted} operations");
}

#[test]
fn a_migration_survives_being_killed() {
    let interrupted =
        at_every_operation((Fault::Kill, 3), |db| db.define([user()]), migrate, judge);
    assert!(interrupted > 7, "{interrupted} operations");
}

/// Nothing is defined, and two definitions with defaults come at once.
fn define(db: &Db) -> Result<()> {
    let user = NodeDef::new("User")
        .field(FieldDef::string("nick").optional())
        .field(FieldDef::string("alias").default("none"));
    let next = EdgeDef::unique("NEXT").field(FieldDef::int("weight").default(1));
    db.define([Define::from(user), next.into()])
}

#[test]
fn defining_what_is_there_survives_a_crash_at_every_operation() {
    for later in 0.. {
        let files = machine(|_| Ok(()));
        let db = open(&files).expect("closed");
        files.plan(files.operation_count() + later, Fault::Crash);
        let done = define(&db);
        drop(db);
        if files.down().is_none() {
            assert_eq!(done, Ok(()), "nothing went wrong");
            assert!(later > 20, "{later} operations");
            break;
        }
        files.recover();
        let db = open(&files).expect("it opens after every crash");
        define(&db).expect("it goes on where it was");
        let (nodes, edges) = documents(&db).expect("readable");
        let is_new = |(n, document): (usize, &Document)| {
            *document == doc! { "alias": "none", "nick": n.to_string() }
        };
        assert!(nodes.iter().enumerate().all(is_new));
        assert!(edges.iter().all(|document| *document == doc! { "weight": 1 }));
        assert!(db.insert_node("User", None, doc! { "nick": 1 }).is_err(), "it holds");
        assert_eq!(db.check(), Ok(vec![]));
    }
}
