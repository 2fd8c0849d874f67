//! Planted faults, for checking the checkers.
//!
//! Only a build with `--cfg selvedge_mutants` has any; there the environment
//! variable `SELVEDGE_MUTANT` names the one that is active. In every other build
//! [`is`] is the constant `false` and the fault is not compiled at all.

/// Whether the planted fault `name` is active.
#[cfg(selvedge_mutants)]
#[must_use]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static ACTIVE: OnceLock<Option<String>> = OnceLock::new();
    ACTIVE.get_or_init(|| std::env::var("SELVEDGE_MUTANT").ok()).as_deref() == Some(name)
}

/// Whether the planted fault `name` is active: never, in this build.
#[cfg(not(selvedge_mutants))]
#[must_use]
#[inline(always)]
pub const fn is(_name: &str) -> bool {
    false
}

/// Lets other threads run, where the fault `name` is active: what it breaks takes
/// another thread within nanoseconds, and would hardly be met otherwise.
#[inline(always)]
pub fn linger(name: &str) {
    #[cfg(all(selvedge_mutants, not(loom)))]
    if is(name) {
        crate::sync::thread::yield_now();
    }
    #[cfg(not(all(selvedge_mutants, not(loom))))]
    let _ = name;
}
