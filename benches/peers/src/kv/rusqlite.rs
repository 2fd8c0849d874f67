//! SQLite through rusqlite: a write-ahead log, the file mapped, a cache larger than the
//! data, keys as row ids, statements prepared once, a connection for each thread. Threads
//! that write take turns by a lock of the process, which costs less than waiting for the
//! file's. Unsynced: `synchronous = OFF`; synced: `FULL`.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tempfile::TempDir;

use super::{Durability, Engine, Key, Session, first_value, number_of, with_number};

pub struct Sqlite {
    synchronous: &'static str,
    writers: Mutex<()>,
    dir: TempDir,
}

struct Client<'a> {
    connection: Connection,
    writers: &'a Mutex<()>,
}

impl Sqlite {
    pub fn filled(keys: u64, durability: Durability) -> Result<Self> {
        let synchronous = match durability {
            Durability::Unsynced => "OFF",
            Durability::Synced => "FULL",
        };
        let this = Self { synchronous, writers: Mutex::new(()), dir: tempfile::tempdir()? };
        let mut connection = this.connect()?;
        connection.execute("CREATE TABLE pairs (key INTEGER PRIMARY KEY, value BLOB)", [])?;
        let txn = connection.transaction()?;
        {
            let mut insert = txn.prepare("INSERT INTO pairs VALUES (?1, ?2)")?;
            for key in 0..keys {
                insert.execute(params![key as i64, first_value(key)])?;
            }
        }
        txn.commit()?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(this)
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(self.dir.path().join("db.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", self.synchronous)?;
        // Bytes; and KiB, which is what a negative number counts.
        connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
        connection.pragma_update(None, "cache_size", -(1_i64 << 18))?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(connection)
    }
}

impl Engine for Sqlite {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Client { connection: self.connect()?, writers: &self.writers }))
    }
}

fn number(txn: &Connection, key: &Key) -> Result<(i64, [u8; 100])> {
    let key = u64::from_be_bytes(*key) as i64;
    let mut select = txn.prepare_cached("SELECT value FROM pairs WHERE key = ?1")?;
    let value = select.query_row([key], |row| {
        let value = row.get_ref(0)?.as_blob()?;
        Ok(with_number(value, number_of(value) + 1))
    })?;
    Ok((key, value))
}

impl Session for Client<'_> {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let mut select =
            self.connection.prepare_cached("SELECT value FROM pairs WHERE key = ?1")?;
        let mut get = |key: &Key| {
            let key = u64::from_be_bytes(*key) as i64;
            select.query_row([key], |row| Ok(number_of(row.get_ref(0)?.as_blob()?)))
        };
        // A single statement is a transaction, and a snapshot, of its own.
        if let [key] = keys {
            return Ok(get(key)?);
        }
        let txn = self.connection.unchecked_transaction()?;
        let mut sum = 0;
        for key in keys {
            sum += get(key)?;
        }
        txn.commit()?;
        Ok(sum)
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        let _turn = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let behavior = TransactionBehavior::Immediate;
        let txn = Transaction::new(&mut self.connection, behavior)?;
        for key in keys {
            let (key, changed) = number(&txn, key)?;
            let mut update = txn.prepare_cached("UPDATE pairs SET value = ?2 WHERE key = ?1")?;
            ensure!(update.execute(params![key, changed])? == 1, "all keys are there");
        }
        txn.commit()?;
        Ok(())
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        let mut select = self.connection.prepare_cached("SELECT value FROM pairs")?;
        let mut found = select.query([])?;
        let (mut rows, mut sum) = (0, 0);
        while let Some(row) = found.next()? {
            rows += 1;
            sum += number_of(row.get_ref(0)?.as_blob()?);
        }
        Ok((rows, sum))
    }
}
