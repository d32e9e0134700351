use std::path::Path;

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::db::{Db, Tx, all, execute, required, sql};
use crate::fsck::{self, Mode};
use crate::ids::DatasetId;
use crate::manifest::{Clash, Part, compose};
use crate::objects::{Hash, Space};
use crate::{datasets, manifest, outputs, snapshots, uploads};

mod crash;
mod interleave;
mod life;
mod odd;
mod stress;
mod tie;
mod when;

/// Everything that is condemned may go at the next cycle.
fn at_once() -> Options {
    Options {
        interval_ms: 0,
        damaged_ms: 0,
        seen: Some(HashSet::new()),
        ..Options::default()
    }
}

pub(crate) async fn cycle(store: &Store) -> Report {
    collect(store, at_once()).await.unwrap()
}

/// A dataset of the fixture's project.
pub(crate) async fn dataset(fixture: &Fixture, name: &str) -> DatasetId {
    let new = datasets::NewDataset {
        project_id: fixture.project,
        user_id: fixture.user,
        name: name.to_owned(),
        description: String::new(),
        tags: Vec::new(),
        visibility: datasets::Visibility::Project,
    };
    let new = &new;
    let made = fixture
        .store
        .db()
        .write(|mut tx| async move { datasets::create(&mut tx, new).await });
    made.await.unwrap().id
}

/// What a capture is recorded as: a version of a dataset.
async fn add_version(
    store: &Store,
    fixture: &Fixture,
    dataset: DatasetId,
    pending: outputs::Pending,
) -> (i64, Hash) {
    let summary = pending.captured().summary;
    let new = datasets::NewVersion {
        user_id: fixture.user,
        summary,
        message: String::new(),
        metadata: serde_json::Map::new(),
        origin: datasets::Origin::Upload,
        job_id: None,
        sources: Vec::new(),
    };
    let (pending_ref, new) = (&pending, &new);
    let made = store.db().write(|mut tx| async move {
        pending_ref.record(&mut tx).await?;
        datasets::add(&mut tx, dataset, new).await
    });
    let number = made.await.unwrap().version.number;
    pending.recorded();
    (number, summary.manifest_digest)
}

/// A version of what is in a folder.
pub(crate) async fn push(fixture: &Fixture, dataset: DatasetId, folder: &Path) -> (i64, Hash) {
    let store = &fixture.store;
    let pending = outputs::capture(store, fixture.project, folder)
        .await
        .unwrap();
    add_version(store, fixture, dataset, pending).await
}

pub(crate) async fn retract(fixture: &Fixture, dataset: DatasetId, number: i64) {
    let by = fixture.user;
    let work = |mut tx: Tx| async move { datasets::retract(&mut tx, dataset, number, by).await };
    fixture.store.db().write(work).await.unwrap();
}

pub(crate) fn has(store: &Store, content: &str) -> bool {
    let found = store
        .objects()
        .size(Space::Objects, &Hash::of(content.as_bytes()));
    found.unwrap().is_some()
}

async fn count(db: &Db, text: &'static str) -> i64 {
    required(db, sql(text)).await.unwrap()
}

/// Every held manifest is whole, and nothing is there that no manifest has, nor in the wrong place.
pub(crate) async fn assert_sound(store: &Store) {
    let report = fsck::check(store, Mode::Full).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}
