//! The soak, a little of it: `cargo xtask soak` runs more.

use std::time::Duration;

use selvedge_testkit::soak::{Plan, run};

#[test]
fn a_short_soak_finds_nothing_wrong() {
    let report = run(Plan { time: Duration::from_secs(4), seed: 7, is_loud: false });
    let report = report.unwrap_or_else(|what| panic!("{what}"));
    assert!(report.0.iter().any(|line| line.contains("transactions judged")), "{report:?}");
}
