//! A file system in memory that loses, reorders and damages what a disk may.
//!
//! ```text
//! process              machine: what is seen              disk: what survives
//!   write, set_len  -->  bytes and length of a file  - - ->  sync_data
//!   create, rename  -->  names in a directory        - - ->  sync_dir
//!                        |                                   |
//!              kill: stays as it is             crash: all that was synced, and
//!                                               by chance some of what was not
//! ```
//!
//! **Bytes.** Of each sector of 512 bytes, a crash leaves what was synced last, or
//! what any write since has left there, whatever it leaves of the other sectors: writes
//! are lost, reordered and torn, but a sector is not. The length is one that the file
//! has had since it was synced, or one on the way there if it grew by writing; bytes
//! that nobody brought to the disk are zero.
//!
//! **Names.** The changes of a directory (creations, renames, removals) survive in
//! their order: some first ones do, the later ones do not. Each survives whole or not
//! at all; one between two directories, in both or in neither. Directories themselves
//! are durable once they are made. A file is not its name: synced bytes are gone if no
//! name that leads to them survives, and a name may survive whose bytes do not.
//!
//! **Chance.** Everything is decided by the seed and the order of the calls. Most
//! crashes spare nearly nothing, nearly everything or everything up to some moment; a
//! part of them toss a coin for each sector.
//!
//! **Failed syncs.** See [`Fault::Io`].
//!
//! Left out: access times, permissions, directories that go, hard links.

mod contents;
mod disk;
mod fault;
mod machine;
mod names;
mod operation;
mod process;
mod survival;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::machine::Machine;
use self::process::Process;
use crate::file::{File, FileLock, FileSystem, OpenMode};

pub use self::fault::{Fault, FaultRates};
pub use self::operation::{Operation, OperationKind};

/// A simulated machine: its disk, and how it fails. Clones are the same machine.
///
/// Used as a [`FileSystem`] itself, it is what whoever runs now sees. A program under
/// test should have a [`process`](Self::process) instead, which ends with a crash, so
/// that what remains of it cannot touch the disk that the next one finds.
#[derive(Clone, Debug)]
pub struct SimulatedFiles {
    machine: Arc<Machine>,
}

impl SimulatedFiles {
    /// An empty disk; what happens to it follows from the seed and the order of the
    /// operations. The directories `/` and `` are there.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { machine: Arc::new(Machine::new(seed)) }
    }

    /// The file system for a process that starts now. It ends with the next crash or
    /// kill: everything it does from then on is an error.
    #[must_use]
    pub fn process(&self) -> Arc<dyn FileSystem> {
        Arc::new(self.current())
    }

    fn current(&self) -> Process {
        Process::new(self.machine.clone(), self.machine.state().epoch)
    }

    /// The machine crashes and starts again. What is not durable is lost, more or
    /// less; handles, locks and processes from before are dead; mappings can be read
    /// as before.
    pub fn crash(&self) {
        let mut state = self.machine.state();
        // Once more, if a fault has done it: then nothing is left to lose.
        state.crash();
        state.down = None;
    }

    /// All processes end. What they wrote is seen by the next, but no more durable
    /// than before.
    pub fn kill(&self) {
        let mut state = self.machine.state();
        state.kill();
        state.down = None;
    }

    /// After a [`Fault::Crash`] or [`Fault::Kill`]: the next process may start.
    /// Otherwise does nothing.
    pub fn recover(&self) {
        self.machine.state().down = None;
    }

    /// Whether a fault has ended the process, and nobody has called
    /// [`recover`](Self::recover) yet; and which one it was.
    #[must_use]
    pub fn down(&self) -> Option<Fault> {
        self.machine.state().down
    }

    /// Lets an operation go wrong; the next one has the number
    /// [`operation_count`](Self::operation_count).
    ///
    /// # Panics
    /// If the operation is over.
    pub fn plan(&self, number: u64, fault: Fault) {
        let mut state = self.machine.state();
        assert!(number >= state.operations, "operation {number} is over");
        state.faults.plan(number, fault);
    }

    /// Lets the next operation of a kind go wrong. Planned twice, the next two do.
    pub fn plan_next(&self, kind: OperationKind, fault: Fault) {
        self.machine.state().faults.plan_next(kind, fault);
    }

    /// Lets operations go wrong at random from now on.
    pub fn set_rates(&self, rates: FaultRates) {
        self.machine.state().faults.set_rates(rates);
    }

    /// Nothing goes wrong any more, neither planned nor at random.
    pub fn clear_faults(&self) {
        self.machine.state().faults.clear();
    }

    /// Limits the bytes of all files together, as far as they are named, open or
    /// mapped. What exceeds it already stays.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.state().disk.set_capacity(bytes);
    }

    /// Flips a bit (0 to 7) of a byte on the disk. Reads see it, unless what they see
    /// has yet to be written; mappings do not.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if nothing has that name now,
    /// [`io::ErrorKind::UnexpectedEof`] if the byte is not on the disk.
    ///
    /// # Panics
    /// If a byte has no such bit.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        assert!(bit < 8, "a byte has 8 bits");
        self.machine.state().disk.flip(path, offset, bit)
    }

    /// Flips some bit on the disk; gives file, offset and bit, or None if the disk
    /// is empty.
    pub fn flip_any_bit(&self) -> Option<(PathBuf, u64, u8)> {
        self.machine.state().disk.flip_any()
    }

    /// The system forgets what it has in memory and need not write: what a failed sync
    /// has lost goes from sight.
    pub fn drop_caches(&self) {
        self.machine.state().disk.drop_caches();
    }

    /// How many operations there were.
    #[must_use]
    pub fn operation_count(&self) -> u64 {
        self.machine.state().operations
    }

    /// The newest operations, oldest first, with what went wrong. Those refused
    /// because their process had ended do not count.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.machine.state().log.iter().cloned().collect()
    }

    /// Every file that has a name now, with its length, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.machine.state().disk.files()
    }
}

impl FileSystem for SimulatedFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.current().create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.current().list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.current().open(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.current().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.current().remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.current().sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.current().lock(path)
    }
}
