//! The key-value workloads beside their limits.

use selvedge_benches::Outcome;
use selvedge_benches::compare::{Line, Title};
use selvedge_benches::kv::{self, KvStore};
use selvedge_benches::measure::in_two_threads;
use selvedge_benches::protocol::Protocol;
use selvedge_benches::random::Random;
use selvedge_benches::slots::{Hashed, Slots};

use crate::options::Options;

const NAMES: [&str; 15] = [
    "read1 by id",
    "read1 by id, 2 threads",
    "read1 by id, bare",
    "read1 by key",
    "read1 by key, 2 threads",
    "read100 by id",
    "read100 by key",
    "scan",
    "rmw1 by id",
    "rmw10 by id",
    "rmw1 by key",
    "scan after writes",
    "scan beside a writer",
    "rmw1 by id, 2 threads",
    "rmw10 by id, 2 threads",
];

/// Everything that the workloads run on.
struct Stage {
    store: KvStore,
    slots: Slots,
    hashed: Hashed,
    protocol: Protocol,
    times: u64,
}

pub(crate) fn run(options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
    let Options { plan, keys, times, .. } = options;
    if !NAMES.iter().any(|name| plan.wants(name)) && !plan.wants("one property") {
        return Ok(());
    }
    let stage = Stage {
        store: KvStore::load(*keys)?,
        slots: Slots::new(*keys),
        hashed: Hashed::new(*keys),
        protocol: Protocol::new(*keys),
        times: *times,
    };
    stage.reads(options, lines)?;
    stage.keyed_reads(options, lines)?;
    let before = stage.store.sum()?;
    let loaded = (0..*keys).map(|key| kv::counter(&kv::first_value(key))).sum();
    assert_eq!(before, loaded, "every key has its first value");
    stage.writes(options, lines)?;
    stage.writes_in_two_threads(options, lines)?;
    stage.properties(options, lines)
}

impl Stage {
    fn reads(&self, options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
        let Self { store, slots, protocol, times, .. } = self;
        let (plan, times) = (&options.plan, *times);
        plan.compare(
            lines,
            Title::new("read1 by id", "slot array", ">= 0.08"),
            &mut |seed| store.read1_by_id(&mut Random::new(seed), times),
            &mut |seed| Ok(slots.read(&mut Random::new(seed), times)),
        )?;
        plan.compare(
            lines,
            Title::new("read1 by id, 2 threads", "slot array", "").threads(2),
            &mut |seed| in_two_threads(seed, |_, random| store.read1_by_id(random, times / 2)),
            &mut |seed| in_two_threads(seed, |_, random| Ok(slots.read(random, times / 2))),
        )?;
        let client = protocol.client(0);
        plan.compare(
            lines,
            Title::new("read1 by id, bare", "bare snapshot", ""),
            &mut |seed| store.read1_by_id(&mut Random::new(seed), times),
            &mut |seed| Ok(client.read1(&mut Random::new(seed), times)),
        )?;
        plan.compare(
            lines,
            Title::new("read100 by id", "slot array", ""),
            &mut |seed| store.read100_by_id(&mut Random::new(seed), times),
            &mut |seed| Ok(slots.read(&mut Random::new(seed), times)),
        )?;
        plan.compare(
            lines,
            Title::new("scan", "slot array", ""),
            &mut |_| store.scan(),
            &mut |_| Ok(slots.scan()),
        )
    }

    fn keyed_reads(&self, options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
        let Self { store, hashed, times, .. } = self;
        let (plan, times) = (&options.plan, *times / 2);
        plan.compare(
            lines,
            Title::new("read1 by key", "hash map", ""),
            &mut |seed| store.read1_by_key(&mut Random::new(seed), times),
            &mut |seed| Ok(hashed.read(&mut Random::new(seed), times)),
        )?;
        plan.compare(
            lines,
            Title::new("read1 by key, 2 threads", "hash map", "").threads(2),
            &mut |seed| in_two_threads(seed, |_, random| store.read1_by_key(random, times / 2)),
            &mut |seed| in_two_threads(seed, |_, random| Ok(hashed.read(random, times / 2))),
        )?;
        plan.compare(
            lines,
            Title::new("read100 by key", "hash map", ""),
            &mut |seed| store.read100_by_key(&mut Random::new(seed), times),
            &mut |seed| Ok(hashed.read(&mut Random::new(seed), times)),
        )
    }

    fn writes(&self, options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
        let Self { store, slots, protocol, times, .. } = self;
        let (plan, times) = (&options.plan, *times);
        let client = protocol.client(0);
        plan.compare(
            lines,
            Title::new("rmw1 by id", "bare commit", ">= 0.4"),
            &mut |seed| store.raise::<1>(&mut Random::new(seed), times / 4),
            &mut |seed| Ok(client.raise::<1>(&mut Random::new(seed), times / 4)),
        )?;
        plan.compare(
            lines,
            Title::new("rmw10 by id", "bare commit", ""),
            &mut |seed| store.raise::<10>(&mut Random::new(seed), times / 20),
            &mut |seed| Ok(client.raise::<10>(&mut Random::new(seed), times / 20)),
        )?;
        plan.compare(
            lines,
            Title::new("rmw1 by key", "bare commit by id", "").unlike(),
            &mut |seed| store.raise1_by_key(&mut Random::new(seed), times / 4),
            &mut |seed| Ok(client.raise::<1>(&mut Random::new(seed), times / 4)),
        )?;
        plan.compare(
            lines,
            Title::new("scan after writes", "slot array", "").unlike(),
            &mut |_| store.scan(),
            &mut |_| Ok(slots.scan()),
        )?;
        plan.compare(
            lines,
            Title::new("scan beside a writer", "selvedge, no writer", ">= 0.85").unlike(),
            &mut |seed| store.scan_beside_writer(&mut Random::new(seed)),
            &mut |_| store.scan(),
        )
    }

    /// Last, since two threads may conflict, so that the counters of both sides
    /// no longer move in step. No increment may be lost.
    fn writes_in_two_threads(&self, options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
        let Self { store, protocol, times, .. } = self;
        let (plan, times) = (&options.plan, *times);
        let before = store.sum()?;
        let mut increments = 0;
        plan.compare(
            lines,
            Title::new("rmw1 by id, 2 threads", "bare commit", "").threads(2).unlike(),
            &mut |seed| {
                let done = in_two_threads(seed, |_, random| store.raise::<1>(random, times / 8))?;
                increments += done.work;
                Ok(done)
            },
            &mut |seed| {
                in_two_threads(seed, |thread, random| {
                    Ok(protocol.client(thread).raise::<1>(random, times / 8))
                })
            },
        )?;
        plan.compare(
            lines,
            Title::new("rmw10 by id, 2 threads", "bare commit", "").threads(2).unlike(),
            &mut |seed| {
                let done = in_two_threads(seed, |_, random| store.raise::<10>(random, times / 40))?;
                increments += 10 * done.work;
                Ok(done)
            },
            &mut |seed| {
                in_two_threads(seed, |thread, random| {
                    Ok(protocol.client(thread).raise::<10>(random, times / 40))
                })
            },
        )?;
        assert_eq!(store.sum()?, before.wrapping_add(increments), "no increment is lost");
        Ok(())
    }

    fn properties(&self, options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
        let Self { store, protocol, times, .. } = self;
        let (client, times) = (protocol.client(0), *times / 4);
        options.plan.compare(
            lines,
            Title::new("one property per transaction", "bare commit", "").unlike(),
            &mut |seed| store.set_property(&mut Random::new(seed), times),
            &mut |seed| Ok(client.raise::<1>(&mut Random::new(seed), times)),
        )
    }
}
