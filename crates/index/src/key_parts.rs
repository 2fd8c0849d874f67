//! Keys as look-ups take them: in two parts that are put together nowhere.
//!
//! Keys often come from a short prefix and what somebody gave. To copy both into one
//! place, and to load from there at once, costs more than the copy: a load over several
//! stores cannot be served before they have left the processor, which is when every
//! earlier instruction has ended, cache misses of earlier look-ups included. So the parts
//! stay where they are, and are hashed and compared by loads that begin where they begin,
//! of the sizes that numbers are stored in.

use std::hash::Hasher;

/// Bytes of the first part.
const FIRST: usize = 2;

/// A key: its first two bytes, if it has so many, and the rest.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'k> {
    first: Option<[u8; FIRST]>,
    rest: &'k [u8],
}

impl<'k> KeyParts<'k> {
    /// The key of these parts.
    #[inline]
    #[must_use]
    pub fn new(first: [u8; FIRST], rest: &'k [u8]) -> Self {
        Self { first: Some(first), rest }
    }

    #[inline]
    pub(crate) fn hash_into(self, hasher: &mut impl Hasher) {
        if let Some(first) = self.first {
            hasher.write_u16(u16::from_ne_bytes(first));
        }
        hasher.write(self.rest);
    }

    /// Whether this is `key`.
    #[inline]
    pub(crate) fn is(self, key: &[u8]) -> bool {
        match (self.first, key.split_first_chunk()) {
            (None, _) => is_same(self.rest, key),
            (Some(first), Some((of_key, rest))) => {
                u16::from_ne_bytes(first) == u16::from_ne_bytes(*of_key) && is_same(self.rest, rest)
            }
            (Some(_), None) => false,
        }
    }
}

impl<'k> From<&'k [u8]> for KeyParts<'k> {
    #[inline]
    fn from(key: &'k [u8]) -> Self {
        match key.split_first_chunk() {
            Some((first, rest)) => Self::new(*first, rest),
            None => Self { first: None, rest: key },
        }
    }
}

impl<'k, const N: usize> From<&'k [u8; N]> for KeyParts<'k> {
    #[inline]
    fn from(key: &'k [u8; N]) -> Self {
        key.as_slice().into()
    }
}

/// By numbers, from the beginning, the last of which may overlap the one before.
#[inline]
fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk(), right.last_chunk()) {
        let (left, _) = left.as_chunks::<8>();
        let (right, _) = right.as_chunks::<8>();
        let is_same = |(left, right): (&[u8; 8], &[u8; 8])| {
            u64::from_ne_bytes(*left) == u64::from_ne_bytes(*right)
        };
        return left.iter().zip(right).all(is_same) && is_same((left_end, right_end));
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<4>(), right.last_chunk::<4>()) {
        return left.first_chunk::<4>() == right.first_chunk::<4>() && left_end == right_end;
    }
    left.iter().eq(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn parts_are_the_key(key in prop::collection::vec(any::<u8>(), 0..40), at in 0..40_usize) {
            let parts = KeyParts::from(&key[..]);
            prop_assert_eq!(parts.is(&key), true);
            let put_together: Vec<u8> =
                parts.first.into_iter().flatten().chain(parts.rest.iter().copied()).collect();
            prop_assert_eq!(&put_together, &key);
            // One byte is another, is missing, or is too much.
            if let Some(byte) = key.clone().get(at) {
                let mut other = key.clone();
                other[at] = byte.wrapping_add(1);
                prop_assert_eq!(parts.is(&other), false);
                other.remove(at);
                prop_assert_eq!(parts.is(&other), false);
            }
            let mut longer = key.clone();
            longer.insert(at.min(key.len()), 0);
            prop_assert_eq!(parts.is(&longer), false);
        }
    }
}
