//! What runs hold of machines: never more than there is, never a device twice, and nothing after their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage::ids::{JobId, MachineId, WorkspaceId};
use storage::jobs::{self, NewJob};
use storage::leases::{self, Claim, Lease, Subject};
use storage::machines::{self, Registration};
use storage::workspaces::{self, Desired, Note, State};
use storage::{Db, Error, Result, attempts};

use crate::bed::{Bed, NOW_MS, ending, on_both, written};
use crate::machines::{gpus, register, registration};

on_both!(
    job_holds_what_it_was_given_until_it_ends,
    workspace_holds_what_it_was_given_until_it_rests,
    room_is_never_promised_twice,
    who_asks_for_nothing_waits_for_nothing,
    draining_machine_takes_nothing,
    unknown_device_is_not_given,
    lost_attempt_releases,
    waiting_workspaces_are_in_the_order_of_asking,
    what_one_server_accepted_no_other_places,
    cost_follows_the_time_and_the_price_at_the_start,
    race_for_devices_has_one_holder_each_and_loses_none,
    race_for_room_never_overbooks,
);

fn on(machine_id: MachineId) -> Claim {
    Claim {
        machine_id,
        machine: "cpu".to_owned(),
        cpu_millicores: 0,
        memory_bytes: 0,
        devices: Vec::new(),
        price: None,
    }
}

fn with(machine_id: MachineId, devices: &[&str]) -> Claim {
    Claim {
        devices: devices.iter().map(|&id| id.to_owned()).collect(),
        ..on(machine_id)
    }
}

async fn machine(bed: &Bed, gpu: usize) -> MachineId {
    let new = Registration {
        devices: gpus(gpu, "T4"),
        ..registration(bed, "desk")
    };
    register(bed, &new).await.unwrap().id
}

async fn place(db: &Db, id: JobId, claim: &Claim) -> Result<Option<attempts::Attempt>> {
    db.write(|mut tx| async move {
        let placed = leases::place_job(&mut tx, id, claim).await?;
        Ok(placed.map(|(_, attempt)| attempt))
    })
    .await
}

async fn start(bed: &Bed, id: WorkspaceId, fence: i64, claim: &Claim) -> Option<i64> {
    let run = &format!("w-{id}-{}", fence + 1);
    written!(bed, |tx| leases::place_workspace(
        &mut tx,
        id,
        (fence, run),
        Some("sealed"),
        claim
    ))
    .unwrap()
}

async fn live(bed: &Bed) -> Vec<Lease> {
    leases::live(&bed.db).await.unwrap()
}

async fn job_holds_what_it_was_given_until_it_ends(bed: &Bed) {
    let id = machine(bed, 2).await;
    let new = bed.ready().await;
    let (first, second) = (bed.submit(&new).await.id, bed.submit(&new).await.id);
    let claim = Claim {
        cpu_millicores: 1000,
        price: Some(7),
        ..with(id, &["1"])
    };
    let attempt = place(&bed.db, first, &claim).await.unwrap().unwrap();
    assert_eq!(attempt.machine_id, Some(id));
    assert_eq!(bed.job(first).await.machine_id, Some(id));
    let held = &live(bed).await[0];
    assert_eq!((held.subject, held.fence), (Subject::Job(first), 1));
    assert_eq!(
        (held.devices[0].id.as_str(), held.devices[0].model.as_str()),
        ("1", "T4")
    );
    let found = leases::of_run(&bed.db, Subject::Job(first), 1).await;
    assert_eq!(found.unwrap().as_ref(), Some(held));
    assert_eq!(place(&bed.db, second, &claim).await.unwrap(), None);
    assert_eq!(bed.job(second).await.state, jobs::State::Queued);
    assert_eq!(
        place(&bed.db, first, &with(id, &["0"])).await.unwrap(),
        None
    );
    assert_eq!(
        live(bed).await.len(),
        1,
        "a job that runs is not placed again"
    );
    let end = &ending(jobs::State::Error);
    assert!(written!(bed, |tx| jobs::finish(&mut tx, attempt.id, end)).unwrap());
    assert!(live(bed).await.is_empty());
    assert!(place(&bed.db, second, &claim).await.unwrap().is_some());
    let record = &leases::of_job(&bed.db, first).await.unwrap()[0];
    assert_eq!(
        (record.released_ms, record.devices.len()),
        (Some(NOW_MS), 1)
    );
}

async fn workspace_holds_what_it_was_given_until_it_rests(bed: &Bed) {
    let id = machine(bed, 1).await;
    let new = bed.ready().await;
    let lab = bed.workspace(new.project_id, new.user_id, "lab").await.id;
    let claim = with(id, &["0"]);
    assert_eq!(
        start(bed, lab, 0, &claim).await,
        None,
        "nobody asked for it"
    );
    assert!(live(bed).await.is_empty());
    for (fence, path) in [
        (
            1,
            vec![
                State::Starting,
                State::Running,
                State::Stopping,
                State::Stopped,
            ],
        ),
        (2, vec![State::Starting, State::Error]),
        (3, vec![State::Starting, State::Running, State::Error]),
    ] {
        written!(bed, |tx| workspaces::desire(&mut tx, lab, Desired::Running)).unwrap();
        assert_eq!(bed.workspace_now(lab).await.queued_ms, Some(NOW_MS));
        assert_eq!(start(bed, lab, fence - 1, &claim).await, Some(fence));
        let now = bed.workspace_now(lab).await;
        assert_eq!((now.machine_id, now.queued_ms), (Some(id), None));
        for pair in path.windows(2) {
            assert_eq!(live(bed).await.len(), 1, "{pair:?}");
            let (step, note) = ((pair[0], pair[1]), &Note::default());
            let went = written!(bed, |tx| workspaces::transition(
                &mut tx, lab, fence, step, note
            ));
            assert!(went.unwrap());
        }
        assert!(live(bed).await.is_empty());
        if path.ends_with(&[State::Stopped]) {
            written!(bed, |tx| workspaces::desire(&mut tx, lab, Desired::Stopped)).unwrap();
        }
    }
    let record = leases::of_workspace(&bed.db, lab, 2).await.unwrap();
    assert_eq!(
        record.iter().map(|lease| lease.fence).collect::<Vec<_>>(),
        [3, 2]
    );
}

async fn room_is_never_promised_twice(bed: &Bed) {
    let new = Registration {
        slots: Some(3),
        ..registration(bed, "desk")
    };
    let id = register(bed, &new).await.unwrap().id;
    let job = bed.ready().await;
    let mut waiting = Vec::new();
    for _ in 0..6 {
        waiting.push(bed.submit(&job).await.id);
    }
    let half = Claim {
        cpu_millicores: 5000,
        ..on(id)
    };
    let most = Claim {
        memory_bytes: (1 << 30) - 1,
        ..on(id)
    };
    let expected = [
        (&half, true),
        (&half, false),
        (&most, true),
        (&most, false),
        (&on(id), true),
        (&on(id), false),
    ];
    for ((claim, fits), job) in expected.into_iter().zip(waiting) {
        let placed = place(&bed.db, job, claim).await.unwrap();
        assert_eq!(placed.is_some(), fits, "{claim:?}");
    }
    let lab = bed.workspace(job.project_id, job.user_id, "lab").await.id;
    written!(bed, |tx| workspaces::desire(&mut tx, lab, Desired::Running)).unwrap();
    assert_eq!(start(bed, lab, 0, &half).await, None);
    assert_eq!(
        start(bed, lab, 0, &on(id)).await,
        Some(1),
        "slots are for jobs"
    );
}

async fn who_asks_for_nothing_waits_for_nothing(bed: &Bed) {
    let new = registration(bed, "desk");
    let id = register(bed, &new).await.unwrap().id;
    let job = bed.ready().await;
    let all = Claim {
        cpu_millicores: 8000,
        memory_bytes: 1 << 30,
        ..on(id)
    };
    let first = bed.submit(&job).await.id;
    assert!(place(&bed.db, first, &all).await.unwrap().is_some());
    let smaller = Registration {
        cpu_millicores: Some(1000),
        ..new
    };
    register(bed, &smaller).await.unwrap();
    for _ in 0..3 {
        let next = bed.submit(&job).await.id;
        assert!(place(&bed.db, next, &on(id)).await.unwrap().is_some());
    }
}

async fn draining_machine_takes_nothing(bed: &Bed) {
    let id = machine(bed, 1).await;
    let new = bed.ready().await;
    let job = bed.submit(&new).await.id;
    written!(bed, |tx| machines::drain(&mut tx, id, true)).unwrap();
    assert_eq!(place(&bed.db, job, &on(id)).await.unwrap(), None);
    written!(bed, |tx| machines::drain(&mut tx, id, false)).unwrap();
    assert!(place(&bed.db, job, &on(id)).await.unwrap().is_some());
}

async fn unknown_device_is_not_given(bed: &Bed) {
    let id = machine(bed, 1).await;
    let new = bed.ready().await;
    let job = bed.submit(&new).await.id;
    assert_eq!(
        place(&bed.db, job, &with(id, &["0", "1"])).await.unwrap(),
        None
    );
    let nowhere = with(MachineId::new(&bed.clock), &[]);
    assert_eq!(place(&bed.db, job, &nowhere).await.unwrap(), None);
}

async fn lost_attempt_releases(bed: &Bed) {
    let id = machine(bed, 1).await;
    let new = bed.ready().await;
    let job = bed.submit(&new).await.id;
    for number in 1..=2 {
        let attempt = place(&bed.db, job, &with(id, &["0"]))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(attempt.number, number);
        assert!(written!(bed, |tx| jobs::requeue(&mut tx, attempt.id, "silent")).unwrap());
        assert!(live(bed).await.is_empty());
    }
    assert_eq!(leases::of_job(&bed.db, job).await.unwrap().len(), 2);
}

async fn waiting_workspaces_are_in_the_order_of_asking(bed: &Bed) {
    let new = bed.ready().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(bed.workspace(new.project_id, new.user_id, name).await.id);
    }
    for id in [ids[2], ids[0], ids[1]] {
        bed.clock.advance(1);
        written!(bed, |tx| workspaces::desire(&mut tx, id, Desired::Running)).unwrap();
    }
    let server = MachineId::new(&bed.clock);
    let order = async || {
        let waiting = workspaces::waiting(&bed.db, server).await.unwrap();
        waiting.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [ids[2], ids[0], ids[1]]);
    bed.clock.advance(1);
    let again = ids[2];
    written!(bed, |tx| workspaces::desire(
        &mut tx,
        again,
        Desired::Running
    ))
    .unwrap();
    assert_eq!(order().await[0], again, "asking twice loses no place");
    written!(bed, |tx| workspaces::desire(
        &mut tx,
        again,
        Desired::Stopped
    ))
    .unwrap();
    assert_eq!(order().await, [ids[0], ids[1]]);
    assert_eq!(bed.workspace_now(again).await.queued_ms, None);
}

async fn what_one_server_accepted_no_other_places(bed: &Bed) {
    let (mine, other) = (machine(bed, 0).await, machine(bed, 0).await);
    let new = bed.ready().await;
    let job = bed.submit(&new).await.id;
    let lab = bed.workspace(new.project_id, new.user_id, "lab").await.id;
    written!(bed, |tx| workspaces::desire(&mut tx, lab, Desired::Running)).unwrap();
    for server in [mine, other] {
        assert_eq!(jobs::queue(&bed.db, server).await.unwrap().len(), 1);
        let waiting = workspaces::waiting(&bed.db, server).await.unwrap();
        assert_eq!(waiting.len(), 1);
    }
    for subject in [Subject::Job(job), Subject::Workspace(lab)] {
        written!(bed, |tx| leases::accepted(&mut tx, subject, mine)).unwrap();
    }
    for (server, count) in [(mine, 1), (other, 0)] {
        assert_eq!(jobs::queue(&bed.db, server).await.unwrap().len(), count);
        let waiting = workspaces::waiting(&bed.db, server).await.unwrap();
        assert_eq!(waiting.len(), count);
    }
}

async fn cost_follows_the_time_and_the_price_at_the_start(bed: &Bed) {
    let id = machine(bed, 0).await;
    let new = bed.ready().await;
    let job = bed.submit(&new).await.id;
    let claim = Claim {
        price: Some(3_600_000),
        ..on(id)
    };
    let attempt = place(&bed.db, job, &claim).await.unwrap().unwrap();
    bed.clock.advance(1500);
    let now_ms = bed.db.now_ms();
    assert_eq!(leases::cost(&live(bed).await, now_ms), Some(1500));
    let end = &ending(jobs::State::Complete);
    assert!(written!(bed, |tx| jobs::finish(&mut tx, attempt.id, end)).unwrap());
    let record = leases::of_job(&bed.db, job).await.unwrap();
    assert_eq!(leases::cost(&record, now_ms + 9999), Some(1500));
    assert_eq!(leases::cost(&[], now_ms), None);
    let free = bed.submit(&new).await.id;
    place(&bed.db, free, &on(id)).await.unwrap().unwrap();
    let both = [Subject::Job(job), Subject::Job(free)];
    let each = leases::of_each(&bed.db, &both).await.unwrap();
    assert_eq!(each[&both[0]], record);
    assert_eq!(leases::cost(&each[&both[1]], now_ms), None);
}

/// Counts how many think that they hold each device.
struct Holders([AtomicUsize; 8]);

impl Holders {
    fn take(&self, device: usize) {
        let before = self.0[device].fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "device {device} has two holders");
    }

    fn give(&self, device: usize) {
        self.0[device].fetch_sub(1, Ordering::SeqCst);
    }
}

async fn race_for_devices_has_one_holder_each_and_loses_none(bed: &Bed) {
    const RACERS: usize = 32;
    let id = machine(bed, 8).await;
    let new = bed.ready().await;
    let holders = Arc::new(Holders(Default::default()));
    let mut racers = Vec::new();
    for racer in 0..RACERS {
        let job = bed.submit(&new).await.id;
        let (db, holders) = (bed.db.clone(), Arc::clone(&holders));
        racers.push(tokio::spawn(race(db, job, id, racer, holders)));
    }
    for racer in racers {
        racer.await.unwrap();
    }
    assert!(live(bed).await.is_empty(), "nothing leaks");
    let job = bed.submit(&new).await.id;
    let all = with(id, &["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert!(
        place(&bed.db, job, &all).await.unwrap().is_some(),
        "none is lost"
    );
}

/// Takes a device, holds it, and gives it back by one of the endings, three times; crashes between two steps now and then.
async fn race(db: Db, job: JobId, machine: MachineId, racer: usize, holders: Arc<Holders>) {
    let mut held = 0;
    for turn in 0.. {
        let device = (racer + turn) % 8;
        let claim = &with(machine, &[&device.to_string()]);
        if turn % 5 == 4 {
            // A crash in the transaction that places: undone, as if it had never been.
            let crashed = db.write(|mut tx| async move {
                leases::place_job(&mut tx, job, claim).await?;
                Err::<(), _>(Error::conflict("crashed"))
            });
            crashed.await.unwrap_err();
            continue;
        }
        let Some(attempt) = place(&db, job, claim).await.unwrap() else {
            tokio::task::yield_now().await;
            continue;
        };
        holders.take(device);
        tokio::task::yield_now().await;
        let seen = leases::of_run(&db, Subject::Job(job), attempt.number).await;
        assert_eq!(seen.unwrap().unwrap().devices[0].id, device.to_string());
        holders.give(device);
        held += 1;
        if held == 3 {
            let end = &ending(jobs::State::Complete);
            let done =
                db.write(|mut tx| async move { jobs::finish(&mut tx, attempt.id, end).await });
            assert!(done.await.unwrap());
            return;
        }
        let lost = db.write(|mut tx| async move {
            jobs::requeue(&mut tx, attempt.id, "the machine crashed").await
        });
        assert!(lost.await.unwrap());
    }
}

async fn race_for_room_never_overbooks(bed: &Bed) {
    let new = registration(bed, "desk");
    let id = register(bed, &new).await.unwrap().id;
    let job = NewJob {
        machine: "three".to_owned(),
        ..bed.ready().await
    };
    let mut racers = Vec::new();
    for _ in 0..16 {
        let (db, job) = (bed.db.clone(), bed.submit(&job).await.id);
        let claim = Claim {
            cpu_millicores: 3000,
            ..on(id)
        };
        racers.push(tokio::spawn(async move {
            place(&db, job, &claim).await.unwrap().is_some()
        }));
    }
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!(won, 2, "8 cores hold 3 + 3");
    assert_eq!(live(bed).await.len(), 2);
}
