//! The log, read back from segments that are not what was written.
//!
//! ```text
//! input = mode u8 | raw: segments as they are
//!                 | damaged: a real log, and changes of its bytes
//!                 | sealed: a real log, changes of its records, each sealed with the right
//!                 |         checksums, and then changes of bytes
//!                 | database: the same for the log of a database, which is opened
//! ```
//!
//! - Whatever lies there, reading ends, takes memory for no more than there is, and gives
//!   the records that the description of the log allows, or an error.
//! - Without new checksums that is a prefix of what was written, or an error.
//! - A log that was read to its end can be continued: what is appended follows what was
//!   read, for the next who reads.

use std::path::Path;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use selvedge_base::Timestamp;
use selvedge_env::{FileSystem, SimulatedFiles};
use selvedge_storage::{
    Batch, Log, LogOptions, LogPosition, LogReader, LogStart, ReadMode, RecordKind, StorageError,
};

use crate::database;
use crate::image::{Image, Number};
use crate::log_edit::{change_records, damage};
use crate::log_format::{Record, SEGMENT_BYTES, name, seal, walk};
use crate::seeds::random_seeds;

const SALT: u32 = 0x5A17;
const DIR: &str = "/db";
const OPTIONS: LogOptions = LogOptions {
    segment_bytes: SEGMENT_BYTES as u64,
    buffer_bytes_max: 16 << 10,
    segments_kept: 2,
};
/// Bytes of an input that holds a log.
const SEED_BYTES_MAX: usize = 3000;

/// A log as it was written.
struct Written {
    image: Image,
    start: LogStart,
    records: Vec<Record>,
}

/// Runs one input.
pub fn run(input: &[u8]) {
    // What runs out of input ends there.
    let _ = run_or_end(&mut Unstructured::new(input));
}

fn run_or_end(input: &mut Unstructured<'_>) -> Result<()> {
    let mode = input.arbitrary::<u8>()?;
    match mode % 4 {
        0 => raw(input),
        1 => {
            let written = &written()[usize::from(mode / 4) % written().len()];
            let mut image = written.image.clone();
            damage(&mut image, input);
            let records = walk(&image, SALT, written.start.position.get(), written.start.chain);
            let is_prefix = written.records.starts_with(&records);
            assert!(is_prefix, "the inputs of this mode do not make records of their own");
            check(&image, written.start, &records);
            Ok(())
        }
        2 => {
            let written = &written()[usize::from(mode / 4) % written().len()];
            let (mut image, mut records) = (written.image.clone(), written.records.clone());
            change_records(&mut records, input)?;
            let LogStart { position, chain } = written.start;
            seal(&mut image, SALT, position.get(), chain, &mut records);
            damage(&mut image, input);
            let records = walk(&image, SALT, position.get(), chain);
            check(&image, written.start, &records);
            Ok(())
        }
        _ => {
            let (mut image, log) = (database::written().image.clone(), &database::written().log);
            let mut records = log.records.clone();
            change_records(&mut records, input)?;
            seal(&mut image, log.salt, log.start, log.chain, &mut records);
            database::open_and_use(&image);
            Ok(())
        }
    }
}

/// Any bytes as segments: where they lie, the checksum before, and the bytes.
fn raw(input: &mut Unstructured<'_>) -> Result<()> {
    let (flags, chain) = (input.arbitrary::<u8>()?, input.arbitrary::<u32>()?);
    let offset = input.arbitrary::<u16>()?;
    let is_far = flags & 1 != 0;
    let first = if is_far { input.arbitrary::<Number>()?.get() } else { 0 };
    let mut image = Image::default();
    let segments = input.bytes(input.len())?.chunks(SEGMENT_BYTES);
    for (number, bytes) in (0..).map(|more| first.wrapping_add(more)).zip(segments) {
        let mut bytes = bytes.to_vec();
        // As many bytes as there are, or as there should be.
        if flags & 2 == 0 {
            bytes.resize(SEGMENT_BYTES, 0);
        }
        image.0.insert(name(number), bytes);
    }
    if flags & 4 != 0 {
        image.0.insert(name(u64::from(chain) << 32), vec![0; SEGMENT_BYTES]);
    }
    let position = first.wrapping_mul(SEGMENT_BYTES as u64).wrapping_add(u64::from(offset));
    let start = LogStart { position: LogPosition::new(position), chain };
    let records = walk(&image, SALT, position, chain);
    check(&image, start, &records);
    Ok(())
}

/// Inputs for the start: logs as they were written, and each with a mode in front.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for written in written() {
        let segments = written.image.0.iter().filter(|(name, _)| name.starts_with("log-"));
        let mut bytes: Vec<u8> = segments.flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        bytes.truncate(SEED_BYTES_MAX);
        let kept = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        seeds.push([&[0; 8], &bytes[..kept]].concat());
    }
    seeds.extend(random_seeds(&[1, 2, 3, 5, 6, 9, 10], 48));
    seeds
}

/// Reads the log in every way; what it gives is `expected`, or it is an error.
fn check(image: &Image, start: LogStart, expected: &[Record]) {
    let files = SimulatedFiles::new(1);
    image.put(&files, Path::new(DIR));
    let all = start.position.get()..expected.last().map_or(start.position.get(), Record::end);
    for mode in [
        ReadMode::UpToDamage,
        ReadMode::Until(start.position),
        ReadMode::Until(LogPosition::new(all.end)),
        ReadMode::Until(LogPosition::new(all.end.saturating_add(8))),
    ] {
        match read(&files, start, mode) {
            Ok((found, _)) => {
                let expected = if mode == ReadMode::Until(start.position) { &[] } else { expected };
                compare(&found, expected);
            }
            Err(error) => tolerate(&error),
        }
    }
    match read(&files, start, ReadMode::Strict) {
        Ok((found, reader)) => {
            compare(&found, expected);
            go_on(&files, start, expected, reader);
        }
        Err(error) => tolerate(&error),
    }
}

/// Errors are of the kinds that tell what is wrong with files.
fn tolerate(error: &StorageError) {
    let is_told = matches!(error, StorageError::Corrupt { .. } | StorageError::Io { .. });
    assert!(is_told, "not an error of reading a log: {error:?}");
}

fn compare(found: &[Record], expected: &[Record]) {
    assert_eq!(found.len(), expected.len(), "records that follow one another");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.payload, expected.payload);
        let of = |record: &Record| {
            (record.position, record.end(), record.timestamp, record.incarnation, record.kind)
        };
        assert_eq!(of(found), of(expected));
    }
}

fn open(
    files: &SimulatedFiles,
    start: LogStart,
    mode: ReadMode,
) -> std::result::Result<LogReader, StorageError> {
    Log::open(files.process(), Path::new(DIR), SALT, start, OPTIONS, mode)
}

fn read(
    files: &SimulatedFiles,
    start: LogStart,
    mode: ReadMode,
) -> std::result::Result<(Vec<Record>, LogReader), StorageError> {
    let mut reader = open(files, start, mode)?;
    let (mut batch, mut records) = (Batch::new(), Vec::new());
    while reader.next_batch(&mut batch)? {
        records.extend(batch.records().iter().map(|record| Record {
            position: record.position.get(),
            synced: 0,
            timestamp: record.timestamp.get(),
            incarnation: record.incarnation,
            kind: record.kind as u32,
            payload: batch.payload(record).to_vec(),
            lies: Default::default(),
        }));
        for record in batch.records() {
            let len = (record.end.position.get() - record.position.get()) as usize;
            assert_eq!(len, 48 + record.payload.len().next_multiple_of(8));
        }
    }
    Ok((records, reader))
}

/// Continues the log, and reads it again.
fn go_on(files: &SimulatedFiles, start: LogStart, before: &[Record], reader: LogReader) {
    let end = reader.end().expect("it was read to its end").clone();
    let Some(incarnation) = end.newest_incarnation.checked_add(1) else { return };
    if end.newest_timestamp == Timestamp::MAX {
        return;
    }
    let log = match reader.finish(incarnation) {
        Ok(log) => log,
        Err(error) => return tolerate(&error),
    };
    let mut expected = before.to_vec();
    for (at, payload) in [vec![1; 10], vec![2; SEGMENT_BYTES]].into_iter().enumerate() {
        let reservation = match log.reserve(payload.len()) {
            Ok(reservation) => reservation,
            Err(error) => return tolerate(&error),
        };
        let position = log.end().position.get();
        let kind = if at == 0 { RecordKind::Commit } else { RecordKind::Note };
        let timestamp = end.newest_timestamp.next();
        log.append(reservation, kind, timestamp, log.payload(payload.clone()));
        let (timestamp, kind, lies) = (timestamp.get(), kind as u32, Default::default());
        expected.push(Record { position, synced: 0, timestamp, incarnation, kind, payload, lies });
    }
    log.sync().expect("nothing goes wrong");
    drop(log);
    files.crash();
    let (found, _) = read(files, start, ReadMode::Strict).expect("it was continued");
    compare(&found, &expected);
}

/// Logs as they come to be: short; long, over many segments; continued several times
/// in segments that were used before.
fn written() -> &'static [Written] {
    static WRITTEN: OnceLock<Vec<Written>> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        vec![
            write_log(&[&[10, 0, 30, 8]], 0),
            write_log(&[&[100, 1000, 4000, 10, 9000, 0, 500, 48, 4000, 77]], 0),
            write_log(&[&[3000, 3000, 3000], &[10, 20, 3000], &[50, 4096, 1]], 4),
        ]
    })
}

/// Writes records with payloads of these lengths, one list for each life of the log;
/// reading starts behind the first `skipped` records.
fn write_log(lives: &[&[usize]], skipped: usize) -> Written {
    let (files, dir) = (SimulatedFiles::new(1), Path::new(DIR));
    files.create_dir(dir).expect("nothing goes wrong");
    let mut rng = fastrand::Rng::with_seed(lives.len() as u64);
    let mut start = LogStart::default();
    let mut records = Vec::new();
    let mut log = Log::create(files.process(), dir, SALT, start, 1, OPTIONS).expect("it is new");
    for (life, lens) in (1..).zip(lives) {
        if life > 1 {
            files.kill();
            let (_, reader) = read(&files, start, ReadMode::Strict).expect("it was written");
            log = reader.finish(life).expect("it was read");
        }
        for (at, len) in lens.iter().enumerate() {
            if records.len() == skipped {
                start = log.end();
            }
            let mut payload = vec![0; *len];
            rng.fill(&mut payload);
            let reservation = log.reserve(*len).expect("there is room");
            let (position, synced) = (log.end().position.get(), log.durable().get());
            let timestamp = Timestamp::new(records.len() as u64 + 1);
            let kind = if at % 3 == 2 { RecordKind::Note } else { RecordKind::Commit };
            log.append(reservation, kind, timestamp, log.payload(payload.clone()));
            let (timestamp, kind) = (timestamp.get(), kind as u32);
            let lies = Default::default();
            let incarnation = life;
            records.push(Record { position, synced, timestamp, incarnation, kind, payload, lies });
            // The last records of a life may be torn.
            if at + 2 < lens.len() {
                log.sync().expect("nothing goes wrong");
                log.recycle(start.position).expect("nothing goes wrong");
            }
        }
        log.write_out().expect("nothing goes wrong");
    }
    drop(log);
    let records = records.split_off(skipped);
    let image = Image::take(&files, dir);
    assert_eq!(walk(&image, SALT, start.position.get(), start.chain), records, "as described");
    Written { image, start, records }
}
