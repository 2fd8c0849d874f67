//! The checks checked: with a fault planted in the engine, scripts fail, or runs of the
//! model, or lives of queues and entries that expire.
//!
//! Faults are compiled in only under `--cfg selvedge_mutants`. There this file
//! holds all of these a second time; it runs itself as a child process, with one
//! fault after the other, and expects that the child fails where it should.
//!
//! ```text
//! RUSTFLAGS="--cfg selvedge_mutants" cargo test -p selvedge --test mutants --target-dir target/mutants
//! ```

#[cfg(selvedge_mutants)]
#[path = "kv/lives.rs"]
mod lives;
#[cfg(selvedge_mutants)]
#[path = "model/runs.rs"]
mod runs;
#[cfg(selvedge_mutants)]
#[path = "scripts.rs"]
mod scripts;

#[cfg(selvedge_mutants)]
mod model {
    use proptest::test_runner::Config;
    use proptest_state_machine::prop_state_machine;

    use crate::runs::ModelTest;

    prop_state_machine! {
        // Found is found: nobody reads the sequence of steps.
        #![proptest_config(Config { failure_persistence: None, max_shrink_iters: 0, ..Config::with_cases(100) })]

        #[test]
        fn agrees_with_the_obvious_database(sequential 1..60 => ModelTest);
    }
}

#[cfg(selvedge_mutants)]
mod children {
    use std::process::Command;

    /// The faults, each with a test that is there to find it; others may, too.
    const FAULTS: &[(&str, &str)] = &[
        ("validation-off", "first_committer_wins"),
        ("write-validation-off", "p4_lost_update"),
        ("read-validation-off", "g2_item_write_skew_serializable"),
        ("endpoint-unchecked", "edge_to_a_deleted_node"),
        ("tombstone-ignored", "key_deleted_and_created_again"),
        ("prune-one-too-far", "garbage_keeps_what_the_oldest_sees"),
        ("stamped-key-late", "model"),
        ("min-keeps-larger", "model"),
        ("expired-read", "lives"),
        ("message-not-put-off", "lives"),
        ("dead-letter-lost", "lives"),
    ];

    /// The fault that the engine plants.
    const VARIABLE: &str = "SELVEDGE_MUTANT";

    /// Runs all tests in a child process; gives those that failed.
    fn failed_tests(fault: Option<&str>) -> Vec<String> {
        let this = std::env::current_exe().expect("a test knows its own binary");
        let mut child = Command::new(this);
        // What takes threads is no script, and may hang with a fault.
        child.args(["scripts::", "lives::", "model", "--skip", "scripts::liveness::"]);
        // Outputs are to be compared, whatever this run was asked to do.
        child.env_remove("UPDATE_SCRIPTS").env_remove(VARIABLE).env("RUST_BACKTRACE", "0");
        child.envs(fault.map(|fault| (VARIABLE, fault)));
        let run = child.output().expect("this binary runs again");
        let told = String::from_utf8_lossy(&run.stdout);
        let lines = told.lines().filter_map(|line| line.strip_prefix("test "));
        let failed = lines.filter_map(|line| line.strip_suffix(" ... FAILED"));
        let name = |test: &str| match test.split_once("::") {
            Some(("scripts", script)) => script.to_owned(),
            Some((module, _)) => module.to_owned(),
            None => test.to_owned(),
        };
        let failed: Vec<_> = failed.map(name).collect();
        assert_eq!(run.status.success(), failed.is_empty(), "with {fault:?}:\n{told}");
        failed
    }

    #[test]
    fn without_a_fault_every_test_passes() {
        assert_eq!(failed_tests(None), [""; 0]);
        assert_eq!(failed_tests(Some("no-such-fault")), [""; 0]);
    }

    #[test]
    fn every_fault_is_found() {
        let mut unfound = Vec::new();
        for (fault, test) in FAULTS {
            let failed = failed_tests(Some(fault));
            println!("{fault}: {}", failed.join(", "));
            if !failed.iter().any(|name| name == test) {
                unfound.push((fault, test, failed));
            }
        }
        assert!(unfound.is_empty(), "fault, test that should fail, tests that do: {unfound:#?}");
    }
}

#[cfg(not(selvedge_mutants))]
#[test]
fn this_build_has_no_faults_to_plant() {
    // The head of this file says which build has.
    const { assert!(!cfg!(selvedge_mutants)) }
}
