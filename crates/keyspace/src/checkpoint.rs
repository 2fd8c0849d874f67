//! The keyspace's part of a checkpoint: written as a reader at its snapshot, and
//! loaded into an empty keyspace.
#![expect(unsafe_code, reason = "loads under the commit lock")]

use std::ops::Bound;

use selvedge_engine::CheckpointSink;
use selvedge_mvcc::{Arena, SnapshotRef, VersionBox, pin};
use selvedge_storage::codec::{Bytes, Misfit, misfit, put_number};
use selvedge_storage::{BlockKey, Contents, StorageError};

use crate::encoding::Encoding;
use crate::keyspace::Keyspace;
use crate::leaf_block::{LeafBuilder, read_leaf, read_range};
use crate::leaves::{LeafRange, Leaves};
use crate::participant::insert;
use crate::stored_range::StoredRange;
use crate::writer::EntryWriter;

/// Tables of the keyspace, as checkpoints number them.
const ENTRIES: u8 = 16;
const CLOCK: u8 = 17;

/// Bytes of a block in a copy.
const COPY_BLOCK_BYTES: usize = 64 << 10;
/// Blocks that are asked for ahead of the one that is read.
const BLOCKS_AHEAD: usize = 16;

/// What a checkpoint has to write of a keyspace.
#[derive(Debug, Default)]
pub struct EntryChanges {
    leaves: Vec<LeafRange>,
    gone: Vec<u64>,
    /// Leaves whose blocks must be written again, though nothing changed.
    again: Vec<u64>,
    /// All there is, for another place.
    everything: bool,
}

impl EntryChanges {
    /// Everything there is.
    #[must_use]
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Adds a block that has to be written again, if it is of a keyspace.
    pub fn add_block(&mut self, key: BlockKey) {
        if key.table == ENTRIES {
            self.again.push(key.leaf);
        }
    }
}

impl EntryWriter {
    /// From now on what changes is noted for checkpoints.
    pub fn track_changes(&mut self) {
        self.leaves.get_or_insert_default();
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> EntryChanges {
        let taken = self.leaves.as_mut().map(Leaves::take);
        let (leaves, gone) = taken.unwrap_or_default();
        EntryChanges { leaves, gone, ..EntryChanges::default() }
    }

    /// Gives back what a checkpoint that failed did not write.
    pub fn return_changes(&mut self, changes: EntryChanges) {
        if let Some(leaves) = &mut self.leaves {
            leaves.give_back(&changes.leaves, changes.gone);
        }
    }
}

fn key(leaf: u64) -> BlockKey {
    BlockKey { table: ENTRIES, leaf }
}

impl Keyspace {
    /// Writes what `changes` say, as of `at`.
    ///
    /// # Errors
    /// Of the files.
    pub fn write_checkpoint(
        &self,
        at: SnapshotRef<'_>,
        changes: &EntryChanges,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        let mut block = Vec::new();
        let clock = BlockKey { table: CLOCK, leaf: 0 };
        if self.is_empty() {
            // There is nothing that could come back.
            sink.remove(clock);
        } else {
            put_number(&mut block, self.clock.now());
            sink.block(clock, &block)?;
        }
        if changes.everything {
            return self.write_everything(at, &mut block, sink);
        }
        for range in &changes.leaves {
            self.write_leaf(at, range, &mut block, sink)?;
        }
        for number in &changes.again {
            let written = changes.leaves.iter().any(|range| range.number == *number);
            if written || changes.gone.contains(number) {
                continue;
            }
            // Nothing was written to it since, so its range is as large as it was, or
            // larger by what has nothing in it.
            let before = sink.block_before(key(*number));
            let Some(Ok((range, _))) = before.map(|block| read_range(*number, &mut Bytes(block)))
            else {
                return Err(sink.block_problem(key(*number), "a block to be moved cannot be read"));
            };
            self.write_leaf(at, &range, &mut block, sink)?;
        }
        changes.gone.iter().for_each(|number| sink.remove(key(*number)));
        Ok(())
    }

    fn write_leaf(
        &self,
        at: SnapshotRef<'_>,
        range: &LeafRange,
        block: &mut Vec<u8>,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        let mut builder = LeafBuilder::default();
        let mut entries = StoredRange::new(self, at, range.bounds(), false);
        while let Some((key, version)) = entries.next() {
            builder.add(key, version);
        }
        if builder.is_empty() {
            sink.remove(key(range.number));
            return Ok(());
        }
        builder.build(&range.start, range.end.as_deref(), block);
        sink.block(key(range.number), block)
    }

    fn write_everything(
        &self,
        at: SnapshotRef<'_>,
        block: &mut Vec<u8>,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        let mut builder = LeafBuilder::default();
        let (mut number, mut start) = (0, Box::<[u8]>::default());
        let mut entries = StoredRange::new(self, at, (Bound::Unbounded, Bound::Unbounded), false);
        while let Some((next, version)) = entries.next() {
            if builder.bytes() >= COPY_BLOCK_BYTES {
                builder.build(&start, Some(next), block);
                sink.block(key(number), block)?;
                (number, start) = (number + 1, next.into());
            }
            builder.add(next, version);
        }
        if !builder.is_empty() {
            builder.build(&start, None, block);
            sink.block(key(number), block)?;
        }
        Ok(())
    }

    /// Loads the keyspace's blocks of a checkpoint.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Corrupt`] if a block says what cannot be.
    ///
    /// # Safety
    /// The caller holds the commit lock, the keyspace is empty, and the oracle has
    /// published the checkpoint's timestamp before anybody reads.
    pub unsafe fn load(
        &self,
        writer: &mut EntryWriter,
        contents: &Contents,
    ) -> Result<(), StorageError> {
        let (mut arena, mut found) = (Arena::new(), Vec::new());
        let ours = |key: &BlockKey| key.table == ENTRIES || key.table == CLOCK;
        let keys: Vec<_> = contents.blocks().iter().map(|(key, _)| key).filter(ours).collect();
        for (at, key) in keys.iter().copied().enumerate() {
            keys.get(at + BLOCKS_AHEAD).into_iter().for_each(|key| contents.will_need(*key));
            let Some(block) = contents.block(key)? else { continue };
            let read = if key.table == CLOCK {
                Bytes(block).number().map(|now| {
                    self.clock.not_before(now);
                })
            } else {
                // SAFETY: the caller's contract.
                let leaf = unsafe { self.load_leaf(writer, key.leaf, block, &mut arena) };
                leaf.map(|leaf| found.push(leaf))
            };
            read.map_err(|misfit| contents.block_problem(key, &misfit.to_string()))?;
        }
        writer.leaves = Some(Leaves::loaded(contents.manifest().timestamp, found));
        Ok(())
    }

    /// # Safety
    /// As [`Keyspace::load`].
    unsafe fn load_leaf(
        &self,
        writer: &mut EntryWriter,
        number: u64,
        block: &[u8],
        arena: &mut Arena,
    ) -> Result<(Box<[u8]>, u64, u64), Misfit> {
        let pin = pin();
        // SAFETY: the caller's contract; all is written through it.
        let mut inserts = unsafe { self.index.edit(pin.guard()) };
        let (range, entries) = read_leaf(number, block, |entry| {
            // SAFETY: the caller's contract.
            if unsafe { self.entry(entry.key, &pin) }.is_some() {
                return misfit("a key comes twice");
            }
            let version = VersionBox::new_in(arena, entry.header, &[entry.value]);
            writer.expirations.change(entry.key, 0, entry.header.expires);
            // SAFETY: the caller's contract; there is no such entry yet. Nobody reads
            // yet, so nothing has to wait.
            drop(unsafe { insert(&mut inserts, entry.key, version, entry.commit) });
            Ok(())
        })?;
        pin.count_retired(inserts.publish());
        Ok((range.start, number, entries))
    }

    /// Verifies what a snapshot sees; adds what is wrong to `problems`.
    pub fn check(&self, at: SnapshotRef<'_>, problems: &mut Vec<String>) {
        let mut entries = StoredRange::new(self, at, (Bound::Unbounded, Bound::Unbounded), false);
        let mut last: Option<&[u8]> = None;
        while let Some((key, version)) = entries.next() {
            let name = || key.escape_ascii();
            if last.is_some_and(|last| key <= last) {
                problems.push(format!("entry \"{}\" is not where its key belongs", name()));
            }
            let bytes = version.bytes().len();
            if version.header().encoding == Encoding::LE64 && bytes != 8 {
                problems.push(format!("entry \"{}\" is an LE64 of {bytes} bytes", name()));
            }
            last = Some(key);
        }
    }
}
