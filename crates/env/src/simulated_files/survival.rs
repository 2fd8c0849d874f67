//! What a crash spares of what was not synced.

use std::cmp::Ordering;

use fastrand::Rng;

/// How a crash treats what was not synced. Coins for everything would never show
/// what most crashes leave behind: nearly all of it, nearly none of it, or all of
/// it up to some moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survival {
    Nothing,
    Everything,
    /// What was done before an operation, and any part of that one.
    Until(u64),
    /// Each with this probability.
    Each(f64),
}

impl Survival {
    /// `orders` are the numbers of the operations that are not synced.
    pub(super) fn draw(rng: &mut Rng, orders: &[u64]) -> Self {
        match rng.u8(0..8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2..=4 if !orders.is_empty() => Self::Until(orders[rng.usize(..orders.len())]),
            _ => Self::Each(rng.f64()),
        }
    }

    /// Whether a change made by the operation `order` survives.
    pub(super) fn spares(self, rng: &mut Rng, order: u64) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Until(last) => match order.cmp(&last) {
                Ordering::Less => true,
                Ordering::Equal => rng.bool(),
                Ordering::Greater => false,
            },
            Self::Each(probability) => rng.f64() < probability,
        }
    }

    /// How many survive of changes that survive in order.
    pub(super) fn prefix(self, rng: &mut Rng, orders: &[u64]) -> usize {
        match self {
            Self::Each(_) => rng.usize(..=orders.len()),
            _ => orders.iter().take_while(|order| self.spares(rng, **order)).count(),
        }
    }
}
