//! What holds manifests and objects: the one definition of what is needed. A test fails when a column of a digest or hash is in none of these lists.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// A column that holds what it names.
pub(super) struct Holder {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    /// The rows that count, of the table as `h`; `$1` is the time now.
    rows: &'static str,
}

const fn holder(table: &'static str, column: &'static str, rows: &'static str) -> Holder {
    Holder {
        table,
        column,
        rows,
    }
}

const OF_JOB: &str = "EXISTS (SELECT 1 FROM jobs j JOIN projects p ON p.id = j.project_id WHERE j.id = h.job_id AND p.deleted_ms IS NULL)";
const OF_WORKSPACE: &str =
    "EXISTS (SELECT 1 FROM workspaces w WHERE w.id = h.workspace_id AND w.deleted_ms IS NULL)";

/// What holds whole manifests. A deleted project holds nothing, nor a version that was taken back, nor a deleted workspace.
pub(super) const MANIFESTS: &[Holder] = &[
    holder(
        "dataset_versions",
        "manifest_digest",
        "h.retracted_ms IS NULL AND EXISTS (SELECT 1 FROM datasets d JOIN projects p ON p.id = d.project_id \
         WHERE d.id = h.dataset_id AND d.deleted_ms IS NULL AND p.deleted_ms IS NULL)",
    ),
    holder(
        "snapshots",
        "manifest_digest",
        "EXISTS (SELECT 1 FROM projects p WHERE p.id = h.project_id AND p.deleted_ms IS NULL)",
    ),
    holder("job_inputs", "manifest_digest", OF_JOB),
    holder("job_outputs", "manifest_digest", OF_JOB),
    holder("workspace_inputs", "manifest_digest", OF_WORKSPACE),
    holder("home_snapshots", "manifest_digest", OF_WORKSPACE),
    holder("projects", "template_digest", "h.deleted_ms IS NULL"),
    holder("uploads", "base_digest", "h.state = 'open'"),
    // What an upload became, until somebody makes a version of it; a snapshot holds it by its own row.
    holder(
        "uploads",
        "manifest_digest",
        "h.kind = 'outputs' AND h.expires_ms > $1 AND NOT EXISTS \
         (SELECT 1 FROM dataset_versions v WHERE v.manifest_digest = h.manifest_digest AND v.created_ms >= h.created_ms)",
    ),
];

/// What holds single objects.
pub(super) const OBJECTS: &[Holder] = &[
    // First: what an upload holds goes on to be held by a manifest, and must be seen in one of the places.
    holder(
        "upload_entries",
        "hash",
        "EXISTS (SELECT 1 FROM uploads u WHERE u.id = h.upload_id AND u.state = 'open')",
    ),
    holder("attempts", "log_hash", OF_JOB),
    holder("job_holds", "notebook_hash", OF_JOB),
    holder("home_snapshots", "attributes_hash", OF_WORKSPACE),
];

/// Columns with a digest or hash that hold nothing, and why.
#[cfg(test)]
pub(super) const OTHERS: &[(&str, &str, &str)] = &[
    ("objects", "hash", "says that an object is there"),
    (
        "bucket_places",
        "hash",
        "says where something lies, for as long as it is there",
    ),
    (
        "project_objects",
        "hash",
        "says who has seen an object, for as long as it is there",
    ),
    (
        "manifest_roots",
        "digest",
        "says that a manifest is there; keeps its content until it is forgotten",
    ),
    (
        "manifest_roots",
        "content_digest",
        "names no thing in the store",
    ),
    ("condemned", "hash", "says what nothing holds"),
    (
        "adopted",
        "hash",
        "says where an object lies in somebody's bucket, for as long as it is there",
    ),
    (
        "dataset_version_sources",
        "manifest_digest",
        "says what a version was made of, not what it is made of",
    ),
    (
        "dataset_versions",
        "content_digest",
        "names no thing in the store",
    ),
    ("snapshots", "content_digest", "names no thing in the store"),
    (
        "job_outputs",
        "content_digest",
        "names no thing in the store",
    ),
    ("upload_entries", "path_hash", "is of a path"),
    ("users", "password_hash", "is of a secret"),
    ("sessions", "token_hash", "is of a secret"),
    ("tokens", "token_hash", "is of a secret"),
    ("workspace_sessions", "token_hash", "is of a secret"),
    ("links", "code_hash", "is of a secret"),
    ("devices", "device_hash", "is of a secret"),
    ("machines", "token_hash", "is of a secret"),
];

/// A page of the recorded manifests after `$2`, at most `$3`, each with whether it is held at the time `$1`.
pub(crate) static ROOTS: LazyLock<String> = LazyLock::new(|| {
    let mut held = String::new();
    for Holder {
        table,
        column,
        rows,
    } in MANIFESTS
    {
        let or = if held.is_empty() { "" } else { " OR " };
        write!(
            held,
            "{or}EXISTS (SELECT 1 FROM {table} h WHERE h.{column} = r.digest AND {rows})"
        )
        .expect("writing to a string does not fail");
    }
    format!(
        "SELECT r.digest, r.files, r.bytes, r.touched, r.condemned_in, r.condemned_ms, CASE WHEN {held} THEN 1 ELSE 0 END AS held \
         FROM manifest_roots r WHERE r.digest > $2 ORDER BY r.digest LIMIT $3"
    )
});

/// For each of [`OBJECTS`] a page of what it holds after `$1`, at most `$2`.
pub(crate) static HELD_OBJECTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let page = |Holder {
                    table,
                    column,
                    rows,
                }: &Holder| {
        format!(
            "SELECT DISTINCT h.{column} AS hash FROM {table} h WHERE h.{column} > $1 AND {rows} ORDER BY h.{column} LIMIT $2"
        )
    };
    OBJECTS.iter().map(page).collect()
});
