//! The database handle.

use std::fmt;
use std::sync::Arc;

use selvedge_base::Timestamp;

use crate::error::{Error, Result};
use crate::nested::Running;
use crate::options::{DbBuilder, TransactionOptions};
use crate::retry::RetryPolicy;
use crate::snapshot::Snapshot;
use crate::stores::{DbEngine, EngineRef, Handles, compact};
use crate::transaction::Transaction;

/// A database. Clones are handles on the same one; threads may share or clone
/// them freely.
///
/// See the [crate's page](crate) for an example.
#[derive(Clone)]
pub struct Db {
    engine: Arc<DbEngine>,
    handles: Arc<Handles>,
}

impl Db {
    /// A new, empty database in memory. It ends with its last handle.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::builder().in_memory()
    }

    /// A database with options.
    #[must_use]
    pub fn builder() -> DbBuilder {
        DbBuilder::default()
    }

    pub(crate) fn from_engine(engine: Arc<DbEngine>) -> Self {
        Self { handles: Handles::of(&engine), engine }
    }

    /// The engine to begin with.
    #[inline]
    pub(crate) fn engine(&self) -> Result<&DbEngine> {
        Ok(self.engine.current()?)
    }

    /// The engine to begin with, for a handle that may outlive this one.
    pub(crate) fn owned_engine(&self) -> Result<EngineRef<'static>> {
        let (engine, handles) = (self.engine()?.shared(), Arc::clone(&self.handles));
        Ok(EngineRef::Owned { engine, handles })
    }

    /// The number of the database among all that there are.
    pub(crate) fn database_id(&self) -> u128 {
        self.handles.database_id()
    }

    /// The engine that this handle was made with.
    pub(crate) fn handle(&self) -> &DbEngine {
        &self.engine
    }

    /// Runs `work` in a transaction: commits if it returns `Ok`, rolls back if it
    /// returns `Err` or panics.
    ///
    /// The error may be of any type that an [`Error`] turns into, so that `work`
    /// can fail with its own.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// #[derive(Debug)]
    /// enum Refused { Funds, Database(Error) }
    /// impl From<Error> for Refused {
    ///     fn from(error: Error) -> Self { Refused::Database(error) }
    /// }
    ///
    /// let db = Db::in_memory();
    /// let account = db.insert_node("Account", "alice", doc! { "balance": 10 }).unwrap();
    /// let refused = db.transaction(|ctx| {
    ///     ctx.set(account, "balance", -90)?;
    ///     Err::<(), _>(Refused::Funds)
    /// });
    /// assert!(matches!(refused, Err(Refused::Funds)));
    /// let snapshot = db.snapshot().unwrap();
    /// let balance = snapshot.node(account).unwrap().unwrap().typed::<i64>("balance");
    /// assert_eq!(balance.unwrap(), Some(10));
    /// ```
    ///
    /// # Errors
    /// What `work` returns; [`Error::Conflict`] if another transaction came
    /// first; [`Error::CheckFailed`]; [`Error::NestedTransaction`] if a
    /// transaction closure on this database runs on this thread already.
    #[inline]
    pub fn transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction_with(&TransactionOptions::default(), work)
    }

    /// As [`transaction`](Self::transaction), with options.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.transaction_with(&TransactionOptions::serializable(), |ctx| {
    ///     let n = ctx.count("User")?;
    ///     // Refused at the commit if anybody adds a user meanwhile.
    ///     ctx.insert_node("Summary", None, doc! { "users": n as i64 })
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn transaction_with<T, E: From<Error>>(
        &self,
        options: &TransactionOptions,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _running = Running::begin(&self.engine)?;
        let mut transaction = Self::begin_on(options, EngineRef::Borrowed(self.engine()?))?;
        let done = work(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Runs `work` in a transaction, again and again while its commit conflicts,
    /// as far as `policy` allows. `work` sees a fresh snapshot each time; what it
    /// does outside the database happens each time, too.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let page = db.insert_node("Page", None, doc! { "hits": 0 })?;
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| {
    ///             db.transaction_retry(RetryPolicy::default(), |ctx| {
    ///                 let hits = ctx.node(page)?.expect("inserted").typed::<i64>("hits")?;
    ///                 ctx.set(page, "hits", hits.unwrap_or(0) + 1)
    ///             })
    ///         });
    ///     }
    /// });
    /// let hits = db.snapshot()?.node(page)?.expect("inserted").typed::<i64>("hits")?;
    /// assert_eq!(hits, Some(4));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What `work` returns; [`Error::RetriesExhausted`] with the last conflict;
    /// otherwise as [`transaction`](Self::transaction).
    pub fn transaction_retry<T, E: From<Error>>(
        &self,
        policy: RetryPolicy,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction_retry_with(policy, &TransactionOptions::default(), work)
    }

    /// As [`transaction_retry`](Self::transaction_retry), with options.
    ///
    /// # Errors
    /// As [`transaction_retry`](Self::transaction_retry).
    pub fn transaction_retry_with<T, E: From<Error>>(
        &self,
        policy: RetryPolicy,
        options: &TransactionOptions,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _running = Running::begin(&self.engine)?;
        let mut attempts = 0;
        loop {
            let mut transaction = Self::begin_on(options, EngineRef::Borrowed(self.engine()?))?;
            let done = work(&mut transaction)?;
            attempts += 1;
            match transaction.commit() {
                Ok(_) => return Ok(done),
                Err(Error::Conflict(conflict)) if attempts >= policy.attempts() => {
                    return Err(Error::RetriesExhausted { attempts, conflict }.into());
                }
                Err(error) if error.is_retryable() => policy.wait(attempts, self.engine.env()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Begins a transaction that is committed, or rolled back, by hand. It may
    /// outlive this handle and move between threads.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let mut first = db.begin(&TransactionOptions::new())?;
    /// let mut second = db.begin(&TransactionOptions::new().label("slow import"))?;
    /// first.insert_node("User", "alice", doc! {})?;
    /// second.insert_node("User", "alice", doc! {})?;
    /// first.commit()?;
    /// assert!(second.commit().is_err_and(|error| error.is_retryable()));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn begin(&self, options: &TransactionOptions) -> Result<Transaction<'static>> {
        Self::begin_on(options, self.owned_engine()?)
    }

    fn begin_on<'db>(
        options: &TransactionOptions,
        engine: EngineRef<'db>,
    ) -> Result<Transaction<'db>> {
        let label = options.label.as_deref();
        // A closure ends soon, as a rule: the clock is not worth its while.
        let open = match (&engine, label) {
            (EngineRef::Borrowed(_), None) => engine.open()?,
            _ => engine.open_noted(label)?,
        };
        Ok(Transaction::new(engine, open, options))
    }

    /// A snapshot of the newest state, for reading.
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn snapshot(&self) -> Result<Snapshot<'static>> {
        let engine = self.owned_engine()?;
        let open = engine.open_noted(None)?;
        Ok(Snapshot::new(engine, open))
    }

    /// A snapshot with a label, by which [`Statistics`](crate::Statistics)
    /// speaks of it when it is the oldest one open.
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn snapshot_labelled(&self, label: &str) -> Result<Snapshot<'static>> {
        let options = TransactionOptions::new().label(label);
        let engine = self.owned_engine()?;
        let open = engine.open_noted(options.label.as_deref())?;
        Ok(Snapshot::new(engine, open))
    }

    /// Reads from a snapshot of the newest state. The cheapest way to read: it
    /// touches nothing that another thread's reads touch.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.insert_node("User", "alice", doc! { "age": 31 })?;
    /// let age = db.view(|snapshot| {
    ///     let alice = snapshot.get_node("User", "alice")?;
    ///     Ok::<_, Error>(alice.and_then(|alice| alice.get("age")?.as_i64()))
    /// })?;
    /// assert_eq!(age, Some(31));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What `read` returns; [`Error::TooManySnapshots`].
    #[inline]
    pub fn view<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let engine = self.engine()?;
        let open = engine.open().map_err(Error::from)?;
        read(&Snapshot::new(EngineRef::Borrowed(engine), open))
    }

    /// The newest commit that a snapshot opened now would see.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.engine().unwrap_or(self.engine.latest()).visible()
    }

    /// Lays the edges of all nodes in memory in the order of the nodes, a
    /// thousand nodes at a time between commits, and the values of all keyspaces in
    /// the order of keys; gives the number of edge sets and values moved. Walks over
    /// many nodes are faster after it, and ranges of keys, most of all after a
    /// load in many transactions or many writes in no order. Snapshots stay as they
    /// are, and keep the old places until they end.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! {})?;
    /// assert_eq!(db.compact()?, 2, "edges out of a, and into b");
    /// assert_eq!(db.snapshot()?.neighbours(a, Direction::Out, "TO")?.len(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn compact(&self) -> Result<usize> {
        Ok(compact(self.engine()?)?)
    }

    /// One bounded step of maintenance by hand: looks again at up to `most`
    /// versions whose snapshots have ended. Whether there may be more to do.
    /// Only needed with [`Background::Manual`](crate::Background::Manual).
    pub fn step(&self, most: usize) -> bool {
        self.engine().is_ok_and(|engine| engine.step(most))
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("timestamp", &self.timestamp()).finish_non_exhaustive()
    }
}
