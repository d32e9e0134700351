//! How tests reach into the protocols of this crate: they end the process at a step, let others go first there, or take a protection away.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the step at which the process is to be killed, counted from 1 over all steps it takes.
pub(crate) const CRASH_AT: &str = "CAIRN_TEST_CRASH_AT";

/// What a thread does at its steps.
type AtStep = Box<dyn Fn(&str)>;

thread_local! {
    pub(crate) static LET_GO: RefCell<Option<AtStep>> = const { RefCell::new(None) };
    /// The protection that this thread does without.
    pub(crate) static WITHOUT: Cell<&'static str> = const { Cell::new("") };
}

/// Lets others go first where a test wants that, and kills this process as `kill -9` would when the step is the one that the test named.
pub(crate) fn step(name: &str) {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    LET_GO.with(|go| {
        if let Some(go) = &*go.borrow() {
            go(name);
        }
    });
    let Ok(at) = std::env::var(CRASH_AT) else {
        return;
    };
    if TAKEN.fetch_add(1, Ordering::SeqCst) + 1 == at.parse::<u32>().unwrap() {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .unwrap();
    }
}

/// Whether this thread does without a protection.
pub(crate) fn without(protection: &str) -> bool {
    WITHOUT.with(Cell::get) == protection
}
