//! The graph workloads beside their limits.

use selvedge_benches::Outcome;
use selvedge_benches::compare::{Line, Title};
use selvedge_benches::csr::{Csr, Distances};
use selvedge_benches::graph::GraphStore;
use selvedge_benches::measure::Done;
use selvedge_benches::protocol::Protocol;
use selvedge_benches::random::Random;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk;

use crate::options::Options;

const NAMES: [&str; 16] = [
    "load, 10 k edges each",
    "load, one transaction",
    "load, link_many",
    "sweep",
    "sweep, all types",
    "BFS",
    "BFS, all types",
    "sweep by calls",
    "BFS by calls",
    "BFS, built in",
    "PageRank",
    "1-hop",
    "2-hop",
    "shortest path",
    "sweep, 10 % changed",
    "one edge per transaction",
];

/// A graph on both sides.
struct Stage<'o> {
    options: &'o Options,
    kind: &'static str,
    multi: bool,
    list: EdgeList,
}

pub(crate) fn run(options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
    let wanted =
        |kind: &str| NAMES.iter().any(|name| options.plan.wants(&format!("{name} ({kind})")));
    if !wanted("multi") && !wanted("unique") {
        return Ok(());
    }
    let list = EdgeList::rmat(options.scale, 1);
    let unique = list.deduplicated();
    for (kind, multi, list) in [("multi", true, list), ("unique", false, unique)] {
        if wanted(kind) {
            Stage { options, kind, multi, list }.run(lines)?;
        }
    }
    Ok(())
}

impl Stage<'_> {
    fn run(&self, lines: &mut Vec<Line>) -> Outcome<()> {
        self.loads(lines)?;
        let walks = NAMES.iter().skip(2).any(|name| self.options.plan.wants(&self.name(name)));
        if !walks {
            return Ok(());
        }
        let store = GraphStore::load(&self.list, self.multi, 10_000)?;
        store.compact()?;
        let csr = Csr::new(&self.list).sorted();
        self.walks(lines, &store, &csr)?;
        self.hops(lines, &store, &csr)?;
        self.shortest_paths(lines, &store, &csr)?;
        self.changed(lines, &store)
    }

    fn name(&self, workload: &str) -> String {
        format!("{workload} ({})", self.kind)
    }

    fn loads(&self, lines: &mut Vec<Line>) -> Outcome<()> {
        // A load is long, and a fresh database each time.
        let mut plan = self.options.plan.clone();
        plan.rounds = plan.rounds.min(3);
        for (name, edges) in
            [("load, 10 k edges each", 10_000), ("load, one transaction", usize::MAX)]
        {
            plan.compare(
                lines,
                Title::new(&self.name(name), "CSR, unsorted", ">= 8 M/s"),
                &mut |_| GraphStore::new(self.list.nodes, self.multi)?.link_all(&self.list, edges),
                &mut |_| Ok(Csr::new(&self.list).loaded()),
            )?;
        }
        plan.compare(
            lines,
            Title::new(&self.name("load, link_many"), "CSR, unsorted", ">= 8 M/s"),
            &mut |_| GraphStore::new(self.list.nodes, self.multi)?.link_together(&self.list),
            &mut |_| Ok(Csr::new(&self.list).loaded()),
        )
    }

    fn walks(&self, lines: &mut Vec<Line>, store: &GraphStore, csr: &Csr) -> Outcome<()> {
        let plan = &self.options.plan;
        for (by_name, [sweep, bfs]) in
            [(true, ["sweep", "BFS"]), (false, ["sweep, all types", "BFS, all types"])]
        {
            plan.compare(
                lines,
                Title::new(&self.name(sweep), "CSR", ">= 0.5"),
                &mut |_| store.on_snapshot(by_name, |graph| walk::sweep(graph)),
                &mut |_| walk::sweep(csr),
            )?;
            let start = walk::start_of_search(csr)?;
            plan.compare(
                lines,
                Title::new(&self.name(bfs), "CSR", ">= 0.5"),
                &mut |_| store.on_snapshot(by_name, |graph| walk::breadth_first(graph, start)),
                &mut |_| walk::breadth_first(csr, start),
            )?;
        }
        let start = walk::start_of_search(csr)?;
        plan.compare(
            lines,
            Title::new(&self.name("sweep by calls"), "CSR", ""),
            &mut |_| store.on_snapshot(true, |graph| walk::sweep_by_calls(graph)),
            &mut |_| walk::sweep_by_calls(csr),
        )?;
        plan.compare(
            lines,
            Title::new(&self.name("BFS by calls"), "CSR", ""),
            &mut |_| store.on_snapshot(true, |graph| walk::breadth_first_by_calls(graph, start)),
            &mut |_| walk::breadth_first_by_calls(csr, start),
        )?;
        plan.compare(
            lines,
            Title::new(&self.name("BFS, built in"), "CSR", "").unlike(),
            &mut |_| store.traverse(start).map(|done| self.edges_reached(done, csr, start)),
            &mut |_| walk::breadth_first(csr, start),
        )?;
        plan.compare(
            lines,
            Title::new(&self.name("PageRank"), "CSR", ">= 0.75 later"),
            &mut |_| store.on_snapshot(true, |graph| walk::page_rank(graph, 3)),
            &mut |_| walk::page_rank(csr, 3),
        )
    }

    /// The built-in search reports the nodes that it reached, all but the start;
    /// its work is counted in edges like that of the other.
    fn edges_reached(&self, done: Done, csr: &Csr, start: u32) -> Done {
        let by_hand = walk::breadth_first(csr, start).expect("a plain array does not fail");
        assert_eq!(done.check + 1, by_hand.check >> 32, "both reach the same nodes");
        Done { work: by_hand.work, ..done }
    }

    fn hops(&self, lines: &mut Vec<Line>, store: &GraphStore, csr: &Csr) -> Outcome<()> {
        let (plan, times) = (&self.options.plan, self.options.times);
        plan.compare(
            lines,
            Title::new(&self.name("1-hop"), "CSR", ">= 0.7 later"),
            &mut |seed| {
                let random = &mut Random::new(seed);
                store.on_snapshot(true, |graph| walk::one_hop(graph, random, times))
            },
            &mut |seed| walk::one_hop(csr, &mut Random::new(seed), times),
        )?;
        plan.compare(
            lines,
            Title::new(&self.name("2-hop"), "CSR", ""),
            &mut |seed| {
                let random = &mut Random::new(seed);
                store.on_snapshot(true, |graph| walk::two_hop(graph, random, times / 100))
            },
            &mut |seed| walk::two_hop(csr, &mut Random::new(seed), times / 100),
        )
    }

    fn shortest_paths(&self, lines: &mut Vec<Line>, store: &GraphStore, csr: &Csr) -> Outcome<()> {
        let (plan, times) = (&self.options.plan, self.options.times / 2_000);
        let into = Csr::reversed(&self.list);
        let mut distances = Distances::new(csr, &into);
        plan.compare(
            lines,
            Title::new(&self.name("shortest path"), "CSR both ways", ""),
            &mut |seed| store.shortest_paths(&mut Random::new(seed), times),
            &mut |seed| Ok(distances.between_random(&mut Random::new(seed), times)),
        )
    }

    /// What changes the graph comes last.
    fn changed(&self, lines: &mut Vec<Line>, store: &GraphStore) -> Outcome<()> {
        let (plan, times) = (&self.options.plan, self.options.times / 4);
        let name = self.name("sweep, 10 % changed");
        if plan.wants(&name) {
            let mut list = self.list.clone();
            store.disturb(10)?;
            GraphStore::disturb_list(&mut list, 10, self.multi);
            let csr = Csr::new(&list).sorted();
            plan.compare(
                lines,
                Title::new(&name, "CSR", ">= 0.6 later"),
                &mut |_| store.on_snapshot(true, |graph| walk::sweep(graph)),
                &mut |_| walk::sweep(&csr),
            )?;
        }
        let protocol = Protocol::new(u64::from(self.list.nodes));
        let client = protocol.client(0);
        plan.compare(
            lines,
            Title::new(&self.name("one edge per transaction"), "bare commit of 2", ">= 965 k/s")
                .unlike(),
            &mut |seed| store.link_one_by_one(&mut Random::new(seed), times),
            &mut |seed| Ok(client.raise::<2>(&mut Random::new(seed), times)),
        )
    }
}
