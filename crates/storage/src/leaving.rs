//! Which data files the next checkpoint empties.

use std::collections::BTreeSet;

use crate::contents::Contents;
use crate::place::FileNumber;

/// Data files that there should be at most: each costs a mapping, of which a
/// process has 65,530 under Linux, and some time at opening. Beyond them, those
/// with the fewest live bytes are emptied although they are alive.
#[cfg(not(test))]
const FILES_SOUGHT: usize = 512;
#[cfg(test)]
const FILES_SOUGHT: usize = 4;

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
    if let Some(too_many) = (staying.len() + 1).checked_sub(FILES_SOUGHT).filter(|n| *n > 0) {
        staying.sort_by_key(|file| (live(*file), *file));
        leaving.extend(staying.drain(..too_many.min(staying.len())));
    }

    if !leaving.is_empty() {
        leaving.extend(
            files().filter(|file| keeps_directory(*file) && is_mostly_dead(*file, live(*file))),
        );
    }
    leaving
}
