//! Directories that are not opened: files of a newer format, of another database, or
//! missing.

use std::path::Path;

use selvedge::env::Env;
use selvedge::prelude::*;
use selvedge::{ErrorKind, Result, StorageError};
use selvedge_storage::document_checksum;

use crate::machine::{DIR, Machine, Place};
use crate::state::State;

const DATA: &str = "data-0000000000000002";
const LOG: &str = "log-0000000000000000";

/// A database with a data file, and something in its log; nobody has it open.
fn database(seed: u64) -> Machine {
    let machine = Machine::new(seed);
    fill(&machine, seed).expect("nothing goes wrong");
    machine
}

fn fill(machine: &Machine, seed: u64) -> Result<()> {
    let (env, _) = Env::simulated_on(&machine.0, seed);
    let db = machine.builder().env(env).open(DIR)?;
    db.insert_node("N", "1", doc! { "text": "1".repeat(400) })?;
    db.checkpoint()?;
    db.insert_node("N", "2", doc! { "text": "2".repeat(400) })?;
    Ok(())
}

/// That opening is refused in every way, and changes nothing; gives the error.
fn expect_refused(machine: &Machine, kind: ErrorKind) -> Error {
    let before = machine.files("");
    let ways = [machine.builder(), machine.builder().existing(), machine.builder().read_only()];
    let errors = ways.map(|way| way.open(DIR).expect_err("it must not be opened"));
    for error in &errors {
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert!(Db::restore(DIR, "copy").is_err());
    assert_eq!(machine.files(""), before, "nothing was made or removed");
    let [error, ..] = errors;
    error
}

/// Gives the header of a file another format, with a right checksum.
fn set_format(machine: &Machine, name: &str, format: u32) {
    let header = &mut machine.read(name)[..32];
    header[8..12].copy_from_slice(&format.to_le_bytes());
    let salt = u32::from_le_bytes(header[24..28].try_into().expect("four bytes"));
    let checksum = document_checksum(salt, &header[..28]);
    header[28..].copy_from_slice(&checksum.to_le_bytes());
    machine.write(name, 0, header);
}

/// A newer format is told from damage: it takes a newer version of the library, not a
/// backup.
#[test]
fn a_newer_format() {
    for name in ["MANIFEST", DATA] {
        let machine = database(1);
        set_format(&machine, name, 2);
        let error = expect_refused(&machine, ErrorKind::Restore);
        let Error::Storage(storage) = &error else { panic!("{error}") };
        assert!(matches!(**storage, StorageError::Format { found: 2, known: 1, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("format 2"), "{text}");
        assert!(text.contains("newer version"), "{text}");
        set_format(&machine, name, 1);
        assert_eq!(State::checked(&machine.open().unwrap()).unwrap().nodes.len(), 2);
    }
}

/// Every file is needed, and its absence is damage: no empty database is made instead.
#[test]
fn missing_files() {
    for name in ["MANIFEST", DATA, LOG] {
        let machine = database(1);
        let bytes = machine.read(name);
        machine.remove(name);
        let error = expect_refused(&machine, ErrorKind::Restore);
        assert!(error.to_string().contains("missing"), "{name}: {error}");
        machine.write(name, 0, &bytes);
        assert_eq!(State::checked(&machine.open().unwrap()).unwrap().nodes.len(), 2);
    }
}

/// The log of a database that has had no checkpoint yet is all that it has.
#[test]
fn the_log_is_missing_before_the_first_checkpoint() {
    let machine = Machine::new(1);
    machine.open().unwrap().insert_node("N", None, doc! {}).unwrap();
    for (path, _) in machine.files("log-") {
        machine.remove(&path.file_name().unwrap().to_string_lossy());
    }
    let error = expect_refused(&machine, ErrorKind::Restore);
    assert!(error.to_string().contains("missing"), "{error}");
}

/// Files that are shorter than they were.
#[test]
fn files_cut_short() {
    for (name, parts) in [("MANIFEST", [0, 1, 3]), (DATA, [0, 1, 3]), (LOG, [0, 1, 1])] {
        for part in parts {
            let machine = database(1);
            let bytes = machine.read(name);
            machine.remove(name);
            machine.write(name, 0, &bytes[..bytes.len() * part / 4]);
            let error = expect_refused(&machine, ErrorKind::Restore);
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
}

/// A segment without its last bytes, in which no record lies: it can be read, and is not
/// written on.
#[test]
fn a_segment_without_its_unused_end() {
    let machine = database(1);
    let bytes = machine.read(LOG);
    machine.remove(LOG);
    machine.write(LOG, 0, &bytes[..bytes.len() - 512]);
    let reader = machine.builder().read_only().open(DIR).unwrap();
    assert_eq!(State::checked(&reader).unwrap().nodes.len(), 2);
    drop(reader);
    let error = machine.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Restore, "{error}");
    assert!(error.to_string().contains(LOG), "{error}");
}

/// A file of another database in the place of ours is not taken for it.
#[test]
fn files_of_another_database() {
    let other = database(2);
    let machine = database(1);
    machine.write(DATA, 0, &other.read(DATA));
    let error = expect_refused(&machine, ErrorKind::Restore);
    assert!(error.to_string().contains(DATA), "{error}");
    // The manifest speaks for what it comes with.
    let machine = database(1);
    machine.write("MANIFEST", 0, &other.read("MANIFEST"));
    expect_refused(&machine, ErrorKind::Restore);
}

/// A segment of another database in the place of ours is no end of the log.
#[test]
fn a_segment_of_another_database() {
    let machine = database(1);
    machine.write(LOG, 0, &database(2).read(LOG));
    let error = expect_refused(&machine, ErrorKind::Restore);
    assert!(error.to_string().contains(LOG), "{error}");
}

/// A foreign data file that no manifest names is not removed as a leftover either.
#[test]
fn a_foreign_file_is_not_removed() {
    let machine = database(1);
    machine.write("data-0000000000000007", 0, &database(2).read(DATA));
    let error = machine.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Restore, "{error}");
    assert!(error.to_string().contains("data-0000000000000007"), "{error}");
    assert!(!machine.files("data-0000000000000007").is_empty());
}

/// An older manifest in place of the newest: what it needs is gone, or the log behind it
/// does not lead to the end.
#[test]
fn an_older_manifest() {
    let machine = database(1);
    let older = machine.read("MANIFEST");
    let db = machine.open().unwrap();
    for n in 0..60 {
        db.upsert_node("N", "1", doc! { "text": format!("{n}").repeat(200) }).unwrap();
        if n % 20 == 0 {
            db.checkpoint().unwrap();
        }
    }
    db.close().unwrap();
    machine.remove("MANIFEST");
    machine.write("MANIFEST", 0, &older);
    expect_refused(&machine, ErrorKind::Restore);
}

/// Nothing is there: a database is made, unless the options say otherwise.
#[test]
fn no_database() {
    let place = Place::new();
    let ways = [
        Db::builder().existing(),
        Db::builder().read_only(),
        Db::builder().until_damage(),
        Db::builder().existing().read_only(),
    ];
    for way in &ways {
        let error = way.clone().open(place.path()).unwrap_err();
        let Error::Storage(storage) = &error else { panic!("{error}") };
        assert!(matches!(**storage, StorageError::Missing { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(!place.path().exists(), "looking made no directory");
    }
    assert!(Db::restore(place.path(), place.path_of("copy")).is_err());
    assert!(!place.path_of("copy").exists());
    Db::open(place.path()).unwrap();
    for way in ways {
        way.open(place.path()).unwrap();
    }
}

/// A path that cannot be a directory, or may not be made: told with the path.
#[test]
fn no_place_for_a_directory() {
    let place = Place::new();
    std::fs::write(place.path_of("file"), "text").unwrap();
    for path in [place.path_of("file"), place.path_of("file").join("below")] {
        let error = Db::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System, "{error}");
        assert!(error.to_string().contains("file"), "{error}");
    }
    let error = Db::open(Path::new("/proc/no/such/place")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System, "{error}");
}
