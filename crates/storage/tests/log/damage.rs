//! Bits flip, files go, and reading back tells damage from the torn end of what
//! was never durable.

use std::path::PathBuf;

use selvedge_env::{FileSystem, OpenMode};
use selvedge_storage::{LogEnd, LogPosition, LogStart, ReadMode, StorageError};

use crate::world::{Entry, SALT, World, dir, position, small};

/// Where the damage is, as the error says.
fn place_of(error: &StorageError) -> (PathBuf, u64) {
    match error {
        StorageError::Corrupt { path, offset, .. } => (path.clone(), *offset),
        error => panic!("not damage: {error}"),
    }
}

/// Reading is refused, with the place of what lies at `at`; what lies before can be
/// read all the same, but not continued.
fn assert_refused(world: &World, at: LogPosition) {
    let error = world.read(ReadMode::Strict).expect_err("it is damaged");
    assert_eq!(place_of(&error), world.place(at), "{error}");
    let mut reader = world.reader(ReadMode::UpToDamage).expect("it can be listed");
    let found = crate::world::read_all(&mut reader).expect("it ends at the damage");
    let end = reader.end().expect("it was read to the end").clone();
    world.check_prefix(&found, &end);
    assert_eq!(end.start.position, at);
    assert_eq!(end.damage, Some(error));
    assert!(matches!(reader.finish(100), Err(StorageError::Io { .. })), "only for reading");
}

/// Reading ends at `at`, without complaint.
fn assert_ends(world: &World, at: LogPosition) -> (Vec<Entry>, LogEnd) {
    let (found, end) = world.read(ReadMode::Strict).expect("nothing durable is missing");
    world.check_prefix(&found, &end);
    assert_eq!(end.start.position, at);
    let (same, up_to) = world.read(ReadMode::UpToDamage).expect("nothing is damaged");
    assert_eq!((&same, &up_to), (&found, &end));
    (found, end)
}

#[test]
fn damage_to_what_was_durable_is_refused_and_to_the_last_group_is_cut() {
    let mut world = World::new(1, small());
    world.commit(10);
    let second = world.commit(10);
    world.commit(10);
    world.files.crash();
    // Nothing tells that the last group was durable.
    world.flip(position(second.get() + 50));
    let (_, end) = assert_ends(&world, second);
    assert_eq!(end.bytes_cut, 64, "its header is right");
    world.flip(position(second.get() + 50));
    // The third record tells that the first and second were.
    for place in [0, 20, 47, 48, 57, 64, 64 + 8, 64 + 57] {
        world.flip(position(place));
        assert_refused(&world, position(place / 64 * 64));
        world.flip(position(place));
    }
    world.reopen();
}

#[test]
fn a_mark_tells_that_the_last_group_was_durable() {
    let mut world = World::new(1, small());
    let first = world.commit(10);
    world.commit(10);
    world.mark().expect("nothing goes wrong");
    assert_eq!(world.entries.len(), 3);
    world.mark().expect("nothing goes wrong");
    assert_eq!(world.entries.len(), 3, "one is enough");
    world.files.kill();
    world.change(position(first.get() + 50));
    assert_refused(&world, first);
}

#[test]
fn closing_leaves_a_mark() {
    let mut world = World::new(1, small());
    let first = world.commit(10);
    world.append(10).expect("nothing goes wrong");
    world.log.close().expect("nothing goes wrong");
    world.files.kill();
    world.change(position(first.get() + 50));
    assert_refused(&world, first);
}

#[test]
fn padding_and_what_lies_behind_the_end_may_flip() {
    let mut world = World::new(1, small());
    world.commit(10);
    let end = world.commit(10);
    world.files.crash();
    for place in [58, 63, 64 + 60, end.get(), end.get() + 16, 4000] {
        world.flip(position(place));
    }
    world.reopen();
    assert_eq!(world.entries.len(), 2);
}

#[test]
fn a_segment_that_is_missing_is_damage_wherever_it_is() {
    let build = || {
        let mut world = World::new(1, small());
        for _ in 0..4 {
            world.commit(3000);
        }
        world
    };
    let ends: Vec<_> = build().entries.iter().map(|entry| entry.end).collect();
    // The second lies in segments 0 and 1, the third in 1 and 2.
    for (segment, at) in [(0, position(0)), (1, ends[0]), (2, ends[1])] {
        let world = build();
        let (path, _) = world.place(position(segment * 4096));
        world.files.remove(&path).unwrap();
        assert_refused(&world, at);
        let world = build();
        let file = world.files.open(&path, OpenMode::Write).unwrap();
        file.set_len(ends[3].get() % 4096 - 8).unwrap();
        assert_refused(&world, ends[segment as usize]);
    }
}

#[test]
fn a_witness_is_found_behind_a_gap() {
    let mut world = World::new(1, small());
    world.append(3000).unwrap();
    let end = world.append(7000).unwrap();
    world.sync_through(end).unwrap();
    world.commit(10);
    assert_eq!(end.get() / 4096, 2);
    world.files.remove(&world.place(position(4096)).0).unwrap();
    world.change(position(60));
    assert_refused(&world, position(0));
}

/// What is searched is read in pieces: here of 8192 bytes, from the damage on.
#[test]
fn a_witness_is_found_where_two_pieces_meet() {
    for before in (0..=48).step_by(8) {
        let mut world = World::new(1, small());
        world.append(8).unwrap();
        let end = world.append(8192 - 56 - 48 - before).unwrap();
        assert_eq!(end.get() as usize, 8192 - before);
        world.sync_through(end).unwrap();
        world.commit(10);
        world.change(position(50));
        assert_refused(&world, position(0));
    }
}

#[test]
fn a_log_without_its_first_segment_is_not_an_empty_log() {
    for start in [0, 4096 - 48, 4096 - 8, 4096, 3 * 4096 + 80] {
        let start = LogStart { position: position(start), chain: 77 };
        let world = World::starting_at(1, small(), start);
        assert_ends(&world, start.position);
        // What holds the next header is there from the beginning.
        for name in world.segment_names() {
            let world = World::starting_at(1, small(), start);
            world.files.remove(&dir().join(name)).unwrap();
            assert!(matches!(world.read(ReadMode::Strict), Err(StorageError::Corrupt { .. })));
        }
    }
}

#[test]
fn the_segment_behind_a_record_that_ends_at_a_border_is_there() {
    let mut world = World::new(1, small());
    assert_eq!(world.commit(4096 - 48).get(), 4096);
    world.files.crash();
    assert_ends(&world, position(4096));
    let (path, _) = world.place(position(4096));
    world.files.remove(&path).unwrap();
    assert_refused(&world, position(4096));
}

/// A group is torn: its first record did not reach the disk, the later ones did.
#[test]
fn what_is_left_of_a_torn_group_is_cut_and_never_comes_back() {
    let mut world = World::new(1, small());
    let durable = world.commit(100);
    world.append(100).unwrap();
    world.append(100).unwrap();
    world.append(100).unwrap();
    world.log.write_out().unwrap();
    world.files.kill();
    let (path, offset) = world.place(durable);
    let file = world.files.open(&path, OpenMode::Write).unwrap();
    let mut lost = [0; 48];
    file.read_exact_at(&mut lost, offset).unwrap();
    file.write_all_at(&[0; 48], offset).unwrap();
    let (_, end) = assert_ends(&world, durable);
    assert_eq!((end.bytes_cut, end.newest_incarnation), (3 * 152, 1));
    world.reopen();
    // The same bytes as the record that was lost, hence the same place for the one
    // behind it, but another incarnation.
    assert_eq!(world.incarnation, 2);
    world.append(100).unwrap();
    world.log.write_out().unwrap();
    world.files.kill();
    let (found, _) = assert_ends(&world, position(durable.get() + 152));
    assert_eq!(found[1].incarnation, 2);
    // Even if the lost one came back.
    file_write(&world, &path, offset, &lost);
    let (found, end) = world.read(ReadMode::Strict).unwrap();
    assert_eq!(found.len(), 1, "its payload has been written over");
    assert_eq!((end.start.position, end.newest_incarnation), (durable, 1));
}

fn file_write(world: &World, path: &std::path::Path, offset: u64, bytes: &[u8]) {
    let file = world.files.open(path, OpenMode::Write).expect("it is there");
    file.write_all_at(bytes, offset).expect("nothing goes wrong");
}

#[test]
fn an_incarnation_that_only_a_cut_record_has_is_not_used_again() {
    let mut world = World::new(1, small());
    let durable = world.commit(1000);
    world.reopen();
    world.append(1000).unwrap();
    world.append(1000).unwrap();
    world.log.write_out().unwrap();
    world.files.kill();
    let (path, offset) = world.place(durable);
    file_write(&world, &path, offset, &[0; 48]);
    let (found, end) = assert_ends(&world, durable);
    assert_eq!(found.last().map(|entry| entry.incarnation), Some(1));
    assert_eq!(end.newest_incarnation, 2, "that of the record behind the lost one");
}

/// A record was cut whose segments were not in use any more and went. It is no
/// damage that they are missing.
#[test]
fn the_segments_of_a_record_that_was_cut_may_go() {
    let mut options = small();
    options.segments_kept = 0;
    let mut world = World::new(1, options);
    let durable = world.commit(100);
    world.append(20_000).unwrap();
    world.log.write_out().unwrap();
    world.files.kill();
    let (path, _) = world.place(position(3 * 4096));
    file_write(&world, &path, 0, &[0; 512]);
    assert_ends(&world, durable);
    world.reopen();
    let end = world.log.end();
    world.checkpoint(end).unwrap();
    assert_eq!(world.segment_names().len(), 2, "one in use, one ahead");
    world.files.kill();
    world.reopen();
    assert_eq!(world.log.end().position, durable);
}

/// Puts the bytes of one log, from `start` to `end`, in the place of those of
/// another one.
fn transplant(from: &World, to: &World, start: LogPosition, end: LogPosition) {
    let (path, offset) = from.place(start);
    let mut bytes = vec![0; (end.get() - start.get()) as usize];
    let file = from.files.open(&path, OpenMode::Read).expect("it is there");
    file.read_exact_at(&mut bytes, offset).expect("it is long enough");
    file_write(to, &path, offset, &bytes);
}

#[test]
fn a_record_that_follows_another_one_is_not_the_next() {
    let (mut world, mut other) = (World::new(1, small()), World::new(2, small()));
    let first = world.commit(100);
    assert_eq!(other.commit(100), first);
    let second = other.commit(100);
    assert_eq!(world.commit(100), second);
    transplant(&other, &world, first, second);
    assert_ends(&world, first);
}

#[test]
fn a_record_of_an_older_incarnation_is_not_the_next() {
    let mut world = World::new(1, small());
    world.reopen();
    let first = world.commit(100);
    // It names the right record before it.
    let mut older = World::starting_at(2, small(), world.log.end());
    let second = older.commit(100);
    assert_eq!((world.incarnation, older.incarnation), (2, 1));
    transplant(&older, &world, first, second);
    assert_ends(&world, first);
    // Of the same, it would be.
    let mut same = World::starting_at(2, small(), world.log.end());
    same.reopen();
    same.commit(100);
    transplant(&same, &world, first, second);
    assert_eq!(world.read(ReadMode::Strict).unwrap().1.start.position, second);
}

#[test]
fn records_of_another_database_are_none() {
    let mut world = World::new(1, small());
    world.commit(100);
    let options = world.options;
    let files = world.files.process();
    let mode = ReadMode::Strict;
    let mut reader =
        selvedge_storage::Log::open(files, dir(), SALT + 1, world.start, options, mode).unwrap();
    assert_eq!(crate::world::read_all(&mut reader).unwrap(), []);
    assert_eq!(reader.end().unwrap().start, world.start);
}

#[test]
fn reading_ends_where_it_is_told_to() {
    let mut world = World::new(1, small());
    let mut ends = vec![position(0)];
    ends.extend((0..20).map(|_| world.commit(1000)));
    for (count, end) in ends.iter().enumerate() {
        let (found, at) = world.read(ReadMode::Until(*end)).unwrap();
        assert_eq!((found.len(), at.start.position), (count, *end));
        assert_eq!(found, world.entries[..count]);
    }
    let mut reader = world.reader(ReadMode::Until(ends[3])).unwrap();
    crate::world::read_all(&mut reader).unwrap();
    assert!(matches!(reader.finish(100), Err(StorageError::Io { .. })), "only for reading");
    // Less than was promised to be there is damage.
    let beyond = position(world.log.end().position.get() + 48);
    let error = world.read(ReadMode::Until(beyond)).unwrap_err();
    assert_eq!(place_of(&error), world.place(ends[20]));
    let error = world.read(ReadMode::Until(position(ends[3].get() + 8))).unwrap_err();
    assert_eq!(place_of(&error), world.place(ends[3]));
}

#[test]
fn a_log_is_continued_only_from_its_end() {
    let mut world = World::new(1, small());
    world.commit(9000);
    world.commit(9000);
    let refused = |finished: Result<_, _>| matches!(finished, Err(StorageError::Io { .. }));
    let reader = world.reader(ReadMode::Strict).unwrap();
    assert!(refused(reader.finish(2).map(drop)), "nothing was read");
    let mut reader = world.reader(ReadMode::Strict).unwrap();
    assert!(reader.next_batch(&mut selvedge_storage::Batch::new()).unwrap());
    assert!(reader.end().is_none());
    assert!(refused(reader.finish(2).map(drop)), "there is more");
    // What is there when it is written again is what was read.
    let mut reader = world.reader(ReadMode::Strict).unwrap();
    crate::world::read_all(&mut reader).unwrap();
    let (path, offset) = world.place(world.entries[1].position);
    file_write(&world, &path, offset + 60, b"changed");
    let error = reader.finish(2).unwrap_err();
    assert_eq!(place_of(&error), (path, offset));
}

#[test]
#[should_panic(expected = "an incarnation is used once")]
fn an_incarnation_is_used_once() {
    let mut world = World::new(1, small());
    world.commit(10);
    let mut reader = world.reader(ReadMode::Strict).unwrap();
    crate::world::read_all(&mut reader).unwrap();
    let _ = reader.finish(1);
}

#[test]
fn a_start_between_records_is_asked_for() {
    let world = World::new(1, small());
    let start = LogStart { position: position(4), chain: 0 };
    let files = world.files.process();
    let opened = selvedge_storage::Log::open(files, dir(), SALT, start, small(), ReadMode::Strict);
    assert_eq!(place_of(&opened.unwrap_err()), world.place(start.position));
}
