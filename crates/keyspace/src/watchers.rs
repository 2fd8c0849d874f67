//! Who waits for which keys to change.
//!
//! No change is missed: a watcher is entered first, and takes its snapshot then;
//! a commit is published first, and looks for watchers then. Whichever comes first,
//! the other sees it:
//!
//! ```text
//! watcher     enter, fence, snapshot
//! committer   publish, fence, look      one of the two fences comes first
//! ```

use std::fmt;
use std::sync::Weak;
use std::task::Waker;
use std::time::Duration;

use selvedge_base::hash::Map;
use selvedge_base::sync::atomic::{AtomicUsize, Ordering, fence};
use selvedge_base::sync::{Arc, Condvar, LockRank, Mutex, mutex};

/// The bells of those who wait for a key.
type Bells = Vec<Weak<Bell>>;

/// Watchers by the keys that they wait for.
pub struct Watchers {
    /// How many there are. The ordinary commit asks this, and no more.
    count: AtomicUsize,
    by_key: Mutex<Map<Box<[u8]>, Bells>>,
}

impl Default for Watchers {
    fn default() -> Self {
        let by_key = mutex(LockRank::Watchers, Map::default());
        Self { count: AtomicUsize::new(0), by_key }
    }
}

impl Watchers {
    /// Enters a watcher of `keys`: its bell rings from now on when a commit that
    /// writes one of them is there to be seen. It may ring without need.
    #[must_use]
    pub fn watch(self: &Arc<Self>, keys: Vec<Box<[u8]>>) -> Watcher {
        let bell = Arc::new(Bell::default());
        let mut by_key = self.by_key.lock();
        for key in &keys {
            by_key.entry(key.clone()).or_default().push(std::sync::Arc::downgrade(&bell));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        drop(by_key);
        fence(Ordering::SeqCst);
        Watcher { watchers: Arc::clone(self), bell, keys }
    }

    /// Rings for the watchers of keys that a commit has written; to be called when it
    /// is published.
    pub(crate) fn ring<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut bells = Vec::new();
        let by_key = self.by_key.lock();
        for key in keys {
            let of_key = by_key.get(key).into_iter().flatten();
            bells.extend(of_key.filter_map(Weak::upgrade));
        }
        drop(by_key);
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Rings for the watchers of one key.
    pub fn ring_key(&self, key: &[u8]) {
        self.ring(std::iter::once(key));
    }

    /// Rings for all: anything may have changed.
    pub fn ring_all(&self) {
        let by_key = self.by_key.lock();
        let bells: Vec<_> = by_key.values().flatten().filter_map(Weak::upgrade).collect();
        drop(by_key);
        bells.iter().for_each(|bell| bell.ring());
    }

    /// How many watchers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// A place among the [`Watchers`], given up when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    watchers: Arc<Watchers>,
    bell: Arc<Bell>,
    keys: Vec<Box<[u8]>>,
}

impl Watcher {
    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[Box<[u8]>] {
        &self.keys
    }

    /// What rings.
    #[must_use]
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut by_key = self.watchers.by_key.lock();
        for key in &self.keys {
            if let Some(bells) = by_key.get_mut(key) {
                bells.retain(|bell| !std::ptr::eq(bell.as_ptr(), &*self.bell));
                if bells.is_empty() {
                    by_key.remove(key);
                }
            }
        }
        self.watchers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Rings when something has changed; rings once for all changes that nobody has
/// heard of yet.
#[derive(Debug)]
pub struct Bell {
    state: Mutex<BellState>,
    changed: Condvar,
}

impl Default for Bell {
    fn default() -> Self {
        let state = mutex(LockRank::Bell, BellState::default());
        Self { state, changed: Condvar::new() }
    }
}

#[derive(Debug, Default)]
struct BellState {
    rung: bool,
    waker: Option<Waker>,
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        let mut state = self.state.lock();
        state.rung = true;
        let waker = state.waker.take();
        self.changed.notify_all();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it rings, or has rung since it was last heard; false after
    /// `longest`.
    #[must_use]
    pub fn wait(&self, longest: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        let deadline = longest.and_then(|longest| std::time::Instant::now().checked_add(longest));
        while !state.rung {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(std::time::Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_for(&mut state, left);
                }
            }
        }
        state.rung = false;
        true
    }

    /// Whether it has rung since it was last heard; if not, `waker` is woken when it
    /// does.
    #[must_use]
    pub fn poll(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.rung) {
            return true;
        }
        state.waker = Some(waker.clone());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_for_those_who_wait_for_the_key() {
        let watchers = Arc::new(Watchers::default());
        let key = |key: &str| Box::from(key.as_bytes());
        let both = watchers.watch(vec![key("a"), key("b")]);
        let one = watchers.watch(vec![key("b")]);
        let rang = |watcher: &Watcher| watcher.bell().wait(Some(Duration::ZERO));
        watchers.ring([&b"a"[..], b"a"].into_iter());
        assert!(rang(&both) && !rang(&both) && !rang(&one));
        watchers.ring([&b"c"[..], b"b"].into_iter());
        assert!(rang(&both) && rang(&one));
        drop(both);
        assert_eq!((watchers.count(), watchers.by_key.lock().len()), (1, 1));
        watchers.ring_all();
        assert!(rang(&one));
        drop(one);
        assert!(watchers.by_key.lock().is_empty());
        let waker = Waker::noop();
        let bell = Bell::default();
        assert!(!bell.poll(waker));
        bell.ring();
        assert!(bell.poll(waker) && !bell.poll(waker));
    }
}
