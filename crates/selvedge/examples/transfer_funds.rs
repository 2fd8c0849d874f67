//! Money between accounts: many threads, nothing lost, nothing made up.
//!
//! ```text
//! cargo run --release --example transfer_funds
//! ```
//!
//! A transfer reads both accounts, fails on an unknown account or too little
//! money with an error type of its own, and writes both. It is done in two ways:
//! - [`transfer`]: in one transaction, run again by the database if another
//!   transfer came first.
//! - [`transfer_checked`]: optimistic, by hand. It reads without holding anything
//!   open, computes, and commits only if both accounts still have the versions
//!   that were read.
//!
//! Sixteen threads do so over five accounts while an auditor looks at snapshots.
//! Every thread keeps a ledger of what was acknowledged; at the end the ledgers
//! must explain each balance to the cent.

use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use selvedge::prelude::*;

const ACCOUNTS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const BALANCE_FIRST: i64 = 300;
const WORKERS: usize = 16;
const TRANSFERS_PER_WORKER: usize = 40;
const AMOUNT_MAX: i64 = 120;
/// More attempts than this, and something is wrong.
const ATTEMPTS_MAX: u32 = 10_000;

/// Why a transfer, or this program, did not succeed.
#[derive(Debug)]
enum TransferError {
    UnknownAccount(String),
    InsufficientFunds { account: String, balance: i64, amount: i64 },
    TooContended { attempts: u32 },
    Invariant(String),
    Database(Error),
}

/// What `?` needs inside a transaction's closure.
impl From<Error> for TransferError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount(account) => write!(f, "there is no account {account:?}"),
            Self::InsufficientFunds { account, balance, amount } => {
                write!(f, "{account} has {balance}, which is less than {amount}")
            }
            Self::TooContended { attempts } => write!(f, "gave up after {attempts} attempts"),
            Self::Invariant(broken) => write!(f, "invariant broken: {broken}"),
            Self::Database(error) => write!(f, "the database: {error}"),
        }
    }
}

impl std::error::Error for TransferError {}

/// An account as it was read.
struct Account {
    id: NodeId,
    balance: i64,
    /// The commit that wrote it; `None` if this transaction did.
    version: Option<selvedge::Timestamp>,
}

/// Reads an account from a snapshot or from inside a transaction alike.
fn account(reader: &impl Read, name: &str) -> Result<Account, TransferError> {
    let unknown = || TransferError::UnknownAccount(name.to_owned());
    let node = reader.get_node("Account", name)?.ok_or_else(unknown)?;
    let balance = node.typed::<i64>("balance").map_err(Error::from)?.unwrap_or(0);
    Ok(Account { id: node.id(), balance, version: node.version() })
}

/// Both accounts, if the first can pay.
fn accounts_for(
    reader: &impl Read,
    transfer: &Transfer,
) -> Result<(Account, Account), TransferError> {
    let (from, to) = (account(reader, transfer.from)?, account(reader, transfer.to)?);
    if from.balance < transfer.amount {
        return Err(TransferError::InsufficientFunds {
            account: transfer.from.to_owned(),
            balance: from.balance,
            amount: transfer.amount,
        });
    }
    // Only here so that other threads come in between even on a small machine.
    thread::yield_now();
    Ok((from, to))
}

struct Transfer {
    from: &'static str,
    to: &'static str,
    amount: i64,
}

/// In one transaction, run again with a fresh snapshot after a conflict.
fn transfer(db: &Db, transfer: &Transfer, attempts: &AtomicU64) -> Result<(), TransferError> {
    db.transaction_retry(RetryPolicy::default().attempts_max(ATTEMPTS_MAX), |ctx| {
        attempts.fetch_add(1, Ordering::Relaxed);
        let (from, to) = accounts_for(ctx, transfer)?;
        ctx.set(from.id, "balance", from.balance - transfer.amount)?;
        ctx.set(to.id, "balance", to.balance + transfer.amount)?;
        Ok(())
    })
}

/// By hand: read, compute, and commit on the condition that nothing changed.
fn transfer_checked(
    db: &Db,
    transfer: &Transfer,
    attempts: &AtomicU64,
) -> Result<(), TransferError> {
    for _ in 0..ATTEMPTS_MAX {
        attempts.fetch_add(1, Ordering::Relaxed);
        let (from, to) = db.view(|snapshot| accounts_for(snapshot, transfer))?;
        // No snapshot is open here: a user might take an hour to confirm.
        let committed = db.transaction(|ctx| {
            ctx.check(from.id, from.version);
            ctx.check(to.id, to.version);
            ctx.set(from.id, "balance", from.balance - transfer.amount)?;
            ctx.set(to.id, "balance", to.balance + transfer.amount)
        });
        match committed {
            Ok(()) => return Ok(()),
            // Changed between the read and the transaction, or during it.
            Err(Error::CheckFailed { .. } | Error::Conflict(_)) => thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(TransferError::TooContended { attempts: ATTEMPTS_MAX })
}

/// What one worker knows to have happened.
#[derive(Default)]
struct Ledger {
    acknowledged: u64,
    refused: u64,
    /// By account, in the order of [`ACCOUNTS`].
    changes: [i64; ACCOUNTS.len()],
}

type Method = fn(&Db, &Transfer, &AtomicU64) -> Result<(), TransferError>;

fn work(
    db: &Db,
    worker: usize,
    method: Method,
    attempts: &AtomicU64,
) -> Result<Ledger, TransferError> {
    let mut ledger = Ledger::default();
    for round in 0..TRANSFERS_PER_WORKER {
        // Spread evenly, and the same in every run.
        let from = (worker + round * 3) % ACCOUNTS.len();
        let to = (from + 1 + (worker + round) % (ACCOUNTS.len() - 1)) % ACCOUNTS.len();
        let amount = 1 + ((worker * 37 + round * 61) as i64) % AMOUNT_MAX;
        let transfer = Transfer { from: ACCOUNTS[from], to: ACCOUNTS[to], amount };
        match method(db, &transfer, attempts) {
            Ok(()) => {
                ledger.acknowledged += 1;
                ledger.changes[from] -= amount;
                ledger.changes[to] += amount;
            }
            Err(TransferError::InsufficientFunds { .. }) => ledger.refused += 1,
            Err(other) => return Err(other),
        }
    }
    Ok(ledger)
}

/// The balances at one moment, if they make sense.
fn audit(snapshot: &Snapshot<'_>) -> Result<[i64; ACCOUNTS.len()], TransferError> {
    let mut balances = [0; ACCOUNTS.len()];
    for (balance, name) in balances.iter_mut().zip(ACCOUNTS) {
        *balance = account(snapshot, name)?.balance;
    }
    let (sum, expected) = (balances.iter().sum::<i64>(), BALANCE_FIRST * ACCOUNTS.len() as i64);
    if sum != expected {
        let broken = format!("the accounts hold {sum} in all instead of {expected}: {balances:?}");
        return Err(TransferError::Invariant(broken));
    }
    if balances.iter().any(|balance| *balance < 0) {
        return Err(TransferError::Invariant(format!("an account is overdrawn: {balances:?}")));
    }
    Ok(balances)
}

/// Looks at snapshots until the workers are done; gives how many there were.
fn audit_until(db: &Db, done: &AtomicBool) -> Result<u64, TransferError> {
    let mut audits = 0;
    loop {
        let last = done.load(Ordering::Acquire);
        let snapshot = db.snapshot()?;
        let first = audit(&snapshot)?;
        thread::yield_now();
        if audit(&snapshot)? != first {
            return Err(TransferError::Invariant("a snapshot changed its answer".to_owned()));
        }
        audits += 1;
        if last {
            return Ok(audits);
        }
    }
}

/// What the two methods did, and how often the auditor looked.
struct Outcome {
    ledgers: [Vec<Ledger>; 2],
    attempts: [AtomicU64; 2],
    audits: u64,
}

fn run_workers(db: &Db) -> Result<Outcome, TransferError> {
    let methods: [Method; 2] = [transfer, transfer_checked];
    let (attempts, done) = ([AtomicU64::new(0), AtomicU64::new(0)], AtomicBool::new(false));
    let panicked = || TransferError::Invariant("a thread panicked".to_owned());
    thread::scope(|scope| {
        let auditor = scope.spawn(|| audit_until(db, &done));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (kind, attempts) = (worker % 2, &attempts[worker % 2]);
                scope.spawn(move || work(db, worker, methods[kind], attempts))
            })
            .collect();
        let joined: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Ordering::Release);
        let audits = auditor.join().map_err(|_| panicked())??;
        let mut ledgers = [Vec::new(), Vec::new()];
        for (worker, ledger) in joined.into_iter().enumerate() {
            ledgers[worker % 2].push(ledger.map_err(|_| panicked())??);
        }
        Ok::<_, TransferError>((ledgers, audits))
    })
    .map(|(ledgers, audits)| Outcome { ledgers, attempts, audits })
}

fn report(db: &Db, outcome: &Outcome) -> Result<(), TransferError> {
    let balances = audit(&db.snapshot()?)?;
    println!("{:<20} {:>12} {:>10} {:>10}", "method", "acknowledged", "refused", "run again");
    let names = ["transaction_retry", "check by hand"];
    for ((name, ledgers), attempts) in names.iter().zip(&outcome.ledgers).zip(&outcome.attempts) {
        let acknowledged: u64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
        let refused: u64 = ledgers.iter().map(|ledger| ledger.refused).sum();
        let again = attempts.load(Ordering::Relaxed) - acknowledged - refused;
        println!("{name:<20} {acknowledged:>12} {refused:>10} {again:>10}");
    }
    println!("\n{:<20} {:>12} {:>10} {:>10}", "account", "before", "moved", "after");
    for (place, (name, after)) in ACCOUNTS.iter().zip(balances).enumerate() {
        let moved: i64 = outcome.ledgers.iter().flatten().map(|ledger| ledger.changes[place]).sum();
        println!("{name:<20} {BALANCE_FIRST:>12} {moved:>+10} {after:>10}");
        if BALANCE_FIRST + moved != after {
            let broken = format!("{name} has {after}, the acknowledged transfers say otherwise");
            return Err(TransferError::Invariant(broken));
        }
    }
    println!(
        "\n{} transfers asked for by {WORKERS} threads; {} audits, all sound",
        WORKERS * TRANSFERS_PER_WORKER,
        outcome.audits
    );
    Ok(())
}

fn run() -> Result<(), TransferError> {
    let db = Db::in_memory();
    db.batch(
        ACCOUNTS.map(|name| Op::insert_node("Account", name, doc! { "balance": BALANCE_FIRST })),
    )?;

    // An error of our own comes out of the transaction as it went in.
    let attempts = AtomicU64::new(0);
    let to_nobody = Transfer { from: "alice", to: "mallory", amount: 1 };
    match transfer(&db, &to_nobody, &attempts) {
        Err(error @ TransferError::UnknownAccount(_)) => println!("refused: {error}"),
        other => return Err(TransferError::Invariant(format!("paid to nobody: {other:?}"))),
    }
    let too_much = Transfer { from: "alice", to: "bob", amount: 1_000_000 };
    match transfer_checked(&db, &too_much, &attempts) {
        Err(error @ TransferError::InsufficientFunds { .. }) => println!("refused: {error}\n"),
        other => return Err(TransferError::Invariant(format!("paid too much: {other:?}"))),
    }

    let outcome = run_workers(&db)?;
    report(&db, &outcome)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transfer_funds: {error}");
            ExitCode::FAILURE
        }
    }
}
