use super::*;
use crate::capture::testing::{Fixture, write};
use crate::datasets::{NewDataset, Visibility, create};
use crate::snapshot::{self, Options};

async fn summary(fixture: &Fixture, name: &str) -> Summary {
    let folder = fixture.folder(name);
    write(&folder, name, name);
    let options = Options::new(fixture.project);
    let pending = snapshot::take(&fixture.store, &folder, options).await;
    pending
        .unwrap()
        .commit(&fixture.store)
        .await
        .unwrap()
        .summary
}

#[tokio::test]
async fn what_is_made_of_something_found_damaged_meanwhile_is_not_called_whole() {
    let fixture = Fixture::new().await;
    let (source, made) = (
        summary(&fixture, "source").await,
        summary(&fixture, "made").await,
    );
    let dataset = &NewDataset {
        project_id: fixture.project,
        user_id: fixture.user,
        name: "digits".to_owned(),
        description: String::new(),
        tags: Vec::new(),
        visibility: Visibility::Project,
    };
    let new = &NewVersion {
        user_id: fixture.user,
        summary: made,
        message: String::new(),
        metadata: Map::new(),
        origin: Origin::Derived,
        job_id: None,
        sources: vec![Source {
            reference: "digits:1".to_owned(),
            manifest_digest: source.manifest_digest.to_hex(),
            version_id: None,
            job_id: None,
        }],
    };
    let before = fsck::verdict(fixture.store.db(), &source.manifest_digest).await;
    let before = before.unwrap().unwrap();
    let work = |mut tx: Tx| async move {
        let found = (Integrity::Partial, Mode::Full);
        fsck::record(&mut tx, &source.manifest_digest, found, before).await?;
        let dataset = create(&mut tx, dataset).await?;
        add(&mut tx, dataset.id, new).await
    };
    let made = fixture.store.db().write(work).await.unwrap();
    assert_eq!(made.version.integrity, Integrity::Partial);
}
