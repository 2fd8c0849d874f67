//! The `doc!` macro: documents written down as they look.

/// A [`Document`](crate::Document) written down like JSON.
///
/// A name is a string literal, a variable, or an expression in parentheses. A
/// value is `null`, a list in brackets, a map in braces, or any expression whose
/// type becomes a [`Value`](crate::Value). Brackets always make a list; for a
/// vector or bytes pass an expression of that type, such as `vec![0.5f32]`. If a
/// name occurs twice, the last one stays. More than about a hundred fields or
/// elements in one pair of braces or brackets pass the compiler's
/// `recursion_limit`; collect such a [`Document`](crate::Document) instead.
///
/// ```
/// use selvedge_encoding::{Value, doc};
///
/// let city = String::from("Oslo");
/// let document = doc! {
///     "name": "Alice",
///     "age": 30 + 1,
///     "tags": ["a", "b", [null, 1.5]],
///     "address": { "city": city, "zip": null },
///     "embedding": vec![0.5f32, 0.25],
///     "x": null,
/// };
/// assert_eq!(document.len(), 6);
/// assert_eq!(document.get("age"), Some(&Value::I64(31)));
/// assert_eq!(document.get("x"), Some(&Value::Null));
/// assert!(doc! {}.is_empty());
/// ```
#[macro_export]
macro_rules! doc {
    // Fields, one after the other: (@map target remaining tokens).
    (@map $map:ident) => {};
    (@map $map:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $map.set($name, $crate::Value::Null);
        $crate::doc!(@map $map $($($rest)*)?);
    };
    (@map $map:ident $name:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $map.set($name, $crate::doc!(@list [] $($inner)*));
        $crate::doc!(@map $map $($($rest)*)?);
    };
    (@map $map:ident $name:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $map.set($name, $crate::Value::Map($crate::doc!(@map_of $($inner)*)));
        $crate::doc!(@map $map $($($rest)*)?);
    };
    (@map $map:ident $name:tt : $value:expr $(, $($rest:tt)*)?) => {
        $map.set($name, $value);
        $crate::doc!(@map $map $($($rest)*)?);
    };
    // Elements, one after the other: (@list [done] remaining tokens).
    (@list [$($done:tt)*]) => { $crate::Value::List(::std::vec![$($done)*]) };
    (@list [$($done:tt)*] null $(, $($rest:tt)*)?) => {
        $crate::doc!(@list [$($done)* $crate::Value::Null,] $($($rest)*)?)
    };
    (@list [$($done:tt)*] [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::doc!(@list [$($done)* $crate::doc!(@list [] $($inner)*),] $($($rest)*)?)
    };
    (@list [$($done:tt)*] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::doc!(
            @list [$($done)* $crate::Value::Map($crate::doc!(@map_of $($inner)*)),]
            $($($rest)*)?
        )
    };
    (@list [$($done:tt)*] $value:expr $(, $($rest:tt)*)?) => {
        $crate::doc!(@list [$($done)* $crate::Value::from($value),] $($($rest)*)?)
    };
    (@map_of) => { $crate::Document::new() };
    (@map_of $($inner:tt)+) => {{
        let mut map = $crate::Document::new();
        $crate::doc!(@map map $($inner)+);
        map
    }};
    ($($inner:tt)*) => { $crate::doc!(@map_of $($inner)*) };
}

#[cfg(test)]
mod tests {
    use crate::{Document, Value};

    #[test]
    fn nesting_expressions_and_nulls() {
        let name = "variable";
        let list = [1, 2];
        let document = doc! {
            name: list[0] + 1,
            (format!("{name}s")): [1, 2].len(),
            "negative": -1,
            "some": Some(1),
            "lists": [[], [null], {}, { "a": [ {"b": null} ] }, list.len(),],
            "last": { "x": null, "y": if list.is_empty() { 1 } else { 2 } }
        };
        let mut expected = Document::new();
        expected.set("variable", 2);
        expected.set("variables", 2);
        expected.set("negative", -1);
        expected.set("some", 1);
        let inner = Document::from([("b", Value::Null)]);
        expected.set(
            "lists",
            vec![
                Value::List(vec![]),
                Value::List(vec![Value::Null]),
                Value::Map(Document::new()),
                Value::Map(Document::from([("a", Value::List(vec![Value::Map(inner)]))])),
                Value::I64(2),
            ],
        );
        expected.set("last", Document::from([("x", Value::Null), ("y", Value::I64(2))]));
        assert_eq!(document, expected);
    }

    #[test]
    fn a_name_twice_keeps_the_last() {
        assert_eq!(doc! { "a": 1, "a": 2 }, Document::from([("a", 2)]));
    }
}
