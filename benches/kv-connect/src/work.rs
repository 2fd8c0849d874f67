//! What is asked, and how often in a second.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::client::{Check, Client, Mutation, Range, Value, WRITTEN, WriteInput};
use crate::server::Server;

/// Entries that are there to be read, with values of 100 bytes.
const ENTRIES: u64 = 10_000;
const VALUE: [u8; 100] = [7; 100];
const SET: i32 = 1;
const SUM: i32 = 3;
const BYTES: i32 = 3;
const LE64: i32 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Get,
    Set,
    GetMany,
    CheckAndSet,
    TenSets,
    HotSum,
    List,
}

pub(crate) const WORK: [Kind; 7] = [
    Kind::Get,
    Kind::Set,
    Kind::GetMany,
    Kind::CheckAndSet,
    Kind::TenSets,
    Kind::HotSum,
    Kind::List,
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::GetMany => "get_many of 10",
            Self::CheckAndSet => "get, then check and set",
            Self::TenSets => "atomic of 10 sets",
            Self::HotSum => "sum on one key",
            Self::List => "list of 100",
        })
    }
}

/// Drawn numbers: a thread's own, the same each time.
struct Draw(u64);

impl Draw {
    fn key(&mut self) -> Vec<u8> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        key(self.0 % ENTRIES)
    }
}

/// A key of one string part, as clients encode it.
fn key(number: u64) -> Vec<u8> {
    format!("\x02entry\0\x02{number:06}\0").into_bytes()
}

fn point(key: Vec<u8>) -> Range {
    let end = [&key[..], &[0]].concat();
    Range { start: key, end, limit: 1 }
}

fn mutation(mutation_type: i32, key: Vec<u8>, encoding: i32, data: &[u8]) -> Mutation {
    Mutation { key, value: Some(Value { data: data.to_vec(), encoding }), mutation_type }
}

fn set(key: Vec<u8>) -> Mutation {
    mutation(SET, key, BYTES, &VALUE)
}

/// Writes the entries that are read later.
pub(crate) fn prepare(server: &Server) -> Result<()> {
    let mut client = Client::connect(server.address)?;
    for first in (0..ENTRIES).step_by(500) {
        let mutations = (first..first + 500).map(|number| set(key(number))).collect();
        let written = client.write(&WriteInput { checks: Vec::new(), mutations })?;
        ensure!(written.status == WRITTEN, "not written");
    }
    Ok(())
}

/// What so many clients were answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Operations per second.
    pub(crate) per_second: f64,
    /// Processor time of the server for one operation, in microseconds.
    pub(crate) micros: f64,
}

/// Asks for so long.
pub(crate) fn run(server: &Server, kind: Kind, clients: usize, time: Duration) -> Result<Rate> {
    let done = AtomicU64::new(0);
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(server.address)?);
    }
    let (began, spent) = (Instant::now(), server.processor_nanos()?);
    let finished: Result<Vec<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (1_u64..)
            .zip(&mut connections)
            .map(|(seat, client)| {
                let done = &done;
                scope.spawn(move || {
                    let mut draw = Draw(seat.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    while began.elapsed() < time {
                        let counts = once(client, kind, &mut draw)?;
                        done.fetch_add(u64::from(counts), Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    finished?;
    let (seconds, done) = (began.elapsed().as_secs_f64(), done.into_inner() as f64);
    let spent = server.processor_nanos()?.saturating_sub(spent);
    Ok(Rate { per_second: done / seconds, micros: spent as f64 / 1000.0 / done.max(1.0) })
}

/// One operation; whether it counts: one whose check failed does not.
fn once(client: &mut Client, kind: Kind, draw: &mut Draw) -> Result<bool> {
    let (mut checks, mut mutations) = (Vec::new(), Vec::new());
    match kind {
        Kind::Get => {
            let found = client.read(vec![point(draw.key())])?;
            ensure!(found.ranges[0].values.len() == 1, "there is such an entry");
            return Ok(true);
        }
        Kind::GetMany => {
            let found = client.read((0..10).map(|_| point(draw.key())).collect())?;
            ensure!(found.ranges.len() == 10, "ten ranges");
            return Ok(true);
        }
        Kind::List => {
            let (start, end) = (draw.key(), key(999_999));
            let found = client.read(vec![Range { start, end, limit: 100 }])?;
            ensure!(!found.ranges[0].values.is_empty(), "there are entries");
            return Ok(true);
        }
        Kind::Set => mutations.push(set(draw.key())),
        Kind::CheckAndSet => {
            let key = draw.key();
            let found = client.read(vec![point(key.clone())])?;
            let versionstamp = found.ranges[0].values[0].versionstamp.clone();
            checks.push(Check { key: key.clone(), versionstamp });
            mutations.push(set(key));
        }
        Kind::TenSets => mutations.extend((0..10).map(|_| set(draw.key()))),
        Kind::HotSum => {
            mutations.push(mutation(SUM, b"\x02sum\0".to_vec(), LE64, &1_u64.to_le_bytes()));
        }
    }
    let written = client.write(&WriteInput { checks, mutations })?;
    Ok(written.status == WRITTEN)
}
