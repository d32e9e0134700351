//! The gateway's integration tests: one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite {
    mod app;
    mod authz;
    mod bases;
    mod batches;
    mod client;
    mod content;
    mod damage;
    mod datasets;
    mod devices;
    mod exports;
    mod forgery;
    mod holds;
    mod machines;
    mod openapi;
    mod pages;
    mod people;
    mod proxy_access;
    mod proxy_bulk;
    mod proxy_echo;
    mod proxy_fixture;
    mod proxy_limits;
    mod proxy_origins;
    mod proxy_reliability;
    mod proxy_routing;
    mod proxy_sessions;
    mod proxy_streams;
    mod proxy_tunnels;
    mod runtime;
    mod scheduler;
    mod sign_in;
    mod streams;
    mod workers;
    mod workspaces;
    mod world;
}
