//! A lineage as PROV-JSON: what W3C's model of provenance says of it.
//!
//! Versions, outputs and code are entities, jobs and work in workspaces are activities, people are agents. Names are made of ids, which never change.
//!
//! Source: "The PROV-JSON Serialization", W3C Member Submission, 24 April 2013; PROV-DM.

use control::lineage::{Edge, How, Key, Node};
use serde_json::{Map, Value, json};
use storage::{
    datasets::{Dataset, Version},
    ids::UserId,
    jobs::Job,
    workspaces::Workspace,
};

use super::export::{Export, input, is_left_by, time};

/// The document.
pub(super) fn document(export: &Export<'_>) -> Value {
    let mut document = Document::default();
    for node in &export.graph.nodes {
        match node {
            Node::Version(both) => document.version(export, both),
            Node::Job(job) => document.job(export, job),
            Node::Workspace(workspace) => document.workspace(export, workspace),
        }
    }
    for edge in &export.graph.edges {
        document.edge(export, edge);
    }
    document.finish(export)
}

/// A kind of thing or of person, as a name.
fn kind(name: &str) -> Value {
    json!({"$": name, "type": "xsd:QName"})
}

fn uri(url: &str) -> Value {
    json!({"$": url, "type": "xsd:anyURI"})
}

fn id(key: Key) -> String {
    match key {
        Key::Version(id) => format!("cairn:version-{id}"),
        Key::Job(id) => format!("cairn:job-{id}"),
        Key::Workspace(id) => format!("cairn:workspace-{id}"),
    }
}

/// What a job left, as an entity.
fn outputs_of(job: &Job) -> String {
    format!("cairn:outputs-{}", job.id)
}

/// Says of what was asked for how much of its lineage is not told.
fn extent(export: &Export<'_>, key: Key, about: &mut Value) {
    if let Some(extent) = export.extent(key) {
        about["cairn:more"] = extent["more"].clone();
        about["cairn:hidden"] = extent["hidden"].clone();
    }
}

#[derive(Default)]
struct Document {
    parts: Map<String, Value>,
    relations: usize,
}

impl Document {
    fn put(&mut self, part: &str, name: String, value: Value) {
        let parts = self.parts.entry(part).or_insert_with(|| json!({}));
        parts[name] = value;
    }

    /// What ties two things, without a name of its own.
    fn relate(&mut self, relation: &str, value: Value) {
        self.relations += 1;
        self.put(relation, format!("_:r{}", self.relations), value);
    }

    fn person(&mut self, id: UserId, name: &str) -> String {
        let agent = format!("cairn:user-{id}");
        let about = json!({"prov:type": kind("prov:Person"), "prov:label": name});
        self.put("agent", agent.clone(), about);
        agent
    }

    fn version(&mut self, export: &Export<'_>, both: &(Dataset, Version)) {
        let (dataset, version) = both;
        let entity = id(Key::Version(version.id));
        let mut about = json!({
            "prov:type": kind("cairn:Version"),
            "prov:label": format!("{}/{}:{}", dataset.project, dataset.name, version.number),
            "prov:location": uri(&export.version_page(both)),
            "cairn:message": version.message,
            "cairn:manifestDigest": version.manifest_digest,
            "cairn:contentDigest": version.content_digest,
            "cairn:files": version.files,
            "cairn:bytes": version.bytes,
            "cairn:integrity": version.integrity.as_str(),
            "cairn:created": {"$": time(version.created_ms), "type": "xsd:dateTime"},
        });
        extent(export, Key::Version(version.id), &mut about);
        self.put("entity", entity.clone(), about);
        let agent = self.person(version.user_id, &version.user);
        let by = json!({"prov:entity": entity, "prov:agent": agent});
        self.relate("wasAttributedTo", by);
    }

    fn job(&mut self, export: &Export<'_>, job: &Job) {
        let activity = id(Key::Job(job.id));
        let mut about = json!({
            "prov:type": kind("cairn:Job"),
            "prov:label": format!("{}#{}", job.project, job.number),
            "prov:location": uri(&export.job_page(job)),
            "cairn:name": job.name,
            "cairn:state": job.state.as_str(),
            "cairn:environment": job.environment,
            "cairn:machine": job.machine,
        });
        for (name, ms) in [
            ("prov:startTime", job.started_ms),
            ("prov:endTime", job.ended_ms),
        ] {
            if let Some(ms) = ms {
                about[name] = json!(time(ms));
            }
        }
        if let Some(cost) = export.cost(job) {
            about["cairn:cost"] = json!({"$": cost, "type": "xsd:decimal"});
        }
        if !job.parameters.is_empty() {
            about["cairn:parameters"] = json!(Value::from(job.parameters.clone()).to_string());
        }
        extent(export, Key::Job(job.id), &mut about);
        self.put("activity", activity.clone(), about);
        let agent = self.person(job.user_id, &job.user);
        let by = json!({"prov:activity": activity, "prov:agent": agent});
        self.relate("wasAssociatedWith", by);
        self.code(export, job);
        if let Some(outputs) = &job.outputs {
            let about = json!({
                "prov:type": kind("cairn:Outputs"),
                "prov:label": format!("outputs of {}#{}", job.project, job.number),
                "cairn:manifestDigest": outputs.manifest_digest,
                "cairn:contentDigest": outputs.content_digest,
                "cairn:files": outputs.files,
                "cairn:bytes": outputs.bytes,
            });
            self.put("entity", outputs_of(job), about);
            self.generated(&outputs_of(job), &activity, job.ended_ms);
        }
    }

    /// The code that a job ran.
    fn code(&mut self, export: &Export<'_>, job: &Job) {
        let Some(code) = export.code(job) else { return };
        let entity = format!("cairn:code-{}", code.id);
        let about = json!({
            "prov:type": kind("cairn:Code"),
            "prov:label": format!("code of {}#{}", job.project, job.number),
            "cairn:manifestDigest": code.manifest_digest,
            "cairn:contentDigest": code.content_digest,
            "cairn:created": {"$": time(code.created_ms), "type": "xsd:dateTime"},
        });
        self.put("entity", entity.clone(), about);
        let activity = id(Key::Job(job.id));
        let used = json!({"prov:activity": activity, "prov:entity": entity, "prov:role": kind("cairn:code")});
        self.relate("used", used);
        for edge in export.before(Key::Job(job.id), How::Code) {
            self.generated(&entity, &id(edge.from), Some(code.created_ms));
        }
    }

    /// A person's work in a workspace, which has no end that is known.
    fn workspace(&mut self, export: &Export<'_>, workspace: &Workspace) {
        let activity = id(Key::Workspace(workspace.id));
        let (project, own) = (&workspace.project, workspace.id);
        let about = json!({
            "prov:type": kind("cairn:Workspace"),
            "prov:label": workspace.name,
            "prov:location": uri(&format!("{}/p/{project}/workspaces/{own}", export.url)),
            "prov:startTime": time(workspace.created_ms),
        });
        self.put("activity", activity.clone(), about);
        let agent = self.person(workspace.user_id, &workspace.user);
        let by = json!({"prov:activity": activity, "prov:agent": agent});
        self.relate("wasAssociatedWith", by);
    }

    fn generated(&mut self, entity: &str, activity: &str, at_ms: Option<i64>) {
        let mut generation = json!({"prov:entity": entity, "prov:activity": activity});
        if let Some(ms) = at_ms {
            generation["prov:time"] = json!(time(ms));
        }
        self.relate("wasGeneratedBy", generation);
    }

    fn edge(&mut self, export: &Export<'_>, edge: &Edge) {
        let (Some(from), Some(to)) = (export.node(edge.from), export.node(edge.to)) else {
            return;
        };
        match (edge.how, from, to) {
            (How::Read, from, to) => self.read(edge, from, to),
            (How::Left, Node::Job(job), Node::Version(both)) => {
                // One that is made of several is the doing of none of them.
                if is_left_by(&both.1, job.id) {
                    self.generated(&id(edge.to), &id(edge.from), Some(both.1.created_ms));
                }
                if job.outputs.is_some() {
                    self.derived(edge.to, &outputs_of(job));
                }
            }
            (How::MadeOf, ..) => self.derived(edge.to, &id(edge.from)),
            (How::Repeats, ..) => {
                let again = json!({
                    "prov:informed": id(edge.to), "prov:informant": id(edge.from), "prov:type": kind("cairn:Repeats"),
                });
                self.relate("wasInformedBy", again);
            }
            // Of code see `code`.
            (How::Left | How::Code, ..) => {}
        }
    }

    fn derived(&mut self, version: Key, of: &str) {
        let derivation = json!({"prov:generatedEntity": id(version), "prov:usedEntity": of});
        self.relate("wasDerivedFrom", derivation);
    }

    fn read(&mut self, edge: &Edge, from: &Node, to: &Node) {
        let entity = match from {
            Node::Job(job) if job.outputs.is_some() => outputs_of(job),
            Node::Job(_) | Node::Workspace(_) => return,
            Node::Version(_) => id(edge.from),
        };
        let mut used = json!({"prov:activity": id(edge.to), "prov:entity": entity, "prov:role": kind("cairn:input")});
        if let Node::Job(job) = to
            && let Some(input) = input(job, edge.from)
        {
            used["cairn:name"] = json!(input.name);
            used["cairn:ref"] = json!(input.reference);
            if let Some(left_out) = &input.left_out {
                used["cairn:leftOutFiles"] = json!(left_out.files);
            }
        }
        self.relate("used", used);
        if let (Node::Job(_), Node::Job(_)) = (from, to) {
            let informed = json!({"prov:informed": id(edge.to), "prov:informant": id(edge.from)});
            self.relate("wasInformedBy", informed);
        }
    }

    fn finish(mut self, export: &Export<'_>) -> Value {
        let prefix = json!({"cairn": format!("{}/lineage#", export.url)});
        self.parts.insert("prefix".to_owned(), prefix);
        Value::Object(self.parts)
    }
}
