//! What a check looked at and what it found.

use std::fmt;

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The file, relative to the root of the repository.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// Which rule is broken, and how.
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) cure: String,
}

impl Violation {
    pub(crate) fn new(
        file: &str,
        line: usize,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), line, reason: reason.into(), cure: cure.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, reason, cure } = self;
        write!(f, "{file}:{line}: {reason}\n    to do: {cure}")
    }
}

/// The outcome of one check.
#[derive(Debug)]
pub(crate) struct Report {
    check: &'static str,
    counts: Vec<String>,
    notes: Vec<String>,
    violations: Vec<Violation>,
}

impl Report {
    pub(crate) fn new(check: &'static str) -> Self {
        Self { check, counts: Vec::new(), notes: Vec::new(), violations: Vec::new() }
    }

    /// Records that `number` things called `what` were looked at.
    pub(crate) fn count(&mut self, number: usize, what: &str) {
        self.counts.push(format!("{number} {what}"));
    }

    /// Adds a line that is worth reading even if nothing is wrong.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn add(&mut self, violations: impl IntoIterator<Item = Violation>) {
        self.violations.extend(violations);
    }

    pub(crate) fn violations_count(&self) -> usize {
        self.violations.len()
    }

    /// Prints the report; true if nothing is wrong.
    pub(crate) fn print(&mut self) -> bool {
        self.violations.sort();
        self.violations.dedup();
        println!("{}: checked {}", self.check, self.counts.join(", "));
        for note in &self.notes {
            println!("  {note}");
        }
        for violation in &self.violations {
            println!("{violation}");
        }
        match self.violations.len() {
            0 => println!("{}: ok", self.check),
            1 => println!("{}: 1 violation", self.check),
            many => println!("{}: {many} violations", self.check),
        }
        self.violations.is_empty()
    }
}
