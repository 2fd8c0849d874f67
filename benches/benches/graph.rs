//! The graph workloads under criterion, each beside plain rows.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use selvedge_benches::csr::{Csr, Distances};
use selvedge_benches::graph::GraphStore;
use selvedge_benches::random::Random;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk::{self, Neighbourhoods};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SCALE: u32 = 18;
const LOADED: &str = "a database in memory loads";

fn graphs() -> [(&'static str, bool, EdgeList); 2] {
    let list = EdgeList::rmat(SCALE, 1);
    let unique = list.deduplicated();
    [("multi", true, list), ("unique", false, unique)]
}

fn loads(criterion: &mut Criterion) {
    for (kind, multi, list) in graphs() {
        let mut group = criterion.benchmark_group(format!("load {kind}"));
        group.throughput(Throughput::Elements(list.edges.len() as u64)).sample_size(10);
        for (name, edges) in [("10 k edges each", 10_000), ("one transaction", usize::MAX)] {
            group.bench_function(format!("{name}/selvedge"), |bencher| {
                bencher.iter(|| GraphStore::load(&list, multi, edges).expect(LOADED));
            });
        }
        group.bench_function("rows", |bencher| bencher.iter(|| Csr::new(&list)));
        group.finish();
    }
}

fn walk_all(
    group: &mut BenchmarkGroup<'_, WallTime>,
    side: &str,
    graph: &impl Neighbourhoods,
    edges: u64,
) {
    let start = walk::start_of_search(graph).expect("reading memory does not fail");
    let random = &mut Random::new(1);
    group.throughput(Throughput::Elements(edges));
    group.bench_function(format!("sweep/{side}"), |bencher| {
        bencher.iter(|| walk::sweep(graph));
    });
    group.bench_function(format!("BFS/{side}"), |bencher| {
        bencher.iter(|| walk::breadth_first(graph, start));
    });
    group.bench_function(format!("PageRank, 1 turn/{side}"), |bencher| {
        bencher.iter(|| walk::page_rank(graph, 1));
    });
    group.throughput(Throughput::Elements(10_000));
    group.bench_function(format!("1-hop/{side}"), |bencher| {
        bencher.iter(|| walk::one_hop(graph, random, 10_000));
    });
    group.throughput(Throughput::Elements(100));
    group.bench_function(format!("2-hop/{side}"), |bencher| {
        bencher.iter(|| walk::two_hop(graph, random, 100));
    });
}

fn walks(criterion: &mut Criterion) {
    for (kind, multi, list) in graphs() {
        let store = GraphStore::load(&list, multi, 10_000).expect(LOADED);
        let (csr, into) = (Csr::new(&list).sorted(), Csr::reversed(&list));
        let edges = list.edges.len() as u64;
        let mut group = criterion.benchmark_group(format!("walk {kind}"));
        group.sample_size(10);
        walk_all(&mut group, "rows", &csr, edges);
        let ran = store.on_snapshot(true, |graph| {
            walk_all(&mut group, "selvedge", graph, edges);
            Ok(())
        });
        ran.expect("reading memory does not fail");
        let (random, mut distances) = (&mut Random::new(1), Distances::new(&csr, &into));
        group.throughput(Throughput::Elements(100));
        group.bench_function("shortest path/selvedge", |bencher| {
            bencher.iter(|| store.shortest_paths(random, 100));
        });
        group.bench_function("shortest path/rows", |bencher| {
            bencher.iter(|| distances.between_random(random, 100));
        });
        group.throughput(Throughput::Elements(10_000));
        group.bench_function("one edge per transaction/selvedge", |bencher| {
            bencher.iter(|| store.link_one_by_one(random, 10_000));
        });
        group.finish();
    }
}

criterion_group!(graph, loads, walks);
criterion_main!(graph);
