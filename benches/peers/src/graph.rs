//! Graphs: RMAT, a b c = .57 .19 .19, so many edges for each node, directed, ids permuted.
//! Every engine gets the same edges. Those that keep at most one edge of a type between two
//! nodes get them without duplicates, and are checked against that graph; rates count the
//! edges that were visited, so they stay comparable.
//!
//! All results are checked: against rows of four-byte ids on the same edges, walked by the
//! same code. What a walk costs there is the limit, `limit-csr`.

mod csr;
mod distance;
mod engine;
mod grafeo;
mod indradb;
mod kitedb;
mod selvedge;
mod walk;
mod weight;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use selvedge_benches::csr::{Csr, Distances};
use selvedge_benches::measure::Done;
use selvedge_benches::random::Random;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk::start_of_search;

use crate::clock;
use crate::figures::{Figures, PER_CPU_SECOND, PER_SECOND, SECONDS};
use crate::only::Only;
use engine::{Contender, Engine};
use walk::Walk;

pub use weight::alone;

const CONTENDERS: [Contender; 6] =
    [selvedge::MULTI, selvedge::UNIQUE, kitedb::KITEDB, grafeo::GRAFEO, indradb::INDRADB, csr::CSR];
/// Of each so many nodes, one gets an edge more before the sweep over a changed graph.
const CHANGED_EVERY: u32 = 10;
/// Edges are not loaded more often than this, since the slow engines take long.
const LOADS_MAX: usize = 3;
/// What each of two threads adds to a counter, to see whether any of it is lost.
const INCREMENTS: u64 = 20_000;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    /// There are two to the power of this many nodes.
    scale: u32,
    /// Walks are repeated for this long.
    time: Duration,
    /// Shortest paths are looked for this long.
    paths_time: Duration,
    one_hops: u64,
    two_hops: u64,
    three_hops: u64,
    transactions: u64,
}

impl Scale {
    pub fn full() -> Self {
        Self {
            scale: 18,
            time: Duration::from_millis(200),
            paths_time: Duration::from_millis(1500),
            one_hops: 200_000,
            two_hops: 2_000,
            three_hops: 20,
            transactions: 100_000,
        }
    }

    pub fn quick() -> Self {
        Self {
            scale: 14,
            time: Duration::from_millis(50),
            paths_time: Duration::from_millis(200),
            one_hops: 50_000,
            two_hops: 1_000,
            three_hops: 20,
            transactions: 20_000,
        }
    }
}

/// The graph that one kind of engine should have now.
struct Expected {
    list: EdgeList,
    rows: Csr,
    multi: bool,
}

impl Expected {
    fn new(list: EdgeList, multi: bool) -> Self {
        let list = if multi { list } else { list.deduplicated() };
        Self { rows: Csr::new(&list), list, multi }
    }

    /// With these edges besides.
    fn and(&self, edges: &[(u32, u32)]) -> Self {
        let mut list = self.list.clone();
        list.edges.extend_from_slice(edges);
        Self::new(list, self.multi)
    }

    fn of(&self, walk: Walk) -> Result<Done> {
        walk.over(&self.rows)
    }
}

/// One engine under measurement.
struct Entrant {
    contender: Contender,
    engine: Box<dyn Engine>,
    by_wall: Vec<f64>,
    by_cpu: Vec<f64>,
}

impl Entrant {
    fn new(contender: Contender, nodes: u32) -> Result<Self> {
        let engine = (contender.make)(nodes)?;
        Ok(Self { contender, engine, by_wall: Vec::new(), by_cpu: Vec::new() })
    }

    /// Does so much work and notes its rate.
    fn timed(&mut self, run: impl FnOnce(&mut dyn Engine) -> Result<u64>) -> Result<()> {
        let (cpu, wall) = (clock::cpu(), Instant::now());
        let work = run(&mut *self.engine)? as f64;
        let (cpu, wall) = (clock::cpu() - cpu, wall.elapsed());
        self.by_wall.push(work / wall.as_secs_f64());
        self.by_cpu.push(work / cpu.as_secs_f64());
        Ok(())
    }
}

/// The engines with the graph in them.
struct Field<'a> {
    scale: Scale,
    rounds: usize,
    /// Without duplicates, and with them.
    expected: [Expected; 2],
    entrants: Vec<Entrant>,
    figures: &'a mut Figures,
}

/// Measures the engines.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    let transactions = ["graph/edge-per-txn", "graph/prop-per-txn", "graph/lost-updates"];
    let reads = ["graph/sweep", "graph/bfs", "graph/pagerank", "graph/1hop", "graph/2hop"];
    let others = [
        "graph/load",
        "graph/settle",
        "graph/shortest-path",
        "graph/sweep-10pct-dirty",
        "own/3hop",
    ];
    let contenders = || CONTENDERS.into_iter().filter(|one| only.engine(one.name));
    if transactions.iter().chain(&reads).chain(&others).any(|name| only.workload(name)) {
        let mut field = Field::new(scale, rounds, contenders(), figures)?;
        field.load()?;
        field.read(only)?;
        if only.workload("graph/shortest-path") {
            field.shortest_paths()?;
        }
        if only.workload("graph/sweep-10pct-dirty") {
            field.sweep_changed()?;
        }
        if only.workload("graph/prop-per-txn") {
            field.set_properties()?;
        }
        if only.workload("graph/lost-updates") {
            field.lose_updates()?;
        }
        if only.workload("graph/edge-per-txn") {
            field.link_one_by_one()?;
        }
    }
    if only.workload("graph/rss") {
        weight::measure(contenders(), scale.scale, figures)?;
    }
    Ok(())
}

impl<'a> Field<'a> {
    fn new(
        scale: Scale,
        rounds: usize,
        contenders: impl Iterator<Item = Contender>,
        figures: &'a mut Figures,
    ) -> Result<Self> {
        let list = EdgeList::rmat(scale.scale, 1);
        let expected = [false, true].map(|multi| Expected::new(list.clone(), multi));
        let entrants = contenders.map(|one| Entrant::new(one, list.nodes));
        let entrants = entrants.collect::<Result<_>>()?;
        Ok(Self { scale, rounds, expected, entrants, figures })
    }

    /// Adds the rates that were noted since the last call.
    fn add_rates(&mut self, workload: &str) {
        for entrant in &mut self.entrants {
            let name = entrant.contender.name;
            self.figures.add(workload, name, PER_SECOND, std::mem::take(&mut entrant.by_wall));
            self.figures.add(workload, name, PER_CPU_SECOND, std::mem::take(&mut entrant.by_cpu));
        }
    }

    /// Loads every engine some times; the last of each stays.
    fn load(&mut self) -> Result<()> {
        let nodes = self.expected[1].list.nodes;
        let mut settled = vec![Vec::new(); self.entrants.len()];
        for _ in 0..self.rounds.min(LOADS_MAX) {
            for (at, entrant) in self.entrants.iter_mut().enumerate() {
                let list = &self.expected[usize::from(entrant.contender.multi)].list;
                entrant.engine = (entrant.contender.make)(nodes)?;
                entrant.timed(|engine| {
                    engine.load(list)?;
                    Ok(list.edges.len() as u64)
                })?;
                let started = Instant::now();
                entrant.engine.settle()?;
                settled[at].push(started.elapsed().as_secs_f64());
            }
        }
        self.add_rates("graph/load");
        for (entrant, settled) in self.entrants.iter().zip(settled) {
            self.figures.add("graph/settle", entrant.contender.name, SECONDS, settled);
        }
        self.check()
    }

    /// All engines have the edges they should have.
    fn check(&self) -> Result<()> {
        for entrant in &self.entrants {
            let expected = self.expected[usize::from(entrant.contender.multi)].of(Walk::Sweep)?;
            let found = entrant.engine.walk(Walk::Sweep)?;
            let name = entrant.contender.name;
            ensure!(found == expected, "{name}: a sweep gives {found:?}, not {expected:?}");
        }
        Ok(())
    }

    fn read(&mut self, only: &Only) -> Result<()> {
        let Scale { one_hops, two_hops, three_hops, .. } = self.scale;
        let start = start_of_search(&self.expected[1].rows)?;
        let walks: [(&str, &dyn Fn(u64) -> Walk); 6] = [
            ("graph/sweep", &|_| Walk::Sweep),
            ("graph/bfs", &|_| Walk::BreadthFirst { start }),
            ("graph/pagerank", &|_| Walk::PageRank),
            ("graph/1hop", &|seed| Walk::OneHop { seed, times: one_hops }),
            ("graph/2hop", &|seed| Walk::TwoHop { seed, times: two_hops }),
            ("own/3hop", &|seed| Walk::ThreeHop { seed, times: three_hops }),
        ];
        for (name, walk) in walks.into_iter().filter(|(name, _)| only.workload(name)) {
            let ours = name.starts_with("own/");
            self.walk(name, walk, |one| !ours || one.name.starts_with("selvedge"))?;
        }
        Ok(())
    }

    /// Measures a walk, a different one each round, where the walk has a seed.
    fn walk(
        &mut self,
        name: &str,
        walk: &dyn Fn(u64) -> Walk,
        takes_part: impl Fn(&Contender) -> bool,
    ) -> Result<()> {
        for round in 0..self.rounds as u64 {
            let walk = walk(round);
            let expected = [self.expected[0].of(walk)?, self.expected[1].of(walk)?];
            for entrant in &mut self.entrants {
                if !takes_part(&entrant.contender) {
                    continue;
                }
                let Contender { name: engine, multi, .. } = entrant.contender;
                let (expected, started) = (expected[usize::from(multi)], Instant::now());
                let mut found = expected;
                entrant.timed(|engine| {
                    let mut work = 0;
                    loop {
                        found = engine.walk(walk)?;
                        work += found.work;
                        if !walk.agree(found, expected) || started.elapsed() >= self.scale.time {
                            return Ok(work);
                        }
                    }
                })?;
                let agree = walk.agree(found, expected);
                ensure!(agree, "{engine}: {name} gives {found:?}, not {expected:?}");
            }
        }
        self.add_rates(name);
        Ok(())
    }

    /// Between random nodes, the same for all, as many as an engine finds in its time.
    fn shortest_paths(&mut self) -> Result<()> {
        let (nodes, time) = (u64::from(self.expected[1].list.nodes), self.scale.paths_time);
        let into = self.expected.each_ref().map(|expected| Csr::reversed(&expected.list));
        for round in 0..self.rounds as u64 {
            let random_pairs = || {
                let mut random = Random::new(round);
                std::iter::repeat_with(move || [(); 2].map(|()| random.below(nodes) as u32))
                    .map(|[from, to]| (from, to))
            };
            for entrant in &mut self.entrants {
                let (mut found, started) = (Vec::new(), Instant::now());
                entrant.timed(|engine| {
                    let mut first = true;
                    let in_time =
                        |_: &(u32, u32)| std::mem::take(&mut first) || started.elapsed() < time;
                    found = engine.distances(&mut random_pairs().take_while(in_time))?;
                    Ok(found.len() as u64)
                })?;
                let Contender { name, multi, .. } = entrant.contender;
                let kind = usize::from(multi);
                let mut distances = Distances::new(&self.expected[kind].rows, &into[kind]);
                for ((from, to), found) in random_pairs().zip(found) {
                    let expected = distances.between(from, to);
                    ensure!(found == expected, "{name}: {from} to {to}: {found:?}, {expected:?}");
                }
            }
        }
        self.add_rates("graph/shortest-path");
        Ok(())
    }

    /// Sweeps after some nodes got one more edge, each in a transaction, and nothing was
    /// done about it. The limit is built anew with those edges.
    fn sweep_changed(&mut self) -> Result<()> {
        let nodes = self.expected[1].list.nodes;
        let edges: Vec<_> =
            (0..nodes).step_by(CHANGED_EVERY as usize).map(|node| (node, node / 2)).collect();
        self.expected = self.expected.each_ref().map(|expected| expected.and(&edges));
        for entrant in &mut self.entrants {
            if entrant.contender.transactions {
                for (source, target) in &edges {
                    entrant.engine.link(*source, *target)?;
                }
            } else {
                entrant.engine.load(&self.expected[usize::from(entrant.contender.multi)].list)?;
                entrant.engine.settle()?;
            }
        }
        self.walk("graph/sweep-10pct-dirty", &|_| Walk::Sweep, |_| true)
    }

    /// Sets a property of random nodes, each in a transaction.
    fn set_properties(&mut self) -> Result<()> {
        let nodes = u64::from(self.expected[1].list.nodes);
        let mut last = vec![None; nodes as usize];
        for round in 0..self.rounds as u64 {
            let mut random = Random::new(round);
            let values: Vec<_> = (0..self.scale.transactions)
                .map(|turn| (random.below(nodes) as u32, (round << 32 | turn) as i64))
                .collect();
            values.iter().for_each(|(node, value)| last[*node as usize] = Some(*value));
            for entrant in &mut self.entrants {
                if entrant.contender.transactions {
                    entrant.timed(|engine| {
                        values.iter().try_for_each(|(node, value)| engine.set(*node, *value))?;
                        Ok(values.len() as u64)
                    })?;
                }
            }
        }
        self.add_rates("graph/prop-per-txn");
        for entrant in self.entrants.iter().filter(|entrant| entrant.contender.transactions) {
            for (node, expected) in (0..).zip(&last) {
                let (found, name) = (entrant.engine.property(node)?, entrant.contender.name);
                ensure!(found == *expected, "{name}: {node} has {found:?}, not {expected:?}");
            }
        }
        Ok(())
    }

    /// Two threads count in one property; what was acknowledged and is not there is lost.
    fn lose_updates(&mut self) -> Result<()> {
        for entrant in self.entrants.iter().filter(|entrant| entrant.contender.transactions) {
            let (engine, name) = (&*entrant.engine, entrant.contender.name);
            let before = engine.property(0)?.unwrap_or(0);
            let together = Barrier::new(2);
            let count = || -> Result<i64> {
                together.wait();
                let acknowledged = (0..INCREMENTS).map(|_| engine.increment(0).map(i64::from));
                acknowledged.sum::<Result<_>>()
            };
            let acknowledged = thread::scope(|scope| -> Result<i64> {
                let other = scope.spawn(count);
                let mine = count()?;
                Ok(mine + other.join().expect("no panic")?)
            })?;
            let found = engine.property(0)?.context("the counter")? - before;
            let is_ours = name.starts_with("selvedge");
            ensure!(!is_ours || found == acknowledged, "{found} for {acknowledged} increments");
            let lost = (acknowledged - found).max(0);
            // Some report a conflict for what they have applied.
            let refused_and_there = (found - acknowledged).max(0);
            for (metric, count) in [
                ("acknowledged", acknowledged),
                ("lost", lost),
                ("refused_and_there", refused_and_there),
            ] {
                self.figures.add("graph/lost-updates", name, metric, vec![count as f64]);
            }
        }
        Ok(())
    }

    /// Links random nodes, each edge in a transaction.
    fn link_one_by_one(&mut self) -> Result<()> {
        let nodes = u64::from(self.expected[1].list.nodes);
        let mut all = Vec::new();
        for round in 0..self.rounds as u64 {
            let mut random = Random::new(round + 100);
            let mut node = || random.below(nodes) as u32;
            let edges: Vec<_> = (0..self.scale.transactions).map(|_| (node(), node())).collect();
            for entrant in &mut self.entrants {
                if entrant.contender.transactions {
                    entrant.timed(|engine| {
                        edges.iter().try_for_each(|(from, to)| engine.link(*from, *to))?;
                        Ok(edges.len() as u64)
                    })?;
                }
            }
            all.extend(edges);
        }
        self.add_rates("graph/edge-per-txn");
        self.expected = self.expected.each_ref().map(|expected| expected.and(&all));
        self.entrants.retain(|entrant| entrant.contender.transactions);
        self.check()
    }
}
