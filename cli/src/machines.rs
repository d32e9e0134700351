//! `cairn machines`: the machine types with what is free, and the machines that provide them.

mod install;

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use crate::api::{Call, types};
use crate::output::{self, Table};
use crate::session::{Session, block_on};
use crate::{exit, reference};

use install::{Install, Place, Setup};

/// What to do with machines; list where nothing is said.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Make a machine known that will run `cairn worker`, and print its token, this once; or, with --engine, start the worker there as a
    /// container. For administrators.
    Add {
        /// What to call it.
        #[arg(value_parser = reference::name)]
        name: String,
        /// What machine types can ask for; may be given several times.
        #[arg(long = "label", value_name = "L")]
        labels: Vec<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        setup: Box<Setup>,
    },
    /// Let nothing new begin on a machine; what runs goes on. For administrators.
    Drain {
        /// The machine.
        name: String,
    },
    /// Let a drained machine take work again. For administrators.
    Undrain {
        /// The machine.
        name: String,
    },
    /// Remove a machine that nothing runs on; its token ends. With --engine its worker's container is removed too. For administrators.
    Rm {
        /// The machine.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Deserialize)]
struct MachineType {
    name: String,
    cpu_millicores: Option<u64>,
    memory_bytes: Option<u64>,
    #[serde(default)]
    gpus: u32,
    gpu_model: Option<String>,
    price_per_hour: Option<String>,
    capacity: Option<u64>,
    free: Option<u64>,
    #[serde(default)]
    queued: u64,
    misfit: Option<String>,
}

#[derive(Deserialize)]
struct Machine {
    name: String,
    state: String,
    #[serde(default)]
    labels: Vec<String>,
    cpu_millicores: Option<u64>,
    memory_bytes: Option<u64>,
    #[serde(default)]
    devices: Vec<Device>,
    slots: Option<u64>,
    #[serde(default)]
    slots_used: u64,
    #[serde(default)]
    own_labels: Vec<String>,
}

#[derive(Deserialize)]
struct Device {
    model: String,
    held: bool,
}

/// Carries it out.
pub(crate) fn run(action: Option<Action>, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        match action {
            None => list(&session, json).await,
            Some(Action::Add {
                name,
                labels,
                place,
                setup,
            }) => {
                let install = Install::prepare(&session, &place, *setup, &name).await?;
                add(&session, (&name, &labels), install, json).await
            }
            Some(Action::Drain { name }) => drain(&session, &name, true, json).await,
            Some(Action::Undrain { name }) => drain(&session, &name, false, json).await,
            Some(Action::Rm { name, place }) => remove(&session, &name, &place, json).await,
        }
    })?;
    Ok(exit::code(0))
}

async fn list(session: &Session, json: bool) -> anyhow::Result<()> {
    let kinds = session.client.call(Call::get(&["machine-types"])).await?;
    let machines = session.client.call(Call::get(&["machines"])).await?;
    if json {
        return output::json(&json!({"machine_types": kinds, "machines": machines}));
    }
    let headings = [
        "TYPE", "CPU", "MEMORY", "GPUS", "PRICE/H", "AT ONCE", "FREE", "QUEUED", "",
    ];
    let mut table = Table::new(&headings);
    for kind in types::items::<MachineType>(&kinds)? {
        table.row([
            kind.name,
            cores(kind.cpu_millicores),
            memory(kind.memory_bytes),
            match (kind.gpus, kind.gpu_model) {
                (gpus, Some(model)) => format!("{gpus} {model}"),
                (gpus, None) => gpus.to_string(),
            },
            kind.price_per_hour.unwrap_or_default(),
            count(kind.capacity),
            count(kind.free),
            kind.queued.to_string(),
            kind.misfit.unwrap_or_default(),
        ]);
    }
    table.print("No machine types.")?;
    output::line("")?;
    let headings = [
        "MACHINE", "STATE", "CPU", "MEMORY", "GPUS", "JOBS", "LABELS",
    ];
    let mut table = Table::new(&headings);
    for machine in types::items::<Machine>(&machines)? {
        table.row([
            machine.name,
            machine.state,
            cores(machine.cpu_millicores),
            memory(machine.memory_bytes),
            cards(&machine.devices),
            machine.slots.map_or_else(
                || machine.slots_used.to_string(),
                |slots| format!("{} of {slots}", machine.slots_used),
            ),
            [machine.labels, machine.own_labels].concat().join(" "),
        ]);
    }
    table.print("No machines.")?;
    Ok(())
}

async fn add(
    session: &Session,
    (name, labels): (&str, &[String]),
    install: Option<Install>,
    json: bool,
) -> anyhow::Result<()> {
    let body = json!({"name": name, "labels": labels});
    let call = Call::post(&["machines"]).body(body)?;
    let mut made = session.client.call(call).await?;
    let token = made.get("token").and_then(serde_json::Value::as_str);
    let token = token.unwrap_or_default().to_owned();
    let is_installed = install.is_some();
    if let Some(install) = install {
        if let Err(error) = install.carry_out(session, &token).await {
            forget(session, name).await?;
            return Err(error);
        }
        // The worker has it; nobody else needs it.
        made["token"] = serde_json::Value::Null;
    }
    if json {
        return output::json(&made);
    }
    if is_installed {
        output::note(format!("{name} is online."));
        return Ok(());
    }
    output::note(format!(
        "The token of {name}'s worker; it is shown only now:"
    ));
    output::line(token)?;
    Ok(())
}

async fn forget(session: &Session, name: &str) -> anyhow::Result<()> {
    let path = ["machines", name];
    session.client.call(Call::delete(&path)).await?;
    Ok(())
}

async fn drain(session: &Session, name: &str, drain: bool, json: bool) -> anyhow::Result<()> {
    let path = ["machines", name];
    let call = Call::patch(&path).body(json!({"draining": drain}))?;
    let machine = session.client.call(call).await?;
    if json {
        return output::json(&machine);
    }
    output::note(if drain {
        format!("Nothing new begins on {name}.")
    } else {
        format!("{name} takes work again.")
    });
    Ok(())
}

async fn remove(session: &Session, name: &str, place: &Place, json: bool) -> anyhow::Result<()> {
    let engine = install::connect(place).await?;
    forget(session, name).await?;
    if let Some(engine) = engine {
        engine.uninstall(name).await?;
    }
    if json {
        return output::json(&json!({}));
    }
    output::note(format!("{name} is removed."));
    Ok(())
}

fn count(count: Option<u64>) -> String {
    count.map_or_else(|| "many".to_owned(), |count| count.to_string())
}

fn cores(millicores: Option<u64>) -> String {
    let shown = |cpu: u64| format!("{}.{}", cpu / 1000, cpu % 1000 / 100);
    millicores.map_or_else(|| "all".to_owned(), shown)
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "all".to_owned(), output::bytes)
}

/// `3 of 4 free NVIDIA A100`, for each model.
fn cards(devices: &[Device]) -> String {
    let mut models: Vec<&str> = devices.iter().map(|device| device.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let shown = models.into_iter().map(|model| {
        let of = || devices.iter().filter(|device| device.model == model);
        let free = of().filter(|device| !device.held).count();
        format!("{free} of {} free {model}", of().count())
    });
    shown.collect::<Vec<_>>().join(", ")
}
