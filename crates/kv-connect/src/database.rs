//! Which database a path names.
//!
//! All are keyspaces of one [`Db`]: `/` is the one without a name, `/name` the one with
//! this name. Each has an id of its own, which clients send along, so that none takes
//! one for another.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use selvedge::{Db, Kv};
use uuid::Uuid;

use crate::refusal::Refusal;

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 255;
/// What the paths of the data begin with, behind the name of the database.
pub(crate) const DATA_PATH: &str = "v2";

/// A database, as clients see it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) kv: Kv,
    pub(crate) id: Uuid,
    /// Where its data is, without a host.
    pub(crate) endpoint: String,
}

/// The databases of one server.
#[derive(Debug)]
pub(crate) struct Databases {
    db: Db,
    default: Arc<Database>,
    named: RwLock<HashMap<String, Arc<Database>>>,
    may_create: bool,
}

impl Databases {
    pub(crate) fn new(db: Db, may_create: bool) -> Self {
        let id = Uuid::from_u128(db.id().get());
        let default = Database { kv: db.kv(), id, endpoint: format!("/{DATA_PATH}") };
        Self { db, default: Arc::new(default), named: RwLock::default(), may_create }
    }

    /// The database with a name, if it is known already; the one without a name always
    /// is.
    pub(crate) fn known(&self, name: &str) -> Option<Arc<Database>> {
        if name.is_empty() {
            return Some(Arc::clone(&self.default));
        }
        let named = self.named.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        named.get(name).cloned()
    }

    /// The database with a name, looked up, or made if that is allowed. Waits for the
    /// disk.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Database>, Refusal> {
        let kv = match self.may_create {
            true => Some(self.db.keyspace(name)?),
            false => self.db.existing_keyspace(name)?,
        };
        let kv = kv.ok_or_else(|| Refusal::NoSuchDatabase(name.to_owned()))?;
        let id = Uuid::new_v5(&self.default.id, name.as_bytes());
        let database = Arc::new(Database { kv, id, endpoint: format!("/{name}/{DATA_PATH}") });
        let mut named = self.named.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(Arc::clone(named.entry(name.to_owned()).or_insert(database)))
    }
}

/// What a path asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route<'p> {
    /// Of the database; empty for the one without.
    pub(crate) name: &'p str,
    pub(crate) call: Call,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Metadata,
    Read,
    Write,
    Watch,
}

impl<'p> Route<'p> {
    pub(crate) fn of(path: &'p str) -> Result<Self, Refusal> {
        let path = path.strip_prefix('/').ok_or(Refusal::NotFound)?;
        let (name, rest) = match path.split_once('/') {
            None => (path, ""),
            Some((DATA_PATH, rest)) => return Self::data("", rest),
            Some((name, rest)) => (name, rest),
        };
        if !name.is_empty() && !is_name(name) {
            return Err(Refusal::NotFound);
        }
        match rest.split_once('/') {
            // A slash at the end makes no difference.
            None if rest.is_empty() => Ok(Self { name, call: Call::Metadata }),
            Some((DATA_PATH, rest)) if !name.is_empty() => Self::data(name, rest),
            _ => Err(Refusal::NotFound),
        }
    }

    fn data(name: &'p str, call: &str) -> Result<Self, Refusal> {
        let call = match call {
            "snapshot_read" => Call::Read,
            "atomic_write" => Call::Write,
            "watch" => Call::Watch,
            _ => return Err(Refusal::NotFound),
        };
        Ok(Self { name, call })
    }
}

/// Names are what needs no escaping in a path, and is not part of one already.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let reserved = [DATA_PATH, ".", ".."].contains(&name);
    name.len() <= NAME_BYTES_MAX && !reserved && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_database_and_a_call() {
        let route = |path| Route::of(path).map(|route| (route.name, route.call));
        assert_eq!(route("/"), Ok(("", Call::Metadata)));
        assert_eq!(route("/shop"), Ok(("shop", Call::Metadata)));
        assert_eq!(route("/shop/"), Ok(("shop", Call::Metadata)));
        assert_eq!(route("/v2/snapshot_read"), Ok(("", Call::Read)));
        assert_eq!(route("/v2/atomic_write"), Ok(("", Call::Write)));
        assert_eq!(route("/shop/v2/watch"), Ok(("shop", Call::Watch)));
        let long = format!("/{}", "a".repeat(256));
        let nowhere = [
            "",
            "*",
            "//",
            "/v2",
            "/v2/",
            "/v2/v2/watch",
            "/v2/other",
            "/shop/v3/watch",
            "/../v2/watch",
            "/shop/v2",
            "/shop/v2/watch/",
            "/a%20b",
            "/a/b",
            "/é",
            &long,
            "//v2/watch",
            "/v2/watch/",
        ];
        for path in nowhere {
            assert_eq!(route(path), Err(Refusal::NotFound), "{path}");
        }
    }

    #[test]
    fn each_has_an_id_of_its_own() {
        let db = Db::in_memory();
        let databases = Databases::new(db.clone(), true);
        let id = |databases: &Databases, name| databases.find(name).map(|found| found.id);
        let (shop, blog) = (id(&databases, "shop").unwrap(), id(&databases, "blog").unwrap());
        let default = databases.known("").unwrap().id;
        assert_eq!(default.to_string(), db.id().to_string());
        assert!(shop != blog && shop != default);
        let others = Databases::new(db, false);
        assert_eq!(id(&others, "shop"), Ok(shop), "made before, and the same");
        assert_eq!(id(&others, "news"), Err(Refusal::NoSuchDatabase("news".to_owned())));
        assert!(others.known("shop").is_some() && others.known("news").is_none());
    }
}
