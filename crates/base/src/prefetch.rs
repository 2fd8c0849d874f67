//! Asking memory for what is to be read soon.
#![expect(unsafe_code, reason = "the instruction is there as an unsafe function")]

/// Asks for cache lines at these distances from `at`: they are fetched while other
/// work goes on. A hint, no access: any address will do.
#[inline(always)]
pub fn prefetch<T, const LINES: usize>(at: *const T, lines: [usize; LINES]) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    for line in lines {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults nowhere, whatever the
        // address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = (at, lines);
}
