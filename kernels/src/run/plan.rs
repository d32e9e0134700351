//! Everything about a run that can be known, and refused, before a kernel starts.

use serde_json::{Value, json};

use super::Execute;
use super::record::{Injected, Record};
use crate::error::{Error, Result};
use crate::kernelspec::{Kernelspec, Search};
use crate::notebook::{Document, coerce};
use crate::translate;

/// A run that may start.
pub(super) struct Plan {
    pub(super) record: Record,
    pub(super) spec: Kernelspec,
    pub(super) warnings: Vec<String>,
}

pub(super) fn prepare(execute: &Execute) -> Result<Plan> {
    let mut document = Document::read(&execute.notebook)?;
    check_output(execute)?;
    let kernel = execute.kernel.clone().or_else(|| document.kernel_name());
    let spec =
        Search::new(execute.environment.as_deref()).find(kernel.as_deref().unwrap_or("python3"))?;
    let mut warnings = Vec::new();
    let mut injected = None;
    let declared = document.parameters();
    if !execute.parameters.is_empty() {
        let values = coerce(&declared, &execute.parameters)?;
        let language = if spec.language.is_empty() {
            document.language().unwrap_or_default()
        } else {
            spec.language.clone()
        };
        let source = translate::source(&spec.name, &language, &values)?;
        let unknown = values
            .iter()
            .filter(|(name, _)| !declared.iter().any(|one| one.name == *name));
        for (name, _) in unknown {
            warnings.push(format!(
                "the notebook declares no parameter `{name}`; it is set all the same"
            ));
        }
        let replaced = document.injected().map(str::to_owned);
        document.inject(&source);
        injected = Some(Injected { source, replaced });
    }
    let defaults: serde_json::Map<String, Value> = declared
        .into_iter()
        .map(|parameter| (parameter.name, parameter.default))
        .collect();
    let facts = json!({
        "default_parameters": defaults,
        "environment_variables": {},
        "input_path": execute.notebook.to_string_lossy(),
        "output_path": execute.output.to_string_lossy(),
        "parameters": execute.parameters,
        "version": concat!("cairn ", env!("CARGO_PKG_VERSION")),
    });
    let record = Record::new(
        document,
        injected,
        execute.output.clone(),
        execute.cell_output_bytes,
        facts,
    );
    Ok(Plan {
        record,
        spec,
        warnings,
    })
}

fn check_output(execute: &Execute) -> Result<()> {
    let output = execute.output.display();
    if execute.output.is_dir() {
        return Err(Error::Invalid(format!("the output {output} is a folder")));
    }
    let same = |left: &std::path::Path, right: &std::path::Path| match (
        left.canonicalize(),
        right.canonicalize(),
    ) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    };
    if same(&execute.notebook, &execute.output) {
        return Err(Error::Invalid(format!(
            "{output} is the notebook itself; the output must be another file"
        )));
    }
    if !execute.cwd.is_dir() {
        let cwd = execute.cwd.display();
        return Err(Error::Invalid(format!(
            "the working folder {cwd} does not exist"
        )));
    }
    Ok(())
}
