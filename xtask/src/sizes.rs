//! How long files and functions are.
//!
//! A file counts without its `#[cfg(test)]` modules, a function from the line of
//! `fn` to its closing brace.

use crate::exceptions::Measure;
use crate::rust_file::RustFile;

const FILE_LINES_MAX: usize = 800;
const TEST_FILE_LINES_MAX: usize = 1000;
const FUNCTION_LINES_MAX: usize = 70;
const TEST_FUNCTION_LINES_MAX: usize = 120;

/// The lengths of a file and of its functions.
pub(crate) fn measure(file: &RustFile<'_>) -> Vec<Measure> {
    let whole = Measure {
        name: file.path.to_owned(),
        file: file.path.to_owned(),
        line: 1,
        lines: file.lines_without_tests(),
        limit: if file.is_test { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX },
        cure: "split it: one noun, one file",
    };
    let functions = file.functions.iter().map(|function| Measure {
        name: format!("{}::{}", file.path, function.name),
        file: file.path.to_owned(),
        line: function.line,
        lines: function.lines,
        limit: if function.is_test || file.is_test {
            TEST_FUNCTION_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        },
        cure: "split it where the reader would take a breath",
    });
    std::iter::once(whole).chain(functions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exceptions::check;

    fn violations_count(path: &str, text: &str) -> usize {
        let file = RustFile::parse(path, text).unwrap();
        check(&measure(&file), "").len()
    }

    #[test]
    fn files_have_a_limit() {
        let source = "crates/x/src/y.rs";
        assert_eq!(violations_count(source, &"//! x\n".repeat(800)), 0);
        assert_eq!(violations_count(source, &"//! x\n".repeat(801)), 1);
        let tests = "#[cfg(test)]\nmod tests {\n\n}\n";
        assert_eq!(violations_count(source, &("//! x\n".repeat(800) + tests)), 0);
        assert_eq!(violations_count("crates/x/tests/y.rs", &"//! x\n".repeat(1000)), 0);
        assert_eq!(violations_count("crates/x/tests/y.rs", &"//! x\n".repeat(1001)), 1);
    }

    #[test]
    fn functions_have_a_limit() {
        let function = |lines: usize| format!("fn f() {{{}}}\n", "\n".repeat(lines - 1));
        let source = "crates/x/src/y.rs";
        assert_eq!(violations_count(source, &function(70)), 0);
        assert_eq!(violations_count(source, &function(71)), 1);
        let test = |lines| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(lines));
        assert_eq!(violations_count(source, &test(120)), 0);
        assert_eq!(violations_count(source, &test(121)), 1);
        assert_eq!(violations_count("crates/x/tests/y.rs", &function(120)), 0);
    }
}
