//! What other clients do to adopted keys, and buckets that cannot be reached.

use super::*;

/// Checks, and does what is done then.
async fn mend(one: &Beside, mode: Mode) -> (fsck::Report, fsck::Aside) {
    let store = &one.fixture.store;
    let report = fsck::check(store, mode).await.unwrap();
    let aside = fsck::set_aside(store, &report, &Pace::default()).await;
    (report, aside.unwrap())
}

async fn spoil(one: &Beside, way: &str) {
    match way {
        "changed" => one.put("file", vec![8; 300_000]).await,
        "cut" => one.put("file", "short").await,
        _ => one.theirs.remove(&["file".to_owned()]).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_bucket_is_told_and_a_copy_is_kept() {
    for (way, fault) in [
        ("changed", Fault::Changed),
        ("cut", Fault::Changed),
        ("removed", Fault::Missing),
    ] {
        for one in each().await {
            one.put("file", vec![9; 300_000]).await;
            let made = one.adopt("scans").await.unwrap();
            one.copy(&made).await.unwrap();
            spoil(&one, way).await;
            let (report, aside) = mend(&one, Mode::Quick).await;
            let found = &report.findings[0];
            let place = format!("s3://{}/{}file", one.theirs.name(), one.prefix.within);
            let told = (found.fault, found.path.as_deref(), found.place.as_deref());
            assert_eq!(
                told,
                (fault, Some("file"), Some(&*place)),
                "{} {way}",
                one.name
            );
            assert!(aside.gone.is_empty(), "{} {way}: {aside:?}", one.name);
            assert_eq!(report.integrity_without(&aside.gone), fsck::Integrity::Ok);
            assert_eq!(
                one.count("SELECT COUNT(*) FROM adopted").await,
                0,
                "{} {way}",
                one.name
            );
            assert_sound(&one.fixture.store).await;
            let own = one.fixture.store.own();
            let size = tokio::task::block_in_place(|| own.size(Space::Objects, &found.hash));
            assert_eq!(
                size.unwrap(),
                Some(300_000),
                "{} {way}: it is the store's own",
                one.name
            );
            let elsewhere = one
                .count("SELECT COUNT(*) FROM bucket_places WHERE space = 'objects'")
                .await;
            assert_eq!(
                elsewhere > 0,
                one.name.ends_with("bucket"),
                "{} {way}",
                one.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_bucket_and_is_nowhere_else_is_lost_and_told() {
    for (way, fault) in [
        ("changed", Fault::Changed),
        ("cut", Fault::Changed),
        ("removed", Fault::Missing),
    ] {
        for one in each().await {
            one.put("file", vec![9; 300_000]).await;
            one.put("fine", "fine").await;
            let made = one.adopt("scans").await.unwrap();
            spoil(&one, way).await;
            let error = one.copy(&made).await.unwrap_err();
            let names_it = error
                .to_string()
                .contains(&format!("{}file", one.prefix.within));
            assert!(
                !error.retryable() && names_it,
                "{} {way}: {error}",
                one.name
            );
            for mode in [Mode::Quick, Mode::Full] {
                let (report, aside) = mend(&one, mode).await;
                let paths: Vec<_> = report
                    .findings
                    .iter()
                    .map(|one| one.path.as_deref())
                    .collect();
                assert_eq!(
                    (paths, report.findings[0].fault),
                    (vec![Some("file")], fault),
                    "{} {way}",
                    one.name
                );
                assert_eq!(aside.gone.len(), 1, "{} {way}", one.name);
                assert_eq!(
                    report.integrity_without(&aside.gone),
                    fsck::Integrity::Partial
                );
            }
            // What comes back as it was is whole again.
            one.put("file", vec![9; 300_000]).await;
            let report = fsck::check(&one.fixture.store, Mode::Full).await.unwrap();
            let same_tag = report.is_sound() || report.findings[0].fault == Fault::Changed;
            assert!(same_tag, "{} {way}: {report:?}", one.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_comes_again_from_where_it_lies() {
    for one in each().await {
        one.put("file", vec![9; 300_000]).await;
        let made = one.adopt("scans").await.unwrap();
        one.copy(&made).await.unwrap();
        let here = one
            .fixture
            .store
            .objects()
            .path(&Hash::of(&[9].repeat(300_000)))
            .unwrap();
        fs::remove_file(&here).unwrap();
        fs::write(&here, vec![8; 300_000]).unwrap();
        let (report, aside) = mend(&one, Mode::Full).await;
        let found = (report.findings.len(), aside.gone.len());
        assert_eq!(
            (found, report.findings[0].place.is_none()),
            ((1, 0), true),
            "{}",
            one.name
        );
        assert_sound(&one.fixture.store).await;
        let copy = one.copy(&made).await.unwrap();
        assert!(
            fs::read(copy.join("file")).unwrap() == vec![9; 300_000],
            "{}",
            one.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_reached_is_no_damage() {
    let Some((name, access)) = servers().into_iter().next() else {
        return;
    };
    let one = beside(name, &access, None).await;
    one.put("file", "content").await;
    let made = one.adopt("scans").await.unwrap();
    let nowhere = Access {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..access
    };
    let away = Buckets::from([("lab".to_owned(), whole(&nowhere))]);
    for others in [Buckets::new(), away] {
        let store = one.fixture.open_beside(others).await;
        let copy = one.fixture.dir.path().join("copy");
        let digest = made.version.manifest_digest.parse().unwrap();
        let error = materialise::copy_to(&store, digest, &copy, None)
            .await
            .unwrap_err();
        assert!(error.retryable(), "{error}");
        let error = fsck::check(&store, Mode::Quick).await.unwrap_err();
        assert!(error.retryable(), "{error}");
        let report = fsck::Report {
            faulty: [Hash::of(b"content")].into(),
            ..fsck::Report::default()
        };
        let aside = fsck::set_aside(&store, &report, &Pace::default()).await;
        assert!(aside.unwrap().let_go.is_empty(), "nothing is let go of");
        let rest = crate::fsck::check_objects(&store, "", (10, 1 << 20), &Pace::default()).await;
        assert!(
            rest.unwrap().0.is_sound(),
            "what is the store's own is checked all the same"
        );
    }
}
