//! Which machine waiting work goes to. Pure: sees what there is and who asks, decides, changes nothing.
//!
//! Best fit: work goes where it leaves the least over, so that large machines and cards stay free for what needs them. Who asked first
//! comes first; who does not fit yet keeps what it waits for from those behind, so that nobody waits for ever.

mod misfit;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use storage::ids::MachineId;

use crate::MachineType;

pub(crate) use misfit::{hopeless, waits_for};

/// Amounts of what a machine has; `i64::MAX` where it has no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) cpu_millicores: i64,
    pub(crate) memory_bytes: i64,
    /// Jobs at the same time.
    pub(crate) slots: i64,
}

/// Whether a machine takes work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Work,
    /// It is being drained.
    NothingNew,
    /// It cannot be reached.
    Nothing,
}

/// A device of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) free: bool,
}

/// A machine as placement sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) id: MachineId,
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) runtimes: Vec<String>,
    pub(crate) takes: Takes,
    pub(crate) total: Room,
    pub(crate) free: Room,
    pub(crate) devices: Vec<Device>,
    /// How many runs are on it.
    pub(crate) runs: usize,
}

/// What one run asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The name of its machine type.
    pub(crate) name: &'a str,
    pub(crate) kind: &'a MachineType,
    /// Jobs take a slot; servers do not.
    pub(crate) job: bool,
    /// It can be on this machine only.
    pub(crate) only: Option<MachineId>,
    /// Where it would best be.
    pub(crate) prefers: Option<MachineId>,
}

/// What becomes of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It begins on this machine with these devices.
    Place(MachineId, Vec<String>),
    /// It waits; the text says for what.
    Wait(String),
}

impl Wish<'_> {
    pub(crate) fn room(&self) -> Room {
        let signed = |amount: Option<u64>| {
            amount.map_or(0, |amount| i64::try_from(amount).unwrap_or(i64::MAX))
        };
        Room {
            cpu_millicores: signed(self.kind.cpu_millicores),
            memory_bytes: signed(self.kind.memory_bytes),
            slots: i64::from(self.job),
        }
    }

    fn gpus(&self) -> usize {
        usize::try_from(self.kind.gpus).unwrap_or(usize::MAX)
    }

    /// Whether a device is of the model that is asked for.
    fn likes(&self, device: &Device) -> bool {
        let wanted = self.kind.gpu_model.as_deref();
        wanted.is_none_or(|wanted| is_model(&device.model, wanted))
    }

    /// Asks for no amount of anything.
    fn is_modest(&self) -> bool {
        let room = self.room();
        self.kind.gpus == 0 && room.cpu_millicores == 0 && room.memory_bytes == 0
    }
}

/// Whether the words of `wanted` stand one after the other in `model`, in upper or lower case: `A100` is in `NVIDIA A100-SXM4-80GB`,
/// `A10` is not.
pub(crate) fn is_model(model: &str, wanted: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (model, wanted) = (words(model), words(wanted));
    wanted.is_empty() || model.windows(wanted.len()).any(|part| part == wanted)
}

impl Room {
    /// Whether `wanted` fits; nothing always does, also where more was promised than there is now.
    pub(crate) fn holds(&self, wanted: &Self) -> bool {
        let fits = |wanted: i64, has: i64| wanted == 0 || wanted <= has;
        fits(wanted.cpu_millicores, self.cpu_millicores)
            && fits(wanted.memory_bytes, self.memory_bytes)
            && fits(wanted.slots, self.slots)
    }

    pub(crate) fn take(&mut self, wanted: &Self) {
        let less = |has: &mut i64, wanted: i64| {
            if *has != i64::MAX {
                *has = has.saturating_sub(wanted);
            }
        };
        less(&mut self.cpu_millicores, wanted.cpu_millicores);
        less(&mut self.memory_bytes, wanted.memory_bytes);
        less(&mut self.slots, wanted.slots);
    }
}

impl Host {
    /// Whether the wish may go here at all, whatever the amounts.
    fn suits(&self, wish: &Wish<'_>) -> bool {
        let labelled = |label: &String| self.labels.contains(label);
        wish.only.is_none_or(|only| only == self.id)
            && wish.kind.labels.iter().all(labelled)
            && self.runs_with(wish.kind.runtime.as_deref())
    }

    fn runs_with(&self, runtime: Option<&str>) -> bool {
        runtime.is_none_or(|wanted| self.runtimes.iter().any(|has| has == wanted))
    }

    /// How many devices it has that the wish would take.
    fn liked(&self, wish: &Wish<'_>) -> usize {
        self.devices.iter().filter(|one| wish.likes(one)).count()
    }

    fn free_and_liked<'a>(&'a self, wish: &'a Wish<'_>) -> impl Iterator<Item = &'a Device> {
        let fit = |one: &&Device| one.free && wish.likes(one);
        self.devices.iter().filter(fit)
    }

    /// Whether the wish would fit if nothing else ran here.
    pub(crate) fn could(&self, wish: &Wish<'_>) -> bool {
        self.suits(wish) && self.total.holds(&wish.room()) && self.liked(wish) >= wish.gpus()
    }

    /// Whether the wish fits now.
    pub(crate) fn can(&self, wish: &Wish<'_>) -> bool {
        self.takes == Takes::Work
            && self.suits(wish)
            && self.free.holds(&wish.room())
            && self.free_and_liked(wish).count() >= wish.gpus()
    }

    /// Takes what the wish asks for, as far as it is there; returns the devices.
    pub(crate) fn take(&mut self, wish: &Wish<'_>) -> Vec<String> {
        let given = self.free_and_liked(wish).take(wish.gpus());
        let given: Vec<String> = given.map(|one| one.id.clone()).collect();
        for device in &mut self.devices {
            device.free &= !given.contains(&device.id);
        }
        self.free.take(&wish.room());
        self.runs += 1;
        given
    }

    /// As if nothing ran on it.
    pub(crate) fn clear(&mut self) {
        self.free = self.total;
        self.runs = 0;
        for device in &mut self.devices {
            device.free = true;
        }
    }

    /// What is missing until the wish fits: devices, slots, CPU, memory.
    fn missing(&self, wish: &Wish<'_>) -> (usize, i64, i64, i64) {
        let (room, lacks) = (wish.room(), |wanted: i64, has: i64| {
            if wanted == 0 {
                0
            } else {
                wanted.saturating_sub(has).max(0)
            }
        });
        let devices = wish
            .gpus()
            .saturating_sub(self.free_and_liked(wish).count());
        (
            devices,
            lacks(room.slots, self.free.slots),
            lacks(room.cpu_millicores, self.free.cpu_millicores),
            lacks(room.memory_bytes, self.free.memory_bytes),
        )
    }

    /// Less is a better place for the wish: where it prefers to be; then with the fewest devices left over, counting those in use for who
    /// wants none; then with the least CPU and memory left over. What asks for nothing goes where the least runs.
    fn rank(&self, wish: &Wish<'_>) -> (bool, usize, usize, i64) {
        let elsewhere = wish.prefers.is_some_and(|prefers| prefers != self.id);
        let devices = match wish.gpus() {
            0 => self.devices.len(),
            wanted => self.devices.iter().filter(|one| one.free).count() - wanted,
        };
        if wish.is_modest() {
            return (elsewhere, devices, self.runs, 0);
        }
        let room = wish.room();
        // In thousandths of what there is, so that cores and bytes can be added.
        let left = |free: i64, total: i64, wanted: i64| {
            let (free, total) = (i128::from(free) - i128::from(wanted), i128::from(total));
            i64::try_from(free.max(0) * 1000 / total.max(1)).unwrap_or(i64::MAX)
        };
        let cpu = left(
            self.free.cpu_millicores,
            self.total.cpu_millicores,
            room.cpu_millicores,
        );
        let memory = left(
            self.free.memory_bytes,
            self.total.memory_bytes,
            room.memory_bytes,
        );
        (elsewhere, devices, 0, cpu.saturating_add(memory))
    }
}

/// The best machine for a wish among those where it fits now.
fn best(hosts: &[Host], wish: &Wish<'_>) -> Option<usize> {
    let fitting = (0..hosts.len()).filter(|&at| hosts[at].can(wish));
    fitting.min_by(|&a, &b| {
        let by_rank = hosts[a].rank(wish).cmp(&hosts[b].rank(wish));
        by_rank.then_with(|| hosts[a].id.cmp(&hosts[b].id))
    })
}

/// Decides for everybody who waits, in the order in which they asked.
///
/// Who does not fit reserves: on the machine that lacks the least for it, what is free of what it asks for is kept from those behind. As
/// runs end, what is kept only grows, so the first in the queue begins as soon as enough has ended.
pub(crate) fn plan(hosts: &[Host], queue: &[Wish<'_>]) -> Vec<Outcome> {
    let mut left = hosts.to_vec();
    let mut outcomes = Vec::with_capacity(queue.len());
    for wish in queue {
        if let Some(at) = best(&left, wish) {
            let devices = left[at].take(wish);
            outcomes.push(Outcome::Place(left[at].id, devices));
            continue;
        }
        outcomes.push(Outcome::Wait(waits_for(hosts, &left, wish)));
        let could =
            (0..left.len()).filter(|&at| left[at].takes == Takes::Work && left[at].could(wish));
        if let Some(at) = could.min_by(|&a, &b| nearer(&left[a], &left[b], wish)) {
            left[at].take(wish);
        }
    }
    outcomes
}

fn nearer(a: &Host, b: &Host, wish: &Wish<'_>) -> Ordering {
    let by_missing = a.missing(wish).cmp(&b.missing(wish));
    by_missing.then_with(|| a.id.cmp(&b.id))
}

/// How many runs of this type could begin now, one after the other, if nobody waited; at most `most`.
pub(crate) fn room_for(hosts: &[Host], wish: &Wish<'_>, most: usize) -> usize {
    let mut left = hosts.to_vec();
    let mut count = 0;
    while count < most
        && let Some(at) = best(&left, wish)
    {
        left[at].take(wish);
        count += 1;
    }
    count
}
