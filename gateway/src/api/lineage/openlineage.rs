//! A lineage as OpenLineage events, which catalogues take in.
//!
//! A job is a run; its outputs and the versions that it left are its output datasets. A version that was made of others is a run of its own, which took
//! no time. A version that was sent is an event of a dataset. Workspaces are people's work, not runs: they are left out.
//!
//! Source: OpenLineage 2-0-2, `OpenLineage.json` and the facets named here.

use control::lineage::{How, Key, Node};
use serde_json::{Map, Value, json};
use storage::{
    datasets::{Dataset, Origin, Version},
    jobs::{Job, State},
};

use super::export::{Export, input, is_left_by, time};

const SPEC: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs";
const FACETS: &str = "https://openlineage.io/spec/facets";

/// The events, in the order in which they came about.
pub(super) fn events(export: &Export<'_>) -> Value {
    let mut events: Vec<(i64, Value)> = Vec::new();
    for job in export.jobs() {
        events.extend(of_job(export, job));
    }
    for both in export.versions() {
        events.extend(of_version(export, both).map(|event| (both.1.created_ms, event)));
    }
    events.sort_by_key(|(at_ms, _)| *at_ms);
    events.into_iter().map(|(_, event)| event).collect()
}

/// A facet: who says so, by which definition, and what.
fn facet(export: &Export<'_>, schema: &str, value: Value) -> Value {
    let mut facet = match value {
        Value::Object(facet) => facet,
        _ => Map::new(),
    };
    facet.insert("_producer".to_owned(), json!(export.url));
    facet.insert("_schemaURL".to_owned(), json!(schema));
    Value::Object(facet)
}

/// One of the standard facets.
fn standard(export: &Export<'_>, (release, name): (&str, &str), value: Value) -> Value {
    let schema = format!("{FACETS}/{release}/{name}.json#/$defs/{name}");
    facet(export, &schema, value)
}

/// One of our own, which docs/data.md describes.
fn own(export: &Export<'_>, base: &str, value: Value) -> Value {
    facet(export, &format!("{SPEC}/{base}"), value)
}

fn owners(export: &Export<'_>, name: &str, user: &str) -> Value {
    let owner = json!({"owners": [{"name": format!("user:{user}"), "type": "OWNER"}]});
    standard(export, ("1-0-1", name), owner)
}

/// The start of a job's run and its end, as far as there are such.
fn of_job(export: &Export<'_>, job: &Job) -> Vec<(i64, Value)> {
    let key = Key::Job(job.id);
    let inputs: Vec<Value> = export
        .before(key, How::Read)
        .filter_map(|edge| read(export, job, edge.from))
        .collect();
    let event = |kind: &str, at_ms: i64, outputs: Vec<Value>| {
        let event = json!({
            "eventType": kind,
            "eventTime": time(at_ms),
            "producer": export.url,
            "schemaURL": format!("{SPEC}/RunEvent"),
            "run": {"runId": job.id.to_string(), "facets": run_facets(export, job)},
            "job": {"namespace": export.url, "name": job_name(job), "facets": job_facets(export, job)},
            "inputs": inputs,
            "outputs": outputs,
        });
        (at_ms, event)
    };
    let mut events = Vec::new();
    match job.started_ms {
        Some(at_ms) => events.push(event("START", at_ms, Vec::new())),
        None if job.ended_ms.is_none() => events.push(event("OTHER", job.created_ms, Vec::new())),
        None => {}
    }
    if let Some(at_ms) = job.ended_ms {
        let kind = match job.state {
            State::Complete => "COMPLETE",
            State::Stopped => "ABORT",
            _ => "FAIL",
        };
        events.push(event(kind, at_ms, left(export, job)));
    }
    events
}

/// What people call a job that is run again and again: its name in its project, or else its number.
fn job_name(job: &Job) -> String {
    if job.name.is_empty() {
        format!("{}#{}", job.project, job.number)
    } else {
        format!("{}/{}", job.project, job.name)
    }
}

fn run_facets(export: &Export<'_>, job: &Job) -> Value {
    let code = export.code(job);
    let repeats: Vec<String> = export
        .before(Key::Job(job.id), How::Repeats)
        .filter_map(|edge| match edge.from {
            Key::Job(id) => Some(id.to_string()),
            _ => None,
        })
        .collect();
    let about = json!({
        "project": job.project, "number": job.number, "url": export.job_page(job), "state": job.state.as_str(),
        "exitCode": job.exit_code, "command": job.command, "notebook": job.notebook, "environment": job.environment,
        "machine": job.machine, "cost": export.cost(job), "repeats": repeats.first(),
        "codeContentDigest": code.map(|code| &code.content_digest), "codeManifestDigest": code.map(|code| &code.manifest_digest),
    });
    let mut facets = json!({"cairn_run": own(export, "RunFacet", about)});
    if let Some(extent) = export.extent(Key::Job(job.id)) {
        facets["cairn_lineage"] = own(export, "RunFacet", extent);
    }
    if !job.parameters.is_empty() {
        let parameters: Vec<Value> = job
            .parameters
            .iter()
            .map(|(key, value)| {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                json!({"key": key, "value": text})
            })
            .collect();
        let name = ("1-0-0", "ExecutionParametersRunFacet");
        let parameters = json!({"parameters": parameters});
        facets["executionParameters"] = standard(export, name, parameters);
    }
    if job.state == State::Error
        && let Some(message) = &job.message
    {
        let error = json!({"message": message, "programmingLanguage": "unknown"});
        let name = ("1-0-1", "ErrorMessageRunFacet");
        facets["errorMessage"] = standard(export, name, error);
    }
    facets
}

fn job_facets(export: &Export<'_>, job: &Job) -> Value {
    let kind = match &job.notebook {
        Some(_) => "NOTEBOOK",
        None => "JOB",
    };
    let kind = json!({"processingType": "BATCH", "integration": "CAIRN", "jobType": kind});
    let mut facets = json!({
        "jobType": standard(export, ("2-0-3", "JobTypeJobFacet"), kind),
        "ownership": owners(export, "OwnershipJobFacet", &job.user),
    });
    if let Some(code) = export.code(job) {
        let mut location = json!({
            "type": "cairn", "url": format!("{}?tab=code", export.job_page(job)), "version": code.content_digest,
        });
        if let Some(path) = &job.notebook {
            location["path"] = json!(path);
        }
        let name = ("1-0-1", "SourceCodeLocationJobFacet");
        facets["sourceCodeLocation"] = standard(export, name, location);
    }
    facets
}

/// What a run read, as an input dataset.
fn read(export: &Export<'_>, job: &Job, from: Key) -> Option<Value> {
    let mut dataset = dataset(export, from)?;
    if let Some(input) = input(job, from) {
        let statistics = json!({"size": input.bytes, "fileCount": input.files});
        let name = ("1-0-0", "InputStatisticsInputDatasetFacet");
        let about = json!({
            "name": input.name, "ref": input.reference, "manifestDigest": input.manifest_digest,
            "leftOutFiles": input.left_out.as_ref().map(|left_out| left_out.files),
        });
        dataset["inputFacets"] = json!({
            "inputStatistics": standard(export, name, statistics),
            "cairn_input": own(export, "InputDatasetFacet", about),
        });
    }
    Some(dataset)
}

/// What a job left: its outputs, and the versions that are these, or a part of these, and nothing else.
fn left(export: &Export<'_>, job: &Job) -> Vec<Value> {
    let key = Key::Job(job.id);
    let is_left = |to: &Key| match export.node(*to) {
        Some(Node::Version(both)) => is_left_by(&both.1, job.id),
        _ => false,
    };
    let versions = export
        .after(key, How::Left)
        .map(|edge| edge.to)
        .filter(is_left);
    let all = std::iter::once(key).chain(versions);
    all.filter_map(|key| written(export, key)).collect()
}

/// What a run wrote, as an output dataset.
fn written(export: &Export<'_>, key: Key) -> Option<Value> {
    let (files, bytes) = match export.node(key)? {
        Node::Version(both) => (both.1.files, both.1.bytes),
        Node::Job(job) => {
            let outputs = job.outputs.as_ref()?;
            (outputs.files, outputs.bytes)
        }
        Node::Workspace(_) => return None,
    };
    let mut dataset = dataset(export, key)?;
    let statistics = json!({"size": bytes, "fileCount": files});
    let name = ("1-0-2", "OutputStatisticsOutputDatasetFacet");
    dataset["outputFacets"] = json!({"outputStatistics": standard(export, name, statistics)});
    Some(dataset)
}

/// A version of a dataset, or what a job left: `vision/digits` in version 3, `vision#12` in the version that its manifest names.
fn dataset(export: &Export<'_>, key: Key) -> Option<Value> {
    let version = |number: String| {
        let version = json!({ "datasetVersion": number });
        standard(export, ("1-0-1", "DatasetVersionDatasetFacet"), version)
    };
    let source = |url: String| {
        let source = json!({"name": "cairn", "uri": url});
        standard(export, ("1-0-1", "DatasourceDatasetFacet"), source)
    };
    let (name, facets) = match export.node(key)? {
        Node::Version(both) => {
            let (dataset, record) = &**both;
            let about = json!({
                "url": export.version_page(both), "manifestDigest": record.manifest_digest, "contentDigest": record.content_digest,
                "integrity": record.integrity.as_str(), "origin": record.origin.as_str(),
            });
            let mut facets = json!({
                "version": version(record.number.to_string()),
                "dataSource": source(export.version_page(both)),
                "ownership": owners(export, "OwnershipDatasetFacet", &record.user),
                "cairn_version": own(export, "DatasetFacet", about),
            });
            if let Some(extent) = export.extent(key) {
                facets["cairn_lineage"] = own(export, "DatasetFacet", extent);
            }
            if !record.message.is_empty() {
                let name = ("1-0-1", "DocumentationDatasetFacet");
                let text = json!({"description": record.message});
                facets["documentation"] = standard(export, name, text);
            }
            (format!("{}/{}", dataset.project, dataset.name), facets)
        }
        Node::Job(job) => {
            let digest = job.outputs.as_ref()?.manifest_digest.clone();
            let facets = json!({
                "version": version(digest),
                "dataSource": source(export.job_page(job)),
                "ownership": owners(export, "OwnershipDatasetFacet", &job.user),
            });
            (format!("{}#{}", job.project, job.number), facets)
        }
        Node::Workspace(_) => return None,
    };
    Some(json!({"namespace": export.url, "name": name, "facets": facets}))
}

/// How a version came about that no job of the lineage left: made of others, or sent. Of one whose job is not in the lineage it says only what it is.
fn of_version(export: &Export<'_>, both: &(Dataset, Version)) -> Option<Value> {
    let (of, version) = both;
    let key = Key::Version(version.id);
    let jobs = export.before(key, How::Left).map(|edge| edge.from);
    let jobs: Vec<Key> = jobs.collect();
    if version.origin == Origin::Job && !jobs.is_empty() {
        return None;
    }
    if version.origin != Origin::Derived {
        return Some(json!({
            "eventTime": time(version.created_ms), "producer": export.url, "schemaURL": format!("{SPEC}/DatasetEvent"),
            "dataset": dataset(export, key)?,
        }));
    }
    let parts = export.before(key, How::MadeOf).map(|edge| edge.from);
    let kind = json!({"processingType": "BATCH", "integration": "CAIRN", "jobType": "VERSION"});
    let inputs = parts.chain(jobs);
    let inputs: Vec<Value> = inputs.filter_map(|key| dataset(export, key)).collect();
    Some(json!({
        "eventType": "COMPLETE",
        "eventTime": time(version.created_ms),
        "producer": export.url,
        "schemaURL": format!("{SPEC}/RunEvent"),
        "run": {"runId": version.id.to_string()},
        "job": {
            "namespace": export.url, "name": format!("{}/{}:make", of.project, of.name),
            "facets": {
                "jobType": standard(export, ("2-0-3", "JobTypeJobFacet"), kind),
                "ownership": owners(export, "OwnershipJobFacet", &version.user),
            },
        },
        "inputs": inputs,
        "outputs": [written(export, key)?],
    }))
}
