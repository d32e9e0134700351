//! What the container engine offers, as checks.

use spawner::docker::Capabilities;

use super::check::{Check, State};

/// The engine, and what is wrong with it. No engine is no fault: everything then runs as processes.
pub(super) fn checks(found: &Capabilities) -> Vec<Check> {
    let name = "Docker";
    let Some(version) = &found.version else {
        let cost = "workspaces and jobs run as processes only";
        return vec![Check::bad(name, State::Missing, "no engine answers", cost)];
    };
    let told = [
        found.storage.clone(),
        found
            .cgroup_version
            .as_ref()
            .map(|v| format!("cgroup v{v}")),
        found.nvidia.then(|| "NVIDIA cards".to_owned()),
        found.project_quota.then(|| "project quotas".to_owned()),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    let engine = format!("engine {version}: {}", told.join(", "));
    let mut checks = vec![if found.inside {
        Check::ok(name, engine)
    } else {
        let cost =
            "cairn-inside is not beside cairn, so nothing runs in containers: `make up` builds it";
        Check::bad(name, State::Missing, engine, cost)
    }];
    checks.push(if found.firewall {
        Check::ok("container network", "the packet filter can be used")
    } else {
        let cost = "containers reach this machine's services and the private networks around it";
        let found = "the packet filter cannot be used";
        Check::bad("container network", State::Missing, found, cost)
    });
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_part_says_what_it_costs() {
        let none = checks(&Capabilities::default());
        assert_eq!((none.len(), none[0].state), (1, State::Missing));
        let some = Capabilities {
            version: Some("20.10".into()),
            storage: Some("overlay2".into()),
            inside: true,
            ..Capabilities::default()
        };
        let states: Vec<_> = checks(&some).iter().map(|c| c.state).collect();
        assert_eq!(states, [State::Ok, State::Missing]);
    }
}
