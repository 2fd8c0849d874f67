//! A database on a simulated disk, opened from files that are not what was written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use selvedge::env::{Env, SimulatedFiles};
use selvedge::{
    Background, Db, DbBuilder, EdgeTypeDef, Error, ErrorKind, Read, Result, Transaction, doc,
};

use crate::checkpoint_format::log_start;
use crate::image::Image;
use crate::log_format::{Record, SEGMENT_BYTES, walk};
use crate::reading::{Seen, see};

const DIR: &str = "/db";
/// Things that are changed behind opening.
const CHANGED_MAX: usize = 3;

/// Everything there is, as [`see`] names it.
type State = BTreeMap<String, String>;

/// The log of a database.
pub(crate) struct WrittenLog {
    pub(crate) salt: u32,
    pub(crate) start: u64,
    pub(crate) chain: u32,
    pub(crate) records: Vec<Record>,
}

/// A database as it was written: two checkpoints, and commits behind them.
pub(crate) struct Written {
    pub(crate) image: Image,
    pub(crate) log: WrittenLog,
    /// The states that its commits led to, behind the newest checkpoint.
    states: Vec<State>,
}

fn builder(files: &SimulatedFiles) -> DbBuilder {
    let (env, _) = Env::simulated_on(files, 7);
    let builder = Db::builder().env(env).background(Background::Manual).existing();
    // Documents are read from their files.
    builder.log_segment_bytes(SEGMENT_BYTES as u64).document_bytes(0)
}

fn open(image: &Image) -> (SimulatedFiles, Result<Db>) {
    let files = SimulatedFiles::new(1);
    image.put(&files, Path::new(DIR));
    let db = builder(&files).open(DIR);
    (files, db)
}

/// Errors of files say what is wrong; nobody has done anything else wrong.
fn tolerate(what: &str, error: &Error) {
    let kind = error.kind();
    let is_told = matches!(kind, ErrorKind::Restore | ErrorKind::System | ErrorKind::Reopen);
    assert!(is_told && !error.to_string().is_empty(), "{what}: {error:?}");
}

/// Where nothing of a database is left there is none.
fn tolerate_opening(image: &Image, error: &Error) {
    if image.0.contains_key("MANIFEST") || error.kind() != ErrorKind::Input {
        tolerate("open", error);
    }
}

/// Opens a database from files whose checksums have nothing to say: it opens or does
/// not; what is there can be read; and if it finds nothing wrong with itself, all ways of
/// reading agree, it can be written, and it is the same when it is opened again.
pub(crate) fn open_and_use(image: &Image) {
    let (files, db) = open(image);
    let db = match db {
        Ok(db) => db,
        Err(error) => return tolerate_opening(image, &error),
    };
    let complaints = db.check().expect("few snapshots are open");
    let Ok(snapshot) = db.snapshot() else { return };
    let seen = see(&snapshot);
    seen.errors.iter().for_each(|error| tolerate("read", error));
    if !complaints.is_empty() {
        return;
    }
    assert!(seen.errors.is_empty(), "nothing is wrong, and yet: {:?}", seen.errors);
    assert!(seen.disagreements.is_empty(), "nothing is wrong, and yet: {:#?}", seen.disagreements);
    if let Err(error) = change(&db, &seen) {
        return tolerate("change", &error);
    }
    if let Err(error) = db.checkpoint() {
        return tolerate("checkpoint", &error);
    }
    assert_eq!(see(&snapshot).things, seen.things, "the snapshot sees what it saw");
    drop(snapshot);
    let after = see(&db.snapshot().expect("a free slot"));
    assert_eq!(db.check().expect("few snapshots are open"), [""; 0]);
    if let Err(error) = db.close() {
        return tolerate("close", &error);
    }
    let again = match builder(&files).open(DIR) {
        Ok(again) => again,
        // It was opened with the last number of something that there is.
        Err(error) if error.to_string().ends_with("are left") => return,
        Err(error) => panic!("it was closed well: {error:?}"),
    };
    let found = see(&again.snapshot().expect("a free slot"));
    assert_eq!(found.things, after.things, "what was there is there again");
    assert!(found.disagreements.is_empty(), "{:#?}", found.disagreements);
}

/// Changes a bit of everything.
fn change(db: &Db, seen: &Seen) -> Result<()> {
    let mut changes = Vec::new();
    for id in seen.nodes.iter().copied().take(CHANGED_MAX) {
        changes.push(db.set(id, "changed", "by the one who opened it"));
    }
    for edge in seen.edges.iter().copied().take(CHANGED_MAX) {
        changes.push(db.set_edge(edge, doc! { "changed": true }));
    }
    for edge in seen.edges.iter().copied().rev().take(CHANGED_MAX) {
        changes.push(db.unlink_edge(edge));
    }
    changes.extend(seen.nodes.last().map(|id| db.delete_node(*id).map(drop)));
    changes.push(db.transaction(|ctx| {
        let one = ctx.insert_node("New", None, doc! { "text": "x".repeat(200) })?;
        let other = ctx.insert_node("New", None, doc! {})?;
        ctx.link_nodes(one, "NEW", other, doc! { "n": 1 })?;
        Ok::<_, Error>(())
    }));
    for changed in changes {
        match changed {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Input => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a database from damaged files: it says so, or what it gives is what was
/// committed up to some moment, but for what it says it cannot read.
pub(crate) fn open_damaged(image: &Image) {
    let (_, db) = open(image);
    let db = match db {
        Ok(db) => db,
        Err(error) => return tolerate_opening(image, &error),
    };
    let Ok(snapshot) = db.snapshot() else { return };
    let _ = db.check().expect("few snapshots are open");
    let seen = see(&snapshot);
    seen.errors.iter().for_each(|error| tolerate("read", error));
    let is_it = |state: &&State| {
        let is_part = seen.things.iter().all(|(name, thing)| state.get(name) == Some(thing));
        is_part && (!seen.errors.is_empty() || seen.things.len() == state.len())
    };
    let states = &written().states;
    assert!(states.iter().any(|state| is_it(&state)), "never committed: {:#?}", seen.things);
    if seen.errors.is_empty() {
        assert!(seen.disagreements.is_empty(), "{:#?}", seen.disagreements);
    }
}

/// The database that inputs change.
pub(crate) fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| write().expect("nothing goes wrong"))
}

fn write() -> Result<Written> {
    let files = SimulatedFiles::new(1);
    let (env, _) = Env::simulated_on(&files, 7);
    let db = Db::builder().env(env).background(Background::Manual);
    let db = db.log_segment_bytes(SEGMENT_BYTES as u64).document_bytes(0).open(DIR)?;
    db.transaction(first_commit)?;
    db.checkpoint()?;
    let (a, b) = (node(&db, "a")?, node(&db, "b")?);
    db.set(a, "text", "another text, which is as long as the first one was, or a bit longer")?;
    db.link_nodes(a, "PAID", b, doc! { "amount": 2, "note": "n".repeat(90) })?;
    db.delete_node(node(&db, "g")?)?;
    db.checkpoint()?;
    let mut states = vec![see(&db.snapshot()?).things];
    let mut note = |db: &Db| {
        states.push(see(&db.snapshot()?).things);
        Ok::<_, Error>(())
    };
    db.insert_node("City", "oslo", doc! { "people": 700_000 })?;
    note(&db)?;
    db.set(b, "text", "short")?;
    note(&db)?;
    db.link_nodes(a, "LIVES_IN", node(&db, "c")?, doc! {})?;
    note(&db)?;
    db.unlink_nodes(a, "KNOWS", b)?;
    note(&db)?;
    db.delete_node(node(&db, "d")?)?;
    note(&db)?;
    db.transaction(|ctx| {
        let new = ctx.insert_node("User", "h", doc! { "bytes": vec![7_u8; 500] })?;
        ctx.link_nodes(new, "PAID", a, doc! {})?;
        ctx.set(new, "n", 1)
    })?;
    note(&db)?;
    files.kill();
    drop(db);
    let image = Image::take(&files, Path::new(DIR));
    let log = log_start(&image).expect("there is a manifest");
    let records = walk(&image, log.salt, log.position, log.chain);
    let log = WrittenLog { salt: log.salt, start: log.position, chain: log.chain, records };
    Ok(Written { image, log, states })
}

fn node(db: &Db, key: &str) -> Result<selvedge::NodeId> {
    Ok(db.snapshot()?.get_node("User", key)?.expect("it was inserted").id())
}

/// Nodes with small and large documents, with keys and without, and edges of each kind.
fn first_commit(ctx: &mut Transaction<'_>) -> Result<()> {
    ctx.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("User"))?;
    let mut ids = Vec::new();
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        let text = key.repeat(80);
        ids.push(ctx.insert_node("User", key, doc! { "text": text, "list": [1, 2.5, null] })?);
    }
    for name in ["x", "y"] {
        ids.push(ctx.insert_node("City", None, doc! { "name": name })?);
    }
    for pair in ids[..7].windows(2) {
        ctx.link_nodes(pair[0], "KNOWS", pair[1], doc! {})?;
        ctx.link_nodes(pair[1], "PAID", pair[0], doc! { "amount": 1 })?;
        ctx.link_nodes(
            pair[0],
            "LIVES_IN",
            ids[8],
            doc! { "since": 1999, "why": "w".repeat(100) },
        )?;
    }
    ctx.link_nodes(ids[0], "KNOWS", ids[0], doc! {})?;
    Ok(())
}
