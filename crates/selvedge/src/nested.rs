//! Finding transactions inside the closures of transactions.

use std::cell::RefCell;

use selvedge_base::sync::thread_local;
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
        let begun = RUNNING.try_with(|running| {
            let mut running = running.borrow_mut();
            if running.contains(&database) {
                return Err(Error::NestedTransaction);
            }
            running.push(database);
            Ok(Self(database))
        });
        // While the thread ends its notes are gone: nothing is nested there.
        begun.unwrap_or_else(|_| Ok(Self(database)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|running| {
            running.borrow_mut().retain(|database| *database != self.0);
        });
    }
}
