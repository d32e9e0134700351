//! The bucket that keeps what is stored: whether it can be relied on, and what it cannot do.

use storage::bucket::Abilities;

use super::check::{Check, State};
use crate::config::Config;

/// Tries the bucket; none where files keep what is stored.
pub(super) fn check(config: &Config) -> Option<Check> {
    let bucket = match config.bucket() {
        Ok(bucket) => bucket?,
        Err(error) => return Some(broken(format!("{error:#}"))),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let found = match runtime {
        Ok(runtime) => runtime.block_on(bucket.probe()),
        Err(error) => return Some(broken(error.to_string())),
    };
    Some(match found {
        Ok(found) => lacks(found).map_or_else(
            || Check::ok("bucket", format!("{bucket:?}")),
            |cost| Check::bad("bucket", State::Missing, format!("{bucket:?}"), cost),
        ),
        Err(error) => broken(error.to_string()),
    })
}

fn broken(found: String) -> Check {
    let cost = "nothing that is stored can be had: look at the keys under [s3] in cairn.toml";
    Check::bad("bucket", State::Broken, found, cost)
}

fn lacks(found: Abilities) -> Option<String> {
    let mut costs = Vec::new();
    if !found.checksums {
        costs.push("the server does not check what it is sent, so everything is read back once");
    }
    if !found.parts {
        costs.push("the server takes no uploads in parts, so nothing longer than 5 GB can be kept");
    }
    if !found.lists_uploads {
        costs.push(
            "uploads that were cut off cannot be found: let a rule of the bucket remove them",
        );
    }
    if found.versions {
        costs.push("the bucket keeps old versions: what is collected goes on costing until a rule removes those that are not current");
    }
    (!costs.is_empty()).then(|| costs.join("; "))
}
