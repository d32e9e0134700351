//! Listing datasets, versions and files, and what differs.

use control::reference::Reference;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{DatasetRef, Which};
use super::{Place, Version};
use crate::api::Call;
use crate::api::types;
use crate::clock;
use crate::files::Listing;
use crate::output::{self, Table};
use crate::session::Session;

#[derive(Debug, Deserialize)]
struct Dataset {
    name: String,
    #[serde(default)]
    description: String,
    latest: Option<Version>,
    #[serde(default)]
    aliases: Vec<Alias>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    name: String,
    number: i64,
}

#[derive(Debug, Deserialize)]
struct Verification {
    integrity: String,
    files: u64,
    bytes: u64,
    faults: Vec<Finding>,
    more: u64,
    concerns: Vec<Concern>,
    elsewhere: u64,
}

#[derive(Debug, Deserialize)]
struct Finding {
    path: Option<String>,
    fault: String,
    place: Option<String>,
    #[serde(default)]
    is_kept: bool,
}

#[derive(Debug, Deserialize)]
struct Concern {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Diff {
    changes: Vec<Change>,
    more: bool,
}

#[derive(Debug, Deserialize)]
struct Change {
    path: String,
    change: String,
}

pub(super) async fn list(
    session: &Session,
    what: Option<String>,
    recursive: bool,
    json: bool,
) -> anyhow::Result<()> {
    let Some(what) = what else {
        return datasets(session, json).await;
    };
    if let Ok(dataset) = what.parse::<DatasetRef>() {
        return versions(session, &Place::of(session, &dataset).await?, json).await;
    }
    let reference: Reference = what.parse()?;
    let project = session.project(reference.project()).await?;
    let number;
    let listing = match &reference {
        Reference::Outputs { number: n, .. } => {
            number = n.to_string();
            Listing::at(&["projects", &project, "jobs", &number, "outputs"])
        }
        Reference::Version { dataset, which, .. } => Listing::at(&[
            "projects", &project, "datasets", dataset, "versions", which, "files",
        ]),
    };
    let path = reference.path().unwrap_or_default();
    listing.print(&session.client, path, recursive, json).await
}

async fn datasets(session: &Session, json: bool) -> anyhow::Result<()> {
    let project = session.project(None).await?;
    let path = ["projects", project.as_str(), "datasets"];
    let list = session.client.list(&path, &[], 10_000).await?;
    if json {
        return output::json(&list);
    }
    let mut table = Table::new(&["NAME", "VERSION", "FILES", "SIZE", "DESCRIPTION"]);
    for dataset in types::items::<Dataset>(&list)? {
        let latest = dataset.latest.as_ref();
        table.row([
            dataset.name,
            latest.map_or_else(|| "-".to_owned(), |version| version.number.to_string()),
            latest.map_or_else(String::new, |version| version.files.to_string()),
            latest.map_or_else(String::new, |version| output::bytes(version.bytes)),
            output::shorten(&dataset.description, 60),
        ]);
    }
    table.print("No datasets yet: `cairn data push NAME DIR` makes one.")?;
    Ok(())
}

async fn versions(session: &Session, place: &Place, json: bool) -> anyhow::Result<()> {
    let path = place.path(&["versions"]);
    let list = session.client.list(&path, &[], 10_000).await?;
    if json {
        return output::json(&list);
    }
    let dataset: Dataset = session.client.fetch(Call::get(&place.path(&[]))).await?;
    let mut table = Table::new(&[
        "VERSION", "FILES", "SIZE", "BY", "MADE", "ALIASES", "MESSAGE",
    ]);
    for version in types::items::<Version>(&list)? {
        let aliases = dataset.aliases.iter();
        let aliases = aliases.filter(|alias| alias.number == version.number);
        let aliases: Vec<&str> = aliases.map(|alias| alias.name.as_str()).collect();
        let message = match version.retracted_ms {
            Some(_) => format!("(taken back) {}", version.message),
            None => version.message,
        };
        table.row([
            version.number.to_string(),
            version.files.to_string(),
            output::bytes(version.bytes),
            version.user,
            clock::iso(version.created_ms),
            aliases.join(", "),
            output::shorten(&message, 60),
        ]);
    }
    table.print("No versions yet: `cairn data push NAME DIR` makes one.")?;
    Ok(())
}

/// Checks a version, and says whether all is well.
pub(super) async fn verify(
    session: &Session,
    version: &Which,
    full: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let place = Place::of(session, &version.dataset).await?;
    let path = place.path(&["versions", &version.which, "verify"]);
    let call = Call::post(&path).body(json!({ "full": full }))?.repeats();
    let value = session.client.call(call).await?;
    let found: Verification = types::read(&value)?;
    let sound = found.integrity == "ok";
    if json {
        output::json(&value)?;
        return Ok(sound);
    }
    for fault in &found.faults {
        let path = fault.path.as_deref().unwrap_or("the list of files");
        let place = fault
            .place
            .as_deref()
            .map(|place| format!("in {}", output::clean(place)));
        let kept = fault.is_kept.then(|| "a copy is kept here".to_owned());
        let more: Vec<String> = [place, kept].into_iter().flatten().collect();
        let more = match more.join("; ") {
            none if none.is_empty() => none,
            some => format!(" ({some})"),
        };
        output::line(format!("{} {}{more}", fault.fault, output::clean(path)))?;
    }
    if found.more > 0 {
        output::note(format!("And {} more.", found.more));
    }
    for one in &found.concerns {
        let how = match one.kind.as_str() {
            "version" => "held by",
            "left" => "left by job",
            "read" => "read by job",
            "code" => "run by job",
            "log" => "log of job",
            "home" => "saved home of workspace",
            _ => "shown in workspace",
        };
        output::note(format!("{how} {}", output::clean(&one.name)));
    }
    if found.elsewhere > 0 {
        output::note(format!(
            "and by {} that are not yours to see",
            found.elsewhere
        ));
    }
    if sound {
        let read = if full {
            format!(", {} read", output::bytes(found.bytes))
        } else {
            String::new()
        };
        output::note(format!("{} files are there{read}.", found.files));
    }
    Ok(sound)
}

pub(super) async fn diff(
    session: &Session,
    from: &Which,
    to: &Which,
    json: bool,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        from.dataset == to.dataset,
        "both have to be versions of one dataset"
    );
    let place = Place::of(session, &to.dataset).await?;
    let path = place.path(&["versions", &to.which, "diff"]);
    let call = Call::get(&path).query("from", &from.which);
    let value: Value = session.client.call(call).await?;
    if json {
        return output::json(&value);
    }
    let Diff { changes, more } = types::read(&value)?;
    for Change { path, change } in &changes {
        let mark = match change.as_str() {
            "added" => '+',
            "removed" => '-',
            _ => '~',
        };
        output::line(format!("{mark} {}", output::clean(path)))?;
    }
    if changes.is_empty() {
        output::note("The same files.");
    }
    if more {
        output::note(format!("More than {} paths differ.", changes.len()));
    }
    Ok(())
}
