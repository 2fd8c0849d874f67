//! Behaviour, step by step: one test for each file in `scripts`.
//!
//! The files say themselves what they show. `UPDATE_SCRIPTS=1` rewrites what they
//! expect; read the difference before it is committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use selvedge_testkit::Script;

#[path = "scripts/liveness.rs"]
mod liveness;

/// One test for each name, and the list of all.
macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

scripts! {
    conflict_over_updates_and_deletes
    edge_of_a_deleted_node
    edge_to_a_deleted_node
    edges_at_a_hub
    edges_at_one_node
    expected_versions
    first_committer_wins
    g0_write_cycles
    g1a_aborted_reads
    g1b_intermediate_reads
    g1c_circular_information_flow
    g1c_circular_information_flow_serializable
    g2_anti_dependency_cycle
    g2_anti_dependency_cycle_serializable
    g2_item_write_skew
    g2_item_write_skew_for_update
    g2_item_write_skew_serializable
    g2_phantoms_serializable
    g2_read_only_is_never_refused
    g_single_interrupted_write
    g_single_predicate_dependencies
    g_single_read_skew
    g_single_write_predicate
    garbage_keeps_what_the_oldest_sees
    inserted_and_deleted_at_once
    key_deleted_and_created_again
    key_insert_races
    loops
    multi_edges_linked_twice
    order_of_neighbours
    otv_observed_transaction_vanishes
    own_writes_are_seen
    p4_lost_update
    p4_lost_update_other_field
    pmp_predicate_many_preceders_read
    pmp_predicate_many_preceders_write
    property_against_delete
    read_only_anomaly
    read_only_anomaly_serializable
    read_only_never_conflicts
    savepoints
    serial_work_makes_no_chains
    serializable_savepoints
    serializable_undone_writes
    trap_01_counter
    trap_03_write_after_reader_closed
    trap_04_reader_keeps_deleted_edge
    trap_04_reader_keeps_deleted_node
    trap_05_key_look_up_in_transaction
    trap_06_properties_written_together
    trap_07_long_reader
    trap_09_different_edges
    trap_10_ids_near_2_to_20
    trap_10_ids_near_2_to_32
    trap_10_ids_up_to_the_last
    trap_10_ids_with_the_same_lower_bits
    trap_14_names_at_a_snapshot
    trap_14_names_leave_no_trace
    trap_14_names_shared_by_two
    trap_15_existing_key_and_missing_end
    trap_17_shared_snapshots
    unique_edge_linked_twice
    visibility_of_versions
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

fn check(name: &str) {
    let path = folder().join(name).with_extension("txt");
    if let Err(difference) = Script::read(&path).and_then(|script| script.check()) {
        panic!("{difference}");
    }
}

#[test]
fn every_script_is_listed() {
    let files = std::fs::read_dir(folder()).expect("the folder of this file's scripts");
    let paths = files.map(|file| file.expect("a readable folder").path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let found: BTreeSet<_> = scripts.filter_map(stem).collect();
    let listed: BTreeSet<_> = LISTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed, "list each script in the macro, and nothing else");
}
