//! One step of a script, taken apart: actor, verb, arguments.

use std::fmt;

use selvedge::{Document, Error, Value};

/// Why a step gives no output that could be compared.
#[derive(Debug)]
pub enum ScriptError {
    /// The database refused; its answer is the output of the step.
    Refused(Error),
    /// The closure of a step failed on purpose.
    Abandoned,
    /// The script itself is wrong, or the database did what no script may see.
    Wrong(String),
}

impl ScriptError {
    /// The script is wrong, for this reason.
    pub(crate) fn wrong(reason: impl Into<String>) -> Self {
        Self::Wrong(reason.into())
    }
}

impl From<Error> for ScriptError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Wrong(reason) => f.write_str(reason),
        }
    }
}

/// One step: `[actor:] verb [arguments..]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Whose step it is; `None` for the database itself.
    pub actor: Option<String>,
    /// What to do.
    pub verb: String,
    /// The rest of the words.
    pub arguments: Vec<String>,
}

impl Command {
    /// Takes a step apart.
    ///
    /// # Errors
    /// If there is no verb, or a quote does not end.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut words = words(text)?.into_iter().peekable();
        let actor = words.next_if(|word| word.ends_with(':'));
        let actor = actor.map(|word| word.trim_end_matches(':').to_owned());
        let verb = words.next().ok_or_else(|| ScriptError::wrong("a step without a verb"))?;
        Ok(Self { actor, verb, arguments: words.collect() })
    }

    /// The step that this one wraps: its arguments as a step of their own.
    pub(crate) fn inner(&self) -> Result<Self, ScriptError> {
        let mut words = self.arguments.iter().cloned();
        let verb = words.next().ok_or_else(|| self.lacks("a step"))?;
        Ok(Self { actor: None, verb, arguments: words.collect() })
    }

    /// The argument at a place, which must be there.
    pub(crate) fn word(&self, at: usize, what: &str) -> Result<&str, ScriptError> {
        self.arguments.get(at).map(String::as_str).ok_or_else(|| self.lacks(what))
    }

    fn lacks(&self, what: &str) -> ScriptError {
        ScriptError::wrong(format!("{:?} lacks {what}", self.verb))
    }

    /// The arguments from a place on, none of them a `field=value`.
    pub(crate) fn plain(&self, from: usize) -> impl Iterator<Item = &str> {
        let rest = self.arguments.get(from..).unwrap_or_default();
        rest.iter().map(String::as_str).filter(|word| !word.contains('='))
    }

    /// The value of the option `name=value`.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let options = self.arguments.iter().filter_map(|word| word.split_once('='));
        options.filter(|(option, _)| *option == name).map(|(_, value)| value).next()
    }

    /// The `field=value` arguments, as a document.
    pub(crate) fn fields(&self) -> Document {
        let fields = self.arguments.iter().filter_map(|word| word.split_once('='));
        fields.map(|(field, text)| (field, value(text))).collect()
    }
}

/// A value as it is written in a script.
fn value(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

/// The words of a line; quotes hold a word with spaces together.
fn words(text: &str) -> Result<Vec<String>, ScriptError> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    if quoted {
        return Err(ScriptError::wrong("a quote does not end"));
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge::doc;

    #[test]
    fn a_step_comes_apart() {
        let command = Command::parse("t1: set User:alice age=31 name=\"Alice B\" x=null").unwrap();
        assert_eq!(command.actor.as_deref(), Some("t1"));
        assert_eq!((&*command.verb, command.word(0, "a node").unwrap()), ("set", "User:alice"));
        assert_eq!(command.fields(), doc! { "age": 31, "name": "Alice B", "x": null });
        assert_eq!(command.plain(0).collect::<Vec<_>>(), ["User:alice"]);
        assert_eq!(command.option("age"), Some("31"));
        assert!(command.word(9, "more").is_err());
    }

    #[test]
    fn what_is_no_step_is_refused() {
        assert!(Command::parse("t1:").is_err());
        assert!(Command::parse("insert x name=\"Al").is_err());
    }
}
