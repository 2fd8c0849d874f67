//! The checks checked: with a fault planted in the engine, scripts fail.
//!
//! Faults are compiled in only under `--cfg selvedge_mutants`. There this file
//! holds all scripts a second time; it runs itself as a child process, with one
//! fault after the other, and expects that some script of the child fails.
//!
//! ```text
//! RUSTFLAGS="--cfg selvedge_mutants" cargo test -p selvedge --test mutants --target-dir target/mutants
//! ```

#[cfg(selvedge_mutants)]
#[path = "scripts.rs"]
mod scripts;

#[cfg(selvedge_mutants)]
mod children {
    use std::process::Command;

    /// The faults, each with a script that is there to find it; others may, too.
    const FAULTS: &[(&str, &str)] = &[
        ("validation-off", "first_committer_wins"),
        ("write-validation-off", "p4_lost_update"),
        ("read-validation-off", "g2_item_write_skew_serializable"),
        ("endpoint-unchecked", "edge_to_a_deleted_node"),
        ("tombstone-ignored", "key_deleted_and_created_again"),
        ("prune-one-too-far", "garbage_keeps_what_the_oldest_sees"),
    ];

    /// The fault that the engine plants.
    const VARIABLE: &str = "SELVEDGE_MUTANT";

    /// Runs all scripts in a child process; gives those that failed.
    fn failed_scripts(fault: Option<&str>) -> Vec<String> {
        let this = std::env::current_exe().expect("a test knows its own binary");
        let mut child = Command::new(this);
        // What takes threads is no script, and may hang with a fault.
        child.args(["scripts::", "--skip", "scripts::liveness::"]);
        // Outputs are to be compared, whatever this run was asked to do.
        child.env_remove("UPDATE_SCRIPTS").env_remove(VARIABLE).env("RUST_BACKTRACE", "0");
        child.envs(fault.map(|fault| (VARIABLE, fault)));
        let run = child.output().expect("this binary runs again");
        let told = String::from_utf8_lossy(&run.stdout);
        let lines = told.lines().filter_map(|line| line.strip_prefix("test scripts::"));
        let failed = lines.filter_map(|line| line.strip_suffix(" ... FAILED"));
        let failed: Vec<_> = failed.map(str::to_owned).collect();
        assert_eq!(run.status.success(), failed.is_empty(), "with {fault:?}:\n{told}");
        failed
    }

    #[test]
    fn without_a_fault_every_script_passes() {
        assert_eq!(failed_scripts(None), [""; 0]);
        assert_eq!(failed_scripts(Some("no-such-fault")), [""; 0]);
    }

    #[test]
    fn every_fault_is_found() {
        let mut unfound = Vec::new();
        for (fault, script) in FAULTS {
            let failed = failed_scripts(Some(fault));
            println!("{fault}: {}", failed.join(", "));
            if !failed.iter().any(|name| name == script) {
                unfound.push((fault, script, failed));
            }
        }
        assert!(
            unfound.is_empty(),
            "fault, script that should fail, scripts that do: {unfound:#?}"
        );
    }
}

#[cfg(not(selvedge_mutants))]
#[test]
fn this_build_has_no_faults_to_plant() {
    // The head of this file says which build has.
    const { assert!(!cfg!(selvedge_mutants)) }
}
