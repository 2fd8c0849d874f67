//! Paths such as `address.lines[3]`, read step by step.
//!
//! ```text
//! path := name position{*} ( "." name position{*} ){*}
//! name := any characters but "." and "["
//! position := "[" digit{+} "]"
//! ```

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
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
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
