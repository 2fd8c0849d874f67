//! Accounts between which money moves: whoever sees all of them sees all of it.

use std::collections::BTreeMap;

use super::{Ground, USUAL, Workload, add, drawn_isolation, end, insert_all};
use crate::history::anomaly::{Anomaly, Findings};
use crate::history::recorder::{Done, Worker};
use crate::history::txn::{History, Op, Txn};

const LABELS: &[&str] = &["Account"];
const ACCOUNTS: usize = 10;
const BALANCE: i64 = 100;

pub(super) const WORKLOAD: Workload = Workload { name: "bank", set_up, step, law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], ACCOUNTS, BALANCE)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: &[], keys: ACCOUNTS, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    if worker.one_in(3) {
        let mut active = worker.snapshot()?;
        for account in active.scan(LABELS[0])? {
            active.node(account)?;
        }
        active.commit()?;
        return Ok(());
    }
    let mut active = worker.begin(drawn_isolation(worker))?;
    let (from, to) = (worker.below(ACCOUNTS), 1 + worker.below(ACCOUNTS - 1));
    let amount = 1 + worker.below(20) as i64;
    add(&mut active, ground.nodes[from], -amount)?;
    add(&mut active, ground.nodes[(from + to) % ACCOUNTS], amount)?;
    end(worker, active)
}

/// The sum of what a transaction saw, if it scanned and read all accounts, each once.
fn sum(txn: &Txn) -> Option<i64> {
    let [Op::Scan { .. }, reads @ ..] = &txn.ops[..] else { return None };
    let mut seen = BTreeMap::new();
    for op in reads {
        let Op::Node { node, seen: Some(account) } = op else { return None };
        seen.insert(*node, account.content.number);
    }
    (seen.len() == ACCOUNTS).then(|| seen.values().sum())
}

/// No timestamp is needed to see that money is missing.
fn law(history: &History, findings: &mut Findings) {
    for txn in &history.txns {
        let (number, expected) = (txn.number, ACCOUNTS as i64 * BALANCE);
        if let Some(sum) = sum(txn).filter(|sum| *sum != expected) {
            findings.add(Anomaly::BrokenLaw, [number], || {
                format!("txn {number} sees {sum} in all accounts, and there is {expected}")
            });
        }
    }
}
