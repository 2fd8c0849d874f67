//! Editing encoded documents without decoding them.
//!
//! An edit copies the entries before the changed one, writes that one anew,
//! copies the entries behind it and writes the table with the ends moved. Along
//! a path the same happens in every map on the way, each writing its own field
//! around the next. What is not touched is neither read nor checked.
//!
//! The result is what encoding the edited document would give, byte for byte.
//! It is appended to `out`; after an error `out` is as it was before.

use smallvec::SmallVec;

use crate::container::{Container, split_field};
use crate::encode::{Encoder, check_depth, check_length, write_name, write_table};
use crate::format::{self, width_for};
use crate::{EncodeError, FieldPath, TypeMismatch, Value, ValueRef};

/// Fields that are set at once without allocating.
const EDITS_INLINE: usize = 16;
/// Ends that are kept without allocating.
const ENDS_INLINE: usize = 64;
/// Bytes that room is made for beside the document: a small value and its name.
const GROWTH_BYTES: usize = 64;

/// Appends `doc` with the field `name` set to `value`, inserted or replaced.
///
/// # Errors
/// As [`encode`](crate::encode()); [`EncodeError::NotADocument`] if `doc` is damaged
/// where the edit reads it.
///
/// ```
/// use selvedge_encoding::{doc, encode, set_field};
///
/// let bytes = encode(&doc! { "age": 31, "name": "Alice" })?;
/// let mut edited = Vec::new();
/// set_field(&bytes, "city", &"Oslo".into(), &mut edited)?;
/// assert_eq!(edited, encode(&doc! { "age": 31, "city": "Oslo", "name": "Alice" })?);
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
pub fn set_field(
    doc: &[u8],
    name: &str,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    append(doc, out, |edit, out| edit.set(doc, name, None, value, 1, out))
}

/// Appends `doc` with several fields set: all of them, or none after an error.
/// Of edits to the same field the last one stays.
///
/// # Errors
/// As [`set_field`].
///
/// ```
/// use selvedge_encoding::{doc, encode, set_fields};
///
/// let bytes = encode(&doc! { "a": 1, "b": 2 })?;
/// let mut edited = Vec::new();
/// set_fields(&bytes, &[("c", &3.into()), ("a", &0.into()), ("c", &4.into())], &mut edited)?;
/// assert_eq!(edited, encode(&doc! { "a": 0, "b": 2, "c": 4 })?);
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
pub fn set_fields(
    doc: &[u8],
    edits: &[(&str, &Value)],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match edits {
        [] => append(doc, out, |_, out| {
            out.extend_from_slice(doc);
            Ok(())
        }),
        [(name, value)] => set_field(doc, name, value, out),
        _ => append(doc, out, |edit, out| edit.set_all(doc, edits, out)),
    }
}

/// Appends `doc` without the field `name`; returns whether it was there. If not,
/// or if `doc` is damaged where the edit reads it, it is appended unchanged.
///
/// ```
/// use selvedge_encoding::{doc, encode, unset_field};
///
/// let bytes = encode(&doc! { "a": 1, "b": 2 })?;
/// let mut edited = Vec::new();
/// assert!(unset_field(&bytes, "a", &mut edited));
/// assert_eq!(edited, encode(&doc! { "b": 2 })?);
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
pub fn unset_field(doc: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
    let cut = Container::new(doc).and_then(|container| {
        let index = container.search(name)?.ok()?;
        Cut::new(container, index, index + 1)
    });
    let Some(cut) = cut else {
        out.extend_from_slice(doc);
        return false;
    };
    out.reserve(doc.len());
    let start = out.len();
    out.extend_from_slice(cut.head);
    cut.finish(start, false, out);
    true
}

/// Appends `doc` with the field at the end of `path` set to `value`. The names
/// of `path` stand with dots between them; maps that are missing on the way are
/// created. A field whose name has a dot or a bracket in it is not reached.
///
/// # Errors
/// As [`set_field`]; [`EncodeError::TypeMismatch`] if something on the way is not
/// a map, null included; [`EncodeError::Path`] if `path` is none, as it is with an empty
/// name; [`EncodeError::ListElement`] if it leads into a list.
///
/// ```
/// use selvedge_encoding::{doc, encode, set_path};
///
/// let bytes = encode(&doc! { "name": "Alice" })?;
/// let mut edited = Vec::new();
/// set_path(&bytes, "address.city", &"Oslo".into(), &mut edited)?;
/// assert_eq!(edited, encode(&doc! { "name": "Alice", "address": { "city": "Oslo" } })?);
///
/// let error = set_path(&bytes, "name.first", &"A".into(), &mut edited).unwrap_err();
/// assert_eq!(error.to_string(), "`name` is string, expected map");
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
pub fn set_path(
    doc: &[u8],
    path: &str,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    FieldPath::parse(path)?;
    if path.contains('[') {
        return Err(EncodeError::ListElement { path: path.to_owned() });
    }
    let (name, rest) = split_path(path);
    append(doc, out, |edit, out| edit.set(doc, name, rest, value, 1, out))
}

/// The first name of a path, and the path behind it.
fn split_path(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)))
}

/// Runs an edit of `doc` that appends to `out`; undoes it after an error.
fn append(
    doc: &[u8],
    out: &mut Vec<u8>,
    run: impl FnOnce(Edit, &mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let base = out.len();
    out.reserve(doc.len() + GROWTH_BYTES);
    let result = run(Edit { base }, out).and_then(|()| check_length(out.len() - base));
    if result.is_err() {
        out.truncate(base);
    }
    result
}

/// One edit of a document.
struct Edit {
    /// Where in the output the edited document begins.
    base: usize,
}

impl Edit {
    /// Appends `map` with the value at `name`, then `rest`, set. `depth` is the
    /// level of `map`; a path deeper than a document may be ends the recursion.
    fn set(
        &self,
        map: &[u8],
        name: &str,
        rest: Option<&str>,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        check_depth(depth)?;
        let container = Container::new(map).ok_or(EncodeError::NotADocument)?;
        let (index, found) = match container.search(name).ok_or(EncodeError::NotADocument)? {
            Ok(index) => (index, container.entry(index).and_then(split_field)),
            Err(index) => (index, None),
        };
        let cut = Cut::new(container, index, index + usize::from(found.is_some()))
            .ok_or(EncodeError::NotADocument)?;
        let start = out.len();
        out.extend_from_slice(cut.head);
        write_name(out, name)?;
        if let Some(rest) = rest {
            let inner = match found {
                Some((_, value)) => map_in(value, name)?,
                None => &[],
            };
            out.push(format::MAP);
            let (next, rest) = split_path(rest);
            self.set(inner, next, rest, value, depth + 1, out)
                .map_err(|error| error.in_field(name))?;
        } else {
            Encoder::new(out, self.base)
                .value(value, depth)
                .map_err(|error| error.in_field(name))?;
        }
        cut.finish(start, true, out);
        check_length(out.len() - self.base).map_err(|error| error.in_field(name))
    }

    /// Appends `map` with several fields set: merges its entries, in runs, with
    /// the edits in the order of their names.
    fn set_all(
        &self,
        map: &[u8],
        edits: &[(&str, &Value)],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let mut sorted: SmallVec<[(&str, &Value); EDITS_INLINE]> = SmallVec::from_slice(edits);
        // The sort is stable, so that the last of equal names is the last given.
        sorted.sort_by_key(|(name, _)| *name);
        let container = Container::new(map).ok_or(EncodeError::NotADocument)?;
        let mut ends: SmallVec<[u32; ENDS_INLINE]> = SmallVec::new();
        let (start, mut next) = (out.len(), 0);
        for (at, (name, value)) in sorted.iter().enumerate() {
            let replaced_by_later = sorted.get(at + 1).is_some_and(|(later, _)| later == name);
            if replaced_by_later {
                continue;
            }
            let found = container.search_from(next, name).ok_or(EncodeError::NotADocument)?;
            let (Ok(index) | Err(index)) = found;
            copy_run(&container, next, index, start, &mut ends, out)
                .ok_or(EncodeError::NotADocument)?;
            write_name(out, name)?;
            Encoder::new(out, self.base).value(value, 1).map_err(|error| error.in_field(name))?;
            ends.push((out.len() - start) as u32);
            next = index + usize::from(found.is_ok());
        }
        copy_run(&container, next, container.len(), start, &mut ends, out)
            .ok_or(EncodeError::NotADocument)?;
        write_table(out, out.len() - start, &ends);
        Ok(())
    }
}

/// The map that `value` is, for a path that leads through the field `name`.
fn map_in<'a>(value: &'a [u8], name: &str) -> Result<&'a [u8], EncodeError> {
    match ValueRef::read(value) {
        Some(ValueRef::Map(map)) => Ok(map.as_bytes()),
        Some(other) => {
            // The maps around this one put their own names before it.
            let mismatch = TypeMismatch::new("", "map", other.type_name());
            Err(EncodeError::from(mismatch).in_field(name))
        }
        None => Err(EncodeError::NotADocument),
    }
}

/// Copies the entries `from..to` to the container that begins at `start` of
/// `out`, and notes where they end there.
fn copy_run(
    container: &Container<'_>,
    from: usize,
    to: usize,
    start: usize,
    ends: &mut SmallVec<[u32; ENDS_INLINE]>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let (first, last) = (container.start(from)?, container.start(to)?);
    let run = container.entries().get(first..last)?;
    // Only damaged tables make this wrap.
    let moved = (out.len() - start).wrapping_sub(first);
    for index in from..to {
        ends.push(container.end(index)?.wrapping_add(moved) as u32);
    }
    out.extend_from_slice(run);
    Some(())
}

/// A container with some entries, one or none, cut out.
struct Cut<'a> {
    container: Container<'a>,
    /// The entries before the cut.
    head: &'a [u8],
    /// The entries behind it.
    tail: &'a [u8],
    /// The ends of the entries before the cut, as they stand in the table.
    head_ends: &'a [u8],
    /// Number of the first entry behind the cut.
    to: usize,
}

impl<'a> Cut<'a> {
    /// Cuts out the entries `from..to`.
    fn new(container: Container<'a>, from: usize, to: usize) -> Option<Self> {
        Some(Self {
            head: container.entries().get(..container.start(from)?)?,
            tail: container.entries().get(container.start(to)?..)?,
            head_ends: container.table(0, from)?,
            to,
            container,
        })
    }

    /// Closes the container that begins at `start` of `out` and so far holds the
    /// head and, if there is one, the new entry in place of the cut.
    fn finish(&self, start: usize, new_entry: bool, out: &mut Vec<u8>) {
        let new_end = out.len() - start;
        out.extend_from_slice(self.tail);
        let entries_end = out.len() - start;
        if entries_end == 0 {
            return;
        }
        let moved = entries_end.wrapping_sub(self.container.entries().len());
        let width = width_for(entries_end);
        if width == 0 && self.container.width() == 0 {
            // Small documents, by far the most frequent: ends are bytes.
            out.extend_from_slice(self.head_ends);
            out.extend(new_entry.then_some(new_end as u8));
            let tail_ends = self.container.table(self.to, self.container.len()).unwrap_or(&[]);
            out.extend(tail_ends.iter().map(|end| end.wrapping_add(moved as u8)));
        } else {
            let ends = |from, to| (from..to).filter_map(|index| self.container.end(index));
            let head_count = self.head_ends.len() >> self.container.width();
            out.reserve((self.container.len() + 1) << width);
            push_ends(out, width, ends(0, head_count));
            push_ends(out, width, new_entry.then_some(new_end).into_iter());
            let tail_ends = ends(self.to, self.container.len());
            push_ends(out, width, tail_ends.map(|end| end.wrapping_add(moved)));
        }
        out.push(width);
    }
}

/// Appends ends of `1 << width` bytes each; all of them fit.
fn push_ends(out: &mut Vec<u8>, width: u8, ends: impl Iterator<Item = usize>) {
    match width {
        0 => ends.for_each(|end| out.push(end as u8)),
        1 => ends.for_each(|end| out.extend_from_slice(&(end as u16).to_le_bytes())),
        _ => ends.for_each(|end| out.extend_from_slice(&(end as u32).to_le_bytes())),
    }
}
