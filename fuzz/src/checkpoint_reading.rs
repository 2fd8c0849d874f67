//! A database whose files are not what was written: manifest, data files, blocks,
//! documents, log.
//!
//! ```text
//! input = mode u8 | damaged: changes of bytes
//!                 | sealed: changes of bytes, then everything gets the right checksums,
//!                 |         so that what lies behind them is met
//! ```
//!
//! - Opening ends, with an error of files or without; and so does each read.
//! - Without new checksums everything that is read was committed, up to some moment.
//! - With them, a database that finds nothing wrong with itself agrees with itself,
//!   can be changed, and comes back.

use arbitrary::Unstructured;

use crate::checkpoint_format::seal;
use crate::database::{open_and_use, open_damaged, written};
use crate::log_edit::damage;
use crate::seeds::random_seeds;

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((mode, input)) = input.split_first() else { return };
    let mut image = written().image.clone();
    // The lock is of no interest, and names of files are counted.
    image.0.remove("lock");
    damage(&mut image, &mut Unstructured::new(input));
    if mode % 2 == 0 {
        open_damaged(&image);
    } else {
        seal(&mut image);
        open_and_use(&image);
    }
}

/// Inputs for the start: a few changes of either kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    random_seeds(&[0, 1, 2, 3], 40)
}
