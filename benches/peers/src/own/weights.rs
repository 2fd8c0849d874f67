//! Resident memory: of a node, of an edge, and of every engine with all keys. Each is
//! weighed in a process of its own, since an allocator seldom gives back what was used
//! before.

use std::collections::BTreeMap;
use std::hint::black_box;

use anyhow::{Context, Result};
use selvedge_benches::graph::GraphStore;
use selvedge_benches::memory::resident_bytes;
use selvedge_benches::rmat::EdgeList;

use crate::apart;
use crate::figures::{BYTES, Figures, MIB};
use crate::kv;
use crate::only::Only;
use crate::own::Scale;

/// Edges in each transaction of the load.
const EDGES_TOGETHER: usize = 100_000;
/// What bytes are told as.
const HELD: &str = "bytes";

/// Engines that are weighed with all keys.
const WEIGHED: [&str; 8] = [
    "selvedge",
    "selvedge-in-memory",
    "surrealmx",
    "heed",
    "redb",
    "fjall",
    "rusqlite",
    "limit-hash",
];

/// Weighs nodes and edges, and then the engines.
pub(super) fn measure(scale: Scale, only: &Only, figures: &mut Figures) -> Result<()> {
    for name in ["own/bytes-per-node", "own/bytes-per-edge"] {
        if only.workload(name) {
            eprintln!("{name}");
            let each = weigh(name, u64::from(scale.graph))?;
            figures.add(name, "selvedge", BYTES, vec![each]);
        }
    }
    let name = "kv/rss";
    for engine in WEIGHED.into_iter().filter(|engine| only.workload(name) && only.engine(engine)) {
        eprintln!("{name} {engine}");
        let bytes = weigh(&format!("{name}/{engine}"), scale.keys)?;
        figures.add(name, engine, MIB, vec![bytes / f64::from(1 << 20)]);
    }
    Ok(())
}

fn weigh(what: &str, size: u64) -> Result<f64> {
    apart::run(what, size, 0)?.get(HELD).copied().context("nothing was weighed")
}

/// Weighs one thing; `None` if it is none of these.
pub fn alone(what: &str, size: u64) -> Result<Option<BTreeMap<String, f64>>> {
    let held = |before: u64| resident_bytes().saturating_sub(before) as f64;
    let bytes = match what {
        "own/bytes-per-node" => {
            let (nodes, before) = (1 << size, resident_bytes());
            let store = GraphStore::new(nodes, false)?;
            let bytes = held(before) / f64::from(nodes);
            black_box(&store);
            bytes
        }
        "own/bytes-per-edge" => {
            let list = EdgeList::rmat(size as u32, 1).deduplicated();
            let store = GraphStore::new(list.nodes, false)?;
            let before = resident_bytes();
            store.link_all(&list, EDGES_TOGETHER)?;
            store.compact()?;
            held(before) / list.edges.len() as f64
        }
        _ => {
            let before = resident_bytes();
            let Some(engine) = what.strip_prefix("kv/rss/").and_then(|name| kv::filled(name, size))
            else {
                return Ok(None);
            };
            let engine = engine?;
            let bytes = held(before);
            black_box(&engine);
            bytes
        }
    };
    Ok(Some(BTreeMap::from([(HELD.to_owned(), bytes)])))
}
