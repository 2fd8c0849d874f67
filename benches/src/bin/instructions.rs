//! One hot path, as often as it is told, for callgrind to count: everything is in the
//! cache, on one thread, and the same in every run.
//!
//! ```text
//! instructions "node read" 1000     # prints how many operations that were
//! instructions                      # prints the names
//! ```
//! Callgrind collects inside of [`collected`] alone; before it, the same work is done once
//! for what happens the first time only. `cargo xtask instructions` runs and compares all.

use std::hint::black_box;

use selvedge::env::Env;
use selvedge::prelude::*;
use selvedge::{Background, Kv, RetryPolicy};
use selvedge_benches::Outcome;
use selvedge_benches::graph::{EDGE_TYPE, GraphStore};
use selvedge_benches::kv::{KvStore, first_value, raised};
use selvedge_benches::random::Random;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys, and nodes of the graph to this power of two: few, so that all fit in the cache.
const KEYS: u64 = 1000;
const SCALE: u32 = 10;
const SEED: u64 = 1;

/// Does the work so many times; gives the operations that were done.
type Path = Box<dyn FnMut(u64) -> Outcome<u64>>;
/// Makes what a path works on.
type Begin = fn() -> Outcome<Path>;

/// The paths: an operation of each is what its name says.
const PATHS: [(&str, Begin); 11] = [
    ("snapshot begun and ended", || {
        let store = KvStore::load_into(database(), KEYS)?;
        Ok(Box::new(move |times| {
            for _ in 0..times {
                store.db().view(|snapshot| Ok::<_, Error>(black_box(snapshot.timestamp())))?;
            }
            Ok(times)
        }))
    }),
    ("node read by id in a snapshot of its own", || {
        let (store, mut random) = (KvStore::load_into(database(), KEYS)?, Random::new(SEED));
        Ok(Box::new(move |times| Ok(store.read1_by_id(&mut random, times)?.work)))
    }),
    ("node read by key in a snapshot of its own", || {
        let (store, mut random) = (KvStore::load_into(database(), KEYS)?, Random::new(SEED));
        Ok(Box::new(move |times| Ok(store.read1_by_key(&mut random, times)?.work)))
    }),
    ("node read, changed and committed", || {
        let (store, mut random) = (KvStore::load_into(database(), KEYS)?, Random::new(SEED));
        Ok(Box::new(move |times| Ok(store.raise::<1>(&mut random, times)?.work)))
    }),
    ("ten nodes read, changed and committed", || {
        let (store, mut random) = (KvStore::load_into(database(), KEYS)?, Random::new(SEED));
        Ok(Box::new(move |times| Ok(store.raise::<10>(&mut random, times)?.work)))
    }),
    ("entry read in a snapshot of its own", || {
        let (kv, mut random) = (keyspace()?, Random::new(SEED));
        Ok(Box::new(move |times| read_entries(&kv, &mut random, times)))
    }),
    ("entry read, changed and committed", || {
        let (kv, mut random) = (keyspace()?, Random::new(SEED));
        Ok(Box::new(move |times| raise_entries(&kv, &mut random, times)))
    }),
    ("neighbours of a node, asked for by a call", || {
        let (graph, mut random) = (graph()?, Random::new(SEED));
        Ok(Box::new(move |times| neighbours_by_calls(&graph, &mut random, times)))
    }),
    ("neighbours of a node, by the view of all", || {
        let (graph, mut random) = (graph()?, Random::new(SEED));
        Ok(Box::new(move |times| {
            let hops = graph.on_snapshot(true, |graph| walk::one_hop(graph, &mut random, times));
            Ok(hops?.work)
        }))
    }),
    ("edge linked and committed", || {
        let (graph, mut random) = (graph()?, Random::new(SEED));
        Ok(Box::new(move |times| Ok(graph.link_one_by_one(&mut random, times)?.work)))
    }),
    ("edge visited in a sweep", || {
        let graph = graph()?;
        Ok(Box::new(move |times| {
            let mut edges = 0;
            for _ in 0..times.div_ceil(1 << SCALE) {
                edges += graph.on_snapshot(true, |graph| walk::sweep(graph))?.work;
            }
            Ok(edges)
        }))
    }),
];

/// A database that repeats: its hashes have the same keys in every run, and maintenance
/// is done by nobody else.
fn database() -> Db {
    let (env, _) = Env::simulated(SEED);
    Db::builder().env(env).background(Background::Manual).in_memory()
}

fn graph() -> Outcome<GraphStore> {
    let list = EdgeList::rmat(SCALE, SEED).deduplicated();
    let store = GraphStore::new_in(database(), list.nodes, false)?;
    store.link_all(&list, usize::MAX)?;
    store.compact()?;
    Ok(store)
}

fn keyspace() -> Outcome<Kv> {
    let kv = database().kv();
    for key in 0..KEYS {
        kv.set(&key.to_be_bytes(), &first_value(key))?;
    }
    Ok(kv)
}

fn read_entries(kv: &Kv, random: &mut Random, times: u64) -> Outcome<u64> {
    for _ in 0..times {
        let key = random.below(KEYS).to_be_bytes();
        let read = kv.view(|view| {
            let value = view.get_bytes(&key)?;
            Ok::<_, Error>(value.map_or(0, |value| value.len()))
        })?;
        assert_eq!(black_box(read), first_value(0).len(), "every key was set");
    }
    Ok(times)
}

fn raise_entries(kv: &Kv, random: &mut Random, times: u64) -> Outcome<u64> {
    for _ in 0..times {
        let key = random.below(KEYS).to_be_bytes();
        kv.db().transaction_retry(RetryPolicy::default(), |ctx| {
            let mut kv = ctx.kv();
            let (value, _) = {
                let value = kv.view().get_bytes(&key)?;
                raised(&value.expect("every key was set"))
            };
            kv.set(&key, &value)
        })?;
    }
    Ok(times)
}

fn neighbours_by_calls(graph: &GraphStore, random: &mut Random, times: u64) -> Outcome<u64> {
    let (snapshot, nodes) = (graph.db().snapshot()?, graph.nodes());
    let mut sum = 0;
    for _ in 0..times {
        let node = graph.id(random.below(u64::from(nodes)) as u32);
        let neighbours = snapshot.neighbours(node, Direction::Out, EDGE_TYPE)?;
        sum = neighbours.fold(sum, |sum, neighbour| sum + neighbour.get());
    }
    black_box(sum);
    Ok(times)
}

/// What callgrind looks into: it knows the function by this name.
#[inline(never)]
fn collected(path: &mut Path, times: u64) -> Outcome<u64> {
    path(times)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        for (name, _) in PATHS {
            println!("{name}");
        }
        return Ok(());
    };
    let times = words.next().ok_or("how many times?")?.parse()?;
    let found = PATHS.into_iter().find(|(known, _)| *known == name);
    let (_, begin) = found.ok_or_else(|| format!("there is no path {name}"))?;
    let mut path = begin()?;
    path(times)?;
    println!("{}", collected(&mut path, times)?);
    Ok(())
}
