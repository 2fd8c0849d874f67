//! Entries of a keyspace: accounts whose sum stays, and sessions that come in pairs and
//! expire together.

use std::hash::{DefaultHasher, Hash};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use selvedge::prelude::*;
use selvedge::{AtomicOutcome, Isolation, Key, Kv, KvEntry, Result, Selection, key};

use super::Told;

const KEYSPACE: &str = "savings";
const ACCOUNTS: u64 = 200;
const BALANCE: u64 = 1000;
/// Sessions that there may be; each has two entries.
const SESSIONS: u64 = 100;
/// How long a session lasts, in milliseconds; some are over as they begin.
const SESSION_MILLIS: std::ops::Range<u64> = 0..1500;

fn account(number: u64) -> Key {
    key!["account", number]
}

/// The keyspace, in the database as it is open now.
pub(super) fn keyspace(db: &Db) -> Told<Kv> {
    db.keyspace(KEYSPACE).map_err(|error| format!("no keyspace: {error}"))
}

/// Now, in milliseconds since the epoch.
pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits until every session is over: what is read then stays as it is.
pub(super) fn outlast_sessions() {
    thread::sleep(Duration::from_millis(SESSION_MILLIS.end));
}

/// Makes the accounts, in an empty database.
pub(super) fn lay(db: &Db) -> Told {
    let kv = keyspace(db)?;
    let accounts = (0..ACCOUNTS).map(account);
    let all = accounts.fold(kv.atomic(), |atomic, account| atomic.sum(&account, BALANCE));
    all.commit().map(drop).map_err(|error| format!("no accounts: {error}"))
}

/// Writes once, in one of the ways that there are; whether it was applied.
pub(super) fn write(kv: &Kv, rng: &mut Rng) -> Result<bool> {
    match rng.u8(..4) {
        0 => transfer(kv, rng),
        1 => transfer_blindly(kv, rng),
        2 => transfer_checked(kv, rng),
        _ => log_in(kv, rng),
    }
}

/// Two accounts that are not the same, and what is moved.
fn drawn(rng: &mut Rng) -> (Key, Key, u64) {
    let from = rng.u64(..ACCOUNTS);
    let to = (from + rng.u64(1..ACCOUNTS)) % ACCOUNTS;
    (account(from), account(to), rng.u64(1..20))
}

fn number(entry: Option<&KvEntry<'_>>) -> u64 {
    entry.and_then(KvEntry::number).unwrap_or(0)
}

/// Read and written, in a transaction.
fn transfer(kv: &Kv, rng: &mut Rng) -> Result<bool> {
    let (from, to, amount) = drawn(rng);
    let isolation = *rng.choice(&[Isolation::Snapshot, Isolation::Serializable]).expect("two");
    let mut txn = kv.db().begin(&TransactionOptions::new().isolation(isolation))?;
    let mut entries = txn.keyspace(kv)?;
    let has = number(entries.get(&from)?.as_ref());
    entries.set(&from, has.wrapping_sub(amount))?;
    let has = number(entries.get(&to)?.as_ref());
    entries.set(&to, has.wrapping_add(amount))?;
    match txn.commit() {
        Ok(_) => Ok(true),
        Err(Error::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Added to, whatever is there.
fn transfer_blindly(kv: &Kv, rng: &mut Rng) -> Result<bool> {
    let (from, to, amount) = drawn(rng);
    let atomic = kv.atomic().sum(&from, amount.wrapping_neg()).sum(&to, amount);
    Ok(atomic.commit()?.is_committed())
}

/// Read, then written if it is still as it was read.
fn transfer_checked(kv: &Kv, rng: &mut Rng) -> Result<bool> {
    let (from, to, amount) = drawn(rng);
    let found = kv.get_many([&from, &to])?;
    let stamps = [&found[0], &found[1]].map(|entry| entry.as_ref()?.versionstamp());
    let atomic = kv
        .atomic()
        .check(&from, stamps[0])
        .check(&to, stamps[1])
        .set(&from, number(found[0].as_ref()).wrapping_sub(amount))
        .set(&to, number(found[1].as_ref()).wrapping_add(amount));
    Ok(matches!(atomic.commit()?, AtomicOutcome::Committed(_)))
}

/// A session begins, or goes on, or ends before its time.
fn log_in(kv: &Kv, rng: &mut Rng) -> Result<bool> {
    let session = rng.u64(..SESSIONS);
    let pair = [key!["session", session], key!["session of", session]];
    let atomic = match rng.u8(..5) {
        0 => pair.iter().fold(kv.atomic(), |atomic, key| atomic.delete(key)),
        _ => {
            let expires = unix_millis() + rng.u64(SESSION_MILLIS);
            pair.iter().fold(kv.atomic(), |atomic, key| atomic.set(key, expires).expire_at(expires))
        }
    };
    Ok(atomic.commit()?.is_committed())
}

/// Reads all entries and checks what holds: the sum, and that both entries of a session
/// are there, which expires after the snapshot was opened.
pub(super) fn uphold(
    reader: &impl Read,
    (kv, opened): (&Kv, u64),
    digest: &mut DefaultHasher,
) -> Told {
    let list = |name| {
        let view = reader.keyspace_view(kv)?;
        view.list(Selection::prefix(&key![name]))
    };
    let list = |name| list(name).map_err(|error| format!("a range cannot be read: {error}"));
    let accounts = list("account")?;
    let sum = accounts.iter().map(|account| number(Some(account))).fold(0, u64::wrapping_add);
    if (accounts.len() as u64, sum) != (ACCOUNTS, ACCOUNTS * BALANCE) {
        return Err(format!("{} accounts of entries have {sum}", accounts.len()));
    }
    let [sessions, others] = [list("session")?, list("session of")?];
    let told = |entry: &KvEntry<'_>| {
        let number = entry.key().parts().ok().and_then(|mut parts| parts.pop());
        (number, entry.number(), entry.expires_at(), entry.versionstamp())
    };
    if !sessions.iter().map(told).eq(others.iter().map(told)) {
        return Err(format!("sessions are torn: {sessions:?} {others:?}"));
    }
    for session in &sessions {
        let expires = session.expires_at();
        if expires != session.number() || expires.is_none_or(|expires| expires <= opened) {
            return Err(format!("at {opened} there is a session that is over: {session:?}"));
        }
    }
    for entry in accounts.iter().chain(&sessions) {
        (entry.key_bytes(), entry.bytes(), entry.versionstamp()).hash(digest);
    }
    Ok(())
}
