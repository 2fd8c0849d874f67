//! Finding transactions inside the closures of transactions.

use std::cell::RefCell;

use smallvec::SmallVec;

use crate::error::Error;
use crate::stores::DbEngine;

thread_local! {
    /// The databases whose transaction closures run on this thread.
    static RUNNING: RefCell<SmallVec<[usize; 4]>> = const { RefCell::new(SmallVec::new_const()) };
}

/// A transaction closure runs on this thread, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running(usize);

impl Running {
    /// Notes that a closure begins; refuses if one runs already.
    #[inline]
    pub(crate) fn begin(engine: &DbEngine) -> Result<Self, Error> {
        let database = std::ptr::from_ref(engine).addr();
        RUNNING.with_borrow_mut(|running| {
            if running.contains(&database) {
                return Err(Error::NestedTransaction);
            }
            running.push(database);
            Ok(Self(database))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.retain(|database| *database != self.0));
    }
}
