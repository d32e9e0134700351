//! `[machines.…]` and `[local]` of the configuration: named machine types, and what this machine has for work.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result, ensure};
use control::MachineType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use storage::machines::{Device, check_labels};

/// How work can run on a machine.
const RUNTIMES: [&str; 2] = ["process", "docker"];
/// The most that an hour may cost: a year of it still fits into a number.
const PRICE: i64 = 100_000 * MILLION;
const MILLION: i64 = 1_000_000;

/// A machine type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Machine {
    /// Cores, as a decimal number; none means no limit, and takes nothing of the machine.
    pub(crate) cpus: Option<f64>,
    /// Memory, as bytes or as `16GiB`; none means no limit, and takes nothing of the machine.
    #[serde(alias = "memory_bytes", skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Bytes>,
    /// GPUs, each for one run at a time.
    pub(crate) gpus: u32,
    /// Words in the name of their model, such as `H100`; any where none is named.
    pub(crate) gpu_model: Option<String>,
    /// What an hour costs, as a decimal number or text.
    pub(crate) price_per_hour: Option<Price>,
    /// `process` or `docker`; any where none is named.
    pub(crate) runtime: Option<String>,
    /// Labels that a machine must have to provide it, all of them.
    pub(crate) labels: Vec<String>,
    /// A job on it is stopped after this time: milliseconds, or `12h`.
    #[serde(alias = "time_limit_ms", skip_serializing_if = "Option::is_none")]
    pub(crate) time_limit: Option<Span>,
}

/// What this machine has for work; what is left out is measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Local {
    /// What to call it; the host's name where left out.
    pub(crate) name: Option<String>,
    /// Cores that may be promised to work.
    pub(crate) cpus: Option<f64>,
    /// Memory that may be promised to work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Bytes>,
    /// Its cards: `"auto"`, or a list.
    pub(crate) gpus: Gpus,
    /// What machine types can ask for.
    pub(crate) labels: Vec<String>,
    /// How work runs here, of `process` and `docker`; as it can where left out.
    pub(crate) runtimes: Option<Vec<String>>,
}

/// The cards of this machine that work may have.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Listed", into = "Listed")]
pub(crate) enum Gpus {
    /// Those that are found.
    #[default]
    Auto,
    /// These: each by its id among those that are found, or declared with its model.
    These(Vec<Card>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "`gpus` is \"auto\" or a list of ids and of tables { id, model, minor }"
)]
enum Listed {
    Auto(Auto),
    These(Vec<Card>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Auto {
    Auto,
}

/// One card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a card is an id, or a table { id, model, minor }"
)]
pub(crate) enum Card {
    /// One that is found, by its id, UUID or number.
    Found(String),
    /// One that is as it is told.
    Declared(Declared),
}

/// A card that is as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declared {
    /// What `NVIDIA_VISIBLE_DEVICES` takes: an index or a UUID.
    id: String,
    /// Its model.
    model: String,
    /// The number in `/dev/nvidiaN`.
    #[serde(default)]
    minor: Option<u32>,
}

impl From<Listed> for Gpus {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Auto(Auto::Auto) => Self::Auto,
            Listed::These(cards) => Self::These(cards),
        }
    }
}

impl From<Gpus> for Listed {
    fn from(gpus: Gpus) -> Self {
        match gpus {
            Gpus::Auto => Self::Auto(Auto::Auto),
            Gpus::These(cards) => Self::These(cards),
        }
    }
}

impl Machine {
    /// Checks it; `name` is for the message.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        storage::names::check("machine type", name).with_context(|| format!("machines.{name}"))?;
        check_cpus(self.cpus).with_context(|| format!("machines.{name}.cpus"))?;
        check_labels(&self.labels).with_context(|| format!("machines.{name}.labels"))?;
        ensure!(
            self.gpus <= 1024,
            "machines.{name}.gpus must be at most 1024"
        );
        ensure!(
            self.gpu_model.is_none() || self.gpus > 0,
            "machines.{name}.gpu_model is set, but machines.{name}.gpus is not: say how many"
        );
        let blank = |model: &String| !model.contains(char::is_alphanumeric);
        ensure!(
            !self.gpu_model.as_ref().is_some_and(blank),
            "machines.{name}.gpu_model must hold a letter or digit"
        );
        if let Some(runtime) = &self.runtime {
            ensure!(
                RUNTIMES.contains(&runtime.as_str()),
                "machines.{name}.runtime must be `process` or `docker`, not `{runtime}`"
            );
        }
        Ok(())
    }

    /// As control takes it.
    pub(crate) fn kind(&self) -> MachineType {
        MachineType {
            cpu_millicores: self.cpus.map(millicores),
            memory_bytes: self.memory.map(|bytes| bytes.0),
            gpus: self.gpus,
            gpu_model: self.gpu_model.clone(),
            price: self.price_per_hour.map(|price| price.0),
            runtime: self.runtime.clone(),
            labels: self.labels.clone(),
            time_limit_ms: self.time_limit.map(|span| span.0),
        }
    }
}

impl Local {
    /// Whether work may run here in this way.
    pub(crate) fn offers(&self, runtime: &str) -> bool {
        let listed = |all: &Vec<String>| all.iter().any(|one| one == runtime);
        self.runtimes.as_ref().is_none_or(listed)
    }

    pub(crate) fn check(&self) -> Result<()> {
        for runtime in self.runtimes.iter().flatten() {
            ensure!(
                RUNTIMES.contains(&runtime.as_str()),
                "local.runtimes holds `{runtime}`; there are: {}",
                RUNTIMES.join(", ")
            );
        }
        check_cpus(self.cpus).context("local.cpus")?;
        check_labels(&self.labels).context("local.labels")?;
        if let Some(name) = &self.name {
            storage::names::check("machine", name).context("local.name")?;
        }
        Ok(())
    }

    /// The cards that work may have, of those that are `found`.
    pub(crate) fn devices(&self, found: Vec<Device>) -> Result<Vec<Device>> {
        let Gpus::These(cards) = &self.gpus else {
            return Ok(found);
        };
        let device = |(at, card): (usize, &Card)| match card {
            Card::Declared(card) => Ok(Device {
                id: card.id.clone(),
                model: card.model.clone(),
                minor: card.minor.map(i64::from),
            }),
            Card::Found(id) => {
                let is = |device: &&Device| {
                    device.id == *id || device.minor.is_some_and(|minor| minor.to_string() == *id)
                };
                let known: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
                found.iter().find(is).cloned().with_context(|| {
                    let known = if known.is_empty() {
                        "none is found".to_owned()
                    } else {
                        format!("found: {}", known.join(", "))
                    };
                    format!(
                        "local.gpus[{at}]: there is no card `{id}` ({known}); declare it with its model: {{ id = \"{id}\", model = \"…\" }}"
                    )
                })
            }
        };
        cards.iter().enumerate().map(device).collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be from 0.01 to 10,000"
)]
pub(crate) fn millicores(cpus: f64) -> u64 {
    (cpus * 1000.0).round() as u64
}

fn check_cpus(cpus: Option<f64>) -> Result<()> {
    let sane = cpus.is_none_or(|cpus| (0.01..=10_000.0).contains(&cpus));
    ensure!(sane, "must be between 0.01 and 10000");
    Ok(())
}

/// An amount that can be written as a number or as text.
macro_rules! amount {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&self.shown())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Either;
                impl de::Visitor<'_> for Either {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).ok_or_else(|| {
                            E::custom(format!("`{}` is not {}", text.escape_debug(), $what))
                        })
                    }
                }
                from.deserialize_any(Either)
            }
        }
    };
}

amount!(
    /// Bytes.
    Bytes(u64),
    "an amount of memory: bytes, or a number with MiB, GiB, TiB, MB, GB or TB"
);
amount!(
    /// Milliseconds, more than none.
    Span(i64),
    "a time: milliseconds, or a number with s, m, h or d"
);
amount!(
    /// Millionths of whatever is counted in.
    Price(i64),
    "a price: a decimal number from 0 to 100000 with at most 6 decimals"
);

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let units = [
            ("MiB", 1_u64 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("", 1),
        ];
        let bytes = with_unit(text, &units)?;
        (bytes > 0 && i64::try_from(bytes).is_ok()).then_some(Self(bytes))
    }

    fn shown(self) -> String {
        self.0.to_string()
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let units = [
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
            ("", 1),
        ];
        let ms = i64::try_from(with_unit(text, &units)?).ok()?;
        (ms > 0).then_some(Self(ms))
    }

    fn shown(self) -> String {
        format!(
            "{}ms",
            Duration::from_millis(self.0.unsigned_abs()).as_millis()
        )
    }
}

impl Price {
    /// Decimal, without the rounding of binary fractions.
    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
            return None;
        }
        let decimals: i64 = format!("{decimals:0<6}").parse().ok()?;
        let price = whole.parse::<i64>().ok()?.checked_mul(MILLION)? + decimals;
        (price <= PRICE).then_some(Self(price))
    }

    fn shown(self) -> String {
        format!("{}.{:06}", self.0 / MILLION, self.0 % MILLION)
    }
}

/// A whole number and one of the units; the last unit is that of a bare number.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let (_, times) = units.iter().find(|(name, _)| *name == unit.trim())?;
    digits.parse::<u64>().ok()?.checked_mul(*times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_type_is_written_in_words_or_numbers() {
        let machine: Machine = read(
            "cpus = 2.5\nmemory = \"16 GiB\"\ngpus = 1\ngpu_model = \"H100\"\nprice_per_hour = 1.29\ntime_limit = \"12h\"\nlabels = [\"zone=b\"]",
        )
        .expect("reads");
        machine.check("gpu").expect("right");
        let kind = machine.kind();
        assert_eq!(
            (
                kind.cpu_millicores,
                kind.memory_bytes,
                kind.price,
                kind.time_limit_ms
            ),
            (
                Some(2500),
                Some(16 << 30),
                Some(1_290_000),
                Some(43_200_000)
            )
        );
        let older: Machine = read("memory_bytes = 4_000\ntime_limit_ms = 5").expect("reads");
        assert_eq!(
            (older.memory, older.time_limit),
            (Some(Bytes(4000)), Some(Span(5)))
        );
        let again: Machine = read(&toml::to_string(&machine).expect("writes")).expect("reads");
        assert_eq!(again.kind().price, kind.price);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("memory = \"16 gigs\"", "an amount of memory"),
            ("memory = 0", "an amount of memory"),
            ("time_limit = \"soon\"", "a time"),
            ("price_per_hour = \"-1\"", "a price"),
            ("price_per_hour = 1e9", "a price"),
            ("gpu = 1", "unknown field `gpu`"),
        ] {
            let error = read::<Machine>(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
        for (text, said) in [
            ("cpus = 0", "machines.x.cpus"),
            ("gpu_model = \"T4\"", "machines.x.gpus is not"),
            ("runtime = \"podman\"", "machines.x.runtime"),
            ("labels = [\"Zone B\"]", "machines.x.labels"),
        ] {
            let machine: Machine = read(text).expect("reads");
            let error = format!("{:#}", machine.check("x").expect_err(text));
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn cards_are_found_named_or_declared() {
        let found = || {
            vec![Device {
                id: "GPU-1".to_owned(),
                model: "T4".to_owned(),
                minor: Some(0),
            }]
        };
        let local = |text: &str| read::<Local>(text).expect("reads").devices(found());
        for text in [
            "",
            "gpus = \"auto\"",
            "gpus = [\"GPU-1\"]",
            "gpus = [\"0\"]",
        ] {
            assert_eq!(local(text).expect(text), found(), "{text}");
        }
        assert!(local("gpus = []").expect("none").is_empty());
        let declared = local("gpus = [{ id = \"7\", model = \"H100\" }]").expect("declared");
        assert_eq!((declared[0].id.as_str(), declared[0].minor), ("7", None));
        let error = local("gpus = [\"GPU-1\", \"GPU-2\"]").expect_err("unknown");
        assert!(error.to_string().contains("local.gpus[1]"), "{error}");
        for text in ["gpus = \"all\"", "gpus = [{ id = \"7\" }]", "gpus = 2"] {
            let error = read::<Local>(text).expect_err(text);
            assert!(error.contains("gpus"), "{error}");
        }
    }
}
