//! Changes of the records of a log, drawn from an input.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::image::{Edit, Image, Number};
use crate::log_format::{Record, SEGMENT_BYTES};

/// Changes of one input.
const EDITS_MAX: usize = 24;
/// Bytes of a payload that an input makes longer.
const PAYLOAD_MAX: usize = 3 * SEGMENT_BYTES;
/// Records that an input may have of those of a log.
const RECORDS_MAX: usize = 64;

/// A change of the records, which are sealed behind it.
#[derive(Arbitrary, Debug)]
enum RecordEdit {
    Drop {
        record: u8,
    },
    Swap {
        one: u8,
        other: u8,
    },
    Again {
        record: u8,
        at: u8,
    },
    Byte {
        record: u8,
        at: u16,
        byte: u8,
    },
    Resize {
        record: u8,
        len: u16,
    },
    Timestamp {
        record: u8,
        number: Number,
    },
    Incarnation {
        record: u8,
        number: Number,
    },
    /// How far before the record everything was durable.
    Behind {
        record: u8,
        number: Number,
    },
    Kind {
        record: u8,
        kind: u8,
    },
    /// A field of the header that is not so.
    Lie {
        record: u8,
        field: u8,
        number: Number,
    },
}

/// Changes records, as the input says.
pub(crate) fn change_records(
    records: &mut Vec<Record>,
    input: &mut Unstructured<'_>,
) -> Result<()> {
    for _ in 0..input.int_in_range(0..=EDITS_MAX)? {
        let Ok(edit) = input.arbitrary::<RecordEdit>() else { break };
        change(records, &edit);
    }
    Ok(())
}

/// Changes bytes of files, as what is left of the input says.
pub(crate) fn damage(image: &mut Image, input: &mut Unstructured<'_>) {
    for _ in 0..EDITS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(edit) = input.arbitrary::<Edit>() else { break };
        image.edit(&edit);
    }
}

fn change(records: &mut Vec<Record>, edit: &RecordEdit) {
    let len = records.len();
    let pick = |record: u8| usize::from(record).checked_rem(len).unwrap_or_default();
    if len == 0 {
        return;
    }
    match *edit {
        RecordEdit::Drop { record } => drop(records.remove(pick(record))),
        RecordEdit::Swap { one, other } => records.swap(pick(one), pick(other)),
        RecordEdit::Again { record, at } => {
            if len < RECORDS_MAX {
                let copy = records[pick(record)].clone();
                records.insert(pick(at), copy);
            }
        }
        RecordEdit::Byte { record, at, byte } => {
            let payload = &mut records[pick(record)].payload;
            if !payload.is_empty() {
                let at = usize::from(at) % payload.len();
                payload[at] = byte;
            }
        }
        RecordEdit::Resize { record, len } => {
            records[pick(record)].payload.resize(usize::from(len) % PAYLOAD_MAX, 7);
        }
        RecordEdit::Timestamp { record, number } => records[pick(record)].timestamp = number.get(),
        RecordEdit::Incarnation { record, number } => {
            records[pick(record)].incarnation = number.get() as u32;
        }
        RecordEdit::Behind { record, number } => {
            let record = &mut records[pick(record)];
            record.synced = record.position.saturating_sub(number.get());
        }
        RecordEdit::Kind { record, kind } => records[pick(record)].kind = u32::from(kind % 5),
        RecordEdit::Lie { record, field, number } => {
            records[pick(record)].lies.insert(field % 8, number.get());
        }
    }
}
