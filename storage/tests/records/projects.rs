//! Projects and their members.

use storage::members::Role;
use storage::projects::{self, Change};
use storage::{Error, Page, members};

use crate::bed::{Bed, on_both, written};

on_both!(
    found_by_id_and_name,
    name_is_free_again_after_deletion,
    members_see_their_projects,
    project_keeps_an_owner,
    two_owners_cannot_both_leave,
    used_project_is_not_deleted
);

async fn found_by_id_and_name(bed: &Bed) {
    let ada = bed.user("ada").await;
    let id = bed.project(ada.id, "vision").await;
    assert_eq!(
        projects::find(&bed.db, "vision").await.unwrap().unwrap().id,
        id
    );
    assert_eq!(
        projects::find(&bed.db, &id.to_string())
            .await
            .unwrap()
            .unwrap()
            .name,
        "vision"
    );
    assert_eq!(projects::find(&bed.db, "other").await.unwrap(), None);
    let change = Change {
        name: Some("sight".to_owned()),
        description: Some("What eyes do.".to_owned()),
    };
    let change = &change;
    written!(bed, |tx| projects::update(&mut tx, id, change)).unwrap();
    assert_eq!(
        projects::find(&bed.db, "sight")
            .await
            .unwrap()
            .unwrap()
            .description,
        "What eyes do."
    );
}

async fn name_is_free_again_after_deletion(bed: &Bed) {
    let ada = bed.user("ada").await;
    let id = bed.project(ada.id, "vision").await;
    let twice = written!(bed, |tx| projects::create(&mut tx, "vision", "", ada.id));
    assert!(matches!(twice, Err(Error::Conflict(_))));
    written!(bed, |tx| projects::delete(&mut tx, id)).unwrap();
    assert_eq!(projects::get(&bed.db, id).await.unwrap(), None);
    assert_ne!(bed.project(ada.id, "vision").await, id);
    let gone = written!(bed, |tx| projects::delete(&mut tx, id));
    assert!(matches!(gone, Err(Error::NotFound(_))));
}

async fn members_see_their_projects(bed: &Bed) {
    let (ada, bob) = (bed.user("ada").await, bed.user("bob").await);
    let id = bed.project(ada.id, "vision").await;
    bed.project(ada.id, "secret").await;
    written!(bed, |tx| members::put(&mut tx, id, bob.id, Role::Viewer)).unwrap();
    let seen = projects::list(&bed.db, bob.id, false, &Page::default())
        .await
        .unwrap();
    assert_eq!(
        seen.items
            .iter()
            .map(|m| (m.project.id, m.role))
            .collect::<Vec<_>>(),
        [(id, Some(Role::Viewer))]
    );
    assert_eq!(
        projects::list(&bed.db, bob.id, true, &Page::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
    assert_eq!(
        members::role(&bed.db, id, bob.id).await.unwrap(),
        Some(Role::Viewer)
    );
    let names: Vec<_> = members::list(&bed.db, id)
        .await
        .unwrap()
        .into_iter()
        .map(|m| (m.name, m.role))
        .collect();
    assert_eq!(
        names,
        [
            ("ada".to_owned(), Role::Owner),
            ("bob".to_owned(), Role::Viewer)
        ]
    );
    assert!(written!(bed, |tx| members::remove(&mut tx, id, bob.id)).unwrap());
    assert!(!written!(bed, |tx| members::remove(&mut tx, id, bob.id)).unwrap());
    assert_eq!(members::role(&bed.db, id, bob.id).await.unwrap(), None);
}

async fn project_keeps_an_owner(bed: &Bed) {
    let ada = bed.user("ada").await;
    let id = bed.project(ada.id, "vision").await;
    let removed = written!(bed, |tx| members::remove(&mut tx, id, ada.id));
    assert!(matches!(removed, Err(Error::Conflict(_))));
    let demoted = written!(bed, |tx| members::put(&mut tx, id, ada.id, Role::Editor));
    assert!(matches!(demoted, Err(Error::Conflict(_))));
}

async fn two_owners_cannot_both_leave(bed: &Bed) {
    let (ada, bob) = (bed.user("ada").await, bed.user("bob").await);
    for round in 0..10 {
        let id = bed.project(ada.id, &format!("p{round}")).await;
        written!(bed, |tx| members::put(&mut tx, id, bob.id, Role::Owner)).unwrap();
        let leave = |user| {
            bed.db
                .write(move |mut tx| async move { members::remove(&mut tx, id, user).await })
        };
        let (one, two) = tokio::join!(leave(ada.id), leave(bob.id));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(members::list(&bed.db, id).await.unwrap().len(), 1);
    }
}

async fn used_project_is_not_deleted(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let deleted = written!(bed, |tx| projects::delete(&mut tx, new.project_id));
    assert!(matches!(deleted, Err(Error::Conflict(_))));
}
