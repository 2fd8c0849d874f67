//! Keys that end with the stamp of the commit that made their entry.

use selvedge_base::Timestamp;

/// Bytes that a stamp adds to a key: a string of 20 hexadecimal digits, as a part of
/// a key (see the encoding of ordered keys): `02`, the digits, `00`.
pub const STAMP_SUFFIX_BYTES: usize = 22;

const STRING: u8 = 0x02;

/// The key that begins with `prefix` and ends with the stamp of a commit.
#[must_use]
pub fn stamped_key(prefix: &[u8], commit: Timestamp) -> Vec<u8> {
    let mut key = prefix.to_vec();
    put_stamp(&mut key, commit);
    key
}

/// Appends the stamp of a commit to the beginning of a key.
pub(crate) fn put_stamp(key: &mut Vec<u8>, commit: Timestamp) {
    key.push(STRING);
    key.extend_from_slice(stamp_text(commit).as_bytes());
    key.push(0);
}

/// The stamp of a commit as 20 hexadecimal digits: its timestamp in eight bytes, and
/// two bytes of zero. It sorts as the timestamp does.
#[must_use]
pub fn stamp_text(commit: Timestamp) -> String {
    format!("{:016x}0000", commit.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_a_string_of_twenty_digits() {
        let key = stamped_key(b"log", Timestamp::new(0xABC));
        assert_eq!(key, b"log\x020000000000000abc0000\x00");
        assert_eq!(key.len(), 3 + STAMP_SUFFIX_BYTES);
        assert!(stamped_key(b"k", Timestamp::new(9)) < stamped_key(b"k", Timestamp::new(10)));
    }
}
