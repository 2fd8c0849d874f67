//! The simulation of durability, a little of it: `cargo xtask sim` runs more.

use selvedge_testkit::simulation::run;

/// Seeds of this test; it takes seconds without optimisation.
const SEEDS: u64 = 20;

#[test]
fn stories_go_well_and_repeat() {
    let digest = |seed| match run(seed, false) {
        Ok(outcome) => outcome.digest,
        Err(failure) => panic!("{failure}"),
    };
    let first: Vec<_> = (1..=SEEDS).map(digest).collect();
    // The other way round, so that one story that depends on another shows.
    let mut second: Vec<_> = (1..=SEEDS).rev().map(digest).collect();
    second.reverse();
    assert_eq!(first, second);
}
