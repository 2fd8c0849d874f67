//! Marks in the sources: unsafe code without its reason, unfinished work, tests
//! that are switched off in silence.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::report::Violation;
use crate::rust_file::{RustFile, line};

/// Comments that announce work. In pieces, so that this file does not hold them.
const NOTES: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

const UNFINISHED_MACROS: [&str; 2] = ["todo", "unimplemented"];

/// Checks one source file.
pub(crate) fn check(file: &RustFile<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !file.text.lines().next().is_some_and(says_something) {
        let cure = "open it with `//!` and what it is for";
        violations.push(Violation::new(file.path, 1, "the file does not say what it is for", cure));
    }
    for (index, text) in file.text.lines().enumerate() {
        for note in NOTES.iter().filter(|note| has_word(text, note)) {
            let reason = format!("{note} marks unfinished work");
            violations.push(Violation::new(file.path, index + 1, reason, "finish or remove it"));
        }
    }
    walk(file.path, file.tokens.clone(), &mut violations);
    violations
}

fn says_something(first_line: &str) -> bool {
    first_line.strip_prefix("//!").is_some_and(|purpose| !purpose.trim().is_empty())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// Looks at every word and what follows it, inside macros too.
fn walk(path: &str, tokens: TokenStream, violations: &mut Vec<Violation>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let finding = match token {
            TokenTree::Group(group) => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_attribute = index > 0 && is_punct(tokens.get(index - 1), '#');
                walk(path, group.stream(), violations);
                ignored(&inside).filter(|_| is_attribute)
            }
            TokenTree::Ident(word) => {
                let (word, followed) = (word.to_string(), &tokens[index + 1..]);
                unfinished(&word, followed).or_else(|| unsafe_code(&word, followed))
            }
            _ => None,
        };
        if let Some((reason, cure)) = finding {
            violations.push(Violation::new(path, line(token.span()), reason, cure));
        }
    }
}

/// A reason and a cure.
type Finding = Option<(String, &'static str)>;

fn unfinished(word: &str, followed: &[TokenTree]) -> Finding {
    let is_call = is_punct(followed.first(), '!') && !is_punct(followed.get(1), '=');
    (is_call && UNFINISHED_MACROS.contains(&word))
        .then(|| (format!("{word}! marks unfinished work"), "finish or remove it"))
}

/// `allow`, `warn` or `expect` of unsafe code.
fn unsafe_code(word: &str, followed: &[TokenTree]) -> Finding {
    let level = ["allow", "warn", "expect"].contains(&word);
    let Some(TokenTree::Group(list)) = followed.first().filter(|_| level) else { return None };
    let inside: Vec<TokenTree> = list.stream().into_iter().collect();
    if list.delimiter() != Delimiter::Parenthesis
        || !inside.iter().any(|token| is_word(token, "unsafe_code"))
    {
        return None;
    }
    if word != "expect" {
        let cure = "write #[expect(unsafe_code, reason = \"..\")]";
        return Some((format!("{word}(unsafe_code) outlives the need for it"), cure));
    }
    let has_reason = inside.windows(3).any(|three| {
        is_word(&three[0], "reason") && is_punct(Some(&three[1]), '=') && !is_empty_text(&three[2])
    });
    (!has_reason).then(|| ("unsafe code without a reason".to_owned(), "add reason = \"..\""))
}

/// `#[ignore]` that does not say why, alone or inside `cfg_attr`.
fn ignored(attribute: &[TokenTree]) -> Finding {
    let silent = match attribute {
        [word] => is_word(word, "ignore"),
        [word, equals, reason] if is_punct(Some(equals), '=') => {
            is_word(word, "ignore") && is_empty_text(reason)
        }
        [word, TokenTree::Group(list)] if is_word(word, "cfg_attr") => {
            let inside: Vec<TokenTree> = list.stream().into_iter().collect();
            let mut parts = inside.split(|token| is_punct(Some(token), ',')).skip(1);
            return parts.find_map(ignored);
        }
        _ => false,
    };
    silent.then(|| {
        ("a test is switched off without a reason".to_owned(), "write #[ignore = \"why\"]")
    })
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_word(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == wanted)
}

fn is_empty_text(token: &TokenTree) -> bool {
    token.to_string().trim_matches('"').trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations_count(text: &str) -> usize {
        let text = format!("//! Purpose.\n{text}\n");
        check(&RustFile::parse("crates/x/src/y.rs", &text).unwrap()).len()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        let count = |text| check(&RustFile::parse("build.rs", text).unwrap()).len();
        assert_eq!(count("//! Purpose.\n"), 0);
        assert_eq!(count("fn main() {}\n"), 1);
        assert_eq!(count("#![expect(dead_code)]\n//! Purpose.\n"), 1);
        assert_eq!(count("//!\n//! Purpose.\n"), 1);
        assert_eq!(count(""), 1);
    }

    #[test]
    fn unfinished_work_is_a_violation() {
        assert_eq!(violations_count("fn f() { todo!() }"), 1);
        assert_eq!(violations_count("fn f() { g(unimplemented!(\"later\")) }"), 1);
        assert_eq!(violations_count(&format!("// {}: later", NOTES[0])), 1);
        assert_eq!(violations_count(&format!("// {} later", NOTES[1])), 1);
        assert_eq!(violations_count("// todo! in prose\nfn todo() { if todo != 1 {} }"), 0);
        assert_eq!(violations_count(&format!("const A: &str = \"{}L\";", NOTES[1])), 0);
    }

    #[test]
    fn unsafe_code_is_expected_with_a_reason() {
        assert_eq!(violations_count("#![expect(unsafe_code, reason = \"slots\")]"), 0);
        assert_eq!(violations_count("#![expect(unsafe_code)]"), 1);
        assert_eq!(violations_count("#![expect(unsafe_code, reason = \" \")]"), 1);
        assert_eq!(violations_count("#[expect(unsafe_code)]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[allow(unsafe_code, reason = \"a\")]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[cfg_attr(x, allow(unsafe_code))]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[allow(dead_code)]\nfn f() {}"), 0);
        assert_eq!(violations_count("// allow(unsafe_code)"), 0);
    }

    #[test]
    fn a_test_is_ignored_with_a_reason() {
        assert_eq!(violations_count("#[test]\n#[ignore]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[test]\n#[ignore = \"\"]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[cfg_attr(miri, ignore)]\nfn f() {}"), 1);
        assert_eq!(violations_count("#[ignore = \"takes an hour\"]\nfn f() {}"), 0);
        assert_eq!(violations_count("fn f() { g([ignore]); h(ignore) }"), 0);
    }
}
