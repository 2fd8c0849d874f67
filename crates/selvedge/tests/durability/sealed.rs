//! Files that say what cannot be, with the right checksums: found by fuzzing.

use selvedge::prelude::*;
use selvedge::{ErrorKind, Result};

use crate::machine::Machine;

/// Where a manifest has its fields, behind the header and the prefix of its block.
const TIMESTAMP_AT: usize = 40 + 24;
const LOG_POSITION_AT: usize = 40 + 32;
const INCARNATION_AT: usize = 40 + 44;

/// CRC-32C, bit by bit.
fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut sum = !salt;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("it is long enough"))
}

/// A database with a checkpoint, and with other bytes in its manifest.
fn open_with(at: usize, new: &[u8]) -> Result<Db> {
    let machine = Machine::new(1);
    let db = machine.open()?;
    db.insert_node("N", "a", doc! { "text": "t".repeat(100) })?;
    db.insert_node("N", "b", doc! {})?;
    db.checkpoint()?;
    db.close()?;
    let mut manifest = machine.read("MANIFEST");
    let (salt, len) = (u32_at(&manifest, 24), u32_at(&manifest, 32) as usize);
    assert_eq!(checksum(salt, &manifest[40..40 + len]), u32_at(&manifest, 36), "as described");
    manifest[at..at + new.len()].copy_from_slice(new);
    let sum = checksum(salt, &manifest[40..40 + len]);
    manifest[36..40].copy_from_slice(&sum.to_le_bytes());
    machine.write("MANIFEST", 0, &manifest);
    machine.open()
}

fn assert_refused(at: usize, new: &[u8], what: &str) {
    let error = open_with(at, new).expect_err("it cannot be");
    assert_eq!(error.kind(), ErrorKind::Restore, "{error}");
    assert!(error.to_string().contains(what), "{error}");
}

/// The same bytes are no damage.
#[test]
fn what_was_written_is_opened() {
    assert!(open_with(40, &[]).is_ok());
}

/// What a checkpoint holds is not newer than itself. It was taken for true, and a later
/// commit had the same timestamp.
#[test]
fn a_checkpoint_older_than_what_it_holds() {
    assert_refused(TIMESTAMP_AT, &1_u64.to_le_bytes(), "is in the checkpoint of");
}

/// Positions were added to, beyond the last number.
#[test]
fn a_log_that_starts_beyond_all_logs() {
    for position in [u64::MAX - 7, 1 << 63, (1 << 62) + 8] {
        assert_refused(LOG_POSITION_AT, &position.to_le_bytes(), "make no sense");
    }
}

/// The next incarnation was the same as the last one, which it must not be.
#[test]
fn a_database_that_cannot_be_opened_once_more() {
    assert_refused(INCARNATION_AT, &u32::MAX.to_le_bytes(), "are left");
}

/// A file that looks like a segment of the log, but for a number to which no log comes.
#[test]
fn a_segment_beyond_all_logs_is_somebody_elses() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    db.insert_node("N", "a", doc! {}).unwrap();
    db.close().unwrap();
    machine.write("log-ffffffffffffffff", 0, b"mine");
    let db = machine.open().unwrap();
    assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 1);
    db.close().unwrap();
    assert_eq!(machine.read("log-ffffffffffffffff"), b"mine");
}
