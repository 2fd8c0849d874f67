//! Stanzas: the paragraphs of an index, one for each package.

/// One paragraph: fields with their values, in the order of the file. Borrowed
/// from the text of the index.
pub(crate) struct Stanza<'t> {
    fields: Vec<(&'t str, &'t str)>,
}

impl<'t> Stanza<'t> {
    /// The value of a field; following lines that belong to it are part of it,
    /// with their line breaks.
    pub(crate) fn get(&self, name: &str) -> Option<&'t str> {
        let mut fields = self.fields.iter();
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value of a field that every stanza must have.
    pub(crate) fn demand(&self, name: &str) -> Result<&'t str, String> {
        let missing = || {
            let package = self.get("Package").unwrap_or("without a name");
            format!("the stanza of package {package} has no field {name}")
        };
        self.get(name).ok_or_else(missing)
    }
}

/// The stanzas of an index.
pub(crate) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").map(parse).filter(|stanza| !stanza.fields.is_empty())
}

fn parse(paragraph: &str) -> Stanza<'_> {
    let mut fields = Vec::with_capacity(24);
    let mut rest = paragraph.trim_start_matches('\n');
    while !rest.is_empty() {
        let (field, after) = split_field(rest);
        if let Some((name, value)) = field.split_once(':') {
            fields.push((name, value.trim()));
        }
        rest = after;
    }
    Stanza { fields }
}

/// Splits off the first field: a line, and all that follow and are indented.
fn split_field(text: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(found) = text[from..].find('\n') {
        let end = from + found;
        if !text[end + 1..].starts_with([' ', '\t']) {
            return (&text[..end], &text[end + 1..]);
        }
        from = end + 1;
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_continue_on_indented_lines() {
        let text = "Package: a\nTag: x::y,\n z::w\nEmpty:\n\n\nPackage: b\nURL: http://b/\n";
        let found: Vec<Stanza<'_>> = stanzas(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("package"), Some("a"));
        assert_eq!(found[0].get("Tag"), Some("x::y,\n z::w"));
        assert_eq!(found[0].get("Empty"), Some(""));
        assert_eq!(found[1].get("URL"), Some("http://b/"));
        let missing = "the stanza of package b has no field Version";
        assert_eq!(found[1].demand("Version"), Err(missing.to_owned()));
    }

    #[test]
    fn nothing_is_no_stanza() {
        assert_eq!(stanzas("").count(), 0);
        assert_eq!(stanzas("\n\n\n").count(), 0);
    }
}
