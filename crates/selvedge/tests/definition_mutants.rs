//! The checks of definitions checked: with a fault planted, the test that is there to
//! find it fails.
//!
//! ```text
//! RUSTFLAGS="--cfg selvedge_mutants" cargo test -p selvedge --test definition_mutants --target-dir target/mutants children
//! ```

#[cfg(selvedge_mutants)]
#[path = "schema/main.rs"]
mod schema;

#[cfg(selvedge_mutants)]
mod children {
    use std::process::Command;

    /// The faults, each with the test that is there to find it.
    const FAULTS: &[(&str, &str)] = &[
        ("definition-unvalidated", "enforcing::what_was_defined_meanwhile_is_a_conflict"),
        ("schema-not-loaded", "stored::it_is_there_after_a_checkpoint_a_backup_and_read_only"),
        ("schema-of-now", "stored::a_snapshot_has_the_schema_of_its_time"),
        ("upgrade-skipped", "migrating::writes_beside_a_migration_fit_both_sides_of_it"),
        ("convertible-unchecked", "migrating::writes_beside_a_migration_fit_both_sides_of_it"),
        ("gained-default-unchecked", "defaults::no_write_takes_what_a_migration_is_to_give"),
        ("existing-unverified", "migrating::a_migration_that_fails_changes_nothing"),
    ];

    /// Whether the test passes with this fault.
    fn passes(fault: Option<&str>, test: &str) -> bool {
        let this = std::env::current_exe().expect("a test knows its own binary");
        let mut child = Command::new(this);
        child.args([&format!("schema::{test}"), "--exact"]);
        child.env_remove("SELVEDGE_MUTANT").env("RUST_BACKTRACE", "0");
        child.envs(fault.map(|fault| ("SELVEDGE_MUTANT", fault)));
        let run = child.output().expect("this binary runs again");
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(told.contains("running 1 test"), "there is no test {test}:\n{told}");
        run.status.success()
    }

    #[test]
    fn every_fault_is_found() {
        for (fault, test) in FAULTS {
            assert!(passes(None, test), "{test} fails without a fault");
            assert!(passes(Some("no-such-fault"), test), "{test} fails with a fault that is none");
            assert!(!passes(Some(fault), test), "{test} does not find {fault}");
        }
    }
}
