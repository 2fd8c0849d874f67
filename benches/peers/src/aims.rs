//! What is aimed at, and what was measured: one table, from the figures of one run.

use comfy_table::{Table, presets};

use crate::figures::{
    Figures, MIB, PER_CPU_SECOND, PER_FDATASYNC, PER_SECOND, SECONDS, VERSIONS, short,
};

/// What a figure is set against.
#[derive(Clone, Copy)]
enum Against {
    /// Another one: the workload and the engine.
    Figure(&'static str, &'static str),
    /// Nothing: it is an aim of its own.
    Nothing,
}

/// How it should come out.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// One aim.
struct Aim {
    what: &'static str,
    /// The figure of ours.
    workload: &'static str,
    against: Against,
    metric: &'static str,
    bound: Bound,
}

use Against::{Figure, Nothing};
use Bound::{AtLeast, AtMost};

const fn aim(
    what: &'static str,
    workload: &'static str,
    against: Against,
    metric: &'static str,
    bound: Bound,
) -> Aim {
    Aim { what, workload, against, metric, bound }
}

/// At least so many times a peer, or so much of a limit, on the same workload.
const fn times(
    what: &'static str,
    workload: &'static str,
    engine: &'static str,
    least: f64,
) -> Aim {
    aim(what, workload, Figure(workload, engine), PER_CPU_SECOND, AtLeast(least))
}

const fn by_clock(
    what: &'static str,
    workload: &'static str,
    engine: &'static str,
    least: f64,
) -> Aim {
    aim(what, workload, Figure(workload, engine), PER_SECOND, AtLeast(least))
}

const AIMS: [Aim; 38] = [
    times("a read by node id, against surrealmx by key", "kv/read1-id/1t", "surrealmx", 6.0),
    by_clock("the same, 2 threads", "kv/read1-id/2t", "surrealmx", 6.0),
    times("a read by byte key", "kv/read1/1t", "surrealmx", 2.5),
    by_clock("the same, 2 threads", "kv/read1/2t", "surrealmx", 2.5),
    times("100 reads by node id in a snapshot", "kv/read100-id/1t", "surrealmx", 7.0),
    times("100 reads by key, a call each", "kv/read100/1t", "surrealmx", 7.0),
    times("100 reads by key, in one call", "kv/read100-together/1t", "surrealmx", 7.0),
    times("rmw1", "kv/rmw1/1t", "surrealmx", 4.0),
    by_clock("rmw1, 2 threads", "kv/rmw1/2t", "surrealmx", 5.5),
    times("rmw10", "kv/rmw10/1t", "surrealmx", 6.0),
    by_clock("rmw10, 2 threads", "kv/rmw10/2t", "surrealmx", 9.0),
    times("scan of what was loaded, against LMDB", "kv/scan", "heed", 1.5),
    times("scan after random writes, against LMDB", "kv/scan-after-writes", "heed", 1.5),
    aim(
        "scan beside a writer, against scan without",
        "kv/scan-writer",
        Figure("kv/scan-after-writes", "selvedge"),
        PER_CPU_SECOND,
        AtLeast(0.85),
    ),
    times("sweep, against CSR", "graph/sweep", "limit-csr", 0.80),
    times("BFS, against CSR", "graph/bfs", "limit-csr", 0.85),
    times("PageRank, against CSR", "graph/pagerank", "limit-csr", 0.75),
    times("1-hop, against CSR", "graph/1hop", "limit-csr", 0.70),
    aim(
        "sweep with 10 % of the nodes changed, against CSR",
        "graph/sweep-10pct-dirty",
        Figure("graph/sweep", "limit-csr"),
        PER_CPU_SECOND,
        AtLeast(0.6),
    ),
    times("sweep, against grafeo", "graph/sweep", "grafeo", 20.0),
    times("BFS, against grafeo", "graph/bfs", "grafeo", 3.5),
    times("PageRank, against grafeo", "graph/pagerank", "grafeo", 10.0),
    times("1-hop, against grafeo", "graph/1hop", "grafeo", 5.0),
    aim("memory of the graph, MiB", "graph/rss", Nothing, MIB, AtMost(150.0)),
    times("an edge per transaction, against grafeo", "graph/edge-per-txn", "grafeo", 2.5),
    aim("bulk load, edges/s", "graph/load", Nothing, PER_CPU_SECOND, AtLeast(8e6)),
    times("shortest path, against kitedb", "graph/shortest-path", "kitedb", 50.0),
    aim(
        "synced commits, 1 client, for each fdatasync",
        "sync/1c",
        Nothing,
        PER_FDATASYNC,
        AtLeast(0.9),
    ),
    aim(
        "synced commits, 64 clients, for each fdatasync",
        "sync/64c",
        Nothing,
        PER_FDATASYNC,
        AtLeast(30.0),
    ),
    aim(
        "level Normal, against Off",
        "sync/normal",
        Figure("sync/off", "selvedge"),
        PER_CPU_SECOND,
        AtLeast(0.7),
    ),
    aim(
        "recovery, commits per second of a core",
        "recover/log",
        Nothing,
        PER_CPU_SECOND,
        AtLeast(1e6),
    ),
    aim("open 1 M nodes, 16 M edges, seconds", "open/checkpoint", Nothing, SECONDS, AtMost(2.0)),
    aim(
        "rmw1 beside a reader that stays, against without",
        "own/long-reader",
        Figure("own/long-reader/without", "selvedge"),
        PER_CPU_SECOND,
        AtLeast(0.7),
    ),
    aim(
        "versions of a record then, against snapshots + 1",
        "own/long-reader",
        Figure("own/long-reader/allowed", "selvedge"),
        VERSIONS,
        AtMost(1.0),
    ),
    aim(
        "memory one second after it ended, against before",
        "own/long-reader/after",
        Figure("own/long-reader/before", "selvedge"),
        MIB,
        AtMost(1.1),
    ),
    aim("versions kept after a serial commit", "own/serial", Nothing, VERSIONS, AtMost(0.0)),
    aim(
        "rmw1 by 32 threads, against 2",
        "own/oversubscribed/32t",
        Figure("own/oversubscribed/2t", "selvedge"),
        PER_SECOND,
        AtLeast(0.7),
    ),
    aim(
        "reads by 32 threads, against 2",
        "own/oversubscribed-read1/32t",
        Figure("own/oversubscribed-read1/2t", "selvedge"),
        PER_SECOND,
        AtLeast(0.7),
    ),
];

impl Aim {
    /// The figure, or the ratio of both, by some metric.
    fn measured(&self, figures: &Figures, metric: &str) -> Option<f64> {
        let ours = figures.median(self.workload, "selvedge", metric)?;
        match self.against {
            Figure(workload, engine) => Some(ours / figures.median(workload, engine, metric)?),
            Nothing => Some(ours),
        }
    }

    fn is_met(&self, measured: f64) -> bool {
        match self.bound {
            AtLeast(least) => measured >= least,
            AtMost(most) => measured <= most,
        }
    }
}

/// The aims; those without figures too, if it is to be `all`.
pub fn table(figures: &Figures, all: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["", "workload", "aim", "measured", "by the other clock", "met"]);
    for aim in &AIMS {
        let measured = aim.measured(figures, aim.metric);
        if measured.is_none() && !all {
            continue;
        }
        let sign = match aim.bound {
            AtLeast(least) => format!(">= {}", told(least)),
            AtMost(most) => format!("<= {}", told(most)),
        };
        // Time of the wall beside that of the processor, and the other way round.
        let other = match aim.metric {
            PER_CPU_SECOND => aim.measured(figures, PER_SECOND),
            PER_SECOND => aim.measured(figures, PER_CPU_SECOND),
            _ => None,
        };
        table.add_row([
            aim.what.to_owned(),
            aim.workload.to_owned(),
            sign,
            measured.map_or("not measured".to_owned(), told),
            other.map(told).unwrap_or_default(),
            measured
                .map_or("", |measured| if aim.is_met(measured) { "yes" } else { "no" })
                .to_owned(),
        ]);
    }
    table
}

fn told(number: f64) -> String {
    if number >= 1e3 { short(number) } else { format!("{}", (number * 1e3).round() / 1e3) }
}
