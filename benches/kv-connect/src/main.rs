//! The KV Connect server beside the reference server: the same client, the same work,
//! over loopback, each write on the disk before it is answered, in interleaved rounds.
//!
//! ```sh
//! cargo install denokv --locked --version 0.14.0
//! cargo build --release -p selvedge-cli
//! cargo run --release --manifest-path benches/kv-connect/Cargo.toml -- \
//!     target/release/selvedge denokv [ROUNDS [MILLIS [JSON]]] [--only WHAT] [--at N]
//! ```
//!
//! `--only`: operations whose names contain this; `--at`: so many at a time; each may be
//! given several times.
//!
//! Both servers run all the time, on new directories of the same disk; only one is
//! asked at a time. Of each cell the median of the rounds is told, and the processor
//! time of the server for one operation, which says more on a machine that is busy. HTTP/1.1, since both
//! speak it and a client of it costs least: it shares the processors with the servers.

mod client;
mod server;
mod work;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::server::Server;
use crate::work::{Kind, Rate, WORK, prepare, run};

const CONCURRENCY: [usize; 3] = [1, 16, 64];

/// One cell, round by round, of both servers.
struct Cell {
    kind: Kind,
    concurrency: usize,
    rates: [Vec<Rate>; 2],
}

fn median(rates: &[Rate], of: impl Fn(&Rate) -> f64) -> f64 {
    let mut rates: Vec<_> = rates.iter().map(of).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() -> Result<()> {
    let (mut only, mut at_a_time, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match &*word {
            "--only" => only.push(words.next().context("which operations?")?),
            "--at" => at_a_time.push(words.next().context("how many at a time?")?.parse()?),
            _ => places.push(word),
        }
    }
    let mut words = places.into_iter();
    let selvedge = words.next().context("where is selvedge?")?;
    let denokv = words.next().context("where is denokv?")?;
    let rounds: usize = words.next().map_or(Ok(3), |word| word.parse())?;
    let millis = words.next().map_or(Ok(1000), |word| word.parse())?;
    let json = words.next().map(PathBuf::from);
    let time = Duration::from_millis(millis);

    let servers = [Server::selvedge(&selvedge)?, Server::denokv(&denokv)?];
    for server in &servers {
        prepare(server)?;
    }
    let mut cells: Vec<_> = WORK
        .iter()
        .flat_map(|kind| CONCURRENCY.map(|concurrency| (*kind, concurrency)))
        .filter(|(kind, concurrency)| {
            let name = kind.to_string();
            (only.is_empty() || only.iter().any(|part| name.contains(&**part)))
                && (at_a_time.is_empty() || at_a_time.contains(concurrency))
        })
        .map(|(kind, concurrency)| Cell { kind, concurrency, rates: Default::default() })
        .collect();
    for round in 0..rounds {
        for cell in &mut cells {
            // Who comes first changes.
            for at in [round % 2, (round + 1) % 2] {
                cell.rates[at].push(run(&servers[at], cell.kind, cell.concurrency, time)?);
            }
            eprint!(".");
        }
    }
    eprintln!();
    print(&cells);
    if let Some(path) = json {
        std::fs::write(path, as_json(&cells, rounds, millis))?;
    }
    Ok(())
}

fn print(cells: &[Cell]) {
    println!("| operation | at a time | selvedge/s | denokv/s | times | selvedge µs | denokv µs |");
    println!("|---|---|---|---|---|---|---|");
    for Cell { kind, concurrency, rates } in cells {
        let [ours, theirs] = [0, 1].map(|at| median(&rates[at], |rate| rate.per_second));
        let [our_time, their_time] = [0, 1].map(|at| median(&rates[at], |rate| rate.micros));
        let times = ours / theirs;
        println!(
            "| {kind} | {concurrency} | {ours:.0} | {theirs:.0} | {times:.1} | {our_time:.0} | \
             {their_time:.0} |"
        );
    }
}

fn as_json(cells: &[Cell], rounds: usize, millis: u64) -> String {
    let mut json = format!("{{\"rounds\":{rounds},\"millis\":{millis},\"cells\":[");
    for (at, Cell { kind, concurrency, rates }) in cells.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(json, "{comma}\n{{\"operation\":\"{kind}\",\"concurrency\":{concurrency}");
        for (server, rates) in ["selvedge", "denokv"].iter().zip(rates) {
            let per_second: Vec<_> = rates.iter().map(|rate| rate.per_second).collect();
            let micros: Vec<_> = rates.iter().map(|rate| rate.micros).collect();
            let _ = write!(
                json,
                ",\"{server}_per_second\":{per_second:.1?},\"{server}_micros\":{micros:.1?}"
            );
        }
        json.push('}');
    }
    json.push_str("\n]}\n");
    json
}
