//! The gateway's integration tests: one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite {
    mod proxy_access;
    mod proxy_echo;
    mod proxy_fixture;
    mod proxy_limits;
    mod proxy_origins;
    mod proxy_reliability;
    mod proxy_routing;
    mod proxy_sessions;
    mod proxy_streams;
    mod proxy_tunnels;
}
