//! Many runs, each from a seed.

/// Seeds of each test, where nothing else is said.
const SEEDS: u64 = 400;

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which seed it was, if its run panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("SELVEDGE_SEED={}", self.0);
        }
    }
}

/// Runs `run` with many seeds, of which the first is `first`; with the one in
/// `SELVEDGE_SEED` alone, if there is one. `SELVEDGE_LOG_SEEDS` is how many. Gives
/// how many it were, or 0 for a single one, which need not show anything.
pub(crate) fn each_seed(first: u64, mut run: impl FnMut(u64)) -> u64 {
    if let Some(seed) = number_of("SELVEDGE_SEED") {
        run(seed);
        return 0;
    }
    let count = number_of("SELVEDGE_LOG_SEEDS").unwrap_or(SEEDS);
    for seed in first..first + count {
        let _named = Named(seed);
        run(seed);
    }
    count
}
