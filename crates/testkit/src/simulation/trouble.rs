//! What goes wrong with the machine, and when.

use std::path::PathBuf;

use fastrand::Rng;
use selvedge::env::{Fault, FaultRates, OperationKind, SimulatedFiles};

/// Operations in which the process ends, or that fail.
const FAULTS: [Fault; 7] =
    [Fault::Crash, Fault::Crash, Fault::Kill, Fault::Io, Fault::Io, Fault::ShortWrite, Fault::Full];

/// Kinds of operations, of which the next one fails.
const KINDS: [OperationKind; 13] = [
    OperationKind::Write,
    OperationKind::Sync,
    OperationKind::SyncDir,
    OperationKind::Rename,
    OperationKind::Remove,
    OperationKind::Create,
    OperationKind::SetLen,
    OperationKind::Map,
    OperationKind::Read,
    OperationKind::List,
    OperationKind::Open,
    OperationKind::Lock,
    OperationKind::Len,
];

/// Lets something go wrong within the next operations; gives what.
pub(super) fn plan(files: &SimulatedFiles, rng: &mut Rng, within: u64) -> String {
    match rng.u8(..10) {
        0..6 => {
            let number = files.operation_count() + rng.u64(..within);
            let fault = FAULTS[rng.usize(..FAULTS.len())];
            files.plan(number, fault);
            format!("{fault:?} planned for operation {number}")
        }
        6..9 => {
            // The first kinds are those that matter most.
            let most = if rng.bool() { 4 } else { KINDS.len() };
            let kind = KINDS[rng.usize(..most)];
            let fault = [Fault::Io, Fault::Io, Fault::ShortWrite, Fault::Full][rng.usize(..4)];
            files.plan_next(kind, fault);
            format!("{fault:?} planned for the next {kind:?}")
        }
        _ => {
            let rate = 0.5 / within as f64;
            let rates = FaultRates {
                read: rate,
                write: rate,
                short_write: rate,
                open: rate,
                rename: rate,
                sync: rate,
                full: rate / 2.0,
                crash: rate / 4.0,
                kill: rate / 4.0,
                flip: 0.0,
            };
            files.set_rates(rates);
            format!("faults at a rate of {rate:.3}")
        }
    }
}

/// Ends the process, or the machine, here and now.
pub(super) fn strike(files: &SimulatedFiles, rng: &mut Rng) -> &'static str {
    if rng.u8(..3) == 0 {
        files.kill();
        return "killed";
    }
    files.crash();
    "the power went"
}

/// Room for so many bytes more than there are.
pub(super) fn tighten(files: &SimulatedFiles, more: u64) {
    let used: u64 = files.files().iter().map(|(_, bytes)| bytes).sum();
    files.set_capacity(Some(used + more));
}

/// Flips a bit on the disk; gives file, byte and bit, or None if there is nothing.
pub(super) fn flip_some_bit(files: &SimulatedFiles, rng: &mut Rng) -> Option<(PathBuf, u64, u8)> {
    if rng.u8(..4) == 0 {
        return files.flip_any_bit();
    }
    // Most bytes are the zeros of the log, so files come first.
    let all = files.files();
    let (path, len) = all.get(rng.usize(..all.len().max(1)))?;
    let most = if rng.bool() { *len } else { (*len).min(4096) };
    if most == 0 {
        return None;
    }
    let (offset, bit) = (rng.u64(..most), rng.u8(..8));
    files.flip_bit(path, offset, bit).ok()?;
    Some((path.clone(), offset, bit))
}
