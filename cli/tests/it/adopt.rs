//! `cairn data adopt`: a prefix of a bucket becomes a job's input where it lies, and what another client overwrites there is named.

use storage::bucket::{Access, Bucket};
use storage::secret::Secret;

use super::rig::{Rig, has_uv};

/// A part of the test server's bucket, as another client has it; none where there is no server.
fn theirs() -> Option<(String, Bucket)> {
    let Ok(addresses) = std::env::var("CAIRN_TEST_S3") else {
        eprintln!("skipped: CAIRN_TEST_S3 names no servers");
        return None;
    };
    let endpoint = addresses.split_whitespace().next()?.to_owned();
    let name = tempfile::tempdir().unwrap();
    let name = name.path().file_name().unwrap().to_str().unwrap();
    let bucket = Bucket::new(&Access {
        endpoint: Some(endpoint.clone()),
        region: "us-east-1".to_owned(),
        bucket: "cairn".to_owned(),
        prefix: format!("test/adopt-{}/scans/", name.trim_start_matches('.')),
        key_id: "cairn".to_owned(),
        secret: Secret::from("cairn-secret".to_owned()),
        path_style: true,
        extra_ca: None,
    });
    Some((endpoint, bucket.unwrap()))
}

fn put(bucket: &Bucket, key: &str, content: &'static str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(bucket.put(key, content.into())).unwrap();
}

#[test]
fn a_prefix_is_adopted_read_by_a_job_and_watched() {
    let Some((endpoint, bucket)) = theirs().filter(|_| has_uv()) else {
        return;
    };
    let rig = Rig::signed_in_with(&format!(
        "[buckets.lab]\nbucket = \"cairn\"\nendpoint = {endpoint:?}\nprefix = {:?}\n\
         access_key_id = \"cairn\"\nsecret_access_key = \"cairn-secret\"\n",
        bucket.prefix()
    ));
    for (key, content) in [
        ("deep/a.txt", "alpha"),
        ("deep/b.txt", "beta"),
        ("unread.txt", "u"),
    ] {
        put(&bucket, key, content);
    }
    let uri = format!("s3://cairn/{}", bucket.prefix());
    what_is_not_allowed_is_refused(&rig, &uri);
    let words = ["data", "adopt", "scans", &uri, "--json"];
    let made = rig.cairn(&words).json();
    assert_eq!((&made["number"], &made["files"]), (&1.into(), &3.into()));
    assert_eq!(made["origin"], "adopted");
    let again = rig.cairn(&words).json();
    assert_eq!(again["id"], made["id"], "nothing is new");
    let copied = kept(&rig).into_iter().any(|name| name == hash("alpha"));
    assert!(!copied, "no byte is moved");

    let read = "cat $CAIRN_INPUTS/scans/deep/a.txt; env";
    let words = [
        "run", "--wait", "--input", "scans:1", "--", "sh", "-c", read,
    ];
    let said = rig.cairn(&words);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("alpha"), "{}", said.out);
    assert!(
        !said.out.contains("cairn-secret"),
        "credentials stay in the server"
    );
    what_changes_is_named(&rig, &bucket, &uri);
}

fn what_is_not_allowed_is_refused(rig: &Rig, uri: &str) {
    let beside = uri.replace("/scans/", "/scans-of-others/");
    let above = uri.replace("/scans/", "/scans/../scans-of-others/");
    for bad in [
        &*beside,
        &*above,
        "s3://elsewhere/scans",
        "https://cairn/scans",
    ] {
        let refused = rig.cairn(&["data", "adopt", "scans", bad]);
        assert_eq!(refused.code, 1, "{bad}: {}", refused.err);
    }
    let refused = rig.cairn(&["data", "adopt", "scans", &beside]).err;
    assert!(refused.contains(uri), "it says what may be: {refused}");
}

fn what_changes_is_named(rig: &Rig, bucket: &Bucket, uri: &str) {
    // The job has brought all of its input: that is kept.
    put(bucket, "deep/a.txt", "another");
    let verified = rig.cairn(&["data", "verify", "scans:1"]);
    let line = format!("changed deep/a.txt (in {uri}deep/a.txt; a copy is kept here)\n");
    assert_eq!(
        (&*verified.out, verified.code),
        (&*line, 0),
        "{}",
        verified.err
    );
    let names = ["held by scans:1", "read by job #1"];
    assert!(
        names.iter().all(|name| verified.err.contains(name)),
        "{}",
        verified.err
    );
    // What is nowhere else is lost, and what used it is named.
    put(bucket, "deep/b.txt", "overwritten");
    let lost = rig
        .data()
        .join("store/objects")
        .join(&hash("beta")[..2])
        .join(&hash("beta")[2..]);
    std::fs::remove_file(lost).unwrap();
    for more in [&[][..], &["--full"]] {
        let words = [&["data", "verify", "scans:1"], more].concat();
        let verified = rig.cairn(&words);
        let line = format!("changed deep/b.txt (in {uri}deep/b.txt)\n");
        assert_eq!(
            (&*verified.out, verified.code),
            (&*line, 1),
            "{}",
            verified.err
        );
        assert!(
            names.iter().all(|name| verified.err.contains(name)),
            "{}",
            verified.err
        );
    }
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// The hashes of all objects that the server has.
fn kept(rig: &Rig) -> Vec<String> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(rig.data().join("store/objects")).unwrap() {
        let folder = folder.unwrap();
        let first = folder.file_name().into_string().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let rest = file.unwrap().file_name().into_string().unwrap();
            found.push(format!("{first}{rest}"));
        }
    }
    found
}
