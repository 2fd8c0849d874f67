//! Errors, collected, so that one build shows them all.

use proc_macro2::Span;
use syn::{Error, Result};

/// What is wrong so far.
#[derive(Default)]
pub(crate) struct Refusals(Option<Error>);

impl Refusals {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn refuse(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(Error::new(span, message));
    }

    /// Notes the error, if it is one.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// All errors, if there are any.
    pub(crate) fn done(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(expanded: Result<proc_macro2::TokenStream>) -> Vec<String> {
        let error = expanded.expect_err("it should be refused");
        error.into_iter().map(|error| error.to_string()).collect()
    }

    fn of_node(input: &str) -> Vec<String> {
        errors(crate::node::expand(&syn::parse_str(input).expect("a type")))
    }

    fn of_edge(input: &str) -> Vec<String> {
        errors(crate::edge::expand(&syn::parse_str(input).expect("a type")))
    }

    #[test]
    fn types_that_are_no_nodes() {
        for (input, message) in [
            (
                "enum E { A }",
                "`Node` is derived on structs with named fields; an enum is the type of a field",
            ),
            ("union U { a: u8 }", "`Node` is derived on structs with named fields"),
            ("struct S(u8);", "fields are stored by name: give them names"),
            ("struct S<T> { a: T }", "a node has one definition, so its type has no parameters"),
            (
                "struct S<'a> { a: &'a str }",
                "a node has one definition, so its type has no parameters",
            ),
        ] {
            assert_eq!(of_node(input), [message], "{input}");
        }
        assert_eq!(
            of_edge("enum E { A }"),
            ["`Edge` is derived on structs with named fields; an enum is the type of a field"]
        );
    }

    #[test]
    fn attributes_of_structs() {
        for (attributes, message) in [
            (
                "#[node(lable = \"U\")]",
                "`lable` is no attribute of a struct of `node`: there are `label`, `index`, `allow_unknown_fields`, `crate`",
            ),
            ("#[node(label = \"\")]", "the name may not be empty"),
            ("#[node(label = User)]", "expected string literal"),
            ("#[node(label = \"U\", label = \"V\")]", "given twice"),
            ("#[node(index)]", "an index of a struct is `index(on(\"address.city\", \"age\"))`"),
            (
                "#[node(index(unique))]",
                "an index of a struct is `index(on(\"address.city\", \"age\"))`",
            ),
            (
                "#[node(index(on(\"a\"), uniq))]",
                "`uniq` is no attribute of an index of `node`: there are `on`, `name`, `unique`",
            ),
            ("#[node(index(on(\"b.c\")))]", "no field is stored as `b`; there are `a`"),
            (
                "#[node(index(on(\"a\"), name = \"x\"))] #[node(index(on(\"a.b\"), name = \"x\"))]",
                "there are two indexes with the name \"x\"",
            ),
            (
                "#[serde(tag = \"t\")]",
                "with `tag`, serde stores something else than the fields: implement the trait by hand",
            ),
            (
                "#[serde(transparent)]",
                "with `transparent`, serde stores something else than the fields: implement the trait by hand",
            ),
            ("#[serde(rename_all = \"UpSideDown\")]", "serde knows no spelling \"UpSideDown\""),
            (
                "#[serde(rename_all(serialize = \"UPPERCASE\"))]",
                "what is written under one name is read under another: a stored field has one name",
            ),
        ] {
            assert_eq!(
                of_node(&format!("{attributes} struct S {{ a: u8 }}")),
                [message],
                "{attributes}"
            );
        }
        for (attributes, message) in [
            (
                "#[edge(label = \"U\")]",
                "`label` is no attribute of a struct of `edge`: there are `type`, `from`, `to`, `multi`, `allow_unknown_fields`, `crate`",
            ),
            ("#[edge(index(on(\"a\")))]", "documents of edges have no indexes"),
            ("#[edge(from = User, from = User)]", "given twice"),
        ] {
            assert_eq!(
                of_edge(&format!("{attributes} struct S {{ a: u8 }}")),
                [message],
                "{attributes}"
            );
        }
    }

    #[test]
    fn attributes_of_fields() {
        for (field, message) in [
            (
                "#[node(kee)] a: u8",
                "`kee` is no attribute of a field of `node`: there are `key`, `unique`, `index`, `default`, `min`, `max`, `length`, `field_type`",
            ),
            ("#[node(key)] a: u8, #[node(key)] b: u8", "`a` is the key already: a node has one"),
            (
                "#[node(key)] a: Option<String>",
                "every node has its key: the field may not be absent",
            ),
            (
                "#[node(key, unique)] a: String",
                "the key is unique already, and nodes are found by it",
            ),
            ("#[node(key, default = \"x\")] a: String", "a key has no default"),
            ("#[node(unique, index)] a: u8", "`unique` makes an index already"),
            ("#[node(index(on(\"a\")))] a: u8", "an index over paths stands on the struct"),
            (
                "#[node(default)] a: std::option::Option<u8>",
                "an absent field would get the default, and never be `None`: take the `Option` away, or the default",
            ),
            (
                "#[node(min = 1)] a: String",
                "`min` and `max` bound numbers and moments, not a `String`",
            ),
            (
                "#[node(max = 1)] a: Option<Vec<u8>>",
                "`min` and `max` bound numbers and moments, not a `Vec`",
            ),
            ("#[node(min = \"x\")] a: u8", "a bound is a number, or a moment"),
            ("#[node(max = true)] a: Kind", "a bound is a number, or a moment"),
            ("#[node(length = 3)] a: u8", "a `u8` has no length"),
            (
                "#[node(length = 1..3)] a: String",
                "the last length is one that is allowed: write `..=`",
            ),
            ("#[node(length = 3..=1)] a: String", "no length is from 3 to 1"),
            ("#[node(length = -1)] a: String", "a length is `3`, `1..=40`, `1..` or `..=40`"),
            ("#[node(min = 1, min = 2)] a: u8", "given twice"),
        ] {
            assert_eq!(of_node(&format!("struct S {{ {field} }}")), [message], "{field}");
        }
    }

    #[test]
    fn what_serde_is_told_of_fields() {
        for (field, message) in [
            (
                "#[node(index)] #[serde(skip)] a: u8",
                "a field that serde skips is not stored: it has no `node` attributes",
            ),
            (
                "#[serde(skip_serializing)] a: u8",
                "a field that is only written or only read does not come back: use `skip`",
            ),
            (
                "#[serde(skip_serializing_if = \"f\")] a: u8",
                "a field that is left out does not come back: add `#[serde(default)]`",
            ),
            (
                "#[serde(flatten)] a: Inner",
                "the fields of `a` are not known here: add `#[node(allow_unknown_fields)]` to the struct",
            ),
            (
                "#[serde(rename(serialize = \"x\", deserialize = \"y\"))] a: u8",
                "what is written under one name is read under another: a stored field has one name",
            ),
            (
                "#[serde(rename = \"a.b\")] a: u8",
                "\"a.b\" is no name of a field: it may not be empty, nor contain `.` or `[`",
            ),
            ("a: u8, #[serde(rename = \"a\")] b: u8", "`a` is stored as `a`, too"),
        ] {
            assert_eq!(of_node(&format!("struct S {{ {field} }}")), [message], "{field}");
        }
    }

    #[test]
    fn attributes_of_fields_of_edges() {
        for (field, message) in [
            ("#[edge(key)] a: u8", "edges have no key"),
            ("#[edge(unique)] a: u8", "documents of edges have no indexes"),
            (
                "#[edge(minimum = 1)] a: u8",
                "`minimum` is no attribute of a field of `edge`: there are `default`, `min`, `max`, `length`, `field_type`",
            ),
        ] {
            assert_eq!(of_edge(&format!("struct S {{ {field} }}")), [message], "{field}");
        }
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let errors = of_node(
            "struct S { #[node(kee)] a: u8, #[node(length = 1)] b: u8, #[serde(flatten)] c: T }",
        );
        assert_eq!(errors.len(), 3, "{errors:?}");
    }

    #[test]
    fn errors_point_at_their_place() {
        let input = "struct S {\n    a: u8,\n    #[node(length = 3)] b: u8,\n}";
        let error = crate::node::expand(&syn::parse_str(input).expect("a type"));
        let place = error.expect_err("a number has no length").span().start();
        assert_eq!((place.line, place.column), (3, 27));
    }
}
