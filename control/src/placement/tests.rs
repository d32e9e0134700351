//! Placement decides well in small cases, and keeps its promises in many random ones.

use storage::{clock::Fixed, ids::MachineId};

use super::*;

const GIB: i64 = 1 << 30;

/// Small numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn host(name: &str, cores: i64, gpus: usize, model: &str) -> Host {
    let room = Room {
        cpu_millicores: cores * 1000,
        memory_bytes: cores * 4 * GIB,
        slots: i64::MAX,
    };
    let gpu = |number: usize| Device {
        id: number.to_string(),
        model: model.to_owned(),
        free: true,
    };
    Host {
        id: MachineId::new(&Fixed::at(1_800_000_000_000)),
        name: name.to_owned(),
        labels: Vec::new(),
        runtimes: vec!["process".to_owned()],
        takes: Takes::Work,
        total: room,
        free: room,
        devices: (0..gpus).map(gpu).collect(),
        runs: 0,
    }
}

fn kind(cores: u64, gpus: u32) -> MachineType {
    MachineType {
        cpu_millicores: (cores > 0).then_some(cores * 1000),
        gpus,
        ..MachineType::default()
    }
}

fn wish(kind: &MachineType) -> Wish<'_> {
    Wish {
        name: "gpu-large",
        kind,
        job: true,
        only: None,
        prefers: None,
    }
}

fn placed(outcome: &Outcome) -> Option<MachineId> {
    match outcome {
        Outcome::Place(id, _) => Some(*id),
        Outcome::Wait(_) => None,
    }
}

#[test]
fn models_match_by_whole_words() {
    assert!(is_model("NVIDIA A100-SXM4-80GB", "a100"));
    assert!(is_model("NVIDIA A100-SXM4-80GB", "A100 SXM4"));
    assert!(!is_model("NVIDIA A100-SXM4-80GB", "A10"));
    assert!(!is_model("NVIDIA A100-SXM4-80GB", "SXM4 A100"));
}

#[test]
fn work_goes_where_it_leaves_the_least_over() {
    let hosts = [
        host("large", 64, 8, "H100"),
        host("small", 8, 1, "H100"),
        host("plain", 32, 0, ""),
    ];
    let cases = [
        (kind(4, 0), 2, "cards stay free for who wants them"),
        (kind(0, 0), 2, "also from who asks for nothing"),
        (kind(4, 1), 1, "the machine with the fewest cards left"),
        (kind(4, 2), 0, "the only one"),
        (kind(48, 0), 0, "the only one"),
    ];
    for (kind, expected, why) in &cases {
        let outcome = plan(&hosts, &[wish(kind)]);
        assert_eq!(placed(&outcome[0]), Some(hosts[*expected].id), "{why}");
    }
    let packed = plan(&hosts[..1], &[wish(&kind(4, 2)), wish(&kind(4, 2))]);
    assert_eq!(
        packed[0],
        Outcome::Place(hosts[0].id, vec!["0".into(), "1".into()])
    );
    assert_eq!(
        packed[1],
        Outcome::Place(hosts[0].id, vec!["2".into(), "3".into()])
    );
}

#[test]
fn who_asks_for_nothing_spreads_and_never_waits() {
    let mut hosts = [host("a", 1, 0, ""), host("b", 1, 0, "")];
    for host in &mut hosts {
        host.free.cpu_millicores = -500;
    }
    let modest = kind(0, 0);
    let outcomes = plan(&hosts, &[wish(&modest); 6]);
    for host in &hosts {
        let here = outcomes.iter().filter(|one| placed(one) == Some(host.id));
        assert_eq!(here.count(), 3);
    }
}

#[test]
fn where_the_files_are_is_preferred_and_can_be_demanded() {
    let hosts = [host("a", 8, 0, ""), host("b", 64, 0, "")];
    let two = kind(2, 0);
    let prefers = Wish {
        prefers: Some(hosts[1].id),
        ..wish(&two)
    };
    let only = Wish {
        only: Some(hosts[1].id),
        ..wish(&two)
    };
    for asked in [prefers, only] {
        assert_eq!(placed(&plan(&hosts, &[asked])[0]), Some(hosts[1].id));
    }
    let mut full = hosts.clone();
    full[1].free.cpu_millicores = 0;
    assert_eq!(placed(&plan(&full, &[prefers])[0]), Some(hosts[0].id));
    assert_eq!(placed(&plan(&full, &[only])[0]), None);
}

#[test]
fn a_big_request_is_not_passed_by_small_ones() {
    let mut hosts = [host("a", 16, 4, "T4")];
    hosts[0].devices[0].free = false;
    hosts[0].devices[1].free = false;
    let (big, small, plain) = (kind(1, 4), kind(1, 1), kind(1, 0));
    let outcomes = plan(&hosts, &[wish(&big), wish(&small), wish(&plain)]);
    assert_eq!(
        outcomes[0],
        Outcome::Wait("It wants 4 GPUs of one machine; 2 are free.".into())
    );
    assert_eq!(
        outcomes[1],
        Outcome::Wait("What is free is kept for others who asked before.".into())
    );
    assert!(
        placed(&outcomes[2]).is_some(),
        "what the big one does not want is free for all"
    );
}

/// Two machines; the second, with the better cards, cannot be reached now.
fn two() -> [Host; 2] {
    let mut away = host("m2", 16, 2, "NVIDIA H100 80GB");
    away.labels = vec!["zone=b".to_owned()];
    away.takes = Takes::Nothing;
    [host("m1", 8, 1, "T4"), away]
}

fn cards(gpus: u32, model: &str) -> MachineType {
    MachineType {
        gpus,
        gpu_model: (!model.is_empty()).then(|| model.to_owned()),
        ..MachineType::default()
    }
}

fn refused(kind: &MachineType, wants: &str) {
    let told = hopeless(&two(), &wish(kind));
    let expected = format!("Machine type `gpu-large` wants {wants}");
    assert_eq!(told, Some(expected), "{kind:?}");
}

#[test]
fn what_can_never_fit_is_told_with_what_comes_nearest() {
    let known = cards(2, "H100");
    let told = hopeless(&two(), &wish(&known));
    assert_eq!(told, None, "a machine that is away is known");
    refused(
        &cards(4, "H100"),
        "4 GPUs of model H100; the largest machine, m2, has 2.",
    );
    refused(
        &cards(1, "B200"),
        "1 GPU of model B200; no machine has one.",
    );
    let cores = MachineType {
        cpu_millicores: Some(32_500),
        ..MachineType::default()
    };
    refused(&cores, "32.5 cores; the largest machine, m2, has 16.");
    let memory = MachineType {
        memory_bytes: Some(1 << 40),
        ..MachineType::default()
    };
    refused(
        &memory,
        "1024 GiB of memory; the largest machine, m2, has 64 GiB.",
    );
}

#[test]
fn what_no_machine_offers_is_named() {
    let fast = MachineType {
        labels: vec!["fast".to_owned()],
        ..MachineType::default()
    };
    refused(&fast, "a machine with the label `fast`; no machine has it.");
    let docker = MachineType {
        runtime: Some("docker".to_owned()),
        ..MachineType::default()
    };
    refused(
        &docker,
        "the docker runtime; no machine that it may use has it.",
    );
    let there = MachineType {
        labels: vec!["zone=b".to_owned()],
        ..cards(3, "")
    };
    refused(&there, "3 GPUs; the largest machine, m2, has 2.");
}

#[test]
fn who_waits_is_told_for_what() {
    let mut one = host("desk", 4, 1, "T4");
    let gpu = kind(0, 1);
    one.devices[0].free = false;
    let told =
        |host: &Host, kind: &MachineType| match plan(std::slice::from_ref(host), &[wish(kind)])
            .remove(0)
        {
            Outcome::Wait(text) => text,
            Outcome::Place(..) => String::new(),
        };
    assert_eq!(told(&one, &gpu), "The only GPU of its kind is in use.");
    one.free.slots = 0;
    assert_eq!(told(&one, &kind(0, 0)), "All places for jobs are taken.");
    one.free.slots = 1;
    one.free.cpu_millicores = 500;
    assert_eq!(
        told(&one, &kind(1, 0)),
        "Its machines have not enough free cores or memory now."
    );
    one.takes = Takes::NothingNew;
    assert_eq!(told(&one, &gpu), "desk takes no new work now.");
    one.takes = Takes::Nothing;
    assert_eq!(told(&one, &gpu), "desk cannot be reached now.");
}

/// Puts a run where it was placed: its devices were free, of its model, and as many as it asked for.
fn occupy(host: &mut Host, asked: &Wish<'_>, devices: &[String]) {
    assert_eq!(devices.len(), asked.gpus());
    for id in devices {
        let device = host.devices.iter_mut().find(|device| device.id == *id);
        let device = device.expect("a device of this machine");
        assert!(device.free && asked.likes(device));
        device.free = false;
    }
    host.free.take(&asked.room());
}

fn random_hosts(dice: &mut Dice) -> Vec<Host> {
    let one = |dice: &mut Dice| {
        let (cores, gpus) = (1 + dice.roll(16), dice.roll(5));
        let model = ["T4", "H100"][usize::from(dice.roll(2) == 1)];
        let mut host = host(
            "m",
            cores.cast_signed(),
            usize::try_from(gpus).unwrap_or(0),
            model,
        );
        host.free.cpu_millicores -= (dice.roll(cores) * 1000).cast_signed();
        for device in &mut host.devices {
            device.free = dice.roll(3) > 0;
        }
        host
    };
    (0..=dice.roll(4)).map(|_| one(dice)).collect()
}

fn random_kind(dice: &mut Dice) -> MachineType {
    let gpus = dice.roll(6).saturating_sub(2);
    MachineType {
        gpu_model: (dice.roll(2) == 0).then(|| "T4".to_owned()),
        ..kind(dice.roll(6), u32::try_from(gpus).unwrap_or(0))
    }
}

#[test]
fn plans_never_promise_more_than_there_is_and_pass_nobody_who_fits() {
    let mut dice = Dice(1);
    for _ in 0..2000 {
        let hosts = random_hosts(&mut dice);
        let kinds: Vec<_> = (0..dice.roll(8)).map(|_| random_kind(&mut dice)).collect();
        let queue: Vec<_> = kinds.iter().map(wish).collect();
        let mut left = hosts.clone();
        for (asked, outcome) in queue.iter().zip(plan(&hosts, &queue)) {
            let Outcome::Place(id, devices) = outcome else {
                continue;
            };
            let host = left.iter_mut().find(|host| host.id == id).expect("a host");
            assert!(host.can(asked), "it fits beside those before it");
            occupy(host, asked, &devices);
        }
        if let Some(first) = queue.first() {
            let fits = hosts.iter().any(|host| host.can(first));
            assert_eq!(
                placed(&plan(&hosts, &queue)[0]).is_some(),
                fits,
                "the first is never passed"
            );
        }
    }
}

/// Machines at work: what runs, until when, and where.
struct World {
    hosts: Vec<Host>,
    running: Vec<(u64, MachineId, Vec<String>, MachineType)>,
}

impl World {
    fn end_what_is_over(&mut self, now: u64) {
        let running = std::mem::take(&mut self.running);
        let (over, on): (Vec<_>, Vec<_>) = running.into_iter().partition(|run| run.0 <= now);
        self.running = on;
        for (_, id, devices, kind) in over {
            let host = self.hosts.iter_mut().find(|host| host.id == id);
            let host = host.expect("a host");
            host.free.cpu_millicores += wish(&kind).room().cpu_millicores;
            for device in &mut host.devices {
                device.free |= devices.contains(&device.id);
            }
        }
    }

    /// Begins what can begin; says which of the queue did.
    fn begin(&mut self, kinds: &[MachineType], until: &mut dyn FnMut() -> u64) -> Vec<usize> {
        let queue: Vec<_> = kinds.iter().map(wish).collect();
        let mut begun = Vec::new();
        for (at, outcome) in plan(&self.hosts, &queue).into_iter().enumerate() {
            if let Outcome::Place(id, devices) = outcome {
                let host = self.hosts.iter_mut().find(|host| host.id == id);
                occupy(host.expect("a host"), &queue[at], &devices);
                self.running.push((until(), id, devices, kinds[at].clone()));
                begun.push(at);
            }
        }
        begun
    }
}

/// A steady stream of small requests keeps every machine full; a big one among them begins once what ran before it has ended.
#[test]
fn nobody_waits_for_ever() {
    const LASTS: u64 = 5;
    let mut dice = Dice(7);
    for _ in 0..200 {
        let mut hosts = random_hosts(&mut dice);
        hosts.iter_mut().for_each(Host::clear);
        let big = random_kind(&mut dice);
        if !hosts.iter().any(|host| host.could(&wish(&big))) {
            continue;
        }
        let mut world = World {
            hosts,
            running: Vec::new(),
        };
        // All is full before the big one comes; from then on it stands first, with more small ones behind it all the time.
        let small = vec![kind(1, u32::from(big.gpus > 0)); 20];
        let mixed = [std::slice::from_ref(&big), &small[..]].concat();
        let mut begun = false;
        for now in 0..LASTS * 8 {
            world.end_what_is_over(now);
            let asks = if now == 0 || begun { &small } else { &mixed };
            let first = world.begin(asks, &mut || now + 1 + dice.roll(LASTS));
            begun |= now > 0 && first.first() == Some(&0);
        }
        assert!(begun, "{big:?}");
    }
}

#[test]
fn free_capacity_counts_what_fits_one_after_the_other() {
    let hosts = [host("a", 8, 2, "T4"), host("b", 4, 0, "")];
    assert_eq!(room_for(&hosts, &wish(&kind(0, 1)), 100), 2);
    assert_eq!(room_for(&hosts, &wish(&kind(3, 0)), 100), 3);
    assert_eq!(room_for(&hosts, &wish(&kind(0, 0)), 100), 100);
}
