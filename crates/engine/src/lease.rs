//! Leases: what timestamps and identifiers may be given out before a crash, so that
//! none is given out again after it.

use selvedge_base::Timestamp;

/// Timestamps leased at a time: at a million commits a second, over an hour.
pub(crate) const TIMESTAMPS_LEASED: u64 = 1 << 32;
/// Identifiers of each sequence leased at a time. A crash leaves a gap of up to as
/// many.
pub(crate) const IDS_LEASED: u64 = 1 << 20;
/// Sequences that a database may have.
const SEQUENCES_MAX: usize = 64;

/// The ends of what is leased.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Leases {
    /// The last timestamp that may be given out.
    pub(crate) timestamps: u64,
    /// For each sequence, the first identifier that may not be given out.
    pub(crate) ids: Vec<u64>,
}

impl Leases {
    /// As the log and the manifest keep them.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let numbers = [self.timestamps, self.ids.len() as u64].into_iter();
        numbers.chain(self.ids.iter().copied()).flat_map(u64::to_le_bytes).collect()
    }

    /// Reads them back; `None` if these are not leases.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let (timestamps, count) = (words.next()?, words.next()?);
        let ids: Vec<u64> = words.collect();
        let fits = rest.is_empty()
            && ids.len() as u64 == count
            && ids.len() <= SEQUENCES_MAX
            && timestamps <= Timestamp::MAX.get();
        fits.then_some(Self { timestamps, ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_come_back_and_nothing_else_does() {
        let leases = Leases { timestamps: 1 << 40, ids: vec![7, 1 << 33] };
        let bytes = leases.encode();
        assert_eq!(Leases::decode(&bytes), Some(leases));
        for len in 0..bytes.len() {
            assert_eq!(Leases::decode(&bytes[..len]), None);
        }
        assert_eq!(Leases::decode(&[0xff; 16]), None);
    }
}
