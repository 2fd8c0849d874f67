//! Money between accounts, as atomic operations on a keyspace.
//!
//! ```text
//! cargo run --release --example transfer_funds_kv
//! ```
//!
//! A transfer reads both accounts from one snapshot, computes, and commits only if both
//! still have the versionstamps that were read; otherwise it reads again. Sixteen
//! threads do so over five accounts. No sum is lost, and no balance is ever negative.

use std::process::ExitCode;
use std::thread;

use selvedge::prelude::*;
use selvedge::{Key, Kv, Selection, key};

const ACCOUNTS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const BALANCE_FIRST: u64 = 300;
const WORKERS: u64 = 16;
const TRANSFERS_PER_WORKER: u64 = 40;

/// What became of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transfer {
    Done,
    UnknownAccount,
    InsufficientFunds,
}

fn account(name: &str) -> Key {
    key!["account", name]
}

fn transfer(kv: &Kv, sender: &str, receiver: &str, amount: u64) -> Result<Transfer, Error> {
    let (sender, receiver) = (account(sender), account(receiver));
    loop {
        let [from, to] = kv.get_many_of([&sender, &receiver])?;
        let (Some(from), Some(to)) = (from, to) else { return Ok(Transfer::UnknownAccount) };
        let (balance, other) = (from.number().unwrap_or(0), to.number().unwrap_or(0));
        let Some(rest) = balance.checked_sub(amount) else {
            return Ok(Transfer::InsufficientFunds);
        };
        let outcome = kv
            .atomic()
            .check(&sender, from.versionstamp())
            .check(&receiver, to.versionstamp())
            .set(&sender, rest)
            .set(&receiver, other + amount)
            .commit()?;
        if outcome.is_committed() {
            return Ok(Transfer::Done);
        }
    }
}

fn run() -> Result<(), Error> {
    let db = Db::in_memory();
    let kv = db.kv();
    for name in ACCOUNTS {
        kv.set(&account(name), BALANCE_FIRST)?;
    }
    assert_eq!(transfer(&kv, "alice", "nobody", 1)?, Transfer::UnknownAccount);
    assert_eq!(transfer(&kv, "alice", "bob", 1_000_000)?, Transfer::InsufficientFunds);
    let done = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let kv = &kv;
                scope.spawn(move || {
                    let mut done = 0;
                    for round in 0..TRANSFERS_PER_WORKER {
                        let draw = (worker * 31 + round * 17) as usize;
                        let (from, to) = (ACCOUNTS[draw % 5], ACCOUNTS[(draw / 5 + 1) % 5]);
                        if from == to {
                            continue;
                        }
                        let amount = (worker + round) % 120 + 1;
                        done += u64::from(transfer(kv, from, to, amount)? == Transfer::Done);
                    }
                    Ok::<_, Error>(done)
                })
            })
            .collect();
        let done = workers.into_iter().map(|worker| worker.join().expect("no panic"));
        done.sum::<Result<u64, Error>>()
    })?;
    let accounts = kv.list(Selection::prefix(&key!["account"]))?;
    let sum: u64 = accounts.iter().filter_map(|account| account.number()).sum();
    assert_eq!((accounts.len(), sum), (ACCOUNTS.len(), BALANCE_FIRST * 5));
    println!("{done} transfers by {WORKERS} threads; {sum} in all, as before");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
