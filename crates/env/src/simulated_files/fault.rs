//! What goes wrong, and when.

use std::collections::BTreeMap;
use std::io;

use fastrand::Rng;

use super::operation::OperationKind;

/// What goes wrong with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An input/output error. Nothing is done, but for the sync of a file: any part
    /// of the bytes is durable then, and the others are as good as lost, though they
    /// are seen as before: later syncs succeed and do nothing for them, unless they
    /// are written again. That is what Linux does. (Of names nothing is forgotten.)
    Io,
    /// The disk is full. Nothing is done.
    Full,
    /// Of a write, a part is done; then an input/output error. As [`Fault::Io`] for
    /// everything else.
    ShortWrite,
    /// The machine crashes in the midst of the operation, and stays down until
    /// [`SimulatedFiles::recover`](crate::SimulatedFiles::recover).
    Crash,
    /// All processes are killed in the midst of the operation; there are no others
    /// until [`SimulatedFiles::recover`](crate::SimulatedFiles::recover).
    Kill,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Io | Self::ShortWrite => io::Error::other("input/output error (simulated)"),
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Crash => io::Error::other("the machine has crashed (simulated)"),
            Self::Kill => io::Error::other("the process was killed (simulated)"),
        }
    }
}

/// How probable faults are, for each operation.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct FaultRates {
    /// [`Fault::Io`] when reading, mapping, asking for a length, listing.
    pub read: f64,
    /// [`Fault::Io`] when writing or setting a length.
    pub write: f64,
    /// [`Fault::ShortWrite`] when writing.
    pub short_write: f64,
    /// [`Fault::Io`] when opening, creating or locking.
    pub open: f64,
    /// [`Fault::Io`] when renaming or removing.
    pub rename: f64,
    /// [`Fault::Io`] when syncing a file or a directory.
    pub sync: f64,
    /// [`Fault::Full`] when writing, setting a length or creating.
    pub full: f64,
    /// [`Fault::Crash`].
    pub crash: f64,
    /// [`Fault::Kill`].
    pub kill: f64,
    /// A bit of what is on the disk flips before the operation.
    pub flip: f64,
}

/// The faults to come.
#[derive(Debug)]
pub(super) struct FaultPlan {
    rng: Rng,
    rates: FaultRates,
    by_number: BTreeMap<u64, Fault>,
    by_kind: Vec<(OperationKind, Fault)>,
}

impl FaultPlan {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, rates: FaultRates::default(), by_number: BTreeMap::new(), by_kind: Vec::new() }
    }

    pub(super) fn set_rates(&mut self, rates: FaultRates) {
        self.rates = rates;
    }

    pub(super) fn plan(&mut self, number: u64, fault: Fault) {
        self.by_number.insert(number, fault);
    }

    pub(super) fn plan_next(&mut self, kind: OperationKind, fault: Fault) {
        self.by_kind.push((kind, fault));
    }

    pub(super) fn clear(&mut self) {
        self.rates = FaultRates::default();
        self.by_number.clear();
        self.by_kind.clear();
    }

    /// Whether a bit flips before the next operation.
    pub(super) fn flips(&mut self) -> bool {
        self.hits(self.rates.flip)
    }

    /// The fault of an operation: what is planned comes before what is drawn.
    pub(super) fn take(&mut self, number: u64, kind: OperationKind) -> Option<Fault> {
        if let Some(fault) = self.by_number.remove(&number) {
            return Some(fault);
        }
        if let Some(at) = self.by_kind.iter().position(|(planned, _)| *planned == kind) {
            return Some(self.by_kind.remove(at).1);
        }
        let rates = self.rates;
        let (io, may_fill) = match kind {
            OperationKind::Read | OperationKind::Map | OperationKind::Len | OperationKind::List => {
                (rates.read, false)
            }
            OperationKind::Write | OperationKind::SetLen => (rates.write, true),
            OperationKind::Create | OperationKind::CreateDir => (rates.open, true),
            OperationKind::Open | OperationKind::Lock => (rates.open, false),
            OperationKind::Rename | OperationKind::Remove => (rates.rename, false),
            OperationKind::Sync | OperationKind::SyncDir => (rates.sync, false),
        };
        let is_write = kind == OperationKind::Write;
        let drawn = [
            (rates.crash, Fault::Crash),
            (rates.kill, Fault::Kill),
            (io, Fault::Io),
            (if may_fill { rates.full } else { 0.0 }, Fault::Full),
            (if is_write { rates.short_write } else { 0.0 }, Fault::ShortWrite),
        ];
        drawn.into_iter().find_map(|(rate, fault)| self.hits(rate).then_some(fault))
    }

    fn hits(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.rng.f64() < rate
    }
}
