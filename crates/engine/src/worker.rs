//! The background worker: a thread that exists only once there is something to
//! do, looks after it at intervals, and sleeps when nothing is owed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use selvedge_base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use selvedge_base::sync::thread::{self, JoinHandle};
use selvedge_base::sync::{Condvar, LockRank, Mutex, mutex};

use crate::engine::{Background, Engine};
use crate::participant::Participant;

/// How often the worker looks whether snapshots have ended, while versions wait
/// for that. Memory comes back within this time and the time to free it. It looks
/// more often if commits wait for the disk for less than this.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);
/// It looks no more often than this.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Versions looked at before the commit lock is released again.
const STEP_VERSIONS: usize = 256;

#[derive(Debug)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
    /// The worker sleeps without a time limit, or does not exist yet.
    idle: AtomicBool,
    /// How often it looks, in microseconds.
    interval: AtomicU64,
}

#[derive(Debug, Default)]
struct SignalState {
    work: bool,
    stop: bool,
}

/// The handle of the worker's thread; dropping it ends the thread, promptly.
#[derive(Debug)]
pub(crate) struct Worker {
    background: Background,
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(crate) fn new(background: Background) -> Self {
        let signal = Signal {
            state: mutex(LockRank::WorkerSignal, SignalState::default()),
            changed: Condvar::new(),
            idle: AtomicBool::new(true),
            interval: AtomicU64::new(INTERVAL.as_micros() as u64),
        };
        let thread = mutex(LockRank::WorkerThread, None);
        Self { background, signal: Arc::new(signal), thread }
    }

    /// Lets the worker look this often at least.
    pub(crate) fn look_every(&self, interval: Duration) {
        let interval = interval.clamp(INTERVAL_MIN, INTERVAL).as_micros() as u64;
        self.signal.interval.store(interval, Ordering::Relaxed);
    }

    /// Tells the worker that there is something to do. Cheap while it is awake.
    #[inline]
    pub(crate) fn wake<P: Participant>(&self, engine: &Weak<Engine<P>>) {
        if self.background == Background::Thread && self.signal.idle.load(Ordering::Relaxed) {
            self.wake_idle(engine);
        }
    }

    #[cold]
    fn wake_idle<P: Participant>(&self, engine: &Weak<Engine<P>>) {
        let mut state = self.signal.state.lock();
        state.work = true;
        self.signal.idle.store(false, Ordering::Relaxed);
        self.signal.changed.notify_one();
        drop(state);
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let (engine, signal) = (engine.clone(), Arc::clone(&self.signal));
            let spawned = thread::Builder::new()
                .name("selvedge-worker".into())
                .spawn(move || run(&engine, &signal));
            // Without a thread commits still prune what they touch; the next
            // wake tries again.
            match spawned {
                Ok(handle) => *thread = Some(handle),
                Err(_) => self.signal.idle.store(true, Ordering::Relaxed),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signal.state.lock().stop = true;
        self.signal.changed.notify_one();
        if let Some(thread) = self.thread.get_mut().take() {
            // The worker itself may be the last to let go of the engine.
            if thread.thread().id() != thread::current().id() {
                // A panic of the worker has been reported by its own hook.
                let _ = thread.join();
            }
        }
    }
}

fn run<P: Participant>(engine: &Weak<Engine<P>>, signal: &Signal) {
    while wait(signal) {
        // The engine is held for one step at a time: if its last handle goes
        // meanwhile, it ends with the step.
        while let Some(engine) = engine.upgrade()
            && engine.step(STEP_VERSIONS)
        {
            drop(engine);
            // Let committers in.
            thread::yield_now();
        }
        let Some(engine) = engine.upgrade() else { return };
        // Idle first, then a look under the commit lock: a commit that owes
        // something either comes before the look, or sees the worker idle.
        rest(signal, true);
        if engine.owes_maintenance() {
            rest(signal, false);
        }
    }
}

/// Marks the worker as idle, or as at work.
fn rest(signal: &Signal, idle: bool) {
    let mut state = signal.state.lock();
    state.work = !idle;
    signal.idle.store(idle, Ordering::Relaxed);
}

/// Waits until there is something to do; false at the end.
fn wait(signal: &Signal) -> bool {
    let mut state = signal.state.lock();
    if !state.stop && state.work {
        let interval = Duration::from_micros(signal.interval.load(Ordering::Relaxed));
        signal.changed.wait_for(&mut state, interval);
    }
    while !state.stop && !state.work {
        signal.changed.wait(&mut state);
    }
    !state.stop
}
