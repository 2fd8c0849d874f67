//! How two definitions differ, to be read.

use std::fmt;

use crate::{DocumentDef, FieldDef, IndexDef, Owner};

/// How a definition that a program brings differs from the stored one, line by line.
///
/// ```
/// use selvedge_schema::{FieldDef, NodeDef, Owner, SchemaDifference};
///
/// let stored = NodeDef::new("User").field(FieldDef::int("age")).field(FieldDef::string("nick"));
/// let wanted = NodeDef::new("User").field(FieldDef::int("age").optional());
/// let owner = Owner::Label("User".to_owned());
/// let difference = SchemaDifference::between(&owner, stored.document(), wanted.document());
/// assert_eq!(
///     difference.expect("they differ").to_string(),
///     "label \"User\":\n\
///      - field age: int, required\n\
///      + field age: int, optional\n\
///      - field nick: string, required",
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaDifference {
    owner: Owner,
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Line {
    Stored(String),
    Wanted(String),
}

impl SchemaDifference {
    /// How the definition `wanted` differs from the `stored` one; `None` if it does
    /// not.
    #[must_use]
    pub fn between(owner: &Owner, stored: &DocumentDef, wanted: &DocumentDef) -> Option<Self> {
        let mut lines = Vec::new();
        let key = |def: &DocumentDef| def.key.iter().map(|key| format!("key {key}")).collect();
        compare(&mut lines, key(stored), key(wanted));
        compare_named(&mut lines, "field", &stored.fields, &wanted.fields, FieldDef::name);
        compare_named(&mut lines, "index", &stored.indexes, &wanted.indexes, IndexDef::name);
        let unknown = |def: &DocumentDef| {
            let verb = if def.open { "allowed" } else { "refused" };
            vec![format!("unknown fields {verb}")]
        };
        compare(&mut lines, unknown(stored), unknown(wanted));
        (!lines.is_empty()).then(|| Self { owner: owner.clone(), lines })
    }

    /// The same, from two renderings of the whole: `None` if they are equal.
    #[must_use]
    pub fn of_text(owner: &Owner, stored: &str, wanted: &str) -> Option<Self> {
        let mut lines = Vec::new();
        compare(&mut lines, vec![stored.to_owned()], vec![wanted.to_owned()]);
        (!lines.is_empty()).then(|| Self { owner: owner.clone(), lines })
    }

    /// Whose definition.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }
}

fn compare(lines: &mut Vec<Line>, stored: Vec<String>, wanted: Vec<String>) {
    if stored != wanted {
        lines.extend(stored.into_iter().map(Line::Stored));
        lines.extend(wanted.into_iter().map(Line::Wanted));
    }
}

/// Both are sorted by name: what has the same name stands side by side.
fn compare_named<T: PartialEq + fmt::Display>(
    lines: &mut Vec<Line>,
    what: &str,
    stored: &[T],
    wanted: &[T],
    name: fn(&T) -> &str,
) {
    let (mut stored, mut wanted) = (stored.iter().peekable(), wanted.iter().peekable());
    loop {
        let first = match (stored.peek(), wanted.peek()) {
            (None, None) => return,
            (Some(one), None) | (None, Some(one)) => name(one),
            (Some(old), Some(new)) => name(old).min(name(new)),
        };
        let old = stored.next_if(|other| name(other) == first);
        let new = wanted.next_if(|other| name(other) == first);
        if old == new {
            continue;
        }
        let [old, new] = [old, new].map(|one| one.map(|one| format!("{what} {one}")));
        // Long values are cut short, and of bytes and maps only the length is shown.
        let alike = if old == new { ", with another value" } else { "" };
        lines.extend(old.map(Line::Stored));
        lines.extend(new.map(|text| Line::Wanted(text + alike)));
    }
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.owner)?;
        for line in &self.lines {
            match line {
                Line::Stored(text) => write!(f, "\n- {text}")?,
                Line::Wanted(text) => write!(f, "\n+ {text}")?,
            }
        }
        Ok(())
    }
}
