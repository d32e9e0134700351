//! Sessions, tokens, links, device codes and workspace sessions: what lets people in, and when it stops.

use storage::links::{self, Kind, Parent};
use storage::tokens::NewToken;
use storage::{Error, Page, devices, expiry, sessions, tokens, users, workspace_sessions};

use crate::bed::{Bed, NOW_MS, on_both, written};

on_both!(
    session_ends_at_its_time,
    use_puts_off_the_end_of_a_session,
    signing_out_everywhere_ends_every_session,
    token_works_until_revoked,
    token_of_a_disabled_user_does_not_work,
    token_of_a_job_dies_with_it,
    link_is_used_once,
    link_race_has_one_winner,
    workspace_session_dies_with_its_session,
    workspace_session_dies_with_its_token,
    expired_rows_are_removed,
    secrets_are_not_stored,
);

const TTL_MS: i64 = 60_000;

fn token(user_id: storage::ids::UserId) -> NewToken {
    NewToken {
        user_id,
        name: "ci".to_owned(),
        scopes: vec!["jobs".to_owned()],
        expires_ms: Some(NOW_MS + TTL_MS),
        workspace_id: None,
        job_id: None,
    }
}

async fn session_ends_at_its_time(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (session, secret) = written!(bed, |tx| sessions::create(
        &mut tx, ada.id, "x\u{1b}y", TTL_MS
    ))
    .unwrap();
    let (found, user) = sessions::authenticate(&bed.db, secret.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, user.id, found.user_agent.as_str()),
        (session.id, ada.id, "xy")
    );
    assert!(
        sessions::authenticate(&bed.db, "guess")
            .await
            .unwrap()
            .is_none()
    );
    bed.clock.advance(TTL_MS);
    assert!(
        sessions::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(sessions::get(&bed.db, session.id).await.unwrap().is_none());
}

async fn use_puts_off_the_end_of_a_session(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (session, secret) =
        written!(bed, |tx| sessions::create(&mut tx, ada.id, "", TTL_MS)).unwrap();
    bed.clock.advance(TTL_MS - 1);
    written!(bed, |tx| sessions::touch(&mut tx, session.id, TTL_MS)).unwrap();
    bed.clock.advance(TTL_MS - 1);
    assert!(
        sessions::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    bed.clock.advance(1);
    written!(bed, |tx| sessions::touch(&mut tx, session.id, TTL_MS)).unwrap();
    assert!(
        sessions::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
}

async fn signing_out_everywhere_ends_every_session(bed: &Bed) {
    let ada = bed.user("ada").await;
    for _ in 0..3 {
        written!(bed, |tx| sessions::create(&mut tx, ada.id, "", TTL_MS)).unwrap();
    }
    assert_eq!(sessions::list(&bed.db, ada.id).await.unwrap().len(), 3);
    assert_eq!(
        written!(bed, |tx| sessions::revoke_all(&mut tx, ada.id)).unwrap(),
        3
    );
    assert!(sessions::list(&bed.db, ada.id).await.unwrap().is_empty());
}

async fn token_works_until_revoked(bed: &Bed) {
    let (ada, bob) = (bed.user("ada").await, bed.user("bob").await);
    let new = &token(ada.id);
    let (made, secret) = written!(bed, |tx| tokens::create(&mut tx, new)).unwrap();
    assert!(secret.expose().starts_with("cairn_"));
    let (found, user) = tokens::authenticate(&bed.db, secret.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, found.scopes.as_slice(), user.id),
        (made.id, ["jobs".to_owned()].as_slice(), ada.id)
    );
    assert_eq!(
        tokens::list(&bed.db, ada.id, &Page::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert!(!written!(bed, |tx| tokens::revoke(&mut tx, bob.id, made.id)).unwrap());
    assert!(written!(bed, |tx| tokens::revoke(&mut tx, ada.id, made.id)).unwrap());
    assert!(!written!(bed, |tx| tokens::revoke(&mut tx, ada.id, made.id)).unwrap());
    assert!(
        tokens::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
    let past = &NewToken {
        expires_ms: Some(NOW_MS),
        ..token(ada.id)
    };
    let refused = written!(bed, |tx| tokens::create(&mut tx, past));
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

async fn token_of_a_disabled_user_does_not_work(bed: &Bed) {
    let ada = bed.user("ada").await;
    let new = &token(ada.id);
    let (made, secret) = written!(bed, |tx| tokens::create(&mut tx, new)).unwrap();
    for disabled in [true, false] {
        let change = &users::Change {
            disabled: Some(disabled),
            ..users::Change::default()
        };
        written!(bed, |tx| users::update(&mut tx, ada.id, change)).unwrap();
        assert_eq!(
            tokens::authenticate(&bed.db, secret.expose())
                .await
                .unwrap()
                .is_none(),
            disabled
        );
        assert_eq!(
            tokens::get(&bed.db, made.id).await.unwrap().is_none(),
            disabled
        );
    }
}

async fn token_of_a_job_dies_with_it(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    let of_job = &NewToken {
        job_id: Some(job.id),
        ..token(new.user_id)
    };
    let (_, secret) = written!(bed, |tx| tokens::create(&mut tx, of_job)).unwrap();
    assert!(
        tokens::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        tokens::list(&bed.db, new.user_id, &Page::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    written!(bed, |tx| storage::jobs::request_stop(&mut tx, job.id)).unwrap();
    assert!(
        tokens::authenticate(&bed.db, secret.expose())
            .await
            .unwrap()
            .is_none()
    );
}

async fn link_is_used_once(bed: &Bed) {
    let ada = bed.user("ada").await;
    let code = written!(bed, |tx| links::create_sign_in(&mut tx, ada.id, TTL_MS)).unwrap();
    let code = code.expose();
    let redeem = |kind| {
        bed.db
            .write(move |mut tx| async move { links::redeem(&mut tx, kind, code).await })
    };
    assert_eq!(redeem(Kind::Workspace).await.unwrap(), None);
    assert_eq!(
        redeem(Kind::SignIn).await.unwrap().map(|link| link.user_id),
        Some(ada.id)
    );
    assert_eq!(redeem(Kind::SignIn).await.unwrap(), None);
    let late = written!(bed, |tx| links::create_sign_in(&mut tx, ada.id, TTL_MS)).unwrap();
    bed.clock.advance(TTL_MS);
    let late = late.expose();
    assert_eq!(
        written!(bed, |tx| links::redeem(&mut tx, Kind::SignIn, late)).unwrap(),
        None
    );
}

async fn link_race_has_one_winner(bed: &Bed) {
    let ada = bed.user("ada").await;
    let code = written!(bed, |tx| links::create_sign_in(&mut tx, ada.id, TTL_MS)).unwrap();
    let tries = (0..8).map(|_| {
        let (db, code) = (bed.db.clone(), code.clone());
        tokio::spawn(async move {
            let code = code.expose();
            db.write(|mut tx| async move { links::redeem(&mut tx, Kind::SignIn, code).await })
                .await
                .unwrap()
                .is_some()
        })
    });
    let mut winners = 0;
    for one in tries.collect::<Vec<_>>() {
        winners += i32::from(one.await.unwrap());
    }
    assert_eq!(winners, 1);
}

async fn workspace_session_dies_with_its_session(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let (one, other) = (
        bed.workspace(project, ada.id, "one").await.id,
        bed.workspace(project, ada.id, "two").await.id,
    );
    let (session, _) = written!(bed, |tx| sessions::create(&mut tx, ada.id, "", TTL_MS)).unwrap();
    let parent = Parent::Session(session.id);
    let code = written!(bed, |tx| links::create_workspace(
        &mut tx, ada.id, one, parent, TTL_MS
    ))
    .unwrap();
    let code = code.expose();
    let link = written!(bed, |tx| links::redeem(&mut tx, Kind::Workspace, code))
        .unwrap()
        .unwrap();
    assert_eq!((link.workspace_id, link.parent), (Some(one), Some(parent)));
    let (made, secret) = written!(bed, |tx| workspace_sessions::create(
        &mut tx,
        parent,
        ada.id,
        one,
        10 * TTL_MS
    ))
    .unwrap();
    let found = workspace_sessions::authenticate(&bed.db, one, secret.expose())
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&made));
    assert_eq!(
        workspace_sessions::authenticate(&bed.db, other, secret.expose())
            .await
            .unwrap(),
        None
    );
    assert!(written!(bed, |tx| sessions::revoke(&mut tx, session.id)).unwrap());
    assert_eq!(
        workspace_sessions::authenticate(&bed.db, one, secret.expose())
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        workspace_sessions::get(&bed.db, made.id).await.unwrap(),
        None
    );
}

async fn workspace_session_dies_with_its_token(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = bed.workspace(project, ada.id, "one").await.id;
    let new = &token(ada.id);
    let (made, _) = written!(bed, |tx| tokens::create(&mut tx, new)).unwrap();
    let parent = Parent::Token(made.id);
    let create = || {
        bed.db.write(|mut tx| async move {
            workspace_sessions::create(&mut tx, parent, ada.id, id, 10 * TTL_MS).await
        })
    };
    let (_, secret) = create().await.unwrap();
    assert!(
        workspace_sessions::authenticate(&bed.db, id, secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    written!(bed, |tx| tokens::revoke(&mut tx, ada.id, made.id)).unwrap();
    assert_eq!(
        workspace_sessions::authenticate(&bed.db, id, secret.expose())
            .await
            .unwrap(),
        None
    );
    let (_, secret) = create().await.unwrap();
    assert_eq!(
        workspace_sessions::authenticate(&bed.db, id, secret.expose())
            .await
            .unwrap(),
        None
    );
}

async fn expired_rows_are_removed(bed: &Bed) {
    let ada = bed.user("ada").await;
    written!(bed, |tx| sessions::create(&mut tx, ada.id, "", TTL_MS)).unwrap();
    written!(bed, |tx| links::create_sign_in(&mut tx, ada.id, TTL_MS)).unwrap();
    written!(bed, |tx| devices::create(&mut tx, "cli", TTL_MS)).unwrap();
    assert_eq!(
        expiry::remove(&bed.db, i64::MAX).await.unwrap(),
        expiry::Removed::default()
    );
    bed.clock.advance(2 * 24 * 60 * 60 * 1000);
    assert_eq!(
        expiry::remove(&bed.db, i64::MAX).await.unwrap(),
        expiry::Removed {
            sign_ins: 3,
            events: 0
        }
    );
    assert_eq!(
        expiry::remove(&bed.db, i64::MAX).await.unwrap(),
        expiry::Removed::default()
    );
}

async fn secrets_are_not_stored(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (session, secret) =
        written!(bed, |tx| sessions::create(&mut tx, ada.id, "", TTL_MS)).unwrap();
    assert!(
        !serde_json::to_string(&session)
            .unwrap()
            .contains(secret.expose())
    );
    // The stored hash is no key to the door either.
    assert!(
        sessions::authenticate(&bed.db, &secret.hash())
            .await
            .unwrap()
            .is_none()
    );
}
