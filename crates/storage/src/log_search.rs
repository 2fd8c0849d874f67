//! What lies behind the end of the chain: the torn end of what was never durable,
//! or the rest of something that was.

use crate::error::StorageError;
use crate::position::LogPosition;
use crate::record::{ALIGNMENT, HEADER_BYTES, Header};
use crate::segment_reader::SegmentReader;

/// What lies behind the end of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// A record that was made when more was durable than could be read.
    pub(crate) witness: Option<LogPosition>,
    /// The newest incarnation of any record.
    pub(crate) incarnation: u32,
    /// Behind the last record that belongs to what was cut.
    pub(crate) end: LogPosition,
}

/// Looks for records behind `stop`, where the chain ended. Those older than
/// `incarnation` were cut before, and prove nothing. Ends at the first witness.
///
/// # Errors
/// Of the system.
pub(crate) fn search(
    reader: &mut SegmentReader,
    salt: u32,
    stop: LogPosition,
    incarnation: u32,
) -> Result<Found, StorageError> {
    let mut found = Found { witness: None, incarnation, end: stop };
    let mut window = vec![0; reader.dir().window_bytes()];
    // Where the window lies, and how much of it is filled.
    let (mut start, mut filled) = (stop, 0);
    loop {
        let end = LogPosition::new(start.get() + filled as u64);
        filled += reader.read(end, &mut window[filled..])?;
        let looked_at = look(&window[..filled], salt, start, stop, incarnation, &mut found);
        if found.witness.is_some() {
            return Ok(found);
        }
        if filled == window.len() {
            // What is left may be the first part of a header.
            window.copy_within(looked_at.., 0);
            filled -= looked_at;
            start = LogPosition::new(start.get() + looked_at as u64);
            continue;
        }
        let gap = LogPosition::new(start.get() + filled as u64);
        let Some(next) = reader.segment_behind(gap) else { return Ok(found) };
        (start, filled) = (reader.dir().start_of(next), 0);
    }
}

/// Looks at every place in the window where a header may be; gives how many bytes
/// need not be looked at again.
fn look(
    window: &[u8],
    salt: u32,
    start: LogPosition,
    stop: LogPosition,
    incarnation: u32,
    found: &mut Found,
) -> usize {
    let mut at = 0;
    while let Some(bytes) = window[at..].first_chunk::<HEADER_BYTES>() {
        let position = LogPosition::new(start.get() + at as u64);
        at += ALIGNMENT as usize;
        let Some((header, _)) = Header::decode(salt, position, bytes) else { continue };
        found.incarnation = found.incarnation.max(header.incarnation);
        if header.incarnation < incarnation {
            continue;
        }
        found.end = found.end.max(header.end());
        if header.synced > stop {
            found.witness = Some(position);
            break;
        }
    }
    at
}
