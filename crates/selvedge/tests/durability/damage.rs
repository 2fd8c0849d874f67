//! Bits that flip on the disk: told with the file and the place, or without effect; what
//! is served is always what was written.

use std::path::Path;

use selvedge::prelude::*;
use selvedge::{ErrorKind, InputError, Result, StorageError};

use crate::machine::{DIR, Machine};
use crate::state::State;

fn long(text: &str) -> String {
    text.repeat(100)
}

/// Where a damaged file says that it is.
fn damage_of(error: &Error) -> Option<(String, u64)> {
    let Error::Storage(storage) = error else { return None };
    let StorageError::Corrupt { path, offset, .. } = &**storage else { return None };
    let name = path.file_name()?.to_string_lossy().into_owned();
    let text = error.to_string();
    assert!(text.contains(&name) && text.contains(&format!("byte {offset}")), "{text}");
    assert_eq!(error.kind(), ErrorKind::Restore);
    Some((name, *offset))
}

/// Flips a bit in each byte of a file, one after the other, and hands what each leads to.
fn each_flip(
    machine: &Machine,
    name: &str,
    bytes: std::ops::Range<u64>,
    mut visit: impl FnMut(u64, Result<Db>),
) {
    let path = Path::new(DIR).join(name);
    for offset in bytes {
        let bit = (offset * 5 % 8) as u8;
        machine.0.flip_bit(&path, offset, bit).expect("it is on the disk");
        visit(offset, machine.builder().read_only().open(DIR));
        machine.0.flip_bit(&path, offset, bit).expect("it is on the disk");
    }
}

/// A database with all of it in the log; and its states, one after each commit.
fn in_the_log() -> Result<(Machine, Vec<State>)> {
    let machine = Machine::new(1);
    let db = machine.open()?;
    let mut states = vec![State::default()];
    for n in 0..6_i64 {
        db.transaction(|ctx| {
            let node =
                ctx.insert_node("N", &*format!("{n}"), doc! { "n": n, "text": long("ab") })?;
            ctx.link_nodes(node, "SELF", node, doc! { "n": n })
        })?;
        states.push(State::checked(&db)?);
    }
    drop(db);
    machine.0.crash();
    Ok((machine, states))
}

/// Any byte of the log: what was durable is missing, and opening says so; or it was never
/// part of anything.
#[test]
fn every_byte_of_the_log() {
    let (machine, states) = in_the_log().unwrap();
    let last = states.last().unwrap();
    let segment = machine.read("log-0000000000000000");
    let used = segment.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let (mut refused, mut same) = (0, 0);
    each_flip(&machine, "log-0000000000000000", 0..used, |offset, opened| match opened {
        Ok(db) => {
            assert_eq!(State::checked(&db).unwrap(), *last, "byte {offset}");
            same += 1;
        }
        Err(error) => {
            let (name, at) = damage_of(&error).unwrap_or_else(|| panic!("{error}"));
            assert_eq!(name, "log-0000000000000000");
            assert!(at <= offset, "the record begins at {at}, the damage is at {offset}");
            refused += 1;
        }
    });
    // Behind the last record that another speaks of: the mark of closing. And padding.
    assert!(same <= 48 + 7 * states.len(), "{same} bytes without effect");
    assert!(refused > 1_000, "{refused} of {used} bytes");
}

/// With `until_damage` a database is opened as it was before what is damaged, to be read.
#[test]
fn until_damage_opens_what_comes_before() {
    let (machine, states) = in_the_log().unwrap();
    let mut seen = Vec::new();
    let segment = machine.read("log-0000000000000000");
    let used = segment.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    for offset in (0..used).step_by(23) {
        let path = Path::new(DIR).join("log-0000000000000000");
        machine.0.flip_bit(&path, offset, 3).unwrap();
        let db = machine.builder().until_damage().open(DIR).unwrap();
        let found = State::checked(&db).unwrap();
        let at = states.iter().position(|state| *state == found);
        seen.push(at.unwrap_or_else(|| panic!("byte {offset}: no state there ever was")));
        assert!(matches!(db.insert_node("N", None, doc! {}), Err(Error::Closed)));
        // What comes before can be saved.
        if offset % 3 == 0 {
            let copy = format!("copy-{offset}");
            db.backup_to(&copy).unwrap();
            let copy = machine.builder().open(&copy).unwrap();
            assert_eq!(State::checked(&copy).unwrap().names(), found.names());
        }
        drop(db);
        machine.0.flip_bit(&path, offset, 3).unwrap();
    }
    // Padding is part of nothing.
    let last_but_one = seen.iter().rposition(|at| *at + 1 < states.len()).unwrap();
    let mut seen: Vec<_> =
        seen[..=last_but_one].iter().filter(|at| **at + 1 < states.len()).collect();
    assert!(seen.is_sorted(), "the later the damage, the more there is: {seen:?}");
    seen.dedup();
    assert!(seen.into_iter().copied().eq(0..states.len() - 1), "every state in turn");
}

/// Damage at the very end, behind all that is known to be durable, is a torn write: no
/// reason to refuse anything.
#[test]
fn a_torn_end_is_no_damage() {
    let machine = Machine::new(4);
    let db = machine.open().unwrap();
    db.insert_node("N", "1", doc! {}).unwrap();
    let before = State::checked(&db).unwrap();
    let end = db.statistics().storage.unwrap().durable.get();
    db.insert_node("N", "2", doc! {}).unwrap();
    machine.0.crash();
    machine.0.flip_bit(&Path::new(DIR).join("log-0000000000000000"), end + 50, 1).unwrap();
    let db = machine.open().unwrap();
    assert_eq!(State::checked(&db).unwrap(), before);
    assert!(db.statistics().storage.unwrap().recovery.cut_bytes > 0);
}

/// A closed database: all of it in the checkpoint.
fn in_a_data_file() -> Result<(Machine, State)> {
    let machine = Machine::new(2);
    let db = machine.open()?;
    db.transaction(|ctx| {
        let a = ctx.insert_node("N", "a", doc! { "text": long("a") })?;
        let b = ctx.insert_node("N", "b", doc! { "text": long("b"), "n": 1 })?;
        let c = ctx.insert_node("N", "c", doc! { "small": true })?;
        ctx.link_nodes(a, "TO", b, doc! { "text": long("to") })?;
        ctx.link_nodes(b, "TO", c, doc! { "text": long("go") })?;
        ctx.link_nodes(c, "BACK", a, doc! {})
    })?;
    db.checkpoint()?;
    let state = State::checked(&db)?;
    drop(db);
    machine.0.crash();
    Ok((machine, state))
}

const DATA: &str = "data-0000000000000002";

/// Any byte of the manifest: told when the database is opened.
#[test]
fn every_byte_of_the_manifest() {
    let (machine, state) = in_a_data_file().unwrap();
    let bytes = machine.read("MANIFEST").len() as u64;
    let mut same = 0;
    each_flip(&machine, "MANIFEST", 0..bytes, |offset, opened| match opened {
        Ok(db) => {
            assert_eq!(State::checked(&db).unwrap(), state, "byte {offset}");
            same += 1;
        }
        Err(error) => {
            let damage = damage_of(&error).unwrap_or_else(|| panic!("byte {offset}: {error}"));
            assert_eq!(damage.0, "MANIFEST");
        }
    });
    assert!(same < 8, "{same} bytes without effect: padding");
}

fn is_damaged(error: &Error) -> bool {
    error.kind() == ErrorKind::Restore && matches!(error.input(), Some(InputError::Damaged(_)))
}

/// What is served of a database in which something may be damaged is what was written;
/// gives whether anything was not served.
fn expect_right_or_refused(db: &Db, state: &State) -> Result<bool> {
    let snapshot = db.snapshot()?;
    let mut refused = false;
    for (id, expected) in &state.nodes {
        let by_key = snapshot.get_node("N", expected.key.as_deref().expect("all have one"));
        for found in [snapshot.node(*id), by_key] {
            match found {
                Ok(found) => {
                    let found = found.expect("it is there");
                    assert_eq!(found.document().to_document(), expected.document);
                    assert_eq!((found.id(), found.version()), (*id, expected.version));
                }
                Err(error) => {
                    assert!(is_damaged(&error), "{error}");
                    assert!(error.to_string().contains(&format!("node {id}")), "{error}");
                    refused = true;
                }
            }
        }
        match snapshot.edges(*id, Direction::Out, None) {
            Ok(edges) => edges.for_each(|edge| {
                let of_state = state.edges.iter().find(|expected| {
                    (expected.source, &*expected.edge_type) == (edge.source(), edge.edge_type())
                });
                let expected = of_state.expect("it was written");
                assert_eq!(edge.document().to_document(), expected.document);
                assert_eq!(edge.target(), expected.target);
            }),
            Err(error) => {
                assert!(is_damaged(&error), "{error}");
                refused = true;
            }
        }
    }
    Ok(refused)
}

/// Any byte of a data file, be it of its header, a block, a document or the directory:
/// told when the database is opened, or when the document is read; and by a check.
#[test]
fn every_byte_of_a_data_file() {
    let (machine, state) = in_a_data_file().unwrap();
    let bytes = machine.read(DATA).len() as u64;
    let (mut at_opening, mut at_reading, mut same) = (0, 0, 0);
    each_flip(&machine, DATA, 0..bytes, |offset, opened| match opened {
        Err(error) => {
            let damage = damage_of(&error).unwrap_or_else(|| panic!("byte {offset}: {error}"));
            assert_eq!(damage.0, DATA);
            assert!(damage.1 <= offset + 32, "told at {}, done at {offset}", damage.1);
            at_opening += 1;
        }
        Ok(db) => {
            let problems = db.check().unwrap();
            if expect_right_or_refused(&db, &state).unwrap() {
                assert!(!problems.is_empty(), "byte {offset}: a check finds it, too");
                at_reading += 1;
            } else {
                same += 1;
            }
        }
    });
    println!("{at_opening} bytes tell at opening, {at_reading} at reading, {same} do nothing");
    assert!(at_opening > 300 && at_reading > 600 && same < 100);
}

/// The place in the data file of a document that has this text.
fn place_of(machine: &Machine, name: &str, text: &str) -> u64 {
    let (bytes, text) = (machine.read(name), text.as_bytes());
    let found = bytes.windows(text.len()).position(|window| window == text);
    found.expect("it lies there") as u64
}

/// A document that is damaged on disk is not served by anything that reads documents,
/// nor changed in part; everything else goes on, and what has it can be deleted.
#[test]
fn a_damaged_document_is_never_served() {
    let (machine, state) = in_a_data_file().unwrap();
    let flip = |text: &str| {
        let at = place_of(&machine, DATA, text) + 40;
        machine.0.flip_bit(&Path::new(DIR).join(DATA), at, 0).unwrap();
    };
    flip(&long("a"));
    flip(&long("to"));
    let db = machine.open().unwrap();
    let [a, b, c] = <[NodeId; 3]>::try_from(Vec::from_iter(state.nodes.keys().copied())).unwrap();
    let snapshot = db.snapshot().unwrap();
    assert!(is_damaged(&snapshot.node(a).unwrap_err()));
    assert!(is_damaged(&snapshot.get_node("N", "a").unwrap_err()));
    assert!(is_damaged(&snapshot.edge(a, "TO", b).unwrap_err()));
    assert!(is_damaged(&snapshot.edges_between(a, "TO", b).unwrap_err()));
    assert!(is_damaged(&snapshot.edges(a, Direction::Out, "TO").unwrap_err()));
    assert!(is_damaged(&snapshot.edges(b, Direction::Both, None).unwrap_err()));
    let walk = snapshot.traverse(c).unwrap().depth(1..=2).filter_nodes(|node| node.id() != b);
    let steps: Vec<_> = walk.collect();
    assert!(steps.iter().any(|step| step.is_err()), "a test would read it");
    let walk = snapshot.traverse(a).unwrap().filter_edges(|edge| edge.get("text").is_some());
    assert!(walk.collect::<Vec<_>>().iter().any(|step| step.is_err()));
    // What needs no document goes on.
    let walk: Vec<_> = snapshot.traverse(c).unwrap().depth(1..=3).collect();
    assert_eq!(walk.iter().filter(|step| step.is_ok()).count(), 2, "to a, and to b");
    assert!(snapshot.contains(a).unwrap());
    assert_eq!(snapshot.count("N").unwrap(), 3);
    assert_eq!(snapshot.neighbours(a, Direction::Out, "TO").unwrap().collect::<Vec<_>>(), [b]);
    assert!(snapshot.node(b).unwrap().is_some());
    assert!(snapshot.shortest_path(c, b).unwrap().find().is_some());
    let problems = db.check().unwrap().join("\n");
    assert!(problems.contains(&format!("node {a}")) && problems.contains("edge"), "{problems}");
    // A change in part would take over what is damaged.
    let edge = db.transaction(|ctx| Ok::<_, Error>(ctx.edges(b, Direction::Out, None)?.count()));
    assert_eq!(edge.unwrap(), 1);
    assert!(is_damaged(&db.set(a, "n", 1).unwrap_err()));
    assert!(is_damaged(&db.unset(a, "n").unwrap_err()));
    assert!(is_damaged(&db.transaction(|ctx| ctx.set_path(a, "m.n", 1)).unwrap_err()));
    assert!(is_damaged(&db.transaction(|ctx| ctx.get_for_update(a).map(drop)).unwrap_err()));
    // An edge is replaced as a whole, and a node can be deleted: neither reads it.
    db.link_nodes(a, "TO", b, doc! { "text": "new" }).unwrap();
    db.delete_node(a).unwrap();
    drop(snapshot);
    assert_eq!(State::checked(&db).unwrap().nodes.len(), 2);
}

/// A damaged document is not copied: a backup of it is refused, and so is a checkpoint
/// that would have to move it; nothing else is lost by that.
#[test]
fn a_damaged_document_is_not_copied() {
    let machine = Machine::new(3);
    let db = machine.open().unwrap();
    let ids: Vec<_> = (0..10)
        .map(|n| db.insert_node("N", &*format!("{n}"), doc! { "text": format!("{n}").repeat(300) }))
        .collect::<Result<_>>()
        .unwrap();
    db.checkpoint().unwrap();
    drop(db);
    let place = place_of(&machine, DATA, &"7".repeat(300));
    machine.0.flip_bit(&Path::new(DIR).join(DATA), place + 9, 2).unwrap();
    let db = machine.open().unwrap();
    let error = db.backup_to("copy").unwrap_err();
    let (name, offset) = damage_of(&error).expect("it says where");
    assert!(name == DATA && offset <= place, "{name} at {offset}, not {place}");
    let opened = machine.builder().existing().open("copy");
    assert!(opened.is_err_and(|error| error.kind() != ErrorKind::Restore), "no database");
    // Most of the file dies, so that the rest should move.
    for id in ids.iter().filter(|id| **id != ids[7]) {
        db.replace(*id, doc! { "text": "new".repeat(100) }).unwrap();
    }
    let told: Vec<_> = (0..3)
        .filter_map(|n| {
            db.insert_node("M", None, doc! { "n": n }).unwrap();
            db.checkpoint().err()
        })
        .collect();
    for error in &told {
        assert_eq!(damage_of(error).expect("it says where"), (DATA.to_owned(), offset));
    }
    assert!(!told.is_empty());
    let db = machine.crash_and_open(db).unwrap();
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count("M").unwrap(), 3);
    for id in ids {
        assert_eq!(snapshot.node(id).is_ok(), id != NodeId::new(8));
    }
    // Once it is gone, everything can move again.
    drop(snapshot);
    db.delete_node(NodeId::new(8)).unwrap();
    db.checkpoint().unwrap();
    db.backup_to("copy").unwrap();
}
