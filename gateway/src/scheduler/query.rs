//! Which jobs a list is asked for: `status`, `name`, `tags`, `start_time`, `sort_by=asc(FIELD)`, `max_items`, `next_token`.

use std::cmp::Ordering;

use storage::jobs::Job;

use super::{describe::Status, files::file_name};
use crate::error::ApiError;

/// Items of a page where the client does not say.
const USUAL: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) status: Option<Status>,
    name: Option<String>,
    tags: Vec<String>,
    start_ms: Option<i64>,
    sort: Vec<(String, bool)>,
    most: Option<usize>,
    /// The token is how many come before.
    skip: usize,
}

impl Asked {
    /// Reads a query; what is unknown in it is passed over.
    ///
    /// # Errors
    /// 400 for a value that is none of its kind.
    pub(super) fn read(query: &str) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let bad = || ApiError::invalid(format!("`{key}` is not as it should be."));
            match &*key {
                _ if value.is_empty() => {}
                "status" => {
                    let text = serde_json::Value::String(value.to_uppercase());
                    asked.status = Some(serde_json::from_value(text).map_err(|_| bad())?);
                }
                "name" => asked.name = Some(value.to_lowercase()),
                "tags" => asked.tags.push(value.into_owned()),
                "start_time" => asked.start_ms = Some(value.parse().map_err(|_| bad())?),
                "sort_by" => asked.sort.push(direction(&value)),
                "max_items" => asked.most = Some(value.parse().map_err(|_| bad())?),
                "next_token" => asked.skip = value.parse().map_err(|_| bad())?,
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The page of these jobs that is asked for, how many there are in all, and the token of the next page. `jobs` are the newest first.
    pub(super) fn pick(&self, mut jobs: Vec<Job>) -> (Vec<Job>, usize, Option<String>) {
        jobs.retain(|job| self.wants(job));
        jobs.sort_by(|a, b| {
            let by = |(field, falls): &(String, bool)| {
                let order = compare(field, a, b);
                if *falls { order.reverse() } else { order }
            };
            self.sort
                .iter()
                .map(by)
                .fold(Ordering::Equal, Ordering::then)
        });
        let (total, most) = (jobs.len(), self.most.unwrap_or(USUAL).max(1));
        let end = self.skip.saturating_add(most);
        let next = (end < total).then(|| end.to_string());
        let page = jobs.into_iter().skip(self.skip).take(most).collect();
        (page, total, next)
    }

    fn wants(&self, job: &Job) -> bool {
        let named = |name: &String| job.name.to_lowercase().starts_with(name);
        self.status.is_none_or(|status| Status::of(job) == status)
            && self.name.as_ref().is_none_or(named)
            && self.tags.iter().all(|tag| job.tags.contains(tag))
            && self
                .start_ms
                .is_none_or(|from| job.started_ms.is_some_and(|at| at >= from))
    }
}

/// `desc(name)`, `asc(name)` or `name`: the field, and whether it falls.
fn direction(text: &str) -> (String, bool) {
    let inner = |prefix| text.strip_prefix(prefix)?.strip_suffix(')');
    if let Some(field) = inner("desc(") {
        return (field.to_owned(), true);
    }
    (inner("asc(").unwrap_or(text).to_owned(), false)
}

fn compare(field: &str, a: &Job, b: &Job) -> Ordering {
    let file = |job: &Job| {
        job.notebook
            .as_deref()
            .map(|path| file_name(path).to_owned())
    };
    match field {
        "name" => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        "input_filename" => file(a).cmp(&file(b)),
        "create_time" => a.created_ms.cmp(&b.created_ms),
        "start_time" => a.started_ms.cmp(&b.started_ms),
        "end_time" | "update_time" => a.ended_ms.cmp(&b.ended_ms),
        "status" => Status::of(a).cmp(&Status::of(b)),
        "runtime_environment_name" => a.environment.cmp(&b.environment),
        "compute_type" => a.machine.cmp(&b.machine),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_the_panel_writes_them() {
        let asked = Asked::read(
            "status=IN_PROGRESS&tags=a&tags=b&sort_by=desc(create_time)&sort_by=name&max_items=25&next_token=25&1732170000000",
        );
        let asked = asked.unwrap();
        assert_eq!(asked.status, Some(Status::InProgress));
        assert_eq!(asked.tags, ["a", "b"]);
        assert_eq!(
            asked.sort,
            [("create_time".to_owned(), true), ("name".to_owned(), false)]
        );
        assert_eq!((asked.most, asked.skip), (Some(25), 25));
        for bad in [
            "status=FLYING",
            "max_items=x",
            "next_token=-1",
            "start_time=now",
        ] {
            assert!(Asked::read(bad).is_err(), "{bad}");
        }
    }
}
