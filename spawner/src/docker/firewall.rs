//! What keeps runs away from this machine, from link-local addresses and from private networks: a chain of our own in the kernel's tables.
//!
//! It matches the runs' interfaces by their names, so nothing is added or removed when runs start and end.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use super::Network;
use crate::capabilities::find_program;

/// What is nobody's on the public internet.
const PRIVATE: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// How the interfaces begin whose runs keep to this policy. Interface names have 15 bytes, of which this takes six.
pub(super) fn prefix(network: &Network) -> String {
    let policy = format!("{:?} {}", network.allow, network.outside);
    format!("crn{}", &blake3::hash(policy.as_bytes()).to_hex()[..3])
}

/// Makes sure that the policy is in force, whatever happened to the tables meanwhile. Costs one look when it is.
pub(super) fn ensure(network: &Network, lock: &Path) -> io::Result<()> {
    let tool = Tool::find("iptables")?;
    let rules = Rules::new(network, &nameservers());
    if rules.hold(&tool.run(&["-S"])?) {
        return Ok(());
    }
    // Two at once would add the jumps twice.
    let lock = fs::File::create(lock)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let now = tool.run(&["-S"])?;
    if rules.hold(&now) {
        return Ok(());
    }
    tool.restore(&rules.text(&now))?;
    // Runs have no address of this kind; their interface on this machine has.
    if let Ok(tool) = Tool::find("ip6tables") {
        let prefix = &rules.prefix;
        for chain in ["INPUT", "FORWARD"] {
            let rule = [chain, "-i", &format!("{prefix}+"), "-j", "DROP"];
            if tool.run(&[&["-C"], &rule[..]].concat()).is_err() {
                tool.run(&[&["-I"], &rule[..]].concat())?;
            }
        }
    }
    Ok(())
}

/// Whether the tables can be read here at all.
pub(super) fn available() -> io::Result<()> {
    Tool::find("iptables")?.run(&["-S"]).map(drop)
}

struct Rules {
    prefix: String,
    /// The chains' rules but for what tells their age.
    input: Vec<String>,
    forward: Vec<String>,
    mark: String,
}

impl Rules {
    fn new(network: &Network, nameservers: &[Ipv4Addr]) -> Self {
        let known = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN".to_owned();
        let refuse = "-j REJECT --reject-with icmp-admin-prohibited";
        let mut forward = vec![known.clone()];
        for server in nameservers {
            for protocol in ["udp", "tcp"] {
                forward.push(format!(
                    "-d {server}/32 -p {protocol} -m {protocol} --dport 53 -j RETURN"
                ));
            }
        }
        forward.push(format!("-d 169.254.0.0/16 {refuse}"));
        forward.extend(network.allow.iter().map(|n| format!("-d {n} -j RETURN")));
        forward.extend(PRIVATE.iter().map(|n| format!("-d {n} {refuse}")));
        if !network.outside {
            forward.push(refuse.to_owned());
        }
        let input = vec![known, refuse.to_owned()];
        let text = format!("{input:?} {forward:?}");
        Self {
            prefix: prefix(network),
            input,
            forward,
            mark: format!("cairn-{}", &blake3::hash(text.as_bytes()).to_hex()[..12]),
        }
    }

    /// The two chains' names.
    fn chains(&self) -> [String; 2] {
        let name = self.prefix.to_uppercase();
        [format!("{name}-IN"), format!("{name}-FWD")]
    }

    /// Where a packet comes by: the engine keeps `DOCKER-USER` before all rules of its own.
    fn jumps(&self, table: &str) -> [String; 2] {
        let has_user = table.lines().any(|l| l == "-N DOCKER-USER");
        let forward = if has_user { "DOCKER-USER" } else { "FORWARD" };
        let [input_chain, forward_chain] = self.chains();
        let prefix = &self.prefix;
        [
            format!("INPUT -i {prefix}+ -j {input_chain}"),
            format!("{forward} -i {prefix}+ -j {forward_chain}"),
        ]
    }

    /// Whether a listing of the table shows these rules whole and in their places.
    fn hold(&self, table: &str) -> bool {
        let has = |line: &str| table.lines().any(|l| l == line);
        let jumps = self.jumps(table);
        let chains = self.chains();
        let counts = [self.input.len(), self.forward.len()];
        let whole = chains.iter().zip(counts).all(|(chain, count)| {
            let start = format!("-A {chain} ");
            let lines: Vec<_> = table.lines().filter(|l| l.starts_with(&start)).collect();
            // The mark is the first rule: it goes when the chain is emptied.
            lines.len() == count + 1 && lines[0].contains(&self.mark)
        });
        whole && jumps.iter().all(|j| has(&format!("-A {j}")))
    }

    /// What puts them into force in one step.
    fn text(&self, table: &str) -> String {
        let mut text = "*filter\n".to_owned();
        let [input, forward] = self.chains();
        for chain in [&input, &forward] {
            let _ = writeln!(text, ":{chain} - [0:0]");
        }
        for (chain, rules) in [(&input, &self.input), (&forward, &self.forward)] {
            let mark = &self.mark;
            let _ = writeln!(text, "-A {chain} -m comment --comment {mark}");
            for rule in rules {
                let _ = writeln!(text, "-A {chain} {rule}");
            }
        }
        for jump in self.jumps(table) {
            if !table.lines().any(|l| l == format!("-A {jump}")) {
                let _ = writeln!(text, "-I {jump}");
            }
        }
        text.push_str("COMMIT\n");
        text
    }
}

/// This machine's resolvers: containers ask them through the engine, from their own networks.
fn nameservers() -> Vec<Ipv4Addr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = text.lines().filter_map(|l| l.strip_prefix("nameserver"));
    named.filter_map(|n| n.trim().parse().ok()).collect()
}

struct Tool(PathBuf);

impl Tool {
    fn find(name: &str) -> io::Result<Self> {
        find_program(name)
            .map(Self)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no {name}")))
    }

    fn run(&self, args: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.0);
        command.args(["-w", "10"]).args(args);
        finish(&command.stdin(Stdio::null()).output()?)
    }

    /// Adds to the table, all or nothing.
    fn restore(&self, text: &str) -> io::Result<()> {
        let program = self.0.with_file_name("iptables-restore");
        let mut command = Command::new(program);
        command.args(["-w", "10", "--noflush"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        finish(&child.wait_with_output()?).map(drop)
    }
}

fn finish(output: &std::process::Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let line = complaint.lines().next().unwrap_or("it fails silently");
    Err(io::Error::other(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], outside: bool) -> Rules {
        let network = Network {
            allow: allow.iter().map(|a| (*a).to_owned()).collect(),
            outside,
            ..Network::default()
        };
        Rules::new(&network, &["10.0.0.2".parse().unwrap()])
    }

    #[test]
    fn the_tables_text_changes_only_on_purpose() {
        insta::assert_snapshot!(rules(&["10.7.0.0/16"], false).text("-N DOCKER-USER\n"));
    }

    #[test]
    fn link_local_addresses_come_before_what_is_allowed() {
        let rules = rules(&["169.254.0.0/16"], true);
        let at = |end: &str| rules.forward.iter().position(|r| r.ends_with(end)).unwrap();
        let refused = rules
            .forward
            .iter()
            .position(|r| r.contains("169.254") && r.contains("REJECT"));
        assert!(refused.unwrap() < at("169.254.0.0/16 -j RETURN"));
    }

    #[test]
    fn rules_hold_only_whole_and_in_place() {
        let rules = rules(&[], true);
        let [input, forward] = rules.chains();
        let mut table = "-N DOCKER-USER\n".to_owned();
        for jump in rules.jumps(&table) {
            let _ = writeln!(table, "-A {jump}");
        }
        for (chain, lines) in [(&input, &rules.input), (&forward, &rules.forward)] {
            let _ = writeln!(table, "-A {chain} -m comment --comment {}", rules.mark);
            for line in lines {
                let _ = writeln!(table, "-A {chain} {line}");
            }
        }
        assert!(rules.hold(&table));
        for gone in table.lines().filter(|l| l.starts_with("-A")) {
            let less: String = table
                .lines()
                .filter(|l| l != &gone)
                .fold(String::new(), |text, l| text + l + "\n");
            assert!(!rules.hold(&less), "{gone}");
        }
        assert!(!rules.hold(""));
    }

    #[test]
    fn policies_do_not_share_interfaces() {
        assert_ne!(rules(&[], true).prefix, rules(&[], false).prefix);
        assert_eq!(rules(&[], true).prefix.len(), 6);
    }
}
