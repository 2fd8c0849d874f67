//! The exceptions from the size limits: a list that may only shrink.
//!
//! One entry a line: `path lines reason`, or `path::function lines reason`, the
//! function with the modules and the type around it (`path::Type::name`). `lines`
//! is what the entry has now. An entry is a violation once it is not needed or
//! allows more than that, so what was won is not lost again.

use std::collections::BTreeMap;

use crate::report::Violation;

/// The file that holds them.
pub(crate) const FILE: &str = "xtask/tidy-exceptions.txt";

/// Something whose length has a limit: a file or a function.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// What an exception calls it: `path` or `path::function`.
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
    pub(crate) limit: usize,
    pub(crate) cure: &'static str,
}

struct Exception {
    line: usize,
    allowed: usize,
}

/// Holds every measure against its limit or its exception.
pub(crate) fn check(measures: &[Measure], exceptions_text: &str) -> Vec<Violation> {
    let (exceptions, mut violations) = parse(exceptions_text);
    // Two functions may share a name; the longest of them speaks for all.
    let mut longest: BTreeMap<&str, &Measure> = BTreeMap::new();
    for measure in measures {
        let known = longest.entry(&measure.name).or_insert(measure);
        if measure.lines > known.lines {
            *known = measure;
        }
    }
    for measure in longest.values() {
        let Measure { name, file, line, lines, limit, cure } = measure;
        let exception = exceptions.get(name.as_str());
        let allowed = exception.map_or(*limit, |exception| exception.allowed.max(*limit));
        if *lines > allowed {
            let reason = format!("{name} has {lines} lines, {allowed} are allowed");
            violations.push(Violation::new(file, *line, reason, *cure));
        }
    }
    for (name, exception) in &exceptions {
        let Some(measure) = longest.get(name.as_str()) else {
            let reason = format!("{name} does not exist");
            violations.push(Violation::new(FILE, exception.line, reason, "remove the entry"));
            continue;
        };
        let (lines, limit) = (measure.lines, measure.limit);
        if lines <= limit {
            let reason = format!("{name} has {lines} lines and needs no exception from {limit}");
            violations.push(Violation::new(FILE, exception.line, reason, "remove the entry"));
        } else if exception.allowed > lines {
            let reason = format!("{name} has {lines} lines, the entry allows more");
            let cure = format!("lower the entry to {lines}");
            violations.push(Violation::new(FILE, exception.line, reason, cure));
        }
    }
    violations
}

fn parse(text: &str) -> (BTreeMap<String, Exception>, Vec<Violation>) {
    let (mut exceptions, mut violations) = (BTreeMap::new(), Vec::new());
    for (index, entry) in text.lines().enumerate() {
        let line = index + 1;
        if entry.trim().is_empty() || entry.starts_with('#') {
            continue;
        }
        let mut words = entry.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let allowed = words.next().and_then(|number| number.parse().ok());
        let (Some(allowed), Some(_reason)) = (allowed, words.next()) else {
            let cure = "write: path-or-path::function, lines, reason";
            violations.push(Violation::new(FILE, line, "not an exception with a reason", cure));
            continue;
        };
        if exceptions.insert(name, Exception { line, allowed }).is_some() {
            violations.push(Violation::new(FILE, line, "a second entry", "keep one of them"));
        }
    }
    (exceptions, violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(name: &str, lines: usize) -> Measure {
        let file = name.split("::").next().unwrap_or_default().to_owned();
        Measure { name: name.to_owned(), file, line: 3, lines, limit: 70, cure: "split it" }
    }

    fn reasons(measures: &[Measure], text: &str) -> Vec<String> {
        check(measures, text).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_limit_holds() {
        assert_eq!(reasons(&[measure("a.rs::f", 70)], ""), [""; 0]);
        let too_long = "a.rs::f has 71 lines, 70 are allowed";
        assert_eq!(reasons(&[measure("a.rs::f", 71)], ""), [too_long]);
    }

    #[test]
    fn an_exception_allows_what_there_is_and_no_more() {
        let text = "# comment\n\na.rs::f 90 a table of opcodes\n";
        assert_eq!(reasons(&[measure("a.rs::f", 90)], text), [""; 0]);
        let grown = "a.rs::f has 91 lines, 90 are allowed";
        assert_eq!(reasons(&[measure("a.rs::f", 91)], text), [grown]);
        let shrunk = "a.rs::f has 89 lines, the entry allows more";
        assert_eq!(reasons(&[measure("a.rs::f", 89)], text), [shrunk]);
        let fits = "a.rs::f has 70 lines and needs no exception from 70";
        assert_eq!(reasons(&[measure("a.rs::f", 70)], text), [fits]);
        assert_eq!(reasons(&[], text), ["a.rs::f does not exist"]);
    }

    #[test]
    fn an_exception_needs_a_number_and_a_reason() {
        let violations = check(&[], "a.rs 900\na.rs many because\n");
        assert_eq!(violations.iter().map(|violation| violation.line).collect::<Vec<_>>(), [1, 2]);
        let twice = reasons(&[measure("a.rs", 90)], "a.rs 90 one\na.rs 90 two\n");
        assert_eq!(twice, ["a second entry"]);
    }

    #[test]
    fn the_longest_of_one_name_counts() {
        let both = [measure("a.rs::T::fmt", 80), measure("a.rs::T::fmt", 20)];
        assert_eq!(reasons(&both, "a.rs::T::fmt 80 reason\n"), [""; 0]);
    }
}
