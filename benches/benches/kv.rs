//! The key-value workloads under criterion, each beside its limit.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge_benches::kv::KvStore;
use selvedge_benches::measure::in_two_threads;
use selvedge_benches::protocol::Protocol;
use selvedge_benches::random::Random;
use selvedge_benches::slots::{Hashed, Slots};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 1_000_000;
/// Operations in one iteration.
const BATCH: u64 = 10_000;

fn store() -> KvStore {
    KvStore::load(KEYS).expect("a database in memory loads")
}

fn reads(criterion: &mut Criterion) {
    let (store, slots, hashed) = (store(), Slots::new(KEYS), Hashed::new(KEYS));
    let protocol = Protocol::new(KEYS);
    let client = protocol.client(0);
    let random = &mut Random::new(1);
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("read1 by id/selvedge", |bencher| {
        bencher.iter(|| store.read1_by_id(random, BATCH));
    });
    group.bench_function("read100 by id/selvedge", |bencher| {
        bencher.iter(|| store.read100_by_id(random, BATCH));
    });
    group.bench_function("read1 by id/slot array", |bencher| {
        bencher.iter(|| slots.read(random, BATCH));
    });
    group.bench_function("read1 by id/bare snapshot", |bencher| {
        bencher.iter(|| client.read1(random, BATCH));
    });
    group.bench_function("read1 by key/selvedge", |bencher| {
        bencher.iter(|| store.read1_by_key(random, BATCH));
    });
    group.bench_function("read100 by key/selvedge", |bencher| {
        bencher.iter(|| store.read100_by_key(random, BATCH));
    });
    group.bench_function("read1 by key/hash map", |bencher| {
        bencher.iter(|| hashed.read(random, BATCH));
    });
    group.throughput(Throughput::Elements(2 * BATCH));
    group.bench_function("read1 by id, 2 threads/selvedge", |bencher| {
        bencher.iter(|| in_two_threads(1, |_, random| store.read1_by_id(random, BATCH)));
    });
    group.bench_function("read1 by key, 2 threads/selvedge", |bencher| {
        bencher.iter(|| in_two_threads(1, |_, random| store.read1_by_key(random, BATCH)));
    });
    group.finish();
}

fn scans(criterion: &mut Criterion) {
    let (store, slots) = (store(), Slots::new(KEYS));
    let random = &mut Random::new(1);
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Elements(KEYS)).sample_size(10);
    group.bench_function("alone/selvedge", |bencher| bencher.iter(|| store.scan()));
    group.bench_function("alone/slot array", |bencher| bencher.iter(|| black_box(&slots).scan()));
    group.bench_function("beside a writer/selvedge", |bencher| {
        bencher.iter(|| store.scan_beside_writer(random));
    });
    group.finish();
}

fn writes(criterion: &mut Criterion) {
    let (store, protocol) = (store(), Protocol::new(KEYS));
    let client = protocol.client(0);
    let random = &mut Random::new(1);
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("rmw1 by id/selvedge", |bencher| {
        bencher.iter(|| store.raise::<1>(random, BATCH));
    });
    group.bench_function("rmw1 by key/selvedge", |bencher| {
        bencher.iter(|| store.raise1_by_key(random, BATCH));
    });
    group.bench_function("one property/selvedge", |bencher| {
        bencher.iter(|| store.set_property(random, BATCH));
    });
    group.bench_function("rmw1/bare commit", |bencher| {
        bencher.iter(|| client.raise::<1>(random, BATCH));
    });
    group.throughput(Throughput::Elements(2 * BATCH));
    group.bench_function("rmw1 by id, 2 threads/selvedge", |bencher| {
        bencher.iter(|| in_two_threads(1, |_, random| store.raise::<1>(random, BATCH)));
    });
    group.bench_function("rmw1, 2 threads/bare commit", |bencher| {
        bencher.iter(|| {
            in_two_threads(1, |thread, random| {
                Ok(protocol.client(thread).raise::<1>(random, BATCH))
            })
        });
    });
    group.throughput(Throughput::Elements(BATCH / 10));
    group.bench_function("rmw10 by id/selvedge", |bencher| {
        bencher.iter(|| store.raise::<10>(random, BATCH / 10));
    });
    group.bench_function("rmw10/bare commit", |bencher| {
        bencher.iter(|| client.raise::<10>(random, BATCH / 10));
    });
    group.finish();
}

criterion_group!(kv, reads, scans, writes);
criterion_main!(kv);
