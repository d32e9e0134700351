//! What machines there are, and what people decided of them.

use storage::ids::MachineId;
use storage::machines::{self, Device, Kind, Machine, Registration, State};
use storage::{Error, Result, leases};

use crate::bed::{Bed, NOW_MS, claim, ending, on_both, written};

on_both!(
    local_machine_makes_itself_known,
    second_local_machine_of_a_host_gets_another_name,
    registering_again_replaces_what_it_said,
    workers_machine_is_known_by_its_token,
    unknown_worker_is_refused,
    labels_and_devices_keep_the_rules,
    removed_machine_frees_its_name,
    machine_in_use_is_not_removed,
    what_ran_before_machines_were_recorded_is_adopted,
);

pub(crate) fn registration(bed: &Bed, name: &str) -> Registration {
    Registration {
        id: MachineId::new(&bed.clock),
        name: name.to_owned(),
        kind: Kind::Local,
        labels: Vec::new(),
        runtimes: vec!["process".to_owned()],
        cpu_millicores: Some(8000),
        memory_bytes: Some(1 << 30),
        slots: None,
        address: None,
        devices: Vec::new(),
    }
}

pub(crate) fn gpus(count: usize, model: &str) -> Vec<Device> {
    let gpu = |number: usize| Device {
        id: number.to_string(),
        model: model.to_owned(),
        minor: i64::try_from(number).ok(),
    };
    (0..count).map(gpu).collect()
}

pub(crate) async fn register(bed: &Bed, new: &Registration) -> Result<Machine> {
    written!(bed, |tx| machines::register(&mut tx, new))
}

async fn local_machine_makes_itself_known(bed: &Bed) {
    let new = Registration {
        labels: vec!["zone=b".to_owned(), "gpu".to_owned()],
        devices: gpus(12, "NVIDIA A100"),
        ..registration(bed, "desk")
    };
    let made = register(bed, &new).await.unwrap();
    assert_eq!(
        (made.name.as_str(), made.kind, made.state),
        ("desk", Kind::Local, State::Active)
    );
    assert_eq!(made.own_labels, ["zone=b", "gpu"]);
    assert_eq!(made.seen_ms, Some(NOW_MS));
    let ids: Vec<_> = made.devices.iter().map(|gpu| gpu.id.as_str()).collect();
    assert_eq!((ids[2], ids[10], ids[11]), ("2", "10", "11"));
    assert_eq!(
        machines::list(&bed.db).await.unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!(machines::get(&bed.db, made.id).await.unwrap(), Some(made));
}

async fn second_local_machine_of_a_host_gets_another_name(bed: &Bed) {
    let (first, second) = (registration(bed, "desk"), registration(bed, "desk"));
    let first = register(bed, &first).await.unwrap();
    let second = register(bed, &second).await.unwrap();
    assert_eq!(first.name, "desk");
    assert!(second.name.starts_with("desk-"), "{}", second.name);
    assert_eq!(machines::all_names(&bed.db).await.unwrap().len(), 2);
}

async fn registering_again_replaces_what_it_said(bed: &Bed) {
    let new = Registration {
        labels: vec!["gpu".to_owned()],
        devices: gpus(2, "T4"),
        ..registration(bed, "desk")
    };
    let id = register(bed, &new).await.unwrap().id;
    written!(bed, |tx| machines::drain(&mut tx, id, true)).unwrap();
    written!(bed, |tx| machines::left(&mut tx, id)).unwrap();
    bed.clock.advance(5);
    let less = Registration {
        labels: vec!["small".to_owned()],
        cpu_millicores: None,
        devices: gpus(1, "T4"),
        ..new
    };
    let again = register(bed, &less).await.unwrap();
    assert_eq!(again.state, State::Draining, "people decide of that");
    assert_eq!(again.own_labels, ["small"]);
    assert_eq!((again.devices.len(), again.cpu_millicores), (1, None));
    assert_eq!(again.seen_ms, Some(NOW_MS + 5));
}

async fn workers_machine_is_known_by_its_token(bed: &Bed) {
    let labels = &["gpu".to_owned()];
    let (made, secret) = written!(bed, |tx| machines::create(&mut tx, "m2", labels)).unwrap();
    assert_eq!((made.kind, made.seen_ms), (Kind::Worker, None));
    let again = written!(bed, |tx| machines::create(&mut tx, "m2", labels));
    assert!(matches!(again, Err(Error::Conflict(_))));
    let found = machines::authenticate(&bed.db, secret.expose())
        .await
        .unwrap();
    assert_eq!(found.map(|found| found.id), Some(made.id));
    let new = Registration {
        id: made.id,
        kind: Kind::Worker,
        labels: vec!["fast".to_owned()],
        ..registration(bed, "another")
    };
    let known = register(bed, &new).await.unwrap();
    assert_eq!(known.name, "m2", "people named it");
    assert_eq!(
        (known.labels, known.own_labels),
        (vec!["gpu".to_owned()], vec!["fast".to_owned()])
    );
    let id = made.id;
    let more = &["gpu".to_owned(), "zone=b".to_owned()];
    let relabelled = written!(bed, |tx| machines::relabel(&mut tx, id, more)).unwrap();
    assert_eq!(relabelled.labels, more);
    let newer = written!(bed, |tx| machines::new_token(&mut tx, id)).unwrap();
    for (secret, works) in [(&secret, false), (&newer, true)] {
        let found = machines::authenticate(&bed.db, secret.expose());
        assert_eq!(found.await.unwrap().is_some(), works);
    }
    written!(bed, |tx| machines::remove(&mut tx, id)).unwrap();
    let found = machines::authenticate(&bed.db, newer.expose()).await;
    assert_eq!(found.unwrap(), None);
    assert!(matches!(register(bed, &new).await, Err(Error::NotFound(_))));
}

async fn unknown_worker_is_refused(bed: &Bed) {
    let new = Registration {
        kind: Kind::Worker,
        ..registration(bed, "m2")
    };
    assert!(matches!(register(bed, &new).await, Err(Error::NotFound(_))));
    assert!(machines::list(&bed.db).await.unwrap().is_empty());
}

async fn labels_and_devices_keep_the_rules(bed: &Bed) {
    let plain = registration(bed, "desk");
    for label in ["", "GPU", "a b", &"x".repeat(64)] {
        let new = Registration {
            labels: vec![label.to_owned()],
            ..plain.clone()
        };
        let refused = register(bed, &new).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{label}");
    }
    let twice = [gpus(1, "T4"), gpus(1, "T4")].concat();
    let mut comma = gpus(1, "T4");
    "0,1".clone_into(&mut comma[0].id);
    for devices in [twice, comma] {
        let new = Registration {
            devices,
            ..plain.clone()
        };
        assert!(matches!(register(bed, &new).await, Err(Error::Invalid(_))));
    }
}

async fn removed_machine_frees_its_name(bed: &Bed) {
    let new = registration(bed, "desk");
    let id = register(bed, &new).await.unwrap().id;
    written!(bed, |tx| machines::remove(&mut tx, id)).unwrap();
    let again = written!(bed, |tx| machines::remove(&mut tx, id));
    assert!(matches!(again, Err(Error::NotFound(_))));
    let drained = written!(bed, |tx| machines::drain(&mut tx, id, true));
    assert!(matches!(drained, Err(Error::NotFound(_))));
    assert!(machines::list(&bed.db).await.unwrap().is_empty());
    let other = registration(bed, "desk");
    assert_eq!(register(bed, &other).await.unwrap().name, "desk");
    // It starts again: its name has gone to the other.
    let back = register(bed, &new).await.unwrap();
    assert_eq!((back.name, back.state), (id.to_string(), State::Active));
}

async fn machine_in_use_is_not_removed(bed: &Bed) {
    let job = bed.ready().await;
    bed.submit(&job).await;
    let (_, attempt) = claim(bed).await;
    let id = attempt.machine_id.unwrap();
    let refused = written!(bed, |tx| machines::remove(&mut tx, id));
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert_eq!(machines::list(&bed.db).await.unwrap().len(), 1, "undone");
    let end = &ending(storage::jobs::State::Complete);
    assert!(written!(bed, |tx| storage::jobs::finish(&mut tx, attempt.id, end)).unwrap());
    written!(bed, |tx| machines::remove(&mut tx, id)).unwrap();
}

async fn what_ran_before_machines_were_recorded_is_adopted(bed: &Bed) {
    use storage::workspaces::{self, Desired};
    let job = bed.ready().await;
    let queued = bed.submit(&job).await.id;
    let (old, _) = written!(bed, |tx| storage::jobs::claim_job(&mut tx, queued))
        .unwrap()
        .unwrap();
    let lab = bed.workspace(job.project_id, job.user_id, "lab").await.id;
    let idle = bed.workspace(job.project_id, job.user_id, "idle").await.id;
    written!(bed, |tx| workspaces::desire(&mut tx, lab, Desired::Running)).unwrap();
    written!(bed, |tx| workspaces::begin_start(
        &mut tx, lab, 0, "w", None
    ))
    .unwrap();
    let new = registration(bed, "desk");
    let id = register(bed, &new).await.unwrap().id;
    for _ in 0..2 {
        written!(bed, |tx| machines::adopt(&mut tx, id)).unwrap();
        let live = leases::live(&bed.db).await.unwrap();
        assert_eq!(live.len(), 2);
        assert!(live.iter().all(|lease| lease.machine_id == id));
    }
    assert_eq!(bed.job(old.id).await.machine_id, Some(id));
    assert_eq!(bed.workspace_now(lab).await.machine_id, Some(id));
    assert_eq!(bed.workspace_now(idle).await.machine_id, None);
}
