//! Indexes built beside writers, a few nodes: the binary `online_build` runs a million.

use selvedge_testkit::online_build::{Plan, run};

#[test]
fn indexes_built_beside_writers_say_what_scans_say() {
    for seed in 1..4 {
        let plan = Plan { nodes: 4000, writers: 4, seed };
        let report = run(plan).unwrap_or_else(|what| panic!("{plan:?}: {what}"));
        assert!(report.commits_beside > 0, "somebody wrote meanwhile: {report}");
        assert!(report.snapshots >= 2, "{report}");
    }
}
