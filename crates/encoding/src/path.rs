//! Paths such as `address.lines[3]`, read step by step.
//!
//! ```text
//! path := name position{*} ( "." name position{*} ){*}
//! name := any characters but "." and "["
//! position := "[" digit{+} "]"
//! ```

use std::fmt;

use crate::error::{SHOWN_CHARS, shown};
use crate::{DocRef, ValueRef};

/// A path into documents, checked once and followed often.
///
/// The grammar is that of [`DocRef::get_path`], but that no name may be empty.
///
/// ```
/// use selvedge_encoding::{DocRef, FieldPath, doc, encode};
///
/// let bytes = encode(&doc! { "address": { "lines": ["Karl Johans gate 1", "Oslo"] } })?;
/// let line = FieldPath::parse("address.lines[1]")?;
/// assert!(line.get(DocRef::trusted(&bytes)).unwrap() == "Oslo");
/// let wrong = FieldPath::parse("address..city").unwrap_err();
/// assert_eq!(wrong.to_string(), "\"address..city\" is not a path to a field, for its step 2: \
///     names have dots between them and positions such as [0] behind them, and none is empty");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    text: Box<str>,
    /// Whether it is the name of a field, without further steps.
    is_name: bool,
}

impl FieldPath {
    /// Checks a path.
    ///
    /// # Errors
    /// [`PathError`] if it does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut count = 0;
        for step in Steps::new(text) {
            count += 1;
            if step.is_none_or(|step| step == Step::Field("")) {
                return Err(PathError { path: shown(text, SHOWN_CHARS), step: count });
            }
        }
        Ok(Self { text: text.into(), is_name: count == 1 })
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value at its end, as [`DocRef::get_path`] finds it.
    #[must_use]
    #[inline]
    pub fn get<'a>(&self, document: DocRef<'a>) -> Option<ValueRef<'a>> {
        if self.is_name { document.get(&self.text) } else { document.get_path(&self.text) }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldPath({:?})", self.text)
    }
}

/// A text that is no path.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{path:?} is not a path to a field, for its step {step}: names have dots between them and \
     positions such as [0] behind them, and none is empty"
)]
pub struct PathError {
    /// The text, cut short.
    pub path: String,
    /// The first step that is neither a name nor a position, counted from 1.
    pub step: usize,
}

/// Whether a path is a name, without further steps.
pub(crate) fn is_name(path: &str) -> bool {
    path.bytes().all(|byte| !ends_name(byte))
}

/// No letter but these has such a byte.
fn ends_name(byte: u8) -> bool {
    matches!(byte, b'.' | b'[')
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'p> {
    /// Into a field of a map.
    Field(&'p str),
    /// Into an element of a list.
    Element(usize),
}

/// The steps of a path. A step that breaks the grammar is `None`, and the last.
pub(crate) struct Steps<'p> {
    /// What is still to be read; `None` behind the last step.
    rest: Option<&'p str>,
    /// Whether a name comes next.
    at_name: bool,
}

impl<'p> Steps<'p> {
    pub(crate) fn new(path: &'p str) -> Self {
        Self { rest: Some(path), at_name: true }
    }

    fn step(&mut self, rest: &'p str) -> Option<Step<'p>> {
        let (step, rest) = if self.at_name {
            let end = rest.bytes().position(ends_name).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            (Step::Field(name), rest)
        } else {
            let (digits, rest) = rest.strip_prefix('[')?.split_once(']')?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (Step::Element(digits.parse().ok()?), rest)
        };
        self.at_name = rest.starts_with('.');
        self.rest = if self.at_name { rest.get(1..) } else { (!rest.is_empty()).then_some(rest) };
        Some(step)
    }
}

impl<'p> Iterator for Steps<'p> {
    type Item = Option<Step<'p>>;

    fn next(&mut self) -> Option<Option<Step<'p>>> {
        let rest = self.rest.take()?;
        Some(self.step(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_empty_name() {
        for wrong in ["", ".", "a.", ".a", "a..b", "[0]", "a[0", "a[0]b", "a.[0]"] {
            assert!(FieldPath::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["a", "a.b", "a[0]", "a[0][1].b", "é", "a]"] {
            assert_eq!(FieldPath::parse(right).unwrap().as_str(), right);
        }
        let long = FieldPath::parse(&".".repeat(1000)).unwrap_err();
        assert!(long.path.len() < 200, "cut short: {long}");
    }

    #[test]
    fn splits_into_steps() {
        use Step::{Element, Field};
        let steps = |path| Steps::new(path).collect::<Option<Vec<_>>>();
        assert_eq!(steps("a"), Some(vec![Field("a")]));
        assert_eq!(steps(""), Some(vec![Field("")]));
        assert_eq!(steps("a."), Some(vec![Field("a"), Field("")]));
        assert_eq!(
            steps("a.b[0][12].é"),
            Some(vec![Field("a"), Field("b"), Element(0), Element(12), Field("é")])
        );
        for broken in ["a[", "a[]", "a[-1]", "a[+1]", "a[x]", "a[1]b", "a[99999999999999999999]"] {
            assert_eq!(steps(broken), None, "{broken}");
        }
    }
}
