//! One bit flips, anywhere: it is never served. What was known to be durable is
//! refused with its place; the last group, of which nobody knows, is cut.

use selvedge_storage::{LogPosition, ReadMode, StorageError};

use crate::seeds::each_seed;
use crate::world::{World, dir, position, small};

/// A log with a past: segments that were recycled, other incarnations, an end that
/// is torn or not.
fn build(seed: u64) -> World {
    let mut world = World::new(seed, small());
    for _ in 0..world.rng.usize(5..60) {
        match world.rng.u8(..12) {
            0..=5 => {
                let len = world.draw_len();
                world.append(len).expect("nothing goes wrong");
            }
            6..=8 => {
                let end = world.log.end().position;
                world.sync_through(end).expect("nothing goes wrong");
            }
            9 => world.mark().expect("nothing goes wrong"),
            10 => {
                let end = world.log.end();
                world.sync_through(end.position).expect("nothing goes wrong");
                world.checkpoint(end).expect("nothing goes wrong");
            }
            _ => {
                world.files.crash();
                world.reopen();
            }
        }
    }
    world.files.crash();
    world
}

/// The index of the entry that has `at` in its header or payload.
fn entry_at(world: &World, at: LogPosition) -> Option<usize> {
    let index = world.entries.partition_point(|entry| entry.end <= at);
    let entry = world.entries.get(index)?;
    let bytes = 48 + entry.payload.len() as u64;
    (entry.position <= at && at.get() < entry.position.get() + bytes).then_some(index)
}

/// What came of a flip.
#[derive(Default, Debug)]
struct Seen {
    harmless: u64,
    cut: u64,
    refused: u64,
}

fn flip(world: &World, seen: &mut Seen) {
    let (whole, _) = world.read(ReadMode::Strict).expect("nothing is wrong yet");
    let (path, offset, bit) = world.files.flip_any_bit().expect("there are bits");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let digits = name.strip_prefix("log-").expect("there are only segments");
    let segment = u64::from_str_radix(digits, 16).expect("the number of a segment");
    let at = position(segment * world.options.segment_bytes + offset);
    let context = format!("bit {bit} of {at} in {}", dir().display());

    let read = world.read(ReadMode::Strict);
    let damaged = entry_at(world, at).filter(|index| *index < whole.len());
    let Some(damaged) = damaged else {
        let (found, end) = read.expect("no record was touched");
        world.check_prefix(&found, &end);
        assert_eq!(found.len(), whole.len(), "{context}");
        seen.harmless += 1;
        return;
    };
    let stop = world.entries[damaged].position;
    let knows = |index: usize| world.synced[index] > stop;
    match read {
        Ok((found, end)) => {
            world.check_prefix(&found, &end);
            assert_eq!(found.len(), damaged, "{context}");
            assert!(!(damaged..whole.len()).any(knows), "{context}: it is known to be durable");
            seen.cut += 1;
        }
        Err(StorageError::Corrupt { path, offset, .. }) => {
            assert_eq!((path, offset), world.place(stop), "{context}");
            assert!((damaged..world.entries.len()).any(knows), "{context}: nobody knows");
            seen.refused += 1;
        }
        Err(error) => panic!("{context}: {error}"),
    }
    let (found, end) = world.read(ReadMode::UpToDamage).expect("it ends at the damage");
    world.check_prefix(&found, &end);
    assert_eq!(found.len(), damaged, "{context}");
}

#[test]
fn a_flipped_bit_is_never_served() {
    let mut seen = Seen::default();
    let count = each_seed(50_000, |seed| flip(&build(seed), &mut seen));
    let rarest = seen.harmless.min(seen.cut).min(seen.refused);
    assert!(rarest >= count / 30, "{seen:?}");
}
