//! Reading the table of a container: where each entry lies.
//!
//! Nothing here trusts the bytes. What does not add up is `None`, and no access
//! leaves the slice.

use std::cmp::Ordering;

use crate::format::WIDTH_MAX;

/// Short maps of up to so many fields are searched one by one.
const SCANNED_MAX: usize = 4;

/// A container split into its entries and the table of their ends.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    entries: &'a [u8],
    /// A whole number of ends, each `1 << width` bytes.
    table: &'a [u8],
    width: u8,
}

impl<'a> Container<'a> {
    /// The container without entries.
    const EMPTY: Self = Self { entries: &[], table: &[], width: 0 };

    /// Splits `bytes`, looking at no more than the width byte and the last end.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let Some((&width, body)) = bytes.split_last() else {
            return Some(Self::EMPTY);
        };
        if width > WIDTH_MAX {
            return None;
        }
        let last = body.len().checked_sub(1 << width)?;
        let entries_end = read_end(body.get(last..)?, width)?;
        let (entries, table) = body.split_at_checked(entries_end)?;
        let whole = table.len() & ((1 << width) - 1) == 0;
        (whole && !table.is_empty()).then_some(Self { entries, table, width })
    }

    /// Number of entries.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.table.len() >> self.width
    }

    /// The width byte.
    #[inline]
    pub(crate) fn width(&self) -> u8 {
        self.width
    }

    /// All entries, one behind the other.
    #[inline]
    pub(crate) fn entries(&self) -> &'a [u8] {
        self.entries
    }

    /// The ends as they stand, from entry `from` up to but without entry `to`.
    #[inline]
    pub(crate) fn table(&self, from: usize, to: usize) -> Option<&'a [u8]> {
        self.table.get(from << self.width..to << self.width)
    }

    /// Where entry `index` ends.
    #[inline]
    pub(crate) fn end(&self, index: usize) -> Option<usize> {
        // Checked against the length first: shifting a huge index drops its top.
        if index >= self.len() {
            return None;
        }
        read_end(self.table.get(index << self.width..)?, self.width)
    }

    /// Where entry `index` begins; for the number of entries, where they all end.
    #[inline]
    pub(crate) fn start(&self, index: usize) -> Option<usize> {
        match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.end(before),
        }
    }

    /// The bytes of entry `index`.
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Option<&'a [u8]> {
        self.entries.get(self.start(index)?..self.end(index)?)
    }

    /// Searches a map for a field: its index, or the index it would have.
    #[inline]
    pub(crate) fn search(&self, name: &str) -> Option<Result<usize, usize>> {
        self.search_from(0, name)
    }

    /// Like [`search`](Self::search), among the entries from `low` on.
    #[inline]
    pub(crate) fn search_from(&self, mut low: usize, name: &str) -> Option<Result<usize, usize>> {
        let mut high = self.len();
        while low < high {
            let middle = low.midpoint(high);
            let (found, _) = split_field(self.entry(middle)?)?;
            match found.cmp(name.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(Ok(middle)),
                Ordering::Greater => high = middle,
            }
        }
        Some(Err(low))
    }

    /// Searches a map for a field and gives its value, tag first.
    fn find(&self, name: &str) -> Option<&'a [u8]> {
        let index = self.search(name)?.ok()?;
        Some(split_field(self.entry(index)?)?.1)
    }
}

/// Searches the map that `bytes` are for a field, and gives its value, tag
/// first.
///
/// Short maps of few fields have a way of their own, which compares the names
/// one by one: of reads from memory so many overlap as their instructions fit
/// into the processor's window.
#[inline]
pub(crate) fn find<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if let [.., last_end, 0] = bytes
        && let Some(table) = bytes.get(usize::from(*last_end)..bytes.len() - 1)
        && table.len() <= SCANNED_MAX
    {
        let mut start = 0;
        for end in table {
            let end = usize::from(*end);
            if let Some(([length], rest)) = bytes.get(start..end)?.split_at_checked(1)
                && usize::from(*length) == name.len()
                && let Some((found, value)) = rest.split_at_checked(name.len())
                && found == name.as_bytes()
            {
                return Some(value);
            }
            start = end;
        }
        return None;
    }
    find_among_many(bytes, name)
}

#[inline(never)]
fn find_among_many<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    Container::new(bytes)?.find(name)
}

/// The entries of a container in order. Each begins where the one before it
/// ended, so that even in damaged bytes no two share a byte: a walk through
/// containers in containers takes time linear in the bytes.
#[derive(Clone)]
pub(crate) struct Entries<'a> {
    container: Container<'a>,
    next: usize,
    start: usize,
}

impl<'a> Entries<'a> {
    /// No entries if `bytes` are not a container.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let container = Container::new(bytes).unwrap_or(Container::EMPTY);
        Self { container, next: 0, start: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        // Past the last end, `end` is `None`. An entry that ends before it begins
        // ends the walk.
        let end = self.container.end(self.next)?;
        let entry = self.container.entries.get(self.start..end)?;
        (self.next, self.start) = (self.next + 1, end);
        Some(entry)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.container.len() - self.next))
    }
}

/// Splits an entry of a map into the bytes of its name and its value.
#[inline]
pub(crate) fn split_field(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = entry.split_first()?;
    rest.split_at_checked(usize::from(length))
}

/// The end at the front of `bytes`.
#[inline]
fn read_end(bytes: &[u8], width: u8) -> Option<usize> {
    Some(match width {
        0 => usize::from(*bytes.first()?),
        1 => usize::from(u16::from_le_bytes(*bytes.first_chunk()?)),
        _ => u32::from_le_bytes(*bytes.first_chunk()?) as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doc, encode};

    #[test]
    fn damaged_tables_are_refused_or_read_within_bounds() {
        for bytes in [&[3u8][..], &[0], &[9, 0], &[1, 2], &[1, 1, 1], &[255, 255, 255, 255, 2]] {
            assert!(Container::new(bytes).is_none(), "{bytes:?}");
        }
        // Ends that run backwards: two entries, the first beyond the second.
        let container = Container::new(&[7, 7, 9, 2, 0]).unwrap();
        assert_eq!((container.len(), container.entry(0), container.entry(1)), (2, None, None));
    }

    #[test]
    fn indices_beyond_the_entries_find_nothing() {
        for payload in [1, 300, 70_000] {
            let bytes = encode(&doc! { "a": vec![0u8; payload], "b": 1 }).unwrap();
            let container = Container::new(&bytes).unwrap();
            assert!(container.entry(1).is_some());
            for index in [2, usize::MAX, (1 << 62) + 1, (1 << 63) + 1] {
                assert!(container.entry(index).is_none(), "{index}");
            }
        }
    }

    #[test]
    fn search_tells_where_a_field_is_or_would_be() {
        let bytes = encode(&doc! { "b": 1, "d": 2, "f": 3 }).unwrap();
        let container = Container::new(&bytes).unwrap();
        let found: Vec<_> =
            ["a", "b", "c", "d", "e", "f", "g"].map(|name| container.search(name).unwrap()).into();
        assert_eq!(found, [Err(0), Ok(0), Err(1), Ok(1), Err(2), Ok(2), Err(3)]);
    }
}
