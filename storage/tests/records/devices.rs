//! Signing in by device code.

use storage::devices;
use storage::devices::Poll;

use crate::bed::{Bed, on_both, written};

const TTL_MS: i64 = 60_000;

on_both!(device_approval_is_told_once, device_can_be_refused,);

async fn device_approval_is_told_once(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (device, secret) = written!(bed, |tx| devices::create(
        &mut tx,
        "cairn on laptop",
        TTL_MS
    ))
    .unwrap();
    let secret = secret.expose();
    let poll = || {
        bed.db
            .write(|mut tx| async move { devices::poll(&mut tx, secret).await })
    };
    assert_eq!(poll().await.unwrap(), Poll::Pending);
    let typed = device.user_code.replace('-', " ").to_lowercase();
    let typed = typed.as_str();
    assert_eq!(
        devices::by_code(&bed.db, typed).await.unwrap(),
        Some(device)
    );
    assert!(written!(bed, |tx| devices::approve(&mut tx, typed, ada.id)).unwrap());
    assert!(!written!(bed, |tx| devices::approve(&mut tx, typed, ada.id)).unwrap());
    assert_eq!(poll().await.unwrap(), Poll::Approved(ada.id));
    assert_eq!(poll().await.unwrap(), Poll::Gone);
}

async fn device_can_be_refused(bed: &Bed) {
    let ada = bed.user("ada").await;
    let (device, secret) = written!(bed, |tx| devices::create(&mut tx, "cli", TTL_MS)).unwrap();
    let (code, secret) = (device.user_code.as_str(), secret.expose());
    assert!(written!(bed, |tx| devices::deny(&mut tx, code)).unwrap());
    assert!(!written!(bed, |tx| devices::approve(&mut tx, code, ada.id)).unwrap());
    let poll = || {
        bed.db
            .write(|mut tx| async move { devices::poll(&mut tx, secret).await })
    };
    assert_eq!(poll().await.unwrap(), Poll::Denied);
    bed.clock.advance(TTL_MS);
    assert_eq!(poll().await.unwrap(), Poll::Gone);
    assert_eq!(devices::by_code(&bed.db, "é-nonsense").await.unwrap(), None);
}
