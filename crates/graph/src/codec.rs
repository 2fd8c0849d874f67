//! Numbers, names and documents as bytes, for the log and for checkpoints.
//!
//! Numbers are LEB128; strings and documents stand behind their length. Reading
//! trusts no byte.

use selvedge_base::limits::{EDGE_TYPES_MAX, LABELS_MAX, NODES_MAX};
use selvedge_base::{EdgeTypeId, LabelId, NodeId};
use selvedge_encoding::DocRef;

/// Bytes that say what cannot have been written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

pub(crate) fn misfit<T>(what: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit(what.into()))
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A number that may be missing.
pub(crate) fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    put_number(out, number.map_or(0, |number| number + 1));
}

pub(crate) fn put_optional_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_option(out, bytes.map(|bytes| bytes.len() as u64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Bytes, read from the front.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn byte(&mut self) -> Result<u8, Misfit> {
        let Some((first, rest)) = self.0.split_first() else { return misfit("it ends early") };
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Misfit> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        misfit("a number is too long")
    }

    pub(crate) fn number_up_to(&mut self, most: u64, what: &str) -> Result<u64, Misfit> {
        match self.number()? {
            number if number <= most => Ok(number),
            number => misfit(format!("{what} {number} is beyond {most}")),
        }
    }

    pub(crate) fn option(&mut self) -> Result<Option<u64>, Misfit> {
        Ok(self.number()?.checked_sub(1))
    }

    pub(crate) fn take(&mut self, len: u64) -> Result<&'b [u8], Misfit> {
        let taken = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let Some((taken, rest)) = taken else { return misfit("it ends early") };
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], Misfit> {
        let len = self.number()?;
        self.take(len)
    }

    pub(crate) fn optional_bytes(&mut self) -> Result<Option<&'b [u8]>, Misfit> {
        self.option()?.map(|len| self.take(len)).transpose()
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, Misfit> {
        text(self.bytes()?)
    }

    pub(crate) fn label(&mut self) -> Result<LabelId, Misfit> {
        let number = self.number_up_to(LABELS_MAX as u64 - 1, "label")?;
        Ok(LabelId::new(number as u32))
    }

    pub(crate) fn edge_type(&mut self) -> Result<EdgeTypeId, Misfit> {
        let number = self.number_up_to(EDGE_TYPES_MAX as u64 - 1, "edge type")?;
        Ok(EdgeTypeId::new(number as u32))
    }

    pub(crate) fn node(&mut self) -> Result<NodeId, Misfit> {
        Ok(NodeId::new(self.number_up_to(NODES_MAX, "node")?))
    }

    pub(crate) fn edge_number(&mut self) -> Result<u64, Misfit> {
        self.number_up_to(NODES_MAX, "edge")
    }
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Misfit> {
    std::str::from_utf8(bytes).or_else(|_| misfit("a name is not UTF-8"))
}

/// The bytes of a document, if they are one.
pub(crate) fn document(bytes: &[u8]) -> Result<&[u8], Misfit> {
    match DocRef::parse(bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => misfit(format!("a document cannot be read: {error}")),
    }
}
