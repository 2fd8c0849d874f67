//! Resident memory for each node and edge. Each weight is taken in a process of
//! its own, since an allocator seldom gives back what a load before has used.

use std::hint::black_box;
use std::process::Command;

use selvedge_benches::Outcome;
use selvedge_benches::csr::Csr;
use selvedge_benches::graph::GraphStore;
use selvedge_benches::indexed::IndexStore;
use selvedge_benches::kv::KvStore;
use selvedge_benches::memory::resident_bytes;
use selvedge_benches::protocol::Protocol;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::slots::{Hashed, Slots};

use crate::options::Options;

/// Something to load and weigh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weight {
    /// A database of values.
    Values,
    /// The same in a slot array.
    Slots,
    /// The same in a hash map.
    Hashed,
    /// The same as bare records.
    Records,
    /// Entries of an index over numbers.
    Numbers,
    /// Entries of a unique index over names of 12 characters.
    Names,
    /// A database of nodes without edges.
    Nodes,
    /// A database of a graph with duplicate edges.
    Multi,
    /// A database of a graph without duplicates.
    Unique,
    /// The same in rows, both ways.
    Rows,
}

const ALL: [(Weight, &str, &str); 10] = [
    (Weight::Values, "values", "a node with a key and a value of 100 bytes"),
    (Weight::Slots, "slots", "the same in a slot array"),
    (Weight::Hashed, "hashed", "the same in a hash map"),
    (Weight::Records, "records", "the same as bare records, without keys"),
    (Weight::Numbers, "numbers", "an entry of an index over an integer"),
    (Weight::Names, "names", "an entry of a unique index over 12 characters"),
    (Weight::Nodes, "nodes", "a node without key, fields and edges"),
    (Weight::Multi, "multi", "an edge of a multi type, both ends"),
    (Weight::Unique, "unique", "an edge of a unique type, both ends"),
    (Weight::Rows, "rows", "an edge in CSR, both ways"),
];

impl Weight {
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, known, _)| *known == name).map(|(weight, ..)| *weight)
    }
}

/// Prints the table of weights.
pub(crate) fn run(options: &Options) {
    if options.plan.only.as_ref().is_some_and(|only| !"memory".contains(only.as_str())) {
        return;
    }
    println!("\n| resident memory | bytes each | MiB in all |\n|---|---|---|");
    for (_, name, what) in ALL {
        match weigh_apart(options, name) {
            Ok(weighed) => println!("| {what} | {weighed} |"),
            Err(error) => eprintln!("{what}: {error}"),
        }
    }
}

fn weigh_apart(options: &Options, name: &str) -> std::io::Result<String> {
    let (keys, scale) = (options.keys.to_string(), options.scale.to_string());
    let output = Command::new(std::env::current_exe()?)
        .args(["--weigh", name, "--keys", keys.as_str(), "--scale", scale.as_str()])
        // What is freed goes back at once, or it would hide what comes next.
        .env("MIMALLOC_PURGE_DELAY", "0")
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Loads one thing and prints what it weighs.
pub(crate) fn weigh(options: &Options, what: Weight) -> Outcome<()> {
    // What the load reads from is resident before.
    let list = match what {
        Weight::Multi => EdgeList::rmat(options.scale, 1),
        Weight::Unique | Weight::Rows => EdgeList::rmat(options.scale, 1).deduplicated(),
        _ => EdgeList { nodes: 1 << options.scale, edges: Vec::new() },
    };
    let (keys, edges) = (options.keys, list.edges.len() as u64);
    let before = resident_bytes();
    let (each, bytes) = match what {
        Weight::Values => (keys, held(&KvStore::load(keys)?, before)),
        Weight::Slots => (keys, held(&Slots::new(keys), before)),
        Weight::Hashed => (keys, held(&Hashed::new(keys), before)),
        Weight::Records => (keys, held(&Protocol::new(keys), before)),
        Weight::Numbers | Weight::Names => {
            let store = IndexStore::load(keys)?;
            let rows = resident_bytes();
            if what == Weight::Names {
                store.index_names()?
            } else {
                store.index_numbers()?
            }
            store.settle();
            (keys, held(&store, rows))
        }
        Weight::Nodes => {
            (u64::from(list.nodes), held(&GraphStore::new(list.nodes, false)?, before))
        }
        Weight::Rows => (edges, held(&[Csr::new(&list), Csr::reversed(&list)], before)),
        Weight::Multi | Weight::Unique => {
            let store = GraphStore::new(list.nodes, what == Weight::Multi)?;
            let nodes = resident_bytes();
            store.link_all(&list, 10_000)?;
            (edges, held(&store, nodes))
        }
    };
    println!("{:.1} | {:.0}", bytes as f64 / each as f64, bytes as f64 / f64::from(1 << 20));
    Ok(())
}

fn held<T>(loaded: &T, before: u64) -> u64 {
    black_box(loaded);
    resident_bytes().saturating_sub(before)
}
