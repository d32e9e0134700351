//! `cairn lineage`: what a version or a job came from, and what came from it.

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;

use control::reference::Reference;
use serde::Deserialize;
use serde_json::Value;

use crate::api::Call;
use crate::api::types;
use crate::clock;
use crate::exit;
use crate::output;
use crate::session::{Session, block_on};

/// Arguments of `cairn lineage`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A version or a job: NAME:VERSION, or `[PROJECT]#N`.
    #[arg(value_name = "REF")]
    reference: Reference,
    /// How many steps to go in each direction.
    #[arg(long, value_name = "N", default_value_t = 5)]
    depth: u8,
    /// In a form for other programs: OpenLineage events, PROV-JSON, or nodes and edges.
    #[arg(long, value_name = "F")]
    format: Option<Format>,
}

/// The forms for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[value(name = "openlineage")]
    OpenLineage,
    Prov,
    Json,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::OpenLineage => "openlineage",
            Self::Prov => "prov",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Graph {
    start: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    more: bool,
    hidden: u64,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    created_ms: i64,
    #[serde(default)]
    cost: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    from: String,
    to: String,
    how: String,
}

/// Prints it as two trees, the past above and the future below.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    let format = args.format.or(json.then_some(Format::Json));
    let value: Value = block_on(async {
        let project = session.project(args.reference.project()).await?;
        let path = ["projects", &project, "lineage"];
        let call = Call::get(&path)
            .query("ref", &args.reference)
            .query("depth", &args.depth)
            .query("format", &format.unwrap_or(Format::Json).name());
        session.client.call(call).await
    })?;
    if format.is_some() {
        output::json(&value)?;
        return Ok(exit::code(0));
    }
    let graph: Graph = types::read(&value)?;
    let trees = Trees::new(&graph);
    trees.print(&graph)?;
    if graph.more {
        output::note("There is more: `--depth` goes further.");
    }
    if graph.hidden > 0 {
        output::note(format!("{} more are not yours to see.", graph.hidden));
    }
    Ok(exit::code(0))
}

struct Trees<'a> {
    nodes: HashMap<&'a str, &'a Node>,
    before: HashMap<&'a str, Vec<&'a Edge>>,
    after: HashMap<&'a str, Vec<&'a Edge>>,
}

impl<'a> Trees<'a> {
    fn new(graph: &'a Graph) -> Self {
        let (mut before, mut after) = (HashMap::new(), HashMap::new());
        for edge in &graph.edges {
            let to: &mut Vec<&Edge> = before.entry(edge.to.as_str()).or_default();
            to.push(edge);
            let from: &mut Vec<&Edge> = after.entry(edge.from.as_str()).or_default();
            from.push(edge);
        }
        let nodes = graph.nodes.iter().map(|node| (node.id.as_str(), node));
        Self {
            nodes: nodes.collect(),
            before,
            after,
        }
    }

    fn print(&self, graph: &'a Graph) -> anyhow::Result<()> {
        let Some(start) = self.nodes.get(graph.start.as_str()) else {
            anyhow::bail!("the server's answer lacks what was asked for");
        };
        let past = self.lines(&graph.start, true);
        if !past.is_empty() {
            output::line("came from")?;
        }
        past.iter().try_for_each(output::line)?;
        output::line(describe(start))?;
        let future = self.lines(&graph.start, false);
        if !future.is_empty() {
            output::line("became")?;
        }
        Ok(future.iter().try_for_each(output::line)?)
    }

    /// What lies in one direction, each node once, further ones indented more.
    fn lines(&self, start: &'a str, back: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut seen = HashSet::from([start]);
        let mut ahead = vec![(start, 0, None)];
        while let Some((id, depth, how)) = ahead.pop() {
            if let (Some(how), Some(node)) = (how, self.nodes.get(id)) {
                if !seen.insert(id) {
                    continue;
                }
                let indent = "  ".repeat(depth);
                lines.push(format!("{indent}{} {}", word(how, back), describe(node)));
            }
            let edges = if back { &self.before } else { &self.after };
            for edge in edges.get(id).into_iter().flatten().rev() {
                let next = if back { &edge.from } else { &edge.to };
                ahead.push((next, depth + 1, Some(edge.how.as_str())));
            }
        }
        lines
    }
}

fn word(how: &str, back: bool) -> &'static str {
    match (how, back) {
        ("read", true) => "read",
        ("read", false) => "read by",
        ("left", true) => "left by",
        ("left", false) => "left",
        ("made_of", true) => "made of",
        ("made_of", false) => "part of",
        ("repeats", true) => "repeats",
        ("repeats", false) => "repeated by",
        (_, true) => "code of",
        (_, false) => "code for",
    }
}

fn describe(node: &Node) -> String {
    let title = if node.title.is_empty() {
        String::new()
    } else {
        format!(" \"{}\"", output::shorten(&output::clean(&node.title), 60))
    };
    let cost = node
        .cost
        .as_ref()
        .map(|cost| format!(", cost {}", output::clean(cost)));
    format!(
        "{}{title} ({}, {}{})",
        output::clean(&node.name),
        output::clean(&node.user),
        clock::iso(node.created_ms),
        cost.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_shown_once_below_what_leads_to_it() {
        let node = |id: &str| format!(r#"{{"id":"{id}","name":"{id}","user":"ada"}}"#);
        let edge = |from: &str, to: &str, how: &str| {
            format!(r#"{{"from":"{from}","to":"{to}","how":"{how}"}}"#)
        };
        let text = format!(
            r#"{{"start":"d","nodes":[{}],"edges":[{}],"more":false,"hidden":0}}"#,
            ["d", "j", "a", "b", "k"].map(node).join(","),
            [
                edge("j", "d", "left"),
                edge("a", "j", "read"),
                edge("b", "d", "made_of"),
                edge("a", "b", "made_of"),
                edge("d", "k", "read")
            ]
            .join(",")
        );
        let graph: Graph = serde_json::from_str(&text).unwrap();
        let trees = Trees::new(&graph);
        let words = |back| -> Vec<String> {
            let lines = trees.lines("d", back);
            lines
                .iter()
                .map(|line| line.split(" (").next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(words(true), ["  left by j", "    read a", "  made of b"]);
        assert_eq!(words(false), ["  read by k"]);
    }
}
