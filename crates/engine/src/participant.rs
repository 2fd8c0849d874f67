//! What takes part in commits.
#![expect(unsafe_code, reason = "callers promise to hold the commit lock")]

use selvedge_base::Timestamp;

use crate::settle::Settling;

/// A store whose changes are committed by the engine: the graph, the keyspace,
/// or several together.
///
/// Everything that may fail happens in [`validate`](Participant::validate), or
/// before, while a transaction prepares its writes outside the lock; nothing may
/// fail in [`install`](Participant::install).
pub trait Participant: Send + Sync + Sized + 'static {
    /// State that only the holder of the commit lock touches. A `&mut` to it is
    /// the proof of holding the lock.
    type Writer: Default + Send;
    /// What one transaction writes, expects and, if it asks for that, read.
    type Writes;
    /// Names a record for pruning.
    type Record: Copy + Send;
    /// Why a commit is refused.
    type Refusal;

    /// Makes what the commit needs and can be made before its lock: sorting,
    /// sizes, buffers. May not fail.
    fn prepare(&self, writes: &mut Self::Writes);

    /// Judges the writes of a transaction that began at `start` against the
    /// latest state, and evaluates its blind mutations. Changes nothing that a
    /// reader or another commit could see.
    ///
    /// # Errors
    /// The refusal; the commit ends without a trace.
    fn validate(
        &self,
        writer: &mut Self::Writer,
        writes: &mut Self::Writes,
        start: Timestamp,
    ) -> Result<(), Self::Refusal>;

    /// Installs the writes, which have just passed
    /// [`validate`](Participant::validate) under the same hold of the lock, as
    /// versions committed at `commit`. May not fail: a
    /// panic here poisons the database. Adds every record that has an older
    /// version to `superseded`.
    ///
    /// # Safety
    /// `writer` belongs to this participant, so the caller holds its commit
    /// lock; `commit` is published afterwards, or never.
    unsafe fn install(
        &self,
        writer: &mut Self::Writer,
        writes: &mut Self::Writes,
        commit: Timestamp,
        superseded: &mut Vec<Self::Record>,
    );

    /// Prunes one record, through [`Settling`].
    ///
    /// # Safety
    /// As [`Participant::install`]; nothing unpublished is installed.
    unsafe fn prune(
        &self,
        writer: &mut Self::Writer,
        record: Self::Record,
        settling: &mut Settling<'_, Self::Record>,
    );

    /// Whether [`settle`](Participant::settle) would have something to forget
    /// once transactions end.
    fn owes(_writer: &Self::Writer) -> bool {
        false
    }

    /// Called after each commit and maintenance step, when it is known who is
    /// active: the place to forget what only older transactions need.
    ///
    /// # Safety
    /// As [`Participant::prune`].
    unsafe fn settle(&self, writer: &mut Self::Writer, settling: &mut Settling<'_, Self::Record>);

    /// Called when a commit has returned from the disk, or failed there, with no lock
    /// held: the place to wake those who wait for changes.
    fn committed(&self, _writes: &mut Self::Writes) {}

    /// Writes of the participant's own that are due, to be committed for it.
    fn due(&self, _writer: &mut Self::Writer) -> Option<Self::Writes> {
        None
    }

    /// Whether something will be [`due`](Participant::due) some time.
    fn expects(_writer: &Self::Writer) -> bool {
        false
    }
}
