//! Which tables are in a backup, in which order, and which are not. A test fails when the database has a table that is in neither list.

/// A table whose rows are in a backup.
pub(super) struct Kept {
    pub(super) name: &'static str,
    /// A condition on its rows, or nothing.
    pub(super) only: &'static str,
}

const fn all(name: &'static str) -> Kept {
    Kept { name, only: "" }
}

/// In the order in which rows refer to each other: those that are referred to come first.
pub(super) const KEPT: &[Kept] = &[
    all("counters"),
    all("audit"),
    all("users"),
    all("projects"),
    all("members"),
    all("machines"),
    all("machine_devices"),
    all("objects"),
    all("project_objects"),
    all("manifest_roots"),
    all("workspaces"),
    all("workspace_phases"),
    all("snapshots"),
    all("jobs"),
    all("attempts"),
    all("job_outputs"),
    all("job_holds"),
    all("series_blocks"),
    all("datasets"),
    all("dataset_versions"),
    all("dataset_version_sources"),
    all("dataset_aliases"),
    all("dataset_alias_moves"),
    all("adopted"),
    // What was under way is begun again.
    all("adoptions"),
    all("job_inputs"),
    all("workspace_inputs"),
    all("home_snapshots"),
    all("home_copies"),
    all("homes"),
    all("tokens"),
    all("leases"),
    all("device_leases"),
    // What is being sent is sent again.
    Kept {
        name: "uploads",
        only: "WHERE state <> 'open'",
    },
    all("collections"),
    all("scrubs"),
];

/// Not in a backup, and why.
#[cfg(test)]
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    (
        "events",
        "followers read everything anew after a restore: what they saw last may not be in it",
    ),
    (
        "sessions",
        "one that was ended since must not come back: everybody signs in again",
    ),
    ("workspace_sessions", "they go with the sessions"),
    ("links", "they work for minutes"),
    ("devices", "they work for minutes"),
    (
        "upload_entries",
        "what is being sent is not in the store yet",
    ),
    (
        "condemned",
        "the next collection finds anew what nothing needs",
    ),
    ("own_store", "the store is another one afterwards"),
    ("bucket_places", "they say where that other one has things"),
    ("bucket_keys", "they go with the places"),
];

/// Columns that refer to rows of their own table, which may come later: these are filled in last. With the column that names the row.
pub(super) const OWN: &[(&str, &str)] = &[("jobs", "rerun_of")];
