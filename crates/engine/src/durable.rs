//! What a participant does to survive on disk.
#![expect(unsafe_code, reason = "callers promise to hold the commit lock")]

use selvedge_mvcc::{Arena, SnapshotRef};
use selvedge_storage::{BlockKey, Contents, StorageError};

use crate::checkpoint_sink::CheckpointSink;
use crate::participant::Participant;
use crate::sequence::Sequence;

/// Which documents are read from a new place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evict {
    /// Those that were outside memory before.
    Outside,
    /// Those in memory, too.
    All,
}

/// A participant whose commits are logged, and that checkpoints write.
///
/// Replaying a log goes through the same [`Participant::prepare`] and
/// [`Participant::install`] as the commits did.
pub trait Durable: Participant<Writes: Default> {
    /// Names what changed since the last checkpoint.
    type Changes: Default + Send;

    /// An empty one with the same options.
    #[must_use]
    fn fresh(&self) -> Self;

    /// Sets the random number of the database, by which documents outside memory
    /// are verified. Called before anything is stored.
    fn set_salt(&mut self, salt: u32);

    /// Appends what a commit of `writes`, which are prepared, does.
    fn encode(&self, writes: &Self::Writes, out: &mut Vec<u8>);

    /// Reads what a logged commit does into `writes`, which are empty.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    ///
    /// # Safety
    /// `writer` belongs to this participant, so the caller holds its commit lock.
    unsafe fn decode(
        &self,
        writer: &mut Self::Writer,
        bytes: &[u8],
        writes: &mut Self::Writes,
    ) -> Result<(), String>;

    /// Empties writes that were installed.
    fn clear(&self, writes: &mut Self::Writes);

    /// From now on what changes is noted for checkpoints.
    fn track_changes(&self, writer: &mut Self::Writer);

    /// What changed since this was last asked.
    fn take_changes(&self, writer: &mut Self::Writer) -> Self::Changes;

    /// Gives back what a checkpoint that failed did not write.
    fn return_changes(&self, writer: &mut Self::Writer, changes: Self::Changes);

    /// Adds a block that has to be written again, though nothing in it changed.
    fn add_block(changes: &mut Self::Changes, key: BlockKey);

    /// Everything there is, for a checkpoint into another place.
    fn everything(&self, at: SnapshotRef<'_>) -> Self::Changes;

    /// Writes what `changes` name, as of `at`.
    ///
    /// # Errors
    /// Of the files.
    fn write_checkpoint(
        &self,
        at: SnapshotRef<'_>,
        changes: &Self::Changes,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError>;

    /// Loads a checkpoint.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Corrupt`].
    ///
    /// # Safety
    /// As [`Durable::decode`]; nothing is stored yet.
    unsafe fn load(
        &self,
        writer: &mut Self::Writer,
        contents: &Contents,
    ) -> Result<(), StorageError>;

    /// Reads documents from where the newest checkpoint has them, for one block of
    /// it: those that lay in other files, and, if asked, those in memory.
    ///
    /// # Errors
    /// Of the files.
    ///
    /// # Safety
    /// As [`Durable::decode`], between two commits.
    unsafe fn evict(
        &self,
        writer: &mut Self::Writer,
        contents: &Contents,
        key: BlockKey,
        which: Evict,
        arena: &mut Arena,
    ) -> Result<(), StorageError>;

    /// The sequences of identifiers that are never given out twice.
    fn sequences(&self) -> Vec<&Sequence>;

    /// Verifies what is stored, as of `at`: each thing that is found wrong.
    fn check(&self, at: SnapshotRef<'_>) -> Vec<String>;
}
