//! Reading back in batches, whatever the records' sizes.

use selvedge_storage::{Batch, LogOptions, ReadMode};

use crate::world::{World, position, read_all, small};

/// What is read at once, with segments of this size or larger.
const WINDOW: usize = 1 << 20;

#[test]
fn records_larger_than_a_batch_are_read_whole() {
    let options = LogOptions { segment_bytes: 1 << 20, buffer_bytes_max: 1 << 20, ..small() };
    let mut world = World::new(1, options);
    // Up to the end of a batch, one header short of it, beyond it, and several.
    let lens = [WINDOW - 48, WINDOW - 96, 0, 3 * WINDOW + 5, 100, WINDOW, 0, 8 * WINDOW, 24];
    for len in lens {
        world.append(len).unwrap();
    }
    let end = world.log.end().position;
    world.sync_through(end).unwrap();
    world.files.crash();
    let (found, _) = world.read(ReadMode::Strict).unwrap();
    assert_eq!(found.len(), lens.len());
    world.reopen();
    // A bit far inside the largest.
    world.commit(10);
    world.files.crash();
    let largest = world.entries[7].position;
    world.flip(position(largest.get() + 5 * WINDOW as u64));
    assert!(world.read(ReadMode::Strict).is_err());
}

#[test]
fn a_batch_is_about_a_mebibyte() {
    let options = LogOptions { segment_bytes: 1 << 20, buffer_bytes_max: 8 << 20, ..small() };
    let mut world = World::new(1, options);
    for _ in 0..5000 {
        world.append(1000).unwrap();
    }
    world.log.close().unwrap();
    let mut reader = world.reader(ReadMode::Strict).unwrap();
    let (mut batch, mut batches, mut next) = (Batch::new(), 0, position(0));
    while reader.next_batch(&mut batch).unwrap() {
        batches += 1;
        assert!(batch.bytes().len() <= WINDOW);
        for record in batch.records() {
            assert_eq!(record.position, next);
            next = record.end.position;
        }
    }
    assert_eq!(batches, 5);
    assert!(!reader.next_batch(&mut batch).unwrap(), "the end stays the end");
    assert_eq!(reader.end().unwrap().start, world.log.end());
}

#[test]
fn a_reader_moves_between_threads() {
    let mut world = World::new(1, small());
    for _ in 0..50 {
        world.commit(500);
    }
    let mut reader = world.reader(ReadMode::Strict).unwrap();
    let found = std::thread::spawn(move || read_all(&mut reader)).join().unwrap();
    assert_eq!(found.unwrap(), world.entries);
}
