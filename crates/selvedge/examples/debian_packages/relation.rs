//! Relations: what a package needs, as its fields say it
//! (Debian Policy, chapter 7: Declaring relationships between packages).
//!
//! ```text
//! Depends: libc6 (>= 2.36), python3:any, exim4 | mail-transport-agent
//! ```

/// One name in such a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Relation<'t> {
    pub(crate) name: &'t str,
    /// The qualifier behind a colon: `any`, `native` or an architecture.
    pub(crate) architecture: Option<&'t str>,
    /// The operator and the version: `>=` and `2.36`.
    pub(crate) version: Option<(&'t str, &'t str)>,
    /// Its place among alternatives, from 0; `None` if there are none.
    pub(crate) choice: Option<usize>,
}

/// The relations of a field.
pub(crate) fn relations(field: &str) -> Result<Vec<Relation<'_>>, String> {
    let mut found = Vec::new();
    // Commas and bars occur nowhere else, not even inside parentheses.
    for clause in field.split(',').map(str::trim).filter(|clause| !clause.is_empty()) {
        let is_choice = clause.contains('|');
        for (place, alternative) in clause.split('|').enumerate() {
            let mut relation = parse(alternative.trim())?;
            relation.choice = is_choice.then_some(place);
            found.push(relation);
        }
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Relation<'_>, String> {
    let malformed = || format!("`{text}` is not a relation to a package");
    let (qualified, version) = match text.split_once('(') {
        None => (text, None),
        Some((qualified, version)) => {
            let version = version.strip_suffix(')').ok_or_else(malformed)?.trim();
            let at = version.find(|c: char| !"<=>".contains(c)).ok_or_else(malformed)?;
            let (operator, version) = version.split_at(at);
            if !["<<", "<=", "=", ">=", ">>"].contains(&operator) {
                return Err(malformed());
            }
            (qualified.trim_end(), Some((operator, version.trim_start())))
        }
    };
    let (name, architecture) = match qualified.split_once(':') {
        None => (qualified, None),
        Some((name, architecture)) => (name, Some(architecture)),
    };
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    if name.is_empty() || !name.chars().all(is_name_char) {
        return Err(malformed());
    }
    Ok(Relation { name, architecture, version, choice: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_alternatives_versions_and_qualifiers() {
        let plain = |name| Relation { name, architecture: None, version: None, choice: None };
        assert_eq!(
            relations("a, b (>= 1:2.0~rc1),\n c:any | d:native (<<3)").unwrap(),
            [
                plain("a"),
                Relation { version: Some((">=", "1:2.0~rc1")), ..plain("b") },
                Relation { architecture: Some("any"), choice: Some(0), ..plain("c") },
                Relation {
                    architecture: Some("native"),
                    version: Some(("<<", "3")),
                    choice: Some(1),
                    ..plain("d")
                },
            ]
        );
        assert_eq!(relations("").unwrap(), []);
        assert_eq!(relations("a, ").unwrap(), [plain("a")]);
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        for field in ["a (>= 1", "a (1)", "a (~ 1)", "a b", "| a", "(>= 1)", "a (>=)", "a [amd64]"]
        {
            assert!(relations(field).is_err(), "{field}");
        }
    }
}
