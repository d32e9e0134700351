//! The runs' networks: small ones, cut from a pool. Which are free only the engine knows, and says by refusing what overlaps.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};

use super::Plan;
use super::container::labels;

/// Bits of a run's own network: sixteen addresses.
const BITS: u32 = 28;

/// A block of addresses, such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    first: u32,
    bits: u32,
}

impl Block {
    /// Reads `ADDRESS/BITS`; the address must be the block's first.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|b| *b <= 32)?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
        (first & rest == 0).then_some(Self { first, bits })
    }
}

/// What runs' networks are cut from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool(Block);

impl Pool {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Block::parse(text)
            .filter(|b| (8..=BITS).contains(&b.bits))
            .map(Self)
    }

    /// How many networks there are in it.
    pub(super) fn count(self) -> u32 {
        1 << (BITS - self.0.bits)
    }

    /// The one to try after `attempt` others; every `seed` begins elsewhere, so that few collide.
    pub(super) fn subnet(self, seed: u32, attempt: u32) -> (String, String) {
        let number = seed.wrapping_add(attempt) % self.count();
        let first = self.0.first + (number << (32 - BITS));
        let (first, gateway) = (Ipv4Addr::from(first), Ipv4Addr::from(first + 1));
        (format!("{first}/{BITS}"), gateway.to_string())
    }
}

/// Where a run begins to look.
pub(super) fn seed(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let bytes = hash.as_bytes();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A run's network. Containers on other bridges are kept out by the engine, all else by [`super::firewall`].
pub(super) fn request(plan: &Plan, run: &str, subnet: (String, String)) -> NetworkCreateRequest {
    let (subnet, gateway) = subnet;
    let options = [
        ("com.docker.network.bridge.name", plan.bridge.as_str()),
        ("com.docker.network.bridge.enable_icc", "false"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
    ];
    NetworkCreateRequest {
        name: plan.name.clone(),
        driver: Some("bridge".into()),
        enable_ipv6: Some(false),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet),
                gateway: Some(gateway),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        options: Some(
            options
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into_iter()
                .collect::<HashMap<_, _>>(),
        ),
        labels: Some(labels(plan, run)),
        ..NetworkCreateRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_cut_into_networks_that_do_not_overlap() {
        let pool = Pool::parse("10.213.0.0/16").unwrap();
        assert_eq!(pool.count(), 4096);
        let all: std::collections::BTreeSet<_> = (0..4096).map(|n| pool.subnet(77, n).0).collect();
        assert_eq!(all.len(), 4096);
        assert_eq!(
            pool.subnet(17, 0),
            ("10.213.1.16/28".to_owned(), "10.213.1.17".to_owned())
        );
        assert_eq!(Pool::parse("10.0.0.16/28").unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in ["10.0.0.1/16", "10.0.0.0", "10.0.0.0/33", "x/8", "", "::/0"] {
            assert_eq!(Block::parse(text), None, "{text}");
        }
        assert!(Block::parse("0.0.0.0/0").is_some() && Block::parse("1.2.3.4/32").is_some());
        assert!(Pool::parse("10.0.0.0/29").is_none() && Pool::parse("0.0.0.0/0").is_none());
    }
}
