//! `cairn data`: datasets and their versions.

mod adopt;
mod args;
mod show;

use std::cell::Cell;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use control::reference::Reference;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::args::Action;
use self::args::{DatasetRef, Described, MakeArgs, Part, Which};
use crate::api::types::{self, Job};
use crate::api::{Call, status_of};
use crate::files::{Listing, Wanted};
use crate::reference;
use crate::session::{Session, block_on};
use crate::{exit, output, upload};

/// A version, as far as the command line reads it.
#[derive(Debug, Deserialize)]
struct Version {
    number: i64,
    manifest_digest: String,
    content_digest: String,
    files: u64,
    bytes: u64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    created_ms: i64,
    #[serde(default)]
    retracted_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Details {
    version: Version,
}

/// Where a dataset is in the API.
struct Place {
    project: String,
    name: String,
}

impl Place {
    async fn of(session: &Session, dataset: &DatasetRef) -> anyhow::Result<Self> {
        let project = session.project(dataset.project.as_deref()).await?;
        let name = dataset.name.clone();
        Ok(Self { project, name })
    }

    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        [&["projects", &self.project, "datasets", &self.name], below].concat()
    }
}

/// Carries it out.
pub(crate) fn run(action: Action, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    let sound = block_on(async {
        match action {
            Action::Push {
                name,
                folder,
                described,
            } => push(&session, &name, &folder, described, json).await,
            Action::Adopt {
                name,
                uri,
                message,
                detach,
            } => adopt::adopt(&session, &name, (&uri, &message, detach), json).await,
            Action::Make(args) => make(&session, args, json).await,
            Action::Pull {
                reference,
                folder,
                force,
            } => pull(&session, &reference, (&folder, force), json).await,
            Action::Ls { what, recursive } => show::list(&session, what, recursive, json).await,
            Action::Diff { from, to } => show::diff(&session, &from, &to, json).await,
            Action::Alias { of, alias, remove } => {
                name_version(&session, &of, &alias, remove).await
            }
            Action::Verify { of, full } => {
                return show::verify(&session, &of, full, json).await;
            }
            Action::Rm { what, all } => remove(&session, &what, all).await,
        }
        .map(|()| true)
    })?;
    Ok(exit::code(u8::from(!sound)))
}

async fn push(
    session: &Session,
    name: &DatasetRef,
    folder: &Path,
    described: Described,
    json: bool,
) -> anyhow::Result<()> {
    anyhow::ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    let project = session.project_to_fill(name.project.as_deref()).await?;
    let name = name.name.clone();
    let place = Place { project, name };
    let body = described.body()?;
    let before = Cell::new(None);
    let finish = async |upload: &str| {
        let mut body = body.clone();
        body["upload_id"] = json!(upload);
        before.set(newest(session, &place).await?);
        add(session, &place, &body).await
    };
    let made = upload::data(session, &place.project, folder, finish).await?;
    show(&place, before.get(), &made, json)
}

async fn make(session: &Session, args: MakeArgs, json: bool) -> anyhow::Result<()> {
    let project = session
        .project_to_fill(args.name.project.as_deref())
        .await?;
    let name = args.name.name;
    let place = Place { project, name };
    let part = |Part { reference, to }: &Part| json!({ "ref": reference, "to": to, "keep": args.keep, "drop": args.drop });
    let mut body = args.described.body()?;
    body["sources"] = args.parts.iter().map(part).collect();
    body["on_clash"] = json!(args.on_clash.as_str());
    let before = newest(session, &place).await?;
    let made = add(session, &place, &body).await?;
    show(&place, before, &made, json)
}

/// Makes a version.
async fn add(session: &Session, place: &Place, body: &Value) -> anyhow::Result<Value> {
    let path = place.path(&["versions"]);
    let call = Call::post(&path).body(body)?.repeats();
    session.client.call(call).await
}

/// Tells of a version that was made; the newest one had the number `before`.
fn show(place: &Place, before: Option<i64>, made: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(made);
    }
    tell(place, before, &types::read(made)?);
    Ok(())
}

/// Says which version came of it.
fn tell(place: &Place, before: Option<i64>, version: &Version) {
    if before == Some(version.number) {
        output::note(format!(
            "Nothing is new: {}:{} has the same files. Its message and metadata stay.",
            place.name, version.number
        ));
        return;
    }
    output::note(format!(
        "{}:{} has {} files, {}. content digest {}",
        place.name,
        version.number,
        version.files,
        output::bytes(version.bytes),
        version.content_digest
    ));
}

/// The number of a dataset's newest version, if it has one; makes the dataset where there is none.
async fn newest(session: &Session, place: &Place) -> anyhow::Result<Option<i64>> {
    match session.client.call(Call::get(&place.path(&[]))).await {
        Ok(found) => {
            let number = found.pointer("/latest/number");
            return Ok(number.and_then(Value::as_i64));
        }
        Err(error) if status_of(&error).is_some_and(|status| status == 404) => {}
        Err(error) => return Err(error),
    }
    let path = ["projects", place.project.as_str(), "datasets"];
    let body = json!({ "name": place.name });
    match session.client.call(Call::post(&path).body(body)?).await {
        Ok(_) => Ok(None),
        // Somebody else was faster.
        Err(error) if status_of(&error).is_some_and(|status| status == 409) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn pull(
    session: &Session,
    reference: &Reference,
    (folder, force): (&Path, bool),
    json: bool,
) -> anyhow::Result<()> {
    let wanted = Wanted {
        folder: folder.to_owned(),
        path: reference.path().unwrap_or_default().to_owned(),
        force,
    };
    let (listing, digest) = match reference {
        Reference::Outputs {
            project, number, ..
        } => {
            let project = session.project(project.as_deref()).await?;
            let number = number.to_string();
            let path = ["projects", &project, "jobs", &number];
            let job: Job = session.client.fetch(Call::get(&path)).await?;
            let outputs = job.outputs.context("the job has no outputs")?;
            let listing = Listing::at(&[&path[..], &["outputs"]].concat());
            (listing, outputs.manifest_digest)
        }
        Reference::Version {
            project,
            dataset,
            which,
            ..
        } => {
            let project = session.project(project.as_deref()).await?;
            let name = dataset.clone();
            let place = Place { project, name };
            let path = place.path(&["versions", which]);
            let details: Details = session.client.fetch(Call::get(&path)).await?;
            // By its number from here on: an alias may move meanwhile.
            let number = details.version.number.to_string();
            let listing = Listing::at(&place.path(&["versions", &number, "files"]));
            (listing, details.version.manifest_digest)
        }
    };
    listing.get(&session.client, wanted, &digest, json).await
}

async fn name_version(
    session: &Session,
    version: &Which,
    alias: &str,
    remove: bool,
) -> anyhow::Result<()> {
    let place = Place::of(session, &version.dataset).await?;
    let path = place.path(&["aliases", alias]);
    if remove {
        session.client.call(Call::delete(&path)).await?;
        output::note(format!("{} has no alias {alias} any more.", place.name));
        return Ok(());
    }
    let which = place.path(&["versions", &version.which]);
    let details: Details = session.client.fetch(Call::get(&which)).await?;
    let number = details.version.number;
    let call = Call::put(&path).body(json!({ "number": number }))?;
    session.client.call(call.repeats()).await?;
    output::note(format!("{}:{alias} is version {number} now.", place.name));
    Ok(())
}

async fn remove(session: &Session, what: &str, all: bool) -> anyhow::Result<()> {
    if all {
        let dataset: DatasetRef = what.parse().map_err(anyhow::Error::msg)?;
        let place = Place::of(session, &dataset).await?;
        session.client.call(Call::delete(&place.path(&[]))).await?;
        output::note(format!("Deleted the dataset {}.", place.name));
        return Ok(());
    }
    let version: Which = what
        .parse()
        .map_err(anyhow::Error::msg)
        .context("name one version, as in digits:3; `--all` deletes a whole dataset")?;
    let number = reference::version_number(&version.which).map_err(anyhow::Error::msg)?;
    let place = Place::of(session, &version.dataset).await?;
    let path = place.path(&["versions", &number]);
    session.client.call(Call::delete(&path)).await?;
    output::note(format!(
        "Took {}:{number} back. What already uses it keeps its files.",
        place.name
    ));
    Ok(())
}
