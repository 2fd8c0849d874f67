//! The smallest participant that survives on disk: a few numbered slots, each with a
//! number, a block and a document of its own.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_engine::{CheckpointSink, Durable, Evict, Participant, Sequence, Settling};
use selvedge_mvcc::{Arena, Record, SnapshotRef, VersionBox, check_write};
use selvedge_storage::{BlockKey, Contents, DataFile, StorageError};

/// Slots on the shelf.
pub(crate) const SLOTS: usize = 8;
/// Whoever writes this lets the shelf expect something that never comes.
pub(crate) const EXPECTING: u64 = u64::MAX;
/// Bytes of a document: what makes a file mostly dead is documents.
const DOCUMENT_BYTES: usize = 1000;

/// What the participant does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    None,
    EvictFails,
    CheckpointFails,
    CheckpointPanics,
    /// It waits until it meets something else.
    CheckpointWaits,
}

/// The slots, and what checkpoints did with them.
pub(crate) struct Shelf {
    /// Numbers of nothing.
    pub(crate) numbers: Sequence,
    slots: [Record<u64>; SLOTS],
    trouble: AtomicU8,
    /// A checkpoint waits, as it was told.
    pub(crate) waits: AtomicBool,
    /// The newest data file at the last eviction.
    newest: Mutex<Weak<DataFile>>,
    /// Evictions that were tried.
    pub(crate) evicted: Mutex<Vec<(u64, Evict)>>,
}

/// What only the holder of the commit lock touches.
#[derive(Default)]
pub(crate) struct Tracked {
    /// Slots that changed, if that is tracked.
    changed: Option<Vec<usize>>,
    expects: bool,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            numbers: Sequence::new(1),
            slots: Default::default(),
            trouble: AtomicU8::default(),
            waits: AtomicBool::default(),
            newest: Mutex::default(),
            evicted: Mutex::default(),
        }
    }
}

impl Shelf {
    pub(crate) fn meet(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::Relaxed);
    }

    fn meets(&self, trouble: Trouble) -> bool {
        self.trouble.load(Ordering::Relaxed) == trouble as u8
    }

    /// The data file that was the newest when documents were last let go.
    pub(crate) fn newest_file(&self) -> Weak<DataFile> {
        self.newest.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn values(&self, at: SnapshotRef<'_>) -> [u64; SLOTS] {
        let value = |slot: &Record<u64>| slot.read(at).map_or(0, |version| *version.header());
        self.slots.each_ref().map(value)
    }
}

impl Participant for Shelf {
    type Writer = Tracked;
    type Writes = Vec<(usize, u64)>;
    type Record = usize;
    type Refusal = ();

    fn prepare(&self, _writes: &mut Self::Writes) {}

    fn validate(
        &self,
        _writer: &mut Tracked,
        writes: &mut Self::Writes,
        start: Timestamp,
    ) -> Result<(), ()> {
        let judge = |(slot, _): &(usize, u64)| check_write(self.slots[*slot].stamp(), start);
        writes.iter().try_for_each(judge).map_err(drop)
    }

    unsafe fn install(
        &self,
        writer: &mut Tracked,
        writes: &mut Self::Writes,
        commit: Timestamp,
        superseded: &mut Vec<usize>,
    ) {
        for (slot, value) in writes {
            // SAFETY: the caller's contract.
            unsafe { self.slots[*slot].install(VersionBox::new(*value, &[]), commit) };
            superseded.push(*slot);
            writer.changed.iter_mut().for_each(|changed| changed.push(*slot));
            writer.expects |= *value == EXPECTING;
        }
    }

    unsafe fn prune(&self, _: &mut Tracked, slot: usize, settling: &mut Settling<'_, usize>) {
        // SAFETY: the caller's contract.
        unsafe { settling.prune(slot, &self.slots[slot]) };
    }

    unsafe fn settle(&self, _: &mut Tracked, _: &mut Settling<'_, usize>) {}

    fn expects(writer: &Tracked) -> bool {
        writer.expects
    }
}

impl Durable for Shelf {
    type Changes = Vec<usize>;

    fn fresh(&self) -> Self {
        Self::default()
    }

    fn set_salt(&mut self, _salt: u32) {}

    fn encode(&self, writes: &Self::Writes, out: &mut Vec<u8>) {
        for (slot, value) in writes {
            out.push(*slot as u8);
            out.extend(value.to_le_bytes());
        }
    }

    unsafe fn decode(
        &self,
        _writer: &mut Tracked,
        bytes: &[u8],
        writes: &mut Self::Writes,
    ) -> Result<(), String> {
        for write in bytes.chunks(9) {
            let [slot, value @ ..] = write else { return Err("no slot".into()) };
            let value = value.try_into().map_err(|_| "no value")?;
            writes.push((usize::from(*slot), u64::from_le_bytes(value)));
        }
        Ok(())
    }

    fn clear(&self, writes: &mut Self::Writes) {
        writes.clear();
    }

    fn track_changes(&self, writer: &mut Tracked) {
        writer.changed.get_or_insert_default();
    }

    fn take_changes(&self, writer: &mut Tracked) -> Vec<usize> {
        writer.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn return_changes(&self, writer: &mut Tracked, changes: Vec<usize>) {
        writer.changed.get_or_insert_default().extend(changes);
    }

    fn add_block(changes: &mut Vec<usize>, key: BlockKey) {
        changes.push(key.leaf as usize);
    }

    fn everything(&self, _at: SnapshotRef<'_>) -> Vec<usize> {
        (0..SLOTS).collect()
    }

    fn write_checkpoint(
        &self,
        at: SnapshotRef<'_>,
        changes: &Vec<usize>,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        assert!(!self.meets(Trouble::CheckpointPanics), "as it was told");
        while self.meets(Trouble::CheckpointWaits) {
            self.waits.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
        let (values, mut slots) = (self.values(at), changes.clone());
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            sink.document(&[slot as u8; DOCUMENT_BYTES])?;
            let key = BlockKey { table: 0, leaf: slot as u64 };
            sink.block(key, &values[slot].to_le_bytes())?;
        }
        if self.meets(Trouble::CheckpointFails) { Err(StorageError::Closed) } else { Ok(()) }
    }

    unsafe fn load(&self, _: &mut Tracked, contents: &Contents) -> Result<(), StorageError> {
        for (leaf, slot) in (0..).zip(&self.slots) {
            let Some(bytes) = contents.block(BlockKey { table: 0, leaf })? else { continue };
            let value = u64::from_le_bytes(bytes.try_into().expect("as it was written"));
            // SAFETY: the caller's contract.
            unsafe { slot.install(VersionBox::new(value, &[]), contents.manifest().timestamp) };
        }
        Ok(())
    }

    unsafe fn evict(
        &self,
        _writer: &mut Tracked,
        contents: &Contents,
        key: BlockKey,
        which: Evict,
        _arena: &mut Arena,
    ) -> Result<(), StorageError> {
        let newest = contents.files().iter().max_by_key(|file| file.number());
        *self.newest.lock().expect("nobody panics with it") =
            newest.map(Arc::downgrade).unwrap_or_default();
        self.evicted.lock().expect("nobody panics with it").push((key.leaf, which));
        if self.meets(Trouble::EvictFails) { Err(StorageError::Closed) } else { Ok(()) }
    }

    fn sequences(&self) -> Vec<&Sequence> {
        vec![&self.numbers]
    }

    fn check(&self, _at: SnapshotRef<'_>) -> Vec<String> {
        Vec::new()
    }
}
