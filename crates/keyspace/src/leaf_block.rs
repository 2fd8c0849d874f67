//! A leaf of the keyspace as the bytes of a block in a checkpoint, and back.
//!
//! ```text
//! start | end, if any | how many | entries: key, commit, encoding u8, expires, value
//! ```

use selvedge_base::Timestamp;
use selvedge_base::limits::{ENTRY_KEY_BYTES_MAX, ENTRY_VALUE_BYTES_MAX};
use selvedge_mvcc::Version;
use selvedge_storage::codec::{Bytes, Misfit, misfit, put_bytes, put_number, put_optional_bytes};

use crate::encoding::Encoding;
use crate::entry::EntryHeader;
use crate::leaves::LeafRange;

/// An entry as a block has it.
pub(crate) struct StoredEntry<'b> {
    pub(crate) key: &'b [u8],
    pub(crate) commit: Timestamp,
    pub(crate) header: EntryHeader,
    pub(crate) value: &'b [u8],
}

/// The bytes of a block under way.
#[derive(Debug, Default)]
pub(crate) struct LeafBuilder {
    entries: Vec<u8>,
    count: u64,
}

impl LeafBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the entries so far.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry; they come in order.
    pub(crate) fn add(&mut self, key: &[u8], version: &Version<EntryHeader>) {
        let out = &mut self.entries;
        put_bytes(out, key);
        put_number(out, version.commit().get());
        out.push(version.header().encoding.get());
        put_number(out, version.header().expires);
        put_bytes(out, version.bytes());
        self.count += 1;
    }

    /// The bytes of the block, into `out`; this is empty again.
    pub(crate) fn build(&mut self, start: &[u8], end: Option<&[u8]>, out: &mut Vec<u8>) {
        out.clear();
        put_bytes(out, start);
        put_optional_bytes(out, end);
        put_number(out, self.count);
        out.append(&mut self.entries);
        self.count = 0;
    }
}

/// The range of a leaf, and how many entries it has.
pub(crate) fn read_range(number: u64, bytes: &mut Bytes<'_>) -> Result<(LeafRange, u64), Misfit> {
    let (start, end) = (bytes.bytes()?.into(), bytes.optional_bytes()?.map(Box::from));
    Ok((LeafRange { number, start, end }, bytes.number()?))
}

/// Visits the entries of a block.
pub(crate) fn read_leaf(
    number: u64,
    block: &[u8],
    mut visit: impl FnMut(StoredEntry<'_>) -> Result<(), Misfit>,
) -> Result<(LeafRange, u64), Misfit> {
    let mut bytes = Bytes(block);
    let (range, count) = read_range(number, &mut bytes)?;
    let mut last: Option<&[u8]> = None;
    for _ in 0..count {
        let key = bytes.bytes()?;
        let commit = bytes.number_up_to(Timestamp::MAX.get(), "the timestamp")?;
        let commit = Timestamp::new(commit);
        let header =
            EntryHeader { encoding: Encoding::new(bytes.byte()?), expires: bytes.number()? };
        let value = bytes.bytes()?;
        let beyond = range.end.as_deref().is_some_and(|end| key >= end);
        if last.is_some_and(|last| key <= last) || key < &*range.start || beyond {
            return misfit("keys are not in order");
        }
        if key.len() > ENTRY_KEY_BYTES_MAX || value.len() > ENTRY_VALUE_BYTES_MAX {
            return misfit("a key or a value is too long");
        }
        if header.encoding == Encoding::LE64 && value.len() != 8 {
            return misfit("an LE64 value does not have 8 bytes");
        }
        last = Some(key);
        visit(StoredEntry { key, commit, header, value })?;
    }
    if bytes.0.is_empty() { Ok((range, count)) } else { misfit("there is more than it says") }
}
