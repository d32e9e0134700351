//! The small grammars of the command line: which job, which input, which parameter, how long.

use std::str::FromStr;

use control::reference::{Reference, check_input_name};
use serde_json::{Map, Value};

/// A job as people name it: `12` or `#12` in the current project, `vision#12` in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRef {
    /// The project, when one was named.
    pub(crate) project: Option<String>,
    /// The job's number within it.
    pub(crate) number: u64,
}

impl FromStr for JobRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (project, number) = text.split_once('#').unwrap_or(("", text));
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = number
            .parse()
            .ok()
            .filter(|number| is_number && *number > 0);
        let Some(number) = parsed else {
            return Err(format!(
                "`{text}` names no job: say its number (12), or project#12"
            ));
        };
        let project = (!project.is_empty()).then(|| name(project)).transpose()?;
        Ok(Self { project, number })
    }
}

/// An input: what to mount, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct InputRef {
    /// The folder under `inputs/`; the server chooses when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The reference as it was typed, for the server to resolve.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// Whether it is taken without what is damaged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_damaged: bool,
    #[serde(skip)]
    parsed: Reference,
}

/// Inputs of a new job or workspace.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Inputs {
    /// Mount a version of a dataset or a job's outputs, read-only, at `/cairn/inputs/NAME`.
    #[arg(long = "input", value_name = "[NAME=]REF")]
    inputs: Vec<InputRef>,
    /// Take inputs with damaged files all the same, without these. The record says so.
    #[arg(long)]
    allow_damaged: bool,
}

impl Inputs {
    /// As the API takes them.
    pub(crate) fn to_send(&self) -> Vec<InputRef> {
        allowed(self.inputs.clone(), self.allow_damaged)
    }
}

/// The same inputs, taken without what is damaged or not.
pub(crate) fn allowed(inputs: Vec<InputRef>, allow_damaged: bool) -> Vec<InputRef> {
    let inputs = inputs.into_iter();
    inputs
        .map(|input| InputRef {
            allow_damaged,
            ..input
        })
        .collect()
}

impl InputRef {
    /// The name it is mounted under: the one given, else `vision-12` for `vision#12`, as the server would choose.
    pub(crate) fn name_or_default(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| self.parsed.default_name())
    }
}

impl FromStr for InputRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reference) = match text.split_once('=') {
            Some((before, after)) if is_plain(before) => (Some(before.to_owned()), after),
            _ => (None, text),
        };
        if let Some(name) = &name {
            check_input_name(name).map_err(|error| error.to_string())?;
        }
        let parsed: Reference = reference
            .parse()
            .map_err(|error: control::Error| error.to_string())?;
        Ok(Self {
            name,
            reference: reference.to_owned(),
            allow_damaged: false,
            parsed,
        })
    }
}

/// One parameter, `K=V`: V is taken as JSON where it is JSON, else as a string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// The parameter's name.
    pub(crate) key: String,
    /// Its typed value.
    pub(crate) value: Value,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("`{text}` is not K=V"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self {
            key: key.to_owned(),
            value,
        })
    }
}

/// The parameters as one object.
///
/// # Errors
/// When a name is given twice: which one was meant is not ours to guess.
pub(crate) fn parameters(given: Vec<Parameter>) -> anyhow::Result<Map<String, Value>> {
    let mut map = Map::new();
    for Parameter { key, value } in given {
        anyhow::ensure!(
            !map.contains_key(&key),
            "the parameter {key} is given twice"
        );
        map.insert(key, value);
    }
    Ok(map)
}

/// A name that becomes one segment of a URL.
///
/// # Errors
/// When it is empty, a dot segment, or holds what no name holds.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let bad = text.is_empty()
        || matches!(text, "." | "..")
        || text.contains(['/', '#', '?', '\\'])
        || text.chars().any(char::is_control);
    if bad {
        Err(format!("`{text}` is not a name"))
    } else {
        Ok(text.to_owned())
    }
}

/// A version's number, where it has to be one.
///
/// # Errors
/// When it is an alias: that may have moved since it was looked at.
pub(crate) fn version_number(text: &str) -> Result<String, String> {
    match text.parse::<u64>() {
        Ok(number) if number > 0 => Ok(number.to_string()),
        _ => Err(format!("`{text}` is not the number of a version")),
    }
}

/// A span of time in milliseconds: `90s`, `15m`, `12h`, `30d`.
pub(crate) fn duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a span of time: say 90s, 15m, 12h or 30d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count
        .checked_mul(factor)
        .filter(|ms| *ms > 0)
        .ok_or_else(wrong)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(text: &str) -> Option<(Option<String>, u64)> {
        text.parse::<JobRef>()
            .ok()
            .map(|job| (job.project, job.number))
    }

    #[test]
    fn jobs_are_named_by_number_or_by_project_and_number() {
        assert_eq!(job("12"), Some((None, 12)));
        assert_eq!(job("#12"), Some((None, 12)));
        assert_eq!(job("vision#12"), Some((Some("vision".to_owned()), 12)));
    }

    #[test]
    fn what_is_no_job_is_refused() {
        for text in [
            "",
            "#",
            "0",
            "-1",
            "+1",
            "x",
            "vision#",
            "vision#x",
            "../a#1",
            "..#1",
            "a/b#1",
            "1#2#3",
            "99999999999999999999",
        ] {
            assert_eq!(job(text), None, "{text}");
        }
    }

    #[test]
    fn inputs_may_be_named() {
        let parse = |text: &str| {
            text.parse::<InputRef>()
                .map(|input| (input.name, input.reference))
                .unwrap()
        };
        assert_eq!(
            parse("model=vision#12/best"),
            (Some("model".to_owned()), "vision#12/best".to_owned())
        );
        assert_eq!(parse("#12"), (None, "#12".to_owned()));
        assert_eq!(parse("vision#12/a=b"), (None, "vision#12/a=b".to_owned()));
        for text in ["model=", "", "12", "#0", "-x=#1", "a=#1/../b"] {
            assert!(text.parse::<InputRef>().is_err(), "{text}");
        }
        assert_eq!(
            "vision#12/best"
                .parse::<InputRef>()
                .unwrap()
                .name_or_default(),
            "vision-12"
        );
        assert_eq!("#3".parse::<InputRef>().unwrap().name_or_default(), "job-3");
    }

    #[test]
    fn parameters_are_json_where_they_can_be() {
        let parse = |text: &str| {
            text.parse::<Parameter>()
                .map(|parameter| parameter.value)
                .unwrap()
        };
        assert_eq!(parse("lr=0.1"), json!(0.1));
        assert_eq!(parse("n=3"), json!(3));
        assert_eq!(parse("deep=true"), json!(true));
        assert_eq!(parse("layers=[1,2]"), json!([1, 2]));
        assert_eq!(parse("name=adam"), json!("adam"));
        assert_eq!(parse("name=\"3\""), json!("3"));
        assert_eq!(parse("name="), json!(""));
        assert_eq!(parse("eq=a=b"), json!("a=b"));
        assert!("=1".parse::<Parameter>().is_err());
        assert!("lr".parse::<Parameter>().is_err());
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let given = ["a=1", "a=2"].map(|text| text.parse().unwrap()).to_vec();
        assert!(parameters(given).is_err());
    }

    #[test]
    fn spans_of_time_have_a_unit() {
        assert_eq!(duration_ms("30d"), Ok(2_592_000_000));
        assert_eq!(duration_ms("90s"), Ok(90_000));
        for text in [
            "",
            "30",
            "d",
            "0d",
            "-1d",
            "1w",
            "9223372036854775807d",
            "1é",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }
}
