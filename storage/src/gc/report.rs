//! What a cycle did, or would do.

use serde::{Deserialize, Serialize};

use super::Faded;
use crate::objects::Hash;

const DAY_MS: i64 = 24 * 3_600_000;

/// How many, and how many bytes as they lie in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many things.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// How long ago something came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Age {
    /// Within a day.
    pub day: Tally,
    /// Within a week.
    pub week: Tally,
    /// Within thirty days.
    pub month: Tally,
    /// Before that.
    pub older: Tally,
    /// Not on record: nodes of manifests, logs, and what a crash left.
    pub unknown: Tally,
}

impl Age {
    pub(super) fn add(&mut self, age_ms: Option<i64>, bytes: u64) {
        let place = match age_ms {
            None => &mut self.unknown,
            Some(age) if age < DAY_MS => &mut self.day,
            Some(age) if age < 7 * DAY_MS => &mut self.week,
            Some(age) if age < 30 * DAY_MS => &mut self.month,
            Some(_) => &mut self.older,
        };
        place.add(bytes);
    }
}

/// What a cycle did; a dry one, what it would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Found unneeded for the first time: goes in a later cycle unless something needs it again.
    pub condemned: Tally,
    /// Condemned before, and not for long enough yet, or work under way may still need it.
    pub waiting: Tally,
    /// Removed.
    pub swept: Tally,
    /// Condemned before, and needed again.
    pub revived: Tally,
    /// Of those condemned, waiting and swept: what no record names, such as logs of what was deleted and what a crash left.
    pub unrecorded: Tally,
    /// Of those condemned, waiting and swept: when they came in.
    pub age: Age,
    /// Manifests that nothing holds any more, at most 100, with what held them last.
    pub faded: Vec<Faded>,
    /// How many there are.
    pub faded_count: u64,
    /// Damaged objects that were put aside: those kept.
    pub damaged_kept: Tally,
    /// And those removed, being old.
    pub damaged_removed: Tally,
    /// Images and trees of manifests that are forgotten, which were removed; those stay where other servers may share the store.
    pub leftovers: Tally,
    /// Keys with nothing in them any more that were removed from the bucket, where one keeps the store.
    pub removed: Tally,
    /// Manifests that are needed and cannot be read, at most 10. While there are any, what they need is not known, and nothing in the store is
    /// condemned or swept; manifests that were condemned before and that nothing holds are forgotten all the same, and keep their content.
    pub unreadable: Vec<Hash>,
    /// Whether another process works on the store: then nothing is swept.
    pub shared: bool,
}
