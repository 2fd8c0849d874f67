//! Random numbers that repeat: xorshift64*, seeded.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift cannot leave.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// `N` numbers below `bound`, no two of them equal: one from each of `N`
    /// stretches.
    #[inline]
    pub fn distinct<const N: usize>(&mut self, bound: u64) -> [u64; N] {
        let stretch = bound / N as u64;
        std::array::from_fn(|at| at as u64 * stretch + self.below(stretch))
    }
}
