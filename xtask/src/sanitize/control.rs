//! Programs that are wrong, for checking the sanitizers.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Programs, Sanitizer, TARGET};
use crate::tools;

/// A program, and a word of the report it must cause.
struct Control {
    source: &'static str,
    report: &'static str,
}

const READ_AFTER_FREE: &str = r#"
    fn main() {
        let place = Box::into_raw(Box::new(std::process::id()));
        unsafe { drop(Box::from_raw(place)) };
        let found = unsafe { std::ptr::read_volatile(place) };
        println!("{found}");
    }
"#;

const LOST_BOX: &str = r"
    #[inline(never)]
    fn lose(id: u32) { std::hint::black_box(Box::leak(Box::new([id; 64]))); }
    #[inline(never)]
    fn overwrite() { std::hint::black_box([0_u64; 512]); }
    fn main() {
        std::thread::spawn(|| { lose(std::process::id()); overwrite(); }).join().unwrap();
    }
";

const UNORDERED_WRITES: &str = r"
    static mut COUNT: u64 = 0;
    fn count() {
        for _ in 0..100_000 {
            unsafe { *(&raw mut COUNT) = std::hint::black_box(*(&raw const COUNT)) + 1 };
        }
    }
    fn main() {
        let other = std::thread::spawn(count);
        count();
        other.join().unwrap();
    }
";

impl Control {
    fn of(sanitizer: Sanitizer) -> Self {
        match sanitizer {
            Sanitizer::Address => Self { source: READ_AFTER_FREE, report: "heap-use-after-free" },
            Sanitizer::Leak => Self { source: LOST_BOX, report: "detected memory leaks" },
            Sanitizer::Thread => Self { source: UNORDERED_WRITES, report: "data race" },
            Sanitizer::Valgrind => Self { source: READ_AFTER_FREE, report: "Invalid read" },
        }
    }
}

/// Runs the control of that sanitizer; an error unless it is reported.
pub(super) fn run(
    sanitizer: Sanitizer,
    programs: &Programs,
    flags: &[String],
    root: &Path,
    folder: &Path,
) -> Result<()> {
    let control = Control::of(sanitizer);
    let (source, program) = (folder.join("control.rs"), folder.join("control"));
    std::fs::write(&source, control.source)?;
    let mut build = Command::new("rustc");
    build.args(["--edition", "2024", "-O", "-g", "--target", TARGET]);
    build.args(flags).env("RUSTC_BOOTSTRAP", "1");
    tools::run(build.arg("-o").arg(&program).arg(&source))?;
    let mut command = match sanitizer {
        Sanitizer::Valgrind => {
            let mut command = Command::new("valgrind");
            command.arg("--error-exitcode=99").arg(&program);
            command
        }
        _ => Command::new(&program),
    };
    sanitizer.environment(&mut command, programs, root);
    let output = command.output().context("cannot run the control")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && told.contains(control.report),
        "the sanitizer does not report a program that is wrong: {}\n{told}",
        output.status
    );
    println!("control: {} reported, as it must be", control.report);
    Ok(())
}
