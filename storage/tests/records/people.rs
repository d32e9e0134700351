//! Users.

use storage::users::{self, Change, NewUser};
use storage::{Error, Page, sessions};

use crate::bed::{Bed, on_both, written};

on_both!(
    name_in_use_is_refused,
    bad_names_are_refused,
    list_goes_page_by_page,
    disabling_ends_sessions,
    last_administrator_stays,
    password_is_set_and_taken_away
);

async fn name_in_use_is_refused(bed: &Bed) {
    let ada = bed.user("ada").await;
    assert_eq!(
        (ada.display_name.as_str(), ada.admin, ada.has_password),
        ("ada", false, false)
    );
    let new = NewUser {
        name: "ada".to_owned(),
        ..NewUser::default()
    };
    let new = &new;
    let again = written!(bed, |tx| users::create(&mut tx, new));
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    assert_eq!(users::by_name(&bed.db, "ada").await.unwrap(), Some(ada));
}

async fn bad_names_are_refused(bed: &Bed) {
    for name in ["", "Ada", "a/b", ".."] {
        let new = NewUser {
            name: name.to_owned(),
            ..NewUser::default()
        };
        let new = &new;
        let made = written!(bed, |tx| users::create(&mut tx, new));
        assert!(matches!(made, Err(Error::Invalid(_))), "{name}");
    }
}

async fn list_goes_page_by_page(bed: &Bed) {
    for name in ["a", "b", "c"] {
        bed.user(name).await;
        bed.clock.advance(1);
    }
    let first = users::list(&bed.db, &Page::first(2)).await.unwrap();
    let names: Vec<_> = first.items.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["c", "b"]);
    let rest = users::list(
        &bed.db,
        &Page {
            limit: 2,
            cursor: first.next,
        },
    )
    .await
    .unwrap();
    assert_eq!(
        (rest.items.len(), rest.items[0].name.as_str(), rest.next),
        (1, "a", None)
    );
}

async fn disabling_ends_sessions(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (_, secret) = written!(bed, |tx| sessions::create(&mut tx, ada.id, "test", 1000)).unwrap();
    assert!(
        sessions::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    let change = Change {
        disabled: Some(true),
        ..Change::default()
    };
    let change = &change;
    written!(bed, |tx| users::update(&mut tx, ada.id, change)).unwrap();
    assert!(
        sessions::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
    let refused = written!(bed, |tx| sessions::create(&mut tx, ada.id, "test", 1000));
    assert!(matches!(refused, Err(Error::Conflict(_))));
}

async fn last_administrator_stays(bed: &Bed) {
    let new = NewUser {
        name: "root".to_owned(),
        admin: true,
        ..NewUser::default()
    };
    let new = &new;
    let root = written!(bed, |tx| users::create(&mut tx, new)).unwrap();
    for change in [
        Change {
            admin: Some(false),
            ..Change::default()
        },
        Change {
            disabled: Some(true),
            ..Change::default()
        },
    ] {
        let change = &change;
        let done = written!(bed, |tx| users::update(&mut tx, root.id, change));
        assert!(matches!(done, Err(Error::Conflict(_))));
    }
    assert_eq!(users::first_admin(&bed.db).await.unwrap(), Some(root));
}

async fn password_is_set_and_taken_away(bed: &Bed) {
    let new = NewUser {
        name: "root".to_owned(),
        admin: true,
        ..NewUser::default()
    };
    let new = &new;
    let root = written!(bed, |tx| users::create(&mut tx, new)).unwrap();
    assert!(!users::admin_has_password(&bed.db).await.unwrap());
    assert_eq!(users::password_hash(&bed.db, root.id).await.unwrap(), None);
    written!(bed, |tx| users::set_password_hash(
        &mut tx,
        root.id,
        Some("$argon2id$")
    ))
    .unwrap();
    assert!(users::admin_has_password(&bed.db).await.unwrap());
    assert_eq!(
        users::password_hash(&bed.db, root.id)
            .await
            .unwrap()
            .as_deref(),
        Some("$argon2id$")
    );
    assert!(
        users::get(&bed.db, root.id)
            .await
            .unwrap()
            .unwrap()
            .has_password
    );
    written!(bed, |tx| users::set_password_hash(&mut tx, root.id, None)).unwrap();
    assert!(!users::admin_has_password(&bed.db).await.unwrap());
}
