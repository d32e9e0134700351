//! Claims: what work under way has put into the store, or met there, and not recorded yet. Nothing that is claimed is swept.
//!
//! A claim also says when its work began: what was condemned since is not swept while the work goes on, for it may have got at it in another way,
//! such as a manifest that was recorded then. Claims belong to this process and end with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::staging::Scratch;
use super::{Hash, Space};
use crate::{Error, Result};

/// What names one thing that a store keeps.
pub(crate) type Key = (Space, Hash);

const STRIPES: usize = 256;

/// The claims on one store.
pub(crate) struct Claims {
    /// One for each first byte of a hash: looking for something holds it shared, sweeping it alone.
    stripes: [RwLock<()>; STRIPES],
    live: Mutex<Vec<Weak<Inner>>>,
    /// The last cycle of collection that has condemned all it could.
    cycle: AtomicI64,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            stripes: std::array::from_fn(|_| RwLock::default()),
            live: Mutex::default(),
            cycle: AtomicI64::new(0),
        }
    }
}

/// The claim of one piece of work; what it claims stays in the store until the last clone is gone.
///
/// Keep it until the transaction is over that records what was put.
#[derive(Clone)]
#[must_use = "what was put stays for as long as it is claimed"]
pub struct Claim(Arc<Inner>);

struct Inner {
    began_in: i64,
    keys: Mutex<HashSet<Key>>,
    /// Nodes of manifests that the bucket was found to have, or was sent.
    sent: Mutex<Vec<Key>>,
    /// Its lock tells other processes that something is under way here.
    scratch: Option<Scratch>,
}

impl Claims {
    /// Begins a claim, before anything is looked for.
    pub(super) fn begin(&self, scratch: Scratch) -> Claim {
        let mut live = self.live();
        live.retain(|one| one.strong_count() > 0);
        let claim = Claim(Arc::new(Inner {
            began_in: self.cycle.load(Ordering::SeqCst),
            keys: Mutex::default(),
            sent: Mutex::default(),
            scratch: Some(scratch),
        }));
        live.push(Arc::downgrade(&claim.0));
        claim
    }

    /// Says that everything that a cycle condemned is on record: work that begins from now on is younger than that.
    pub(crate) fn condemned(&self, cycle: i64) {
        let _live = self.live();
        self.cycle.fetch_max(cycle, Ordering::SeqCst);
    }

    /// The last cycle whose condemned things are older than all work under way.
    pub(crate) fn oldest(&self) -> i64 {
        let live = self.live();
        let counts = !super::without("age");
        let began = live.iter().filter(|_| counts).filter_map(Weak::upgrade);
        began
            .map(|one| one.began_in)
            .chain([self.cycle.load(Ordering::SeqCst)])
            .min()
            .unwrap_or_default()
    }

    /// Keeps everybody from looking for what begins with this byte. Blocks.
    pub(crate) fn alone(&self, prefix: u8) -> RwLockWriteGuard<'_, ()> {
        loop {
            match self.stripes[usize::from(prefix)].try_write() {
                Ok(guard) => return guard,
                Err(_) => wait(),
            }
        }
    }

    fn looking(&self, prefix: u8) -> RwLockReadGuard<'_, ()> {
        loop {
            match self.stripes[usize::from(prefix)].try_read() {
                Ok(guard) => return guard,
                Err(_) => wait(),
            }
        }
    }

    /// Whether work under way claims this. Ask it alone, see [`Self::alone`].
    pub(crate) fn claimed(&self, key: &Key) -> bool {
        let live: Vec<_> = self.live().iter().filter_map(Weak::upgrade).collect();
        !super::without("claims") && live.iter().any(|one| lock(&one.keys).contains(key))
    }

    fn live(&self) -> MutexGuard<'_, Vec<Weak<Inner>>> {
        lock(&self.live)
    }
}

impl Claim {
    /// Claims something, then looks whether it is there; both at once to whoever sweeps.
    pub(crate) fn look<T>(
        &self,
        claims: &Claims,
        key: Key,
        look: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let _looking = claims.looking(key.1.as_bytes()[0]);
        lock(&self.0.keys).insert(key);
        look()
    }

    /// Everything that is claimed, sorted.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = lock(&self.0.keys).iter().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Takes note of what a bucket has now: to be looked at once more by whoever records it.
    pub(super) fn note_sent(&self, keys: impl Iterator<Item = Key>) {
        let nodes = keys.filter(|(space, _)| *space == Space::Manifests);
        lock(&self.0.sent).extend(nodes);
    }

    /// The nodes that were noted, sorted.
    pub(super) fn sent(&self) -> Vec<Key> {
        let mut sent = lock(&self.0.sent).clone();
        sent.sort_unstable();
        sent.dedup();
        sent
    }

    /// A claim on nothing.
    pub(crate) fn nothing() -> Self {
        Self(Arc::new(Inner {
            began_in: 0,
            keys: Mutex::default(),
            sent: Mutex::default(),
            scratch: None,
        }))
    }

    /// The folder in staging that belongs to it.
    pub(super) fn scratch(&self) -> Result<&Scratch> {
        let missing = || Error::fault("a claim has no folder in staging");
        self.0.scratch.as_ref().ok_or_else(missing)
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("began_in", &self.0.began_in)
            .finish_non_exhaustive()
    }
}

/// Lets whoever holds a lock of the store go on: for a few files, or one transaction.
pub(super) fn wait() {
    super::step("waiting");
    std::thread::sleep(std::time::Duration::from_micros(200));
}

/// Takes a lock whose holders cannot leave what it guards half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
