//! A vector of `f32` inside encoded bytes.

use std::fmt;

/// Bytes in one number.
const NUMBER_BYTES: usize = size_of::<f32>();

/// A vector that lies in encoded bytes. The numbers are not aligned there, so it
/// gives them one by one or as a copy, not as a slice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VectorRef<'a> {
    numbers: &'a [[u8; NUMBER_BYTES]],
}

impl<'a> VectorRef<'a> {
    /// `None` if the last number is cut short.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Self { numbers })
    }

    /// How many numbers there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are no numbers.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The number at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<f32> {
        self.numbers.get(index).copied().map(f32::from_le_bytes)
    }

    /// The numbers in order.
    #[inline]
    pub fn iter(&self) -> VectorIter<'a> {
        VectorIter { numbers: self.numbers.iter() }
    }

    /// The numbers, copied.
    pub fn to_vec(&self) -> Vec<f32> {
        self.iter().collect()
    }
}

impl fmt::Debug for VectorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for VectorRef<'a> {
    type Item = f32;
    type IntoIter = VectorIter<'a>;

    fn into_iter(self) -> VectorIter<'a> {
        self.iter()
    }
}

/// The numbers of a [`VectorRef`].
#[derive(Debug, Clone)]
pub struct VectorIter<'a> {
    numbers: std::slice::Iter<'a, [u8; NUMBER_BYTES]>,
}

impl Iterator for VectorIter<'_> {
    type Item = f32;

    #[inline]
    fn next(&mut self) -> Option<f32> {
        self.numbers.next().copied().map(f32::from_le_bytes)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.numbers.size_hint()
    }
}

impl ExactSizeIterator for VectorIter<'_> {}

#[cfg(test)]
mod tests {
    use crate::{DocRef, doc, encode};

    #[test]
    fn reads_numbers_wherever_they_lie() {
        let numbers = vec![1.0f32, -0.0, f32::INFINITY];
        let bytes = encode(&doc! { "odd": 1, "v": numbers.clone() }).unwrap();
        let vector = DocRef::trusted(&bytes).get("v").unwrap().as_vector().unwrap();
        assert_eq!(vector.to_vec(), numbers);
        assert_eq!((vector.len(), vector.get(0), vector.get(3)), (3, Some(1.0), None));
    }
}
