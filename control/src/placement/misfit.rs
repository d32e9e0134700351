//! Why a wish cannot be met, ever or now, in words for the person who asked.

use super::{Host, Takes, Wish};

/// Why no machine that is known could ever meet the wish; nothing where one could. Machines that cannot be reached count.
pub(crate) fn hopeless(hosts: &[Host], wish: &Wish<'_>) -> Option<String> {
    if hosts.iter().any(|host| host.could(wish)) {
        return None;
    }
    let (name, kind, room) = (wish.name, wish.kind, wish.room());
    let wants = |what: String| Some(format!("Machine type `{name}` wants {what}"));
    let mut left: Vec<&Host> = hosts.iter().collect();
    if left.is_empty() {
        return Some("There is no machine.".to_owned());
    }
    if let Some(only) = wish.only {
        left.retain(|host| host.id == only);
        if left.is_empty() {
            return Some("The files are on a machine that is not known any more.".to_owned());
        }
    }
    for label in &kind.labels {
        left.retain(|host| host.labels.contains(label));
        if left.is_empty() {
            return wants(format!(
                "a machine with the label `{label}`; no machine {}has it.",
                if kind.labels.len() > 1 {
                    "with the others "
                } else {
                    ""
                }
            ));
        }
    }
    left.retain(|host| host.runs_with(kind.runtime.as_deref()));
    if left.is_empty() {
        let runtime = kind.runtime.as_deref().unwrap_or_default();
        return wants(format!(
            "the {runtime} runtime; no machine that it may use has it."
        ));
    }
    if left.iter().all(|host| host.liked(wish) < wish.gpus()) {
        return wants(format!(
            "{}; {}",
            gpus(wish),
            nearest(&left, |host| host.liked(wish), |count| count.to_string())
        ));
    }
    left.retain(|host| host.liked(wish) >= wish.gpus());
    if left
        .iter()
        .all(|host| host.total.cpu_millicores < room.cpu_millicores)
    {
        let has = nearest(&left, |host| host.total.cpu_millicores, cores);
        return wants(format!("{} cores; {has}", cores(room.cpu_millicores)));
    }
    left.retain(|host| host.total.cpu_millicores >= room.cpu_millicores);
    if left
        .iter()
        .all(|host| host.total.memory_bytes < room.memory_bytes)
    {
        let has = nearest(&left, |host| host.total.memory_bytes, bytes);
        return wants(format!("{} of memory; {has}", bytes(room.memory_bytes)));
    }
    Some("No machine that has what is asked for takes jobs.".to_owned())
}

/// The machine that has the most, and how much.
fn nearest<T: Ord + Default + Copy>(
    hosts: &[&Host],
    has: impl Fn(&Host) -> T,
    show: impl Fn(T) -> String,
) -> String {
    let largest = hosts.iter().max_by_key(|host| has(host));
    match largest.filter(|host| has(host) > T::default()) {
        Some(host) => format!(
            "the largest machine, {}, has {}.",
            host.name,
            show(has(host))
        ),
        None if hosts.len() == 1 => format!("the machine {} has none.", hosts[0].name),
        None => "no machine has one.".to_owned(),
    }
}

/// What a wish that does not fit now waits for. `left` is what `hosts` have for it beside what is kept for who asked before.
pub(crate) fn waits_for(hosts: &[Host], left: &[Host], wish: &Wish<'_>) -> String {
    if let Some(never) = hopeless(hosts, wish) {
        return never;
    }
    let could: Vec<&Host> = hosts.iter().filter(|host| host.could(wish)).collect();
    let ready = |host: &&&Host| host.takes == Takes::Work;
    if could.iter().find(ready).is_none() {
        let names: Vec<&str> = could.iter().map(|host| host.name.as_str()).collect();
        let why = if could.iter().all(|host| host.takes == Takes::Nothing) {
            "cannot be reached now"
        } else {
            "takes no new work now"
        };
        return format!("{} {why}.", names.join(" or "));
    }
    if hosts.iter().any(|host| host.can(wish)) {
        return "What is free is kept for others who asked before.".to_owned();
    }
    let open = || {
        left.iter()
            .filter(|host| host.takes == Takes::Work && host.could(wish))
    };
    let total: usize = open().map(|host| host.liked(wish)).sum();
    let free = |host: &Host| host.free_and_liked(wish).count();
    if wish.gpus() > 0 && open().all(|host| free(host) < wish.gpus()) {
        let most = hosts
            .iter()
            .filter(|host| host.takes == Takes::Work && host.could(wish));
        let most = most.map(free).max().unwrap_or_default();
        return match (wish.gpus(), most) {
            (1, _) | (_, 0) if total == 1 => "The only GPU of its kind is in use.".to_owned(),
            (1, _) | (_, 0) => format!("All {total} GPUs of its kind are in use."),
            (wanted, most) => format!("It wants {wanted} GPUs of one machine; {most} are free."),
        };
    }
    let room = wish.room();
    if room.slots > 0 && open().all(|host| host.free.slots < room.slots) {
        return "All places for jobs are taken.".to_owned();
    }
    "Its machines have not enough free cores or memory now.".to_owned()
}

fn gpus(wish: &Wish<'_>) -> String {
    let plural = if wish.gpus() == 1 { "" } else { "s" };
    let model = wish.kind.gpu_model.as_deref();
    let model = model.map_or_else(String::new, |model| format!(" of model {model}"));
    format!("{} GPU{plural}{model}", wish.gpus())
}

fn cores(millicores: i64) -> String {
    let text = format!("{}.{:03}", millicores / 1000, millicores % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bytes(bytes: i64) -> String {
    let mib = bytes >> 20;
    if mib >= 10 * 1024 {
        format!("{} GiB", mib / 1024)
    } else {
        format!("{mib} MiB")
    }
}
