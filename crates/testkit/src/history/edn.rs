//! Histories of lists as Elle and other tools of Jepsen read them.
//!
//! Each transaction is two operations: invoked when it began, then `:ok`, or `:fail`
//! if it conflicted or was rolled back, or `:info` if nobody was told; then its process
//! does nothing any more. `:time` is in nanoseconds, `:process` the
//! thread, `:value` what it did: `[:append 3 17]`, `[:r 3 [16 17]]`, where 3 is the
//! node and 17 the element.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::txn::{History, Op, Outcome, Txn};

/// The history as EDN, one operation a line.
#[must_use]
pub fn list_append(history: &History) -> String {
    let mut events = Vec::new();
    for txn in history.txns.iter().filter(|txn| !txn.ops.is_empty() && !is_set_up(txn)) {
        // Those whose end is not recorded end at last.
        events.push((txn.begin.called, false, txn));
        events.push((txn.end.returned, true, txn));
    }
    events.sort_by_key(|(time, is_end, txn)| (*time, *is_end, txn.number));
    let threads = history.txns.iter().map(|txn| txn.thread + 1).max().unwrap_or(1);
    let (mut edn, mut processes) = (String::new(), Processes::default());
    for (index, (time, is_end, txn)) in events.into_iter().enumerate() {
        let kind = match txn.outcome {
            _ if !is_end => ":invoke",
            Outcome::Committed(_) | Outcome::ReadOnly => ":ok",
            Outcome::Unknown => ":info",
            Outcome::RolledBack | Outcome::Conflict(..) | Outcome::ChecksFailed(_) => ":fail",
        };
        let process = if is_end { processes.end(txn) } else { processes.begin(txn, threads) };
        let value = value(txn, is_end);
        // Writing to a string does not fail.
        let _ = writeln!(
            edn,
            "{{:index {index}, :time {time}, :process {process}, :type {kind}, :f :txn, \
             :value [{value}]}}"
        );
    }
    edn
}

/// Lists are empty before anything is known of them.
fn is_set_up(txn: &Txn) -> bool {
    txn.ops.iter().any(|op| matches!(op, Op::Insert { .. }))
}

/// Who does what. A process does one thing at a time; a long snapshot is beside what
/// its thread does, and so a process of its own.
#[derive(Default)]
struct Processes {
    busy: HashMap<usize, usize>,
}

impl Processes {
    fn begin(&mut self, txn: &Txn, threads: usize) -> usize {
        let mut process = txn.thread;
        while self.busy.values().any(|busy| *busy == process) {
            process += threads;
        }
        self.busy.insert(txn.number, process);
        process
    }

    fn end(&mut self, txn: &Txn) -> usize {
        if txn.outcome == Outcome::Unknown {
            return self.busy.get(&txn.number).copied().unwrap_or(txn.thread);
        }
        self.busy.remove(&txn.number).unwrap_or(txn.thread)
    }
}

fn value(txn: &Txn, is_end: bool) -> String {
    let mut steps = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Node { node, seen } if is_end => {
                let list = seen.iter().flat_map(|seen| &seen.content.list);
                let list: Vec<_> = list.map(i64::to_string).collect();
                steps.push(format!("[:r {} [{}]]", node.get(), list.join(" ")));
            }
            Op::Node { node, .. } => steps.push(format!("[:r {} nil]", node.get())),
            Op::Put { node, content, done: true } => {
                let element = content.list.last().copied().unwrap_or_default();
                steps.push(format!("[:append {} {element}]", node.get()));
            }
            _ => {}
        }
    }
    steps.join(" ")
}
