//! Which database it is.

use std::fmt;

use crate::db::Db;

/// A database, among all that there are. On disk it stays for as long as the database
/// exists, and goes into no copy that [`Db::backup_to`] makes; one in memory gets
/// another in each life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(u128);

impl DatabaseId {
    /// The number behind it.
    #[must_use]
    pub fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for DatabaseId {
    /// As UUIDs are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, bits: u32| self.0 >> shift & ((1 << bits) - 1);
        let (low, mid, high) = (part(96, 32), part(80, 16), part(64, 16));
        write!(f, "{low:08x}-{mid:04x}-{high:04x}-{:04x}-{:012x}", part(48, 16), part(0, 48))
    }
}

impl fmt::Debug for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Db {
    /// Which database it is.
    ///
    /// ```
    /// use selvedge::Db;
    ///
    /// # let dir = tempfile::tempdir().expect("a directory");
    /// # let path = dir.path().join("people.selvedge");
    /// let id = Db::open(&path)?.id();
    /// assert_eq!(Db::open(&path)?.id(), id);
    /// assert_ne!(Db::in_memory().id(), id);
    /// # Ok::<(), selvedge::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> DatabaseId {
        // The two fields that say of a UUID that it is a random one.
        let random = self.database_id() & !(0xF << 76) & !(0x3 << 62);
        DatabaseId(random | 0x4 << 76 | 0x2 << 62)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_random_uuid() {
        let db = Db::in_memory();
        let text = db.id().to_string();
        assert_eq!((db.id(), text.len()), (db.clone().id(), 36));
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]));
        let id = DatabaseId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
