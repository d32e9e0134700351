//! Every behaviour of the records, on SQLite always and on PostgreSQL where `CAIRN_TEST_POSTGRES_URL` names one.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "records/bed.rs"]
mod bed;
#[path = "records/datasets.rs"]
mod datasets;
#[path = "records/devices.rs"]
mod devices;
#[path = "records/durability.rs"]
mod durability;
#[path = "records/endings.rs"]
mod endings;
#[path = "records/events.rs"]
mod events;
#[path = "records/holds.rs"]
mod holds;
#[path = "records/homes.rs"]
mod homes;
#[path = "records/jobs.rs"]
mod jobs;
#[path = "records/leases.rs"]
mod leases;
#[path = "records/machines.rs"]
mod machines;
#[path = "records/people.rs"]
mod people;
#[path = "records/phases.rs"]
mod phases;
#[path = "records/projects.rs"]
mod projects;
#[path = "records/queue.rs"]
mod queue;
#[path = "records/series.rs"]
mod series;
#[path = "records/sign_in.rs"]
mod sign_in;
#[path = "records/workspaces.rs"]
mod workspaces;
