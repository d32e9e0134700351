//! A model check of the real protocol: clients and cycles run as threads on a real store, one step at a time, in every order with few
//! switches; a crash may come at every step. Afterwards everything that is held must be whole, and everything else must go.
//!
//! The code itself is run, not a model of it, so nothing can be right in the one and wrong in the other. Each protection is also
//! taken away in turn: then an order must be found in which something is lost.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex};

use super::*;
use crate::objects::testing::{LET_GO, WITHOUT};
use crate::objects::wait_for;

/// Says how often a client that could go on is made to wait for another: once, where nothing is said. Most faults of this kind need no more than two
/// (Musuvathi, Qadeer: CHESS, 2007), which takes minutes.
const SWITCHES: &str = "CAIRN_TEST_SWITCHES";

fn switches() -> usize {
    std::env::var(SWITCHES).map_or(1, |text| text.parse().unwrap())
}

type Client = Arc<dyn Fn(&World) + Send + Sync>;

/// What clients share.
struct World {
    fixture: Fixture,
    dataset: DatasetId,
    folder: std::path::PathBuf,
    prefixes: Vec<u8>,
}

impl World {
    fn new() -> Self {
        // Thousands of runs, of which none needs to survive a power cut.
        if Path::new("/dev/shm").is_dir() {
            let _other = tempfile::env::override_temp_dir(Path::new("/dev/shm"));
        }
        let fixture = wait_for(Fixture::sqlite());
        let dataset = wait_for(dataset(&fixture, "digits"));
        let folder = fixture.folder("work");
        write(&folder, "a", "a");
        let mut world = Self {
            fixture,
            dataset,
            folder,
            prefixes: Vec::new(),
        };
        wait_for(world.reset());
        world.prefixes = world.names();
        world
    }

    /// A version, which may be of the same content as others, that is condemned or not.
    async fn reset(&self) {
        for text in [
            "DELETE FROM dataset_alias_moves",
            "DELETE FROM dataset_aliases",
            "DELETE FROM dataset_version_sources",
            "DELETE FROM dataset_versions",
            "DELETE FROM manifest_roots",
            "DELETE FROM condemned",
            "DELETE FROM project_objects",
            "DELETE FROM objects",
            "UPDATE datasets SET next_version = 1",
        ] {
            let work = |mut tx: Tx| async move { execute(&mut tx, sql(text)).await };
            self.fixture.store.db().write(work).await.unwrap();
        }
        for (space, hash) in self.there() {
            self.fixture.store.objects().remove(space, &hash).unwrap();
        }
        push(&self.fixture, self.dataset, &self.folder).await;
    }

    fn there(&self) -> Vec<(Space, Hash)> {
        let mut there = Vec::new();
        let prefixes = if self.prefixes.is_empty() {
            (0..=u8::MAX).collect()
        } else {
            self.prefixes.clone()
        };
        for space in [Space::Objects, Space::Manifests] {
            for prefix in &prefixes {
                let visit = &mut |hash, _| {
                    there.push((space, hash));
                    Ok(())
                };
                self.fixture
                    .store
                    .objects()
                    .list(space, *prefix, visit)
                    .unwrap();
            }
        }
        there
    }

    /// The first bytes of everything that the clients can make.
    fn names(&self) -> Vec<u8> {
        self.record(&self.composed(1).unwrap());
        let mut names: Vec<u8> = self
            .there()
            .iter()
            .map(|(_, hash)| hash.as_bytes()[0])
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn cycle(&self) {
        let mut begun = wait_for(begin(&self.fixture.store, at_once())).unwrap();
        begun.cycle.only(self.prefixes.clone());
        begun.cycle.run(&Stop::default()).unwrap();
    }

    /// Takes the version with this number back, if it is there.
    fn retract(&self, number: i64) {
        let (id, by) = (self.dataset, self.fixture.user);
        let work = |mut tx: Tx| async move { datasets::retract(&mut tx, id, number, by).await };
        drop(wait_for(self.fixture.store.db().write(work)));
    }

    /// Puts the content and records it.
    fn push(&self) {
        let batch = self.fixture.store.objects().begin().unwrap();
        let (hash, size) = batch.put(&mut &b"a"[..]).unwrap();
        let mut builder = manifest::Builder::new(&*batch);
        let node = manifest::Node::File {
            hash,
            size,
            executable: false,
        };
        builder
            .push(manifest::Entry {
                path: "a".to_owned(),
                node,
            })
            .unwrap();
        let summary = builder.finish().unwrap();
        let claim = batch.commit().unwrap();
        let objects = vec![(hash, size)];
        self.record(&outputs::Pending::plain(
            self.fixture.project,
            summary,
            objects,
            claim,
        ));
    }

    /// Makes another manifest of what a version holds, if that is not taken back.
    fn composed(&self, number: i64) -> Option<outputs::Pending> {
        let (store, id) = (&self.fixture.store, self.dataset);
        let version = wait_for(datasets::by_number(store.db(), id, number)).unwrap();
        let version = version.filter(|version| version.retracted_ms.is_none())?;
        let part = Part {
            to: Some("below".to_owned()),
            ..Part::whole(version.manifest_digest.parse().unwrap())
        };
        crate::objects::step("to compose");
        manifest::compose_now(store, self.fixture.project, &[part], Clash::Refuse).ok()
    }

    fn record(&self, pending: &outputs::Pending) {
        crate::objects::step("to record");
        let new = datasets::NewVersion {
            user_id: self.fixture.user,
            summary: pending.captured().summary,
            message: String::new(),
            metadata: serde_json::Map::new(),
            origin: datasets::Origin::Upload,
            job_id: None,
            sources: Vec::new(),
        };
        let (new, id) = (&new, self.dataset);
        let work = |mut tx: Tx| async move {
            pending.record(&mut tx).await?;
            datasets::add(&mut tx, id, new).await
        };
        wait_for(self.fixture.store.db().write(work)).unwrap();
        crate::objects::step("recorded");
    }

    /// What is wrong now, if something is.
    fn fault(&self) -> Option<String> {
        let store = &self.fixture.store;
        let text = "SELECT COUNT(*) FROM dataset_versions v WHERE v.retracted_ms IS NULL \
             AND NOT EXISTS (SELECT 1 FROM manifest_roots r WHERE r.digest = v.manifest_digest)";
        if wait_for(count(store.db(), text)) > 0 {
            return Some("a version has no manifest".to_owned());
        }
        let report = wait_for(fsck::check(store, Mode::Full)).unwrap();
        (!report.is_sound()).then(|| format!("{:?}", report.findings))
    }
}

/// Who may take the next step.
#[derive(Default)]
struct Board {
    state: Mutex<Stand>,
    moved: Condvar,
}

#[derive(Default)]
struct Stand {
    turn: Option<usize>,
    /// Clients that stand at a step; those that wait for others only go on after somebody else has.
    parked: Vec<Option<Parked>>,
    crashed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parked {
    Ready,
    Waits,
    Done,
}

/// How a client ends that is killed.
struct Killed;

impl Board {
    fn park(&self, client: usize, how: Parked) {
        let mut stand = self.state.lock().unwrap();
        stand.parked[client] = Some(how);
        if stand.turn == Some(client) {
            stand.turn = None;
        }
        self.moved.notify_all();
        if how == Parked::Done {
            return;
        }
        while stand.turn != Some(client) {
            if stand.crashed {
                drop(stand);
                resume_unwind(Box::new(Killed));
            }
            stand = self.moved.wait(stand).unwrap();
        }
        stand.parked[client] = None;
    }

    /// Waits until everybody stands, and says how.
    fn stand(&self) -> Vec<Parked> {
        let mut stand = self.state.lock().unwrap();
        while stand.turn.is_some() || stand.parked.iter().any(Option::is_none) {
            stand = self.moved.wait(stand).unwrap();
        }
        stand.parked.iter().copied().flatten().collect()
    }

    fn go(&self, client: usize) {
        let mut stand = self.state.lock().unwrap();
        // Whoever waits may find what it waits for changed by this.
        for other in stand
            .parked
            .iter_mut()
            .filter(|other| **other == Some(Parked::Waits))
        {
            *other = Some(Parked::Ready);
        }
        stand.parked[client] = None;
        stand.turn = Some(client);
        self.moved.notify_all();
    }

    fn crash(&self) {
        self.state.lock().unwrap().crashed = true;
        self.moved.notify_all();
    }
}

/// One order of steps: what was chosen at each, of how many.
#[derive(Clone, Debug, Default)]
struct Order(Vec<(usize, usize)>);

impl Order {
    /// The next one to try.
    fn next(mut self) -> Option<Self> {
        while let Some((chosen, of)) = self.0.pop() {
            if chosen + 1 < of {
                self.0.push((chosen + 1, of));
                return Some(self);
            }
        }
        None
    }
}

/// Runs the clients in one order, which is completed by going on with whoever goes.
fn run(world: &Arc<World>, clients: &[Client], switches: usize, order: &mut Order) {
    let board = Arc::new(Board::default());
    board.state.lock().unwrap().parked = vec![None; clients.len()];
    let handle = tokio::runtime::Handle::current();
    let without = WITHOUT.with(std::cell::Cell::get);
    let threads: Vec<_> = clients
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, client)| {
            let (world, board, handle) = (Arc::clone(world), Arc::clone(&board), handle.clone());
            std::thread::spawn(move || {
                let _runtime = handle.enter();
                WITHOUT.with(|cell| cell.set(without));
                let at = Arc::clone(&board);
                LET_GO.with(|go| {
                    *go.borrow_mut() = Some(Box::new(move |name| {
                        let waits = name == "waiting";
                        at.park(number, if waits { Parked::Waits } else { Parked::Ready });
                    }));
                });
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    crate::objects::step("begin");
                    client(&world);
                }));
                LET_GO.with(|go| go.borrow_mut().take());
                board.park(number, Parked::Done);
                ended.err().filter(|why| !why.is::<Killed>())
            })
        })
        .collect();
    choose(&board, switches, order);
    let broken: Vec<Box<dyn Any + Send>> = threads
        .into_iter()
        .filter_map(|thread| thread.join().unwrap())
        .collect();
    if let Some(why) = broken.into_iter().next() {
        resume_unwind(why);
    }
}

fn choose(board: &Board, switches: usize, order: &mut Order) {
    let (mut current, mut spent, mut taken) = (None, 0, 0);
    loop {
        let stand = board.stand();
        let mut may: Vec<usize> = (0..stand.len())
            .filter(|one| stand[*one] == Parked::Ready)
            .collect();
        if may.is_empty() {
            assert!(
                stand.iter().all(|one| *one == Parked::Done),
                "everybody waits for another"
            );
            return;
        }
        // Going on with the same one is free; so is any choice once it cannot go on.
        let goes_on = current.is_some_and(|one| may.contains(&one));
        may.sort_by_key(|one| Some(*one) != current);
        let options = if !goes_on {
            may.len()
        } else if spent < switches {
            may.len() + 1
        } else {
            1
        };
        if order.0.len() == taken {
            order.0.push((0, options));
        }
        let (chosen, _) = order.0[taken];
        taken += 1;
        if chosen == may.len() {
            return board.crash();
        }
        spent += usize::from(goes_on && chosen > 0);
        current = Some(may[chosen]);
        board.go(may[chosen]);
    }
}

/// Runs the clients in every order; returns how many there were, or what went wrong in which.
fn explore(
    world: &Arc<World>,
    prepare: &dyn Fn(&World),
    (clients, switches): (&[Client], usize),
) -> std::result::Result<usize, String> {
    let (mut order, mut orders) = (Some(Order::default()), 0);
    while let Some(mut now) = order {
        wait_for(world.reset());
        prepare(world);
        run(world, clients, switches, &mut now);
        orders += 1;
        // What the crash or the end left is collected, and all that is held is whole: before, between and after.
        for _ in 0..2 {
            if let Some(fault) = world.fault() {
                return Err(format!("{fault} in order {orders}: {now:?}"));
            }
            world.cycle();
        }
        if let Some(fault) = world.fault() {
            return Err(format!("{fault} in order {orders}: {now:?}"));
        }
        let held = wait_for(count(
            world.fixture.store.db(),
            "SELECT COUNT(*) FROM dataset_versions WHERE retracted_ms IS NULL",
        ));
        let there = world.there();
        if held == 0 && !there.is_empty() {
            return Err(format!("{there:?} stays in order {orders}: {now:?}"));
        }
        order = now.next();
    }
    Ok(orders)
}

/// A version that was taken back and condemned meets whoever puts the same again.
fn condemned(world: &World) {
    world.retract(1);
    world.cycle();
}

fn clients(what: &[fn(&World)]) -> Vec<Client> {
    what.iter()
        .map(|client| Arc::new(*client) as Client)
        .collect()
}

/// Everything is explored on a thread that may block.
async fn explored(
    prepare: fn(&World),
    (what, switches): (&'static [fn(&World)], usize),
    without: &'static str,
) -> std::result::Result<usize, String> {
    let world = Arc::new(tokio::task::spawn_blocking(World::new).await.unwrap());
    let work = move || {
        WITHOUT.with(|cell| cell.set(without));
        let found = explore(&world, &prepare, (&clients(what), switches));
        WITHOUT.with(|cell| cell.set(""));
        found
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

const PUT_AND_SWEEP: &[fn(&World)] = &[World::push, World::cycle];
const TWO_PUT_AND_SWEEP: &[fn(&World)] = &[World::push, |world| {
    world.cycle();
    world.push();
    world.cycle();
}];
const HOPS: &[fn(&World)] = &[
    |world| {
        if let Some(pending) = world.composed(1) {
            world.record(&pending);
        }
    },
    |world| {
        world.retract(1);
        crate::objects::step("taken back");
        world.cycle();
        world.cycle();
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_the_order_of_put_commit_condemn_sweep_and_crash() {
    let orders = explored(condemned, (PUT_AND_SWEEP, switches()), "")
        .await
        .unwrap();
    assert!(orders > 50, "{orders}");
    eprintln!("{orders} orders of a put and a sweep");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_that_two_put_at_the_same_time() {
    let orders = explored(condemned, (TWO_PUT_AND_SWEEP, switches()), "")
        .await
        .unwrap();
    eprintln!("{orders} orders of two puts and a sweep");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_that_is_made_of_what_is_taken_back() {
    let orders = explored(|_| {}, (HOPS, switches()), "").await.unwrap();
    eprintln!("{orders} orders of making a version of one that goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_protection_is_needed() {
    for (without, prepare, what) in [
        ("claims", condemned as fn(&World), PUT_AND_SWEEP),
        ("rows", condemned, PUT_AND_SWEEP),
        ("revival", condemned, PUT_AND_SWEEP),
        ("touches", condemned, PUT_AND_SWEEP),
        ("age", |_: &World| {}, HOPS),
    ] {
        let found = explored(prepare, (what, switches()), without).await;
        let lost = found.expect_err(without);
        eprintln!("without {without}: {lost}");
    }
}
