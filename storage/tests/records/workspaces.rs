//! Workspaces.

use serde_json::json;
use storage::ids::WorkspaceId;
use storage::tokens::{self, NewToken};
use storage::workspaces::{self, Desired, Filter, Input, NewWorkspace, Note, State, Workspace};
use storage::{Error, Page, Result};

use crate::bed::{Bed, NOW_MS, on_both, written};

on_both!(
    name_is_unique_among_one_persons_live_ones,
    start_runs_and_stops,
    start_asked_twice_is_one_start,
    old_fence_changes_nothing,
    only_one_starter_wins,
    restart_asks_for_a_new_run_on_another_machine,
    impossible_step_is_refused,
    failed_start_is_tried_again_only_when_asked,
    inputs_are_attached_replaced_and_detached,
    deletion_frees_the_name,
    token_of_a_run_dies_with_it,
    activity_never_goes_back,
);

async fn one(bed: &Bed) -> Workspace {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    bed.workspace(project, ada.id, "lab").await
}

async fn desire(bed: &Bed, id: WorkspaceId, desired: Desired) -> Result<Workspace> {
    written!(bed, |tx| workspaces::desire(&mut tx, id, desired))
}

async fn begin(bed: &Bed, id: WorkspaceId, fence: i64) -> Option<i64> {
    let run = &format!("run-{id}-{fence}");
    written!(bed, |tx| workspaces::begin_start(
        &mut tx,
        id,
        fence,
        run,
        Some("sealed")
    ))
    .unwrap()
}

async fn step(bed: &Bed, id: WorkspaceId, fence: i64, from: State, to: State) -> Result<bool> {
    let note = &Note::default();
    written!(bed, |tx| workspaces::transition(
        &mut tx,
        id,
        fence,
        (from, to),
        note
    ))
}

async fn name_is_unique_among_one_persons_live_ones(bed: &Bed) {
    let first = one(bed).await;
    let bob = bed.user("bob").await;
    bed.workspace(first.project_id, bob.id, "lab").await;
    let (name, environment, machine) = ("lab".to_owned(), String::new(), String::new());
    let new = &NewWorkspace {
        project_id: first.project_id,
        user_id: first.user_id,
        name,
        environment,
        machine,
        inputs: Vec::new(),
    };
    let again = written!(bed, |tx| workspaces::create(&mut tx, new));
    assert!(matches!(again, Err(Error::Conflict(_))));
    let mine = Filter {
        user_id: Some(bob.id),
        ..Filter::default()
    };
    let list = workspaces::list(&bed.db, &mine, &Page::default())
        .await
        .unwrap();
    assert_eq!(
        list.items
            .iter()
            .map(|w| w.user.as_str())
            .collect::<Vec<_>>(),
        ["bob"]
    );
    assert_eq!(
        workspaces::by_name(&bed.db, first.project_id, first.user_id, "lab")
            .await
            .unwrap(),
        Some(first)
    );
}

async fn start_runs_and_stops(bed: &Bed) {
    let id = one(bed).await.id;
    assert!(workspaces::active(&bed.db).await.unwrap().is_empty());
    assert_eq!(begin(bed, id, 0).await, None, "nobody asked for it");
    desire(bed, id, Desired::Running).await.unwrap();
    assert_eq!(workspaces::active(&bed.db).await.unwrap().len(), 1);
    assert_eq!(begin(bed, id, 0).await, Some(1));
    let handle = &json!({"pid": 7});
    assert!(written!(bed, |tx| workspaces::record_handle(&mut tx, id, 1, handle)).unwrap());
    let note = &Note {
        phase: Some("environment".to_owned()),
        message: None,
    };
    assert!(written!(bed, |tx| workspaces::set_phase(&mut tx, id, 1, note)).unwrap());
    let starting = bed.workspace_now(id).await;
    assert_eq!(
        (
            starting.state,
            starting.phase.as_deref(),
            starting.run_handle.as_ref()
        ),
        (State::Starting, Some("environment"), Some(handle))
    );
    assert!(
        step(bed, id, 1, State::Starting, State::Running)
            .await
            .unwrap()
    );
    let running = bed.workspace_now(id).await;
    assert_eq!(
        (
            running.started_ms,
            running.phase,
            running.token_sealed.as_deref()
        ),
        (Some(NOW_MS), None, Some("sealed"))
    );
    desire(bed, id, Desired::Stopped).await.unwrap();
    assert!(
        step(bed, id, 1, State::Running, State::Stopping)
            .await
            .unwrap()
    );
    assert!(
        step(bed, id, 1, State::Stopping, State::Stopped)
            .await
            .unwrap()
    );
    let stopped = bed.workspace_now(id).await;
    assert_eq!(
        (
            stopped.run_id,
            stopped.run_handle,
            stopped.token_sealed,
            stopped.started_ms
        ),
        (None, None, None, None)
    );
    assert!(workspaces::active(&bed.db).await.unwrap().is_empty());
}

async fn start_asked_twice_is_one_start(bed: &Bed) {
    let id = one(bed).await.id;
    let first = desire(bed, id, Desired::Running).await.unwrap();
    let second = desire(bed, id, Desired::Running).await.unwrap();
    assert_eq!((first.generation, second.generation), (1, 1));
    assert_eq!(begin(bed, id, 0).await, Some(1));
    assert_eq!(begin(bed, id, 0).await, None);
    assert_eq!(bed.workspace_now(id).await.run_generation, 1);
}

async fn old_fence_changes_nothing(bed: &Bed) {
    let id = one(bed).await.id;
    desire(bed, id, Desired::Running).await.unwrap();
    begin(bed, id, 0).await.unwrap();
    assert!(
        step(bed, id, 1, State::Starting, State::Error)
            .await
            .unwrap()
    );
    desire(bed, id, Desired::Running).await.unwrap();
    assert_eq!(begin(bed, id, 1).await, Some(2));
    assert!(
        !step(bed, id, 1, State::Starting, State::Running)
            .await
            .unwrap()
    );
    let handle = &json!({});
    assert!(!written!(bed, |tx| workspaces::record_handle(&mut tx, id, 1, handle)).unwrap());
    assert_eq!(bed.workspace_now(id).await.state, State::Starting);
}

async fn only_one_starter_wins(bed: &Bed) {
    let id = one(bed).await.id;
    desire(bed, id, Desired::Running).await.unwrap();
    let starters = (0..8).map(|n| {
        let db = bed.db.clone();
        tokio::spawn(async move {
            let run = &format!("run-{n}");
            db.write(
                |mut tx| async move { workspaces::begin_start(&mut tx, id, 0, run, None).await },
            )
            .await
            .unwrap()
        })
    });
    let mut won = Vec::new();
    for starter in starters.collect::<Vec<_>>() {
        won.extend(starter.await.unwrap());
    }
    assert_eq!(won, [1]);
}

async fn restart_asks_for_a_new_run_on_another_machine(bed: &Bed) {
    let id = one(bed).await.id;
    desire(bed, id, Desired::Running).await.unwrap();
    begin(bed, id, 0).await.unwrap();
    step(bed, id, 1, State::Starting, State::Running)
        .await
        .unwrap();
    let asked = written!(bed, |tx| workspaces::restart(&mut tx, id, Some("gpu"))).unwrap();
    assert_eq!(
        (asked.machine.as_str(), asked.state),
        ("gpu", State::Running)
    );
    assert!(asked.run_generation < asked.generation);
    step(bed, id, 1, State::Running, State::Stopping)
        .await
        .unwrap();
    step(bed, id, 1, State::Stopping, State::Stopped)
        .await
        .unwrap();
    assert_eq!(begin(bed, id, 1).await, Some(2));
    let now = bed.workspace_now(id).await;
    assert_eq!(now.run_generation, now.generation);
}

async fn impossible_step_is_refused(bed: &Bed) {
    let id = one(bed).await.id;
    for (from, to) in [
        (State::Stopped, State::Running),
        (State::Stopped, State::Starting),
        (State::Error, State::Running),
    ] {
        assert!(matches!(
            step(bed, id, 0, from, to).await,
            Err(Error::Invalid(_))
        ));
    }
}

async fn failed_start_is_tried_again_only_when_asked(bed: &Bed) {
    let id = one(bed).await.id;
    desire(bed, id, Desired::Running).await.unwrap();
    begin(bed, id, 0).await.unwrap();
    let note = &Note {
        message: Some("the environment is unknown".to_owned()),
        phase: None,
    };
    let failed = (State::Starting, State::Error);
    written!(bed, |tx| workspaces::transition(
        &mut tx, id, 1, failed, note
    ))
    .unwrap();
    assert_eq!(
        bed.workspace_now(id).await.message.as_deref(),
        Some("the environment is unknown")
    );
    assert!(workspaces::active(&bed.db).await.unwrap().is_empty());
    desire(bed, id, Desired::Running).await.unwrap();
    assert_eq!(workspaces::active(&bed.db).await.unwrap().len(), 1);
    assert_eq!(begin(bed, id, 1).await, Some(2));
    assert_eq!(bed.workspace_now(id).await.message, None);
}

async fn inputs_are_attached_replaced_and_detached(bed: &Bed) {
    let id = one(bed).await.id;
    let input = |reference: &str| Input {
        name: "model".to_owned(),
        reference: reference.to_owned(),
        manifest_digest: "cc".repeat(32),
        files: 1,
        version_id: None,
        source_job_id: None,
        left_out: None,
        bytes: 10,
    };
    for reference in ["vision#1", "vision#2"] {
        let input = &input(reference);
        let now = written!(bed, |tx| workspaces::attach_input(&mut tx, id, input)).unwrap();
        assert_eq!(now.inputs, std::slice::from_ref(input));
    }
    assert_eq!(bed.workspace_now(id).await.inputs, [input("vision#2")]);
    assert_eq!(
        serde_json::to_value(input("vision#2")).unwrap()["ref"],
        "vision#2"
    );
    let bad = &Input {
        name: "../etc".to_owned(),
        ..input("vision#1")
    };
    let refused = written!(bed, |tx| workspaces::attach_input(&mut tx, id, bad));
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert!(written!(bed, |tx| workspaces::detach_input(&mut tx, id, "model")).unwrap());
    assert!(!written!(bed, |tx| workspaces::detach_input(&mut tx, id, "model")).unwrap());
}

async fn deletion_frees_the_name(bed: &Bed) {
    let first = one(bed).await;
    let id = first.id;
    desire(bed, id, Desired::Running).await.unwrap();
    begin(bed, id, 0).await.unwrap();
    desire(bed, id, Desired::Deleted).await.unwrap();
    assert!(matches!(
        desire(bed, id, Desired::Running).await,
        Err(Error::Conflict(_))
    ));
    let deleted = || {
        bed.db
            .write(|mut tx| async move { workspaces::deleted(&mut tx, id).await })
    };
    assert!(!deleted().await.unwrap(), "it runs");
    step(bed, id, 1, State::Starting, State::Stopped)
        .await
        .unwrap();
    assert_eq!(workspaces::active(&bed.db).await.unwrap().len(), 1);
    assert!(deleted().await.unwrap());
    assert!(!deleted().await.unwrap());
    assert_eq!(workspaces::get(&bed.db, id).await.unwrap(), None);
    assert!(matches!(
        desire(bed, id, Desired::Running).await,
        Err(Error::NotFound(_))
    ));
    assert_ne!(
        bed.workspace(first.project_id, first.user_id, "lab")
            .await
            .id,
        id
    );
}

async fn token_of_a_run_dies_with_it(bed: &Bed) {
    let workspace = one(bed).await;
    let id = workspace.id;
    desire(bed, id, Desired::Running).await.unwrap();
    begin(bed, id, 0).await.unwrap();
    let (user_id, name, workspace_id) = (workspace.user_id, String::new(), Some(id));
    let new = &NewToken {
        user_id,
        name,
        scopes: Vec::new(),
        expires_ms: None,
        workspace_id,
        job_id: None,
    };
    let (_, secret) = written!(bed, |tx| tokens::create(&mut tx, new)).unwrap();
    step(bed, id, 1, State::Starting, State::Running)
        .await
        .unwrap();
    assert!(
        tokens::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    step(bed, id, 1, State::Running, State::Error)
        .await
        .unwrap();
    assert!(
        tokens::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
}

async fn activity_never_goes_back(bed: &Bed) {
    let id = one(bed).await.id;
    for ms in [5, 9, 7] {
        written!(bed, |tx| workspaces::touch(&mut tx, id, ms)).unwrap();
    }
    assert_eq!(bed.workspace_now(id).await.last_activity_ms, Some(9));
}
