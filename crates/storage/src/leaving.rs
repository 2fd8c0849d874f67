//! Which data files the next checkpoint empties.

use std::collections::BTreeSet;

use crate::contents::Contents;
use crate::place::FileNumber;

/// Data files that there should be at most: each costs a mapping, of which a
/// process has 65,530 under Linux, and some time at opening.
#[cfg(not(test))]
const FILES_SOUGHT: usize = 512;
#[cfg(test)]
const FILES_SOUGHT: usize = 32;

/// As many of the smallest become one when there are too many. What is written once
/// is written again once for each power of this number that the database grows to;
/// merging fewer at a time would write more, merging more would take longer at once.
const FILES_MERGED: usize = FILES_SOUGHT / 8;

/// The files that a checkpoint on top of `contents` empties: those of which less
/// than half is alive, and the smallest of too many.
pub(crate) fn leaving(contents: &Contents) -> BTreeSet<FileNumber> {
    // The directory is alive as long as nothing else makes the checkpoint write
    // another: an idle database is left alone, even one whose directory is
    // larger than what it lists.
    let directory = contents.manifest().directory;
    let keeps_directory = |file| directory.filter(|place| place.file == file).is_some();
    let directory_bytes = directory.map_or(0, |place| place.footprint());
    let live = |file: FileNumber| contents.blocks().live_bytes(file);
    let is_mostly_dead = |file: FileNumber, live: u64| {
        let bytes = contents.manifest().file_bytes(file).unwrap_or(0);
        live.saturating_mul(2) < bytes
    };

    let files = || contents.files().iter().map(|file| file.number());
    let mut leaving: BTreeSet<_> = files()
        .filter(|file| {
            let directory = if keeps_directory(*file) { directory_bytes } else { 0 };
            is_mostly_dead(*file, live(*file).saturating_add(directory))
        })
        .collect();

    let mut staying: Vec<_> = files().filter(|file| !leaving.contains(file)).collect();
    // One more comes with the checkpoint.
    if staying.len() >= FILES_SOUGHT {
        staying.sort_by_key(|file| (live(*file), *file));
        leaving.extend(staying.drain(..FILES_MERGED));
    }

    if !leaving.is_empty() {
        leaving.extend(
            files().filter(|file| keeps_directory(*file) && is_mostly_dead(*file, live(*file))),
        );
    }
    leaving
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use selvedge_env::SimulatedFiles;

    use super::*;
    use crate::checkpoint::CheckpointFacts;
    use crate::manifest::Identity;
    use crate::place::BlockKey;
    use crate::store::Store;

    fn store() -> Store {
        let files = SimulatedFiles::new(1).process();
        let identity = Identity { database: 1, salt: 2, segment_bytes: 3 };
        Store::create(files, Path::new("db"), identity).unwrap()
    }

    /// The block of each leaf has as many bytes as `len` says.
    fn checkpoint(store: &Store, leaves: &[u64], len: impl Fn(u64) -> usize) -> u64 {
        let mut writer = store.begin().unwrap();
        let mut keys: BTreeSet<u64> = leaves.iter().copied().collect();
        keys.extend(writer.keys_leaving().into_iter().map(|key| key.leaf));
        for leaf in keys {
            let bytes = vec![leaf as u8; len(leaf)];
            writer.block(BlockKey { table: 0, leaf }, &bytes, []).unwrap();
        }
        let finished = writer.finish().unwrap();
        store.publish(finished, CheckpointFacts::default()).unwrap().statistics.blocks
    }

    #[test]
    fn files_that_are_alive_are_merged_when_there_are_too_many() {
        let store = store();
        let (mut written, leaves) = (0, 200);
        for leaf in 0..leaves {
            written += checkpoint(&store, &[leaf], |_| 40_000);
            assert!(store.contents().files().len() <= FILES_SOUGHT);
        }
        let contents = store.contents();
        assert_eq!(contents.blocks().len() as u64, leaves);
        for leaf in 0..leaves {
            let block = contents.block(BlockKey { table: 0, leaf }).unwrap().unwrap();
            assert_eq!(block, vec![leaf as u8; 40_000]);
        }
        assert!(written <= leaves * 4, "{written} blocks written for {leaves}");
    }

    #[test]
    fn a_file_leaves_when_less_than_half_of_it_is_alive() {
        let store = store();
        checkpoint(&store, &[0, 1, 2, 3], |_| 1000);
        let first = store.contents().files()[0].number();
        checkpoint(&store, &[0], |_| 1000);
        assert_eq!(leaving(&store.contents()), BTreeSet::new(), "three quarters");
        checkpoint(&store, &[1], |_| 1000);
        assert!(leaving(&store.contents()).contains(&first), "less, with header and directory");
    }

    /// While the directory is in use, and only the directory makes a file mostly
    /// dead, nothing has to move.
    #[test]
    fn the_directory_is_alive_unless_another_is_written_anyway() {
        let store = store();
        checkpoint(&store, &Vec::from_iter(0..100), |_| 10_000);
        checkpoint(&store, &[0], |_| 8);
        let small = store.contents().files()[1].number();
        assert_eq!(leaving(&store.contents()), BTreeSet::new());
        let most: Vec<u64> = (1..60).collect();
        checkpoint(&store, &most, |_| 10_000);
        let files = leaving(&store.contents());
        assert!(files.contains(&small), "its directory is an old one");
        assert_eq!(files.len(), 2, "and most of the first file is dead");
    }
}
