//! A Rust source file: its tokens, its functions, and which lines are tests.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Token};

use crate::report::Violation;
use crate::tree::Tree;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// With the modules and the type around it: `module::Type::name`.
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(crate) lines: usize,
    pub(crate) is_test: bool,
}

/// A file that parses.
pub(crate) struct RustFile<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// Comments are not among them; documentation is, as string literals.
    pub(crate) tokens: TokenStream,
    pub(crate) functions: Vec<Function>,
    /// The whole file is test code: it lies in a `tests` folder, or is a module
    /// that only tests compile.
    pub(crate) is_test: bool,
    test_modules: Vec<RangeInclusive<usize>>,
    test_items: Vec<RangeInclusive<usize>>,
    /// Modules that only tests compile and that have files of their own.
    test_files: Vec<String>,
}

impl<'a> RustFile<'a> {
    pub(crate) fn parse(path: &'a str, text: &'a str) -> Result<Self, Violation> {
        let wrong = |line, reason: String| {
            Violation::new(path, line, format!("does not parse: {reason}"), "make it compile")
        };
        let tokens: TokenStream = text
            .parse()
            .map_err(|e: proc_macro2::LexError| wrong(line(e.span()), e.to_string()))?;
        let syntax: syn::File =
            syn::parse2(tokens.clone()).map_err(|e| wrong(line(e.span()), e.to_string()))?;
        let in_tests_folder = path.split('/').rev().skip(1).any(|folder| folder == "tests");
        let mut file = RustFile {
            path,
            text,
            tokens,
            functions: Vec::new(),
            is_test: in_tests_folder || syntax.attrs.iter().any(is_test_only),
            test_modules: Vec::new(),
            test_items: Vec::new(),
            test_files: Vec::new(),
        };
        let mut survey = Survey { file: &mut file, around: Vec::new() };
        survey.visit_file(&syntax);
        Ok(file)
    }

    /// Whether only tests compile this line.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.test_items.iter().any(|lines| lines.contains(&line))
    }

    /// Lines, without those of modules that only tests compile.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let in_test = |line| self.test_modules.iter().any(|lines| lines.contains(&line));
        (1..=self.text.lines().count()).filter(|&line| !in_test(line)).count()
    }
}

/// Parses every `.rs` file of the tree.
pub(crate) fn parse_all(tree: &Tree) -> (Vec<RustFile<'_>>, Vec<Violation>) {
    let sources = tree.texts().iter().filter(|file| file.path.ends_with(".rs"));
    let (mut files, mut violations) = (Vec::new(), Vec::new());
    for source in sources {
        match RustFile::parse(&source.path, &source.text) {
            Ok(file) => files.push(file),
            Err(violation) => violations.push(violation),
        }
    }
    let test_files: BTreeSet<String> =
        files.iter().flat_map(|file| file.test_files.iter().cloned()).collect();
    for file in &mut files {
        let stem = file.path.trim_end_matches(".rs");
        let is_below = |module: &String| {
            stem.strip_prefix(module.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        file.is_test |= test_files.iter().any(is_below);
    }
    (files, violations)
}

/// The line of a token.
pub(crate) fn line(span: proc_macro2::Span) -> usize {
    span.start().line
}

/// Walks the items of a file and notes what the checks ask about.
struct Survey<'file, 'text> {
    file: &'file mut RustFile<'text>,
    /// Names of the modules, types and functions around the current place.
    around: Vec<String>,
}

impl Survey<'_, '_> {
    fn within(&mut self, name: String, walk: impl FnOnce(&mut Self)) {
        self.around.push(name);
        walk(self);
        self.around.pop();
    }

    fn add_function(&mut self, name: &syn::Ident, line: usize, end: usize, is_test: bool) {
        let name = [self.around.as_slice(), &[name.to_string()]].concat().join("::");
        let is_test = is_test || self.file.is_test_line(line);
        self.file.functions.push(Function { name, line, lines: end - line + 1, is_test });
    }

    fn add_method(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let start = line(signature.fn_token.span);
        self.add_function(&signature.ident, start, end_line(body), false);
    }

    /// Finds `fn name .. { .. }` among the tokens of a macro, whose items the
    /// parser does not see.
    fn add_functions_in_macro(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match (token, tokens.get(index + 1)) {
                (TokenTree::Ident(word), Some(TokenTree::Ident(name))) if word == "fn" => {
                    let body = tokens[index..].iter().find_map(|token| match token {
                        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                            Some(group.span_close().end().line)
                        }
                        _ => None,
                    });
                    if let Some(end) = body {
                        self.add_function(name, line(word.span()), end, false);
                    }
                }
                (TokenTree::Group(group), _) => self.add_functions_in_macro(group.stream()),
                _ => {}
            }
        }
    }

    fn add_test_module(&mut self, module: &syn::ItemMod, lines: RangeInclusive<usize>) {
        if module.content.is_some() {
            self.file.test_modules.push(lines);
            return;
        }
        let stem = self.file.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let parent = if ["lib", "main", "mod"].contains(&name) { folder } else { stem };
        self.file.test_files.push(format!("{parent}/{}", module.ident));
    }
}

impl<'ast> Visit<'ast> for Survey<'_, '_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = attributes_of(item);
        if attributes.iter().any(is_test_only) {
            let lines = line(item.span())..=item.span().end().line;
            if let Item::Mod(module) = item {
                self.add_test_module(module, lines.clone());
            }
            self.file.test_items.push(lines);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.within(module.ident.to_string(), |survey| visit::visit_item_mod(survey, module));
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        let name = match &*block.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let name = name.unwrap_or_else(|| "impl".to_owned());
        self.within(name, |survey| visit::visit_item_impl(survey, block));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), |survey| visit::visit_item_trait(survey, item));
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let start = line(function.sig.fn_token.span);
        let is_test = function.attrs.iter().any(is_test_attribute);
        self.add_function(&function.sig.ident, start, end_line(&function.block), is_test);
        let name = function.sig.ident.to_string();
        self.within(name, |survey| visit::visit_item_fn(survey, function));
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        self.add_method(&method.sig, &method.block);
        visit::visit_impl_item_fn(self, method);
    }

    fn visit_trait_item_fn(&mut self, method: &'ast syn::TraitItemFn) {
        if let Some(body) = &method.default {
            self.add_method(&method.sig, body);
        }
        visit::visit_trait_item_fn(self, method);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_functions_in_macro(call.tokens.clone());
    }
}

fn end_line(body: &syn::Block) -> usize {
    body.brace_token.span.close().end().line
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[test]`, or one of its kind such as `#[tokio::test]`.
fn is_test_attribute(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "test")
}

/// `#[cfg(..)]` that holds in test builds only, or an attribute of a test.
fn is_test_only(attribute: &Attribute) -> bool {
    if !attribute.path().is_ident("cfg") {
        return is_test_attribute(attribute);
    }
    attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition))
}

fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
    let Ok(parts) = parse.parse2(list.tokens.clone()) else { return false };
    if list.path.is_ident("all") {
        parts.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(needs_test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RustFile<'_> {
        RustFile::parse("crates/x/src/y.rs", text).unwrap()
    }

    fn function(name: &str, line: usize, lines: usize, is_test: bool) -> Function {
        Function { name: name.to_owned(), line, lines, is_test }
    }

    #[test]
    fn measures_functions_and_names_what_is_around_them() {
        let text = "fn free(\n) {\n}\nmod m {\nimpl<T> Type<T> {\n#[inline]\nfn method(&self) {}\n}\n}\n\
                    trait Shape { fn area(&self);\nfn twice(&self) {\n} }\n";
        let expected = [
            function("free", 1, 3, false),
            function("m::Type::method", 7, 1, false),
            function("Shape::twice", 11, 2, false),
        ];
        assert_eq!(parse(text).functions, expected);
    }

    #[test]
    fn functions_inside_macros_are_measured() {
        let text = "proptest! {\n#[test]\nfn holds(x in 0..9) {\n\n}\n}\n\
                    macro_rules! id { ($n:ident) => { fn made() {\n} } }\n";
        let expected = [function("holds", 3, 3, false), function("made", 7, 2, false)];
        assert_eq!(parse(text).functions, expected);
    }

    #[test]
    fn test_modules_are_told_apart() {
        let text = "fn a() {}\n/// Tests.\n#[cfg(all(test, not(loom)))]\nmod tests {\nfn b() {}\n}\n\
                    #[cfg(not(test))]\nfn c() {}\n#[test]\nfn d() {}\n";
        let file = parse(text);
        let tests: Vec<bool> = file.functions.iter().map(|function| function.is_test).collect();
        assert_eq!(tests, [false, true, false, true]);
        assert_eq!(file.lines_without_tests(), 5);
        assert!(file.is_test_line(5) && !file.is_test_line(8));
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_test_code() {
        let tree = Tree::of(&[
            ("crates/x/src/lib.rs", "#[cfg(test)]\nmod tests;\n"),
            ("crates/x/src/tests.rs", "mod deep;\n"),
            ("crates/x/src/tests_of_time.rs", ""),
            ("crates/x/src/log.rs", "#[cfg(test)]\nmod trial;\n"),
            ("crates/x/src/log/trial.rs", ""),
            ("crates/x/tests/anomalies.rs", ""),
        ]);
        let (files, violations) = parse_all(&tree);
        let tests: Vec<bool> = files.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, true, false, false, true, true]);
        assert_eq!(violations, []);
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_violation() {
        let tree = Tree::of(&[("a.rs", "fn a( {"), ("b.rs", "struct;\n")]);
        let (files, violations) = parse_all(&tree);
        assert!(files.is_empty());
        assert_eq!(violations.iter().map(|v| (&*v.file, v.line)).collect::<Vec<_>>().len(), 2);
    }
}
