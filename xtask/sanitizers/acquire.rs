//! What the thread sanitizer does not see: fences.
//!
//! `Arc` counts down with Release, and whoever reaches zero orders itself behind all
//! others with `fence(Acquire)` before it frees. The sanitizer ignores the fence and
//! would call every such freeing a race. Linked in with `--wrap`, this gives the
//! counting down itself the order of the fence.
//!
//! What that can hide: a race between what one owner did before it gave up its share,
//! and what another does after it gave up its own without being the last. A
//! suppression of whatever is freed below an `Arc` would hide far more.
#![no_std]
#![expect(unsafe_code, reason = "stands in for a function of the sanitizer's runtime")]

/// The sanitizer's name for `AcqRel`.
const ACQUIRE_RELEASE: i32 = 4;

unsafe extern "C" {
    fn __real___tsan_atomic64_fetch_sub(at: *mut u64, by: u64, order: i32) -> u64;
}

/// Counts down, at least with `AcqRel`.
///
/// # Safety
/// As the function that it stands for: `at` points to an atomic of eight bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap___tsan_atomic64_fetch_sub(
    at: *mut u64,
    by: u64,
    order: i32,
) -> u64 {
    // SAFETY: the caller's contract.
    unsafe { __real___tsan_atomic64_fetch_sub(at, by, order.max(ACQUIRE_RELEASE)) }
}
