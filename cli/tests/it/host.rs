//! What works on the server's own machine without being signed in, while the server runs.

use super::rig::Rig;

#[test]
fn the_host_recovers_a_sign_in() {
    let rig = Rig::new();
    let data = rig.data();
    let data = data.to_str().unwrap();
    let link = rig.cairn(&["user", "link", "admin", "--data-dir", data]);
    assert_eq!(link.code, 0, "{}", link.err);
    assert!(link.out.starts_with(&rig.url()), "{}", link.out);
    assert_eq!(rig.cairn(&["login", link.out.trim()]).code, 0);
    assert_eq!(
        rig.cairn(&["user", "link", "nobody", "--data-dir", data])
            .code,
        1
    );
}

#[test]
fn people_are_invited_and_shut_out() {
    let rig = Rig::signed_in();
    let data = rig.data();
    let data = data.to_str().unwrap();
    let link = rig.cairn(&["user", "add", "ada", "--display-name", "Ada"]);
    assert_eq!(link.code, 0, "{}", link.err);
    assert_eq!(rig.cairn(&["user", "add", "ada"]).code, 1);

    let token = rig.cairn(&[
        "token",
        "create",
        "--name",
        "ci",
        "--expires",
        "1h",
        "--user",
        "ada",
        "--data-dir",
        data,
    ]);
    assert_eq!(token.code, 0, "{}", token.err);
    let as_ada = |arguments: &[&str]| {
        let mut command = rig.command(arguments);
        command
            .env("CAIRN_API_URL", rig.url())
            .env("CAIRN_TOKEN", token.out.trim());
        command.output().unwrap()
    };
    assert!(as_ada(&["project", "ls"]).status.success());
    assert!(
        !as_ada(&["user", "ls"]).status.success(),
        "she is no administrator"
    );

    assert_eq!(rig.cairn(&["user", "disable", "ada"]).code, 0);
    let refused = as_ada(&["project", "ls"]);
    assert!(!refused.status.success(), "{refused:?}");
    let link = rig.cairn(&["user", "link", "ada", "--data-dir", data]);
    assert!(
        link.code == 1 && link.err.contains("disabled"),
        "{}",
        link.err
    );
}

#[test]
fn doctor_prints_what_is_there() {
    let rig = Rig::new();
    let data = rig.data();
    let report = rig
        .cairn(&["doctor", "--data-dir", data.to_str().unwrap(), "--json"])
        .json();
    let state = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .map(|check| check["state"].clone())
    };
    assert_eq!(state("database"), Some("ok".into()));
    assert_eq!(state("service"), Some("ok".into()), "{report}");
}
