//! The machine: a disk, the faults to come, and whether it runs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use super::disk::{Disk, Extent};
use super::fault::{Fault, FaultPlan};
use super::operation::{Operation, OperationKind};

/// Enough to see what led to a failure.
const OPERATIONS_KEPT: usize = 1 << 16;

/// What changes while the machine runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) disk: Disk,
    pub(super) faults: FaultPlan,
    pub(super) log: VecDeque<Operation>,
    /// The number of the next operation.
    pub(super) operations: u64,
    /// How often processes have ended; those of an earlier epoch are gone.
    pub(super) epoch: u64,
    /// What ended the last process, while nobody has started the next.
    pub(super) down: Option<Fault>,
}

impl State {
    pub(super) fn crash(&mut self) {
        self.disk.crash();
        self.epoch += 1;
    }

    pub(super) fn kill(&mut self) {
        self.disk.kill();
        self.epoch += 1;
    }

    fn check(&self, epoch: u64) -> io::Result<()> {
        match self.down {
            Some(fault) => Err(fault.error()),
            None if epoch != self.epoch => Err(io::Error::other(
                "the process has ended: it was killed, or the machine has crashed (simulated)",
            )),
            None => Ok(()),
        }
    }

    /// Counts and logs an operation; gives its number, and what is to go wrong.
    fn begin(&mut self, mut operation: Operation) -> (u64, Option<Fault>) {
        let number = self.operations;
        self.operations += 1;
        if self.faults.flips() {
            self.disk.flip_any();
        }
        let fault = self.faults.take(number, operation.kind);
        (operation.number, operation.fault) = (number, fault);
        if self.log.len() == OPERATIONS_KEPT {
            self.log.pop_front();
        }
        self.log.push_back(operation);
        (number, fault)
    }

    /// How much of an operation that goes wrong is done; None: nothing.
    fn extent(&mut self, kind: OperationKind, fault: Fault) -> Option<Extent> {
        let is_sync = kind == OperationKind::Sync;
        match fault {
            Fault::Full => None,
            Fault::Io | Fault::ShortWrite if is_sync => Some(Extent::Part),
            Fault::ShortWrite if kind == OperationKind::Write => Some(Extent::Part),
            Fault::Io | Fault::ShortWrite => None,
            // A sync in whose midst the process ends has not failed: what it did
            // not come to is as before.
            Fault::Crash | Fault::Kill => match self.disk.rng().u8(..3) {
                0 => Some(Extent::Whole),
                1 if !is_sync => Some(Extent::Part),
                _ => None,
            },
        }
    }
}

/// The machine, shared by all that runs on it.
#[derive(Debug)]
pub(super) struct Machine(Mutex<State>);

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        // Two sources, so that planning a fault does not change what crashes do.
        let mut rng = Rng::with_seed(seed);
        let faults = FaultPlan::new(rng.fork());
        let disk = Disk::new(rng);
        let log = VecDeque::new();
        Self(Mutex::new(State { disk, faults, log, operations: 0, epoch: 0, down: None }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation for a process of `epoch`, as far as the faults let it.
    pub(super) fn run<T>(
        &self,
        epoch: u64,
        operation: Operation,
        action: impl FnOnce(&mut Disk, u64, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.check(epoch)?;
        let kind = operation.kind;
        let (number, fault) = state.begin(operation);
        let Some(fault) = fault else {
            return action(&mut state.disk, number, Extent::Whole);
        };
        if let Some(extent) = state.extent(kind, fault) {
            // What it would have given: nobody is told.
            let _ = action(&mut state.disk, number, extent);
        }
        match fault {
            Fault::Io | Fault::Full | Fault::ShortWrite => {}
            Fault::Crash => {
                state.crash();
                state.down = Some(fault);
            }
            Fault::Kill => {
                state.kill();
                state.down = Some(fault);
            }
        }
        Err(fault.error())
    }

    /// Gives back what a process of `epoch` had, unless it is gone already.
    pub(super) fn release(&self, epoch: u64, action: impl FnOnce(&mut Disk)) {
        let mut state = self.state();
        if state.epoch == epoch {
            action(&mut state.disk);
        }
    }
}
