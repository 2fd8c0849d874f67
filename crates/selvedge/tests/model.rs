//! The database against the obvious slow one.
//!
//! A run interleaves transactions of both isolations and snapshots on one
//! database, step by step in one thread; the model is that of the test kit. After
//! each step everything that one of the open handles can read is compared.
//!
//! `PROPTEST_CASES` sets the number of runs, `PROPTEST_RNG_SEED` repeats them; a
//! failure is told as its shortest sequence of steps.

#[path = "model/found.rs"]
mod found;
#[path = "model/hub.rs"]
mod hub;
#[path = "model/runs.rs"]
mod runs;

use std::sync::OnceLock;

use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::prop_state_machine;

use runs::ModelTest;

/// Asked for at every run, and the same each time.
fn config() -> Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut config = Config { failure_persistence: None, ..Config::default() };
        if config.rng_seed == RngSeed::Random {
            config.rng_seed = RngSeed::Fixed(fastrand::u64(..));
        }
        println!("{} runs, PROPTEST_RNG_SEED: {:?}", config.cases, config.rng_seed);
        config
    });
    config.clone()
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn agrees_with_the_obvious_database(sequential 1..60 => ModelTest);
}
