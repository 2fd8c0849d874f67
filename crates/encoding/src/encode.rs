//! Encoding documents, within the limits.

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, NAME_BYTES_MAX};
use smallvec::SmallVec;

use crate::format::{self, canonical_f32, canonical_f64, width_for};
use crate::{Document, EncodeError, Value};

/// Ends that are kept without allocating.
const ENDS_INLINE: usize = 64;

/// Encodes a document.
///
/// # Errors
/// [`EncodeError::DocumentTooLong`], [`EncodeError::TooDeep`] or
/// [`EncodeError::NameTooLong`], with the path to what is wrong.
///
/// ```
/// use selvedge_encoding::{DocRef, doc, encode};
///
/// let document = doc! { "name": "Alice", "age": 31 };
/// let bytes = encode(&document)?;
/// assert_eq!(DocRef::trusted(&bytes).to_document(), document);
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
pub fn encode(document: &Document) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    encode_into(document, &mut out)?;
    Ok(out)
}

/// Appends an encoded document to `out`; the limits count it alone.
///
/// # Errors
/// As [`encode`]; `out` is then as it was before.
pub fn encode_into(document: &Document, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let base = out.len();
    let result = Encoder::new(out, base).map(document, 1);
    if result.is_err() {
        out.truncate(base);
    }
    result
}

/// Appends values to a document under construction.
pub(crate) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// Where in `out` the document begins.
    base: usize,
    /// Ends of the entries of all containers under construction, the innermost
    /// last.
    ends: SmallVec<[u32; ENDS_INLINE]>,
}

impl<'a> Encoder<'a> {
    /// Continues the document that begins at `base`.
    pub(crate) fn new(out: &'a mut Vec<u8>, base: usize) -> Self {
        Self { out, base, ends: SmallVec::new() }
    }

    /// Appends tag and payload. `depth` is the level of the container that the
    /// value lies in.
    pub(crate) fn value(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        match value {
            Value::Null => self.tagged(format::NULL, &[]),
            Value::Bool(false) => self.tagged(format::FALSE, &[]),
            Value::Bool(true) => self.tagged(format::TRUE, &[]),
            Value::I64(value) => self.integer(*value),
            Value::U64(value) => match i64::try_from(*value) {
                Ok(value) => self.integer(value),
                Err(_) => self.tagged(format::U64, &value.to_le_bytes()),
            },
            Value::F64(value) => self.tagged(format::F64, &canonical_f64(*value).to_le_bytes()),
            Value::String(value) => self.tagged(format::STRING, value.as_bytes()),
            Value::Bytes(value) => self.tagged(format::BYTES, value),
            Value::Timestamp(value) => {
                self.tagged(format::TIMESTAMP, &value.as_micros().to_le_bytes())
            }
            Value::Vector(values) => self.vector(values),
            Value::List(values) => {
                self.tagged(format::LIST, &[])?;
                self.list(values, depth + 1)
            }
            Value::Map(document) => {
                self.tagged(format::MAP, &[])?;
                self.map(document, depth + 1)
            }
        }
    }

    fn map(&mut self, document: &Document, depth: usize) -> Result<(), EncodeError> {
        check_depth(depth)?;
        let (start, outer_ends) = (self.out.len(), self.ends.len());
        for (name, value) in document {
            write_name(self.out, name)?;
            self.value(value, depth).map_err(|error| error.in_field(name))?;
            self.ends.push((self.out.len() - start) as u32);
        }
        self.finish(start, outer_ends)
    }

    fn list(&mut self, values: &[Value], depth: usize) -> Result<(), EncodeError> {
        check_depth(depth)?;
        let (start, outer_ends) = (self.out.len(), self.ends.len());
        for (index, value) in values.iter().enumerate() {
            self.value(value, depth).map_err(|error| error.in_element(index))?;
            self.ends.push((self.out.len() - start) as u32);
        }
        self.finish(start, outer_ends)
    }

    /// Closes the container that began at `start`: writes its table.
    fn finish(&mut self, start: usize, outer_ends: usize) -> Result<(), EncodeError> {
        let entries_end = self.out.len() - start;
        write_table(self.out, entries_end, &self.ends[outer_ends..]);
        self.ends.truncate(outer_ends);
        check_length(self.out.len() - self.base)
    }

    fn integer(&mut self, value: i64) -> Result<(), EncodeError> {
        if let Ok(value) = i8::try_from(value) {
            self.tagged(format::I64, &value.to_le_bytes())
        } else if let Ok(value) = i16::try_from(value) {
            self.tagged(format::I64, &value.to_le_bytes())
        } else if let Ok(value) = i32::try_from(value) {
            self.tagged(format::I64, &value.to_le_bytes())
        } else {
            self.tagged(format::I64, &value.to_le_bytes())
        }
    }

    fn vector(&mut self, values: &[f32]) -> Result<(), EncodeError> {
        self.tagged(format::VECTOR, &[])?;
        check_length(self.out.len() - self.base + size_of_val(values))?;
        self.out.reserve(size_of_val(values));
        for value in values {
            self.out.extend_from_slice(&canonical_f32(*value).to_le_bytes());
        }
        Ok(())
    }

    /// The length is checked before anything is copied, so that a document never
    /// grows far beyond its limit on the way to being refused.
    #[inline]
    fn tagged(&mut self, tag: u8, payload: &[u8]) -> Result<(), EncodeError> {
        check_length(self.out.len() - self.base + 1 + payload.len())?;
        self.out.push(tag);
        self.out.extend_from_slice(payload);
        Ok(())
    }
}

/// Appends the length and the bytes of a field name.
#[inline]
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str) -> Result<(), EncodeError> {
    const { assert!(NAME_BYTES_MAX <= u8::MAX as usize) };
    if name.len() > NAME_BYTES_MAX {
        return Err(EncodeError::name_too_long(name));
    }
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

/// Appends the table of a container whose entries end at `entries_end`.
#[inline]
pub(crate) fn write_table(out: &mut Vec<u8>, entries_end: usize, ends: &[u32]) {
    if ends.is_empty() {
        return;
    }
    let width = width_for(entries_end);
    out.reserve((ends.len() << width) + 1);
    match width {
        0 => out.extend(ends.iter().map(|end| *end as u8)),
        1 => ends.iter().for_each(|end| out.extend_from_slice(&(*end as u16).to_le_bytes())),
        _ => ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes())),
    }
    out.push(width);
}

/// Refuses a document of more than `DOCUMENT_BYTES_MAX` bytes. Every end fits 32
/// bits because of this.
#[inline]
pub(crate) fn check_length(bytes: usize) -> Result<(), EncodeError> {
    const { assert!(DOCUMENT_BYTES_MAX < u32::MAX as usize / 2) };
    if bytes > DOCUMENT_BYTES_MAX { Err(EncodeError::too_long()) } else { Ok(()) }
}

/// Refuses a container at a level beyond `DOCUMENT_DEPTH_MAX`.
#[inline]
pub(crate) fn check_depth(depth: usize) -> Result<(), EncodeError> {
    if depth > DOCUMENT_DEPTH_MAX { Err(EncodeError::too_deep()) } else { Ok(()) }
}
