//! Ranges of keys.

use std::ops::Bound;

use smallvec::SmallVec;

/// A range of keys: where it starts and where it ends.
pub type Bounds<'k> = (Bound<&'k [u8]>, Bound<&'k [u8]>);

/// A key that is kept; a short one needs no memory of its own.
pub(crate) type KeptKey = SmallVec<[u8; 40]>;

/// Bounds with keys of their own.
pub(crate) type OwnedBounds = (Bound<KeptKey>, Bound<KeptKey>);

pub(crate) fn owned(bounds: Bounds<'_>) -> OwnedBounds {
    (bounds.0.map(KeptKey::from_slice), bounds.1.map(KeptKey::from_slice))
}

pub(crate) fn borrowed(bounds: &OwnedBounds) -> Bounds<'_> {
    (bounds.0.as_ref().map(AsRef::as_ref), bounds.1.as_ref().map(AsRef::as_ref))
}

/// Whether no key can lie between the bounds.
pub(crate) fn exclude_each_other(bounds: Bounds<'_>) -> bool {
    match bounds {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
        | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_exclude_each_other() {
        let (a, b): (&[u8], &[u8]) = (b"a", b"b");
        assert!(!exclude_each_other((Bound::Included(a), Bound::Included(a))));
        assert!(exclude_each_other((Bound::Included(a), Bound::Excluded(a))));
        assert!(exclude_each_other((Bound::Excluded(a), Bound::Included(a))));
        assert!(exclude_each_other((Bound::Included(b), Bound::Included(a))));
        assert!(!exclude_each_other((Bound::Excluded(a), Bound::Excluded(b))));
        assert!(!exclude_each_other((Bound::Unbounded, Bound::Excluded(a))));
    }
}
