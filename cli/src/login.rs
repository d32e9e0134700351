//! `cairn login` and `cairn logout`: a device code approved in a browser, or a sign-in link, exchanged for a token.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::api::types::{self, User};
use crate::api::{Call, Client, status_of};
use crate::home::{Account, Home, Server, Token, base_url, key};
use crate::session::block_on;
use crate::{browser, exit, output};

/// Arguments of `cairn login`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's URL, or a sign-in link; `-` reads it from standard input, where other users cannot see it.
    #[arg(value_name = "URL|LINK")]
    target: String,
    /// The name of the token this makes, shown in your list of tokens; default `cairn on HOST`.
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Certificates to trust beside the system's, as PEM; remembered for this server.
    #[arg(long, value_name = "F", env = "CAIRN_CA_FILE")]
    ca_file: Option<PathBuf>,
}

/// Arguments of `cairn logout`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogoutArgs {
    /// The server's URL; default the one that commands talk to.
    #[arg(value_name = "URL")]
    url: Option<String>,
}

/// How to sign in.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Device(Url),
    Link(Url, String),
}

/// A token that was just made.
struct Issued {
    secret: Token,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Device {
    #[serde(rename = "device_code")]
    own_code: String,
    user_code: String,
    verification_url: String,
    interval_s: u64,
}

/// Signs in and remembers the token.
pub(crate) fn run(args: Args, json: bool) -> anyhow::Result<ExitCode> {
    let target = if args.target == "-" {
        read_line()?
    } else {
        args.target
    };
    let (url, code) = match way(&target)? {
        Way::Device(url) => (url, None),
        Way::Link(url, code) => (url, Some(code)),
    };
    let name = args.name.unwrap_or_else(|| format!("cairn on {}", host()));
    let ca_file = args.ca_file.map(std::path::absolute).transpose()?;
    let server = Server {
        url,
        token: None,
        ca_file,
    };
    block_on(async {
        let client = Client::new(server.clone())?;
        let token = match code {
            Some(code) => by_link(&client, &code, &name).await?,
            None => by_device(&client, &name).await?,
        };
        finish(server, token, json).await
    })?;
    Ok(exit::code(0))
}

/// Ends the token at the server and forgets it here.
pub(crate) fn logout(args: &LogoutArgs, json: bool) -> anyhow::Result<ExitCode> {
    let home = Home::find()?;
    let mut saved = home.credentials()?;
    let name = match &args.url {
        Some(url) => key(&base_url(url)?),
        None => saved
            .current
            .clone()
            .context("you are not signed in anywhere")?,
    };
    let account = saved
        .servers
        .remove(&name)
        .with_context(|| format!("you are not signed in to {name}"))?;
    let server = Server {
        url: base_url(&name)?,
        token: Some(account.token),
        ca_file: account.ca_file,
    };
    let id = account.token_id.context("its id is not known here");
    let revoked = block_on(async {
        Client::new(server)?
            .call(Call::delete(&["tokens", &id?]))
            .await
    });
    // The token is forgotten here in any case: a server that is gone for good must not keep it.
    if saved.current.as_deref() == Some(name.as_str()) {
        saved.current = None;
    }
    home.save_credentials(&saved)?;
    match revoked {
        Ok(_) => {}
        Err(error) if status_of(&error).is_some_and(|status| status == 401 || status == 404) => {}
        Err(error) => output::note(format!(
            "The token is forgotten here, but the server did not end it: {error:#}"
        )),
    }
    if json {
        output::json(&json!({ "url": name }))?;
    } else {
        output::note(format!("Signed out of {name}."));
    }
    Ok(exit::code(0))
}

/// A sign-in link is `URL/sign-in#CODE`; everything else is a server.
fn way(target: &str) -> anyhow::Result<Way> {
    let target = target.trim();
    let Some((before, code)) = target.split_once('#') else {
        return Ok(Way::Device(base_url(target)?));
    };
    let server = before.trim_end_matches('/').strip_suffix("/sign-in");
    let is_code = !code.is_empty()
        && code.len() <= 512
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let Some(server) = server.filter(|_| is_code) else {
        anyhow::bail!(
            "this is not a sign-in link: it looks like http://localhost:8000/sign-in#CODE"
        )
    };
    Ok(Way::Link(base_url(server)?, code.to_owned()))
}

async fn by_link(client: &Client, code: &str, name: &str) -> anyhow::Result<Issued> {
    let answer = client
        .call(Call::post(&["link-tokens"]).body(json!({ "link": code, "name": name }))?)
        .await;
    let answer = answer.map_err(|error| match status_of(&error).map(|status| status.as_u16()) {
        Some(400 | 401 | 404 | 410) => anyhow::anyhow!(
            "the link was not accepted: each is good for one use and for 15 minutes. On the server's machine `cairn user link NAME` makes a new one",
        ),
        _ => error,
    })?;
    token_of(&answer)
}

async fn by_device(client: &Client, name: &str) -> anyhow::Result<Issued> {
    let device: Device = client
        .fetch(Call::post(&["devices"]).body(json!({ "name": name }))?)
        .await?;
    let page = Url::parse(&device.verification_url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    let page = page.context("the server gave no page to approve at")?;
    output::note(format!(
        "Open {page}\nand approve the code {}",
        output::clean(&device.user_code)
    ));
    if output::is_interactive() {
        browser::open(page.as_str());
    }
    let pause = Duration::from_secs(device.interval_s.clamp(1, 60));
    loop {
        tokio::time::sleep(pause).await;
        let body = json!({ "device_code": device.own_code });
        let answer = client
            .call(Call::post(&["devices", "token"]).body(body)?.repeats())
            .await;
        let answer =
            answer.map_err(
                |error| match status_of(&error).map(|status| status.as_u16()) {
                    Some(400 | 401 | 403 | 404 | 410) => anyhow::anyhow!(
                        "the code was not approved: run `cairn login` again for a new one",
                    ),
                    _ => error,
                },
            )?;
        if answer.get("token").is_some_and(Value::is_string) {
            return token_of(&answer);
        }
    }
}

fn token_of(answer: &Value) -> anyhow::Result<Issued> {
    let secret = answer
        .get("token")
        .and_then(Value::as_str)
        .map(Token::new)
        .context("the server gave no token")?;
    let id = answer
        .pointer("/info/id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(Issued { secret, id })
}

/// Remembers a token that works.
async fn finish(server: Server, issued: Issued, json: bool) -> anyhow::Result<()> {
    let Issued {
        secret: token,
        id: token_id,
    } = issued;
    let client = Client::new(Server {
        token: Some(token.clone()),
        ..server.clone()
    })?;
    let me = client.call(Call::get(&["me"])).await?;
    let user: User = types::read(&me)?;
    let home = Home::find()?;
    let mut saved = home.credentials()?;
    let name = key(&server.url);
    saved.servers.insert(
        name.clone(),
        Account {
            token,
            token_id,
            user: user.name.clone(),
            ca_file: server.ca_file,
        },
    );
    saved.current = Some(name.clone());
    home.save_credentials(&saved)?;
    if json {
        return output::json(&me);
    }
    output::note(format!(
        "Signed in to {name} as {}.",
        output::clean(&user.name)
    ));
    Ok(())
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read standard input")?;
    Ok(line)
}

fn host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    output::clean(&output::shorten(&name, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_from_a_server() {
        let url = |text| Url::parse(text).unwrap();
        assert_eq!(
            way("http://localhost:8000/sign-in#a-B_9\n").unwrap(),
            Way::Link(url("http://localhost:8000"), "a-B_9".to_owned())
        );
        assert_eq!(
            way("https://example.org/cairn/sign-in#x").unwrap(),
            Way::Link(url("https://example.org/cairn"), "x".to_owned())
        );
        assert_eq!(
            way("cairn.example.org").unwrap(),
            Way::Device(url("https://cairn.example.org"))
        );
        for text in [
            "http://localhost:8000/#x",
            "http://localhost:8000/sign-in#",
            "http://localhost:8000/sign-in#a b",
            "",
        ] {
            assert!(way(text).is_err(), "{text}");
        }
    }
}
