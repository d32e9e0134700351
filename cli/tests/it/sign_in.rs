//! Signing in and out, and choosing a project.

use std::os::unix::fs::PermissionsExt as _;

use super::rig::Rig;

#[test]
fn a_link_signs_in_once_and_the_token_is_kept_private() {
    let rig = Rig::new();
    let link = rig.link();
    let before = rig.cairn(&["jobs"]);
    assert_eq!(before.code, 1);
    assert!(before.err.contains("cairn login"), "{}", before.err);

    let said = rig.cairn(&["login", &link, "--json"]);
    assert_eq!(
        (said.code, said.json()["name"].as_str()),
        (0, Some("admin")),
        "{}",
        said.err
    );
    let credentials = rig.home().join("credentials");
    assert_eq!(
        credentials.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let secret = std::fs::read_to_string(&credentials).unwrap();
    let token = secret
        .split('"')
        .find(|part| part.starts_with("cairn_"))
        .unwrap()
        .to_owned();

    let again = rig.cairn(&["login", &link]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("one use"), "{}", again.err);

    let said = rig.cairn(&["logout"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        !std::fs::read_to_string(&credentials)
            .unwrap()
            .contains(&token)
    );
    let output = rig
        .command(&["jobs"])
        .env("CAIRN_API_URL", rig.url())
        .env("CAIRN_TOKEN", &token)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "the token ended with the sign-in"
    );
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains(&token),
        "a token is never printed"
    );
}

#[test]
fn a_project_is_made_chosen_and_listed() {
    let rig = Rig::signed_in();
    assert_eq!(rig.cairn(&["project", "create", "vision"]).code, 0);
    let twice = rig.cairn(&["project", "create", "vision"]);
    assert_eq!(twice.code, 1);
    assert!(
        twice.err.contains("(request "),
        "errors name the request: {}",
        twice.err
    );
    assert_eq!(rig.cairn(&["project", "use", "nowhere"]).code, 1);
    assert_eq!(rig.cairn(&["project", "use", "vision"]).code, 0);
    let list = rig.cairn(&["project", "ls"]);
    assert!(
        list.out.lines().any(|line| line.starts_with("*  vision")),
        "{}",
        list.out
    );
    let json = rig.cairn(&["project", "ls", "--json"]).json();
    assert!(
        json["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["name"] == "vision")
    );
    assert!(json["next"].is_null());
}

#[test]
fn a_server_that_is_not_there_is_told_plainly() {
    let rig = Rig::new();
    let output = rig
        .command(&["jobs"])
        .env("CAIRN_API_URL", "http://127.0.0.1:1")
        .env("CAIRN_TOKEN", "cairn_x")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("http://127.0.0.1:1 does not answer"), "{err}");
    assert!(!err.contains("cairn_x"), "{err}");
}

#[test]
fn a_token_goes_to_no_other_server() {
    let rig = Rig::signed_in();
    let output = rig
        .command(&["jobs"])
        .env("CAIRN_API_URL", "http://localhost:1")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("not signed in to http://localhost:1"), "{err}");
}
