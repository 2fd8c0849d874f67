//! Inputs that are made up, for targets whose input says what is done to something real.

/// Random inputs, four behind each of the first bytes, always the same.
pub(crate) fn random_seeds(modes: &[u8], len: usize) -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(len as u64);
    let mut seeds = Vec::new();
    for mode in modes {
        for _ in 0..4 {
            let mut seed = vec![*mode; 1 + rng.usize(len / 2..len)];
            rng.fill(&mut seed[1..]);
            seeds.push(seed);
        }
    }
    seeds
}
