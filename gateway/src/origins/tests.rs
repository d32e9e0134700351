use super::*;

const ID: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ab";

fn origins(url: &str) -> Origins {
    Origins::new(&Config::new(
        url.parse().unwrap(),
        "127.0.0.1:8000".parse().unwrap(),
    ))
}

fn origin(origins: &Origins, host: &str) -> Result<Origin, BadHost> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host.parse().unwrap());
    origins.of(Role::App, &Uri::from_static("/"), &headers)
}

#[test]
fn only_the_exact_host_is_ours() {
    let ours = origins("http://localhost:8000");
    let id: WorkspaceId = ID.parse().unwrap();
    for host in [
        "localhost:8000",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
    ] {
        assert_eq!(origin(&ours, host), Ok(Origin::App), "{host}");
    }
    for host in [
        format!("{ID}.localhost:8000"),
        format!("{ID}.LocalHost:8000"),
    ] {
        assert_eq!(origin(&ours, &host), Ok(Origin::Workspace(id)), "{host}");
    }
    for host in [
        "localhost",
        "localhost:8001",
        "localhost.:8000",
        "xlocalhost:8000",
        "localhost.evil.com:8000",
        "evil.localhost:8000",
        "127.0.0.2:8000",
        "[::2]:8000",
        "a.01939d4e.localhost:8000",
    ] {
        assert_eq!(origin(&ours, host), Ok(Origin::Unknown), "{host}");
    }
    for host in [
        format!("{ID}.localhost.evil.com:8000"),
        format!("{ID}xlocalhost:8000"),
        format!("x{ID}.localhost:8000"),
        format!("a.{ID}.localhost:8000"),
        format!("{ID}.localhost.:8000"),
        format!("{ID}.localhost:80"),
    ] {
        assert_eq!(origin(&ours, &host), Ok(Origin::Unknown), "{host}");
    }
    for host in [
        "",
        ":8000",
        "localhost:",
        "localhost:x",
        "localhost:80000",
        "localhost:8000:1",
        "a@localhost:8000",
        "[::1:8000",
        "[x]:8000",
        "local host:8000",
        "localhost:+8000",
        "localhost/x:8000",
        "[::1]x:8000",
    ] {
        assert_eq!(origin(&ours, host), Err(BadHost), "{host}");
    }
}

#[test]
fn two_hosts_none_or_a_contradiction_are_refused() {
    let ours = origins("http://localhost:8000");
    let mut headers = HeaderMap::new();
    assert_eq!(
        ours.of(Role::App, &Uri::from_static("/"), &headers),
        Err(BadHost)
    );
    headers.insert(header::HOST, "localhost:8000".parse().unwrap());
    let same = Uri::from_static("http://LOCALHOST:8000/");
    assert_eq!(ours.of(Role::App, &same, &headers), Ok(Origin::App));
    for uri in [
        "http://evil:8000/",
        "http://localhost/",
        "http://a@localhost:8000/",
    ] {
        assert_eq!(
            ours.of(Role::App, &uri.parse().unwrap(), &headers),
            Err(BadHost),
            "{uri}"
        );
    }
    headers.append(header::HOST, "localhost:8000".parse().unwrap());
    assert_eq!(ours.of(Role::App, &same, &headers), Err(BadHost));
}

#[test]
fn the_second_listener_serves_workspaces_only() {
    let mut config = Config::new(
        "https://cairn.example.org".parse().unwrap(),
        "127.0.0.1:1".parse().unwrap(),
    );
    config.workspace_url = Some("https://cairn.example.org:8443".parse().unwrap());
    let ours = Origins::new(&config);
    let id: WorkspaceId = ID.parse().unwrap();
    assert_eq!(
        ours.of_workspace(&id).as_deref(),
        Some("https://cairn.example.org:8443")
    );
    let after = |address| ours.after_workspace(&id, address);
    assert_eq!(after("https://cairn.example.org:8443"), Some(""));
    assert_eq!(after("https://cairn.example.org:8443/w/1"), Some("/w/1"));
    assert_eq!(after("https://cairn.example.org"), None);
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "cairn.example.org:8443".parse().unwrap());
    let root = Uri::from_static("/");
    assert_eq!(
        ours.of(Role::Workspaces, &root, &headers),
        Ok(Origin::Workspaces)
    );
    assert_eq!(ours.of(Role::App, &root, &headers), Ok(Origin::Unknown));
    headers.insert(header::HOST, "cairn.example.org".parse().unwrap());
    assert_eq!(
        ours.of(Role::Workspaces, &root, &headers),
        Ok(Origin::Unknown)
    );
    assert_eq!(ours.of(Role::App, &root, &headers), Ok(Origin::App));
}

#[test]
fn default_ports_are_left_out_of_origins() {
    let mut config = Config::new(
        "https://cairn.example.org".parse().unwrap(),
        "127.0.0.1:1".parse().unwrap(),
    );
    config.workspace_domain = Some("apps.example.org".to_owned());
    let ours = Origins::new(&config);
    let id: WorkspaceId = ID.parse().unwrap();
    assert_eq!(
        ours.of_workspace(&id),
        Some(format!("https://{ID}.apps.example.org"))
    );
    let after = |address: &str| ours.after_workspace(&id, address).map(str::to_owned);
    assert_eq!(
        after(&format!("https://{ID}.apps.example.org")),
        Some(String::new())
    );
    assert_eq!(
        after(&format!("https://{ID}.apps.example.org/lab")),
        Some("/lab".to_owned())
    );
    for other in [
        format!("http://{ID}.apps.example.org"),
        format!("https://{ID}apps.example.org"),
        format!("https://x{ID}.apps.example.org"),
        format!("https://{}.apps.example.org", ID.to_uppercase()),
        "https://apps.example.org".to_owned(),
    ] {
        assert_eq!(after(&other), None, "{other}");
    }
    assert_eq!(
        origin(&ours, &format!("{ID}.apps.example.org")),
        Ok(Origin::Workspace(id))
    );
    assert_eq!(
        origin(&ours, &format!("{ID}.apps.example.org:443")),
        Ok(Origin::Workspace(id))
    );
}
