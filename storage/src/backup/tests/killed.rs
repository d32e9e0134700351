//! A restore is killed after each of its steps, and then begun again.

use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::objects::CRASH_AT;

/// The child of the test below.
#[tokio::test]
#[ignore = "run by a_restore_that_was_killed_at_any_step_can_be_finished in a process of its own"]
async fn child_that_is_killed() {
    let data = PathBuf::from(std::env::var("CAIRN_TEST_DATA").unwrap());
    let bytes = std::fs::read(data.join("backup")).unwrap();
    restore_into(bytes, &data).await.unwrap();
}

#[tokio::test]
async fn a_restore_that_was_killed_at_any_step_can_be_finished() {
    let fixture = Fixture::sqlite().await;
    fill(&fixture).await;
    let (bytes, _) = backup(&fixture.store).await;
    let before = records(&fixture.store).await;
    for step in 1..100 {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("backup"), &bytes).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "backup::tests::killed::child_that_is_killed",
            "--ignored",
        ]);
        child.env("CAIRN_TEST_DATA", place.path());
        let ended = child.env(CRASH_AT, step.to_string()).output().unwrap();
        if ended.status.success() {
            assert!(step > 10, "it has only {step} steps");
            return;
        }
        assert!(is_begun(&place.path().join("restoring")), "step {step}");
        if step == 3 {
            another_is_refused(place.path()).await;
        }
        let done = restore_into(bytes.clone(), place.path()).await;
        let (_, store) = done.unwrap_or_else(|error| panic!("step {step}: {error:?}"));
        assert_eq!(records(&store).await, before, "step {step}");
        assert_sound(&store).await;
    }
    panic!("it never ends");
}

async fn another_is_refused(data: &Path) {
    let other = filled().await;
    let (bytes, _) = backup(&other.store).await;
    let why = refusal(restore_into(bytes, data).await);
    assert!(why.contains("another backup"), "{why}");
}
