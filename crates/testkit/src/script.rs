//! A script: its lines, running them, and the difference from what it expects.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::session::Session;

/// Between a step and its output.
const ARROW: &str = "->";
/// The environment variable that makes outputs the expected ones.
const UPDATE: &str = "UPDATE_SCRIPTS";

#[derive(Clone, PartialEq, Eq, Debug)]
enum Line {
    /// A comment, or nothing.
    Text(String),
    Step {
        command: String,
        expected: String,
    },
}

impl Line {
    fn parse(line: &str) -> Self {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Self::Text(trimmed.to_owned());
        }
        let (command, expected) = trimmed.split_once(ARROW).unwrap_or((trimmed, ""));
        Self::Step { command: command.trim().to_owned(), expected: expected.trim().to_owned() }
    }
}

/// A script, as its file has it.
#[derive(Debug)]
pub struct Script {
    path: PathBuf,
    lines: Vec<Line>,
}

/// What came out other than expected.
#[derive(Debug)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says where a script was, should a step panic.
struct Place<'s>(&'s Path, usize, &'s str);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:{}: panicked at the step {:?}", self.0.display(), self.1 + 1, self.2);
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// If the file cannot be read, or does not open with a comment.
    pub fn read(path: &Path) -> Result<Self, Difference> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Difference(format!("{}: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Difference> {
        let lines: Vec<_> = text.lines().map(Line::parse).collect();
        if !text.starts_with("# ") {
            let reason = "a script opens with a comment that says what it shows";
            return Err(Difference(format!("{}:1: {reason}", path.display())));
        }
        Ok(Self { path: path.to_owned(), lines })
    }

    /// Runs the script on a new database and compares; with `UPDATE_SCRIPTS=1`
    /// rewrites the file instead.
    ///
    /// # Errors
    /// Where it differs from what it expects, or is wrong in itself.
    pub fn check(&self) -> Result<(), Difference> {
        let outputs = self.run()?;
        if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
            return std::fs::write(&self.path, self.with_outputs(&outputs))
                .map_err(|error| Difference(format!("{}: {error}", self.path.display())));
        }
        self.compare(&outputs)
    }

    /// The output of each line, empty for those that are no steps.
    fn run(&self) -> Result<Vec<String>, Difference> {
        let mut session = Session::new();
        let mut outputs = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines.iter().enumerate() {
            let Line::Step { command, .. } = line else {
                outputs.push(String::new());
                continue;
            };
            let _place = Place(&self.path, at, command);
            let output = Command::parse(command).and_then(|command| session.run(&command));
            outputs.push(output.map_err(|error| self.wrong(at, &error.to_string()))?);
        }
        session.finish().map_err(|error| self.wrong(self.lines.len(), &error.to_string()))?;
        Ok(outputs)
    }

    fn wrong(&self, at: usize, reason: &str) -> Difference {
        let step = match self.lines.get(at) {
            Some(Line::Step { command, .. }) => command,
            _ => "the end of the script",
        };
        Difference(format!("{}:{}: {step}: {reason}", self.path.display(), at + 1))
    }

    fn compare(&self, outputs: &[String]) -> Result<(), Difference> {
        let differs = |at: usize| matches!(&self.lines[at], Line::Step { expected, .. } if *expected != outputs[at]);
        let Some(first) = (0..self.lines.len()).find(|at| differs(*at)) else { return Ok(()) };
        let path = self.path.display();
        let mut text = format!("{path}:{}: the script expects something else\n", first + 1);
        for (at, line) in self.lines.iter().enumerate() {
            let number = at + 1;
            match line {
                Line::Step { command, expected } if differs(at) => {
                    text += &format!("- {number:3}  {command} {ARROW} {expected}\n");
                    text += &format!("+ {number:3}  {command} {ARROW} {}\n", outputs[at]);
                }
                Line::Step { command, expected } => {
                    text += &format!("  {number:3}  {command} {ARROW} {expected}\n");
                }
                Line::Text(line) => text += &format!("  {number:3}  {line}\n"),
            }
        }
        Err(Difference(text + "If this is right, accept it with UPDATE_SCRIPTS=1."))
    }

    /// The text of the script with these outputs, arrows aligned by paragraph.
    fn with_outputs(&self, outputs: &[String]) -> String {
        let mut text = String::new();
        let mut lines = self.lines.iter().zip(outputs).peekable();
        while let Some((line, output)) = lines.next() {
            let Line::Step { command, .. } = line else {
                if let Line::Text(line) = line {
                    text += line;
                    text.push('\n');
                }
                continue;
            };
            let mut steps = vec![(command, output)];
            while let Some((Line::Step { command, .. }, output)) =
                lines.next_if(|(line, _)| matches!(line, Line::Step { .. }))
            {
                steps.push((command, output));
            }
            let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
            for (command, output) in steps {
                text += &format!("{command:<width$} {ARROW} {output}\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A counter.\ninsert x n=1 -> ok x @1\n\ns: snapshot -> ok @1\n\
                        set x n=2 -> ok @2\ns: get x -> x {n=1}\nget x -> x {n=2}\n";

    fn script(text: &str) -> Script {
        Script::parse(Path::new("counter.txt"), text).unwrap()
    }

    #[test]
    fn a_script_that_holds_passes() {
        assert!(script(TEXT).compare(&script(TEXT).run().unwrap()).is_ok());
    }

    #[test]
    fn a_difference_is_shown_where_it_is() {
        let wrong = script(&TEXT.replace("s: get x -> x {n=1}", "s: get x -> x {n=2}"));
        let difference = wrong.compare(&wrong.run().unwrap()).unwrap_err().to_string();
        assert!(difference.starts_with("counter.txt:6: "), "{difference}");
        assert!(difference.contains("\n-   6  s: get x -> x {n=2}\n+   6  s: get x -> x {n=1}\n"));
    }

    #[test]
    fn an_update_writes_what_came_out() {
        let bare = script("# A counter.\ninsert x n=1\n\ns: snapshot\nset x n=2\nget x\n");
        let text = bare.with_outputs(&bare.run().unwrap());
        let expected = "# A counter.\ninsert x n=1 -> ok x @1\n\n\
                        s: snapshot -> ok @1\nset x n=2   -> ok @2\nget x       -> x {n=2}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn scripts_that_are_wrong_are_refused() {
        assert!(Script::parse(Path::new("x"), "insert x").is_err());
        for wrong in ["t1: commit", "wave", "set x n=1", "t: begin\nt: begin", "s: insert x"] {
            let wrong = script(&format!("# Wrong.\n{wrong}"));
            assert!(wrong.run().unwrap_err().to_string().starts_with("counter.txt:"));
        }
    }
}
