//! `cairn logs`: a job's log, now or as it grows. Every line once, also when the connection or the server comes and goes.

mod follow;
mod print;

use std::process::ExitCode;

pub(crate) use follow::{Patience, follow};
pub(crate) use print::Printer;

use crate::api::Call;
use crate::api::types::LogPage;
use crate::reference::JobRef;
use crate::session::{Place, Session, block_on};
use crate::{exit, resume};

/// Bytes of the log that one page holds, about.
const PAGE_BYTES: u64 = 1024 * 1024;

/// Arguments of `cairn logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its number, or `project#N`.
    job: JobRef,
    /// Go on until the job has ended.
    #[arg(long, short)]
    follow: bool,
    /// Begin each line with its time, in UTC.
    #[arg(long, short)]
    timestamps: bool,
    /// Begin at this offset, as `--json` shows it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
}

/// Prints the log: the job's stdout to stdout, its stderr and Cairn's own remarks to stderr; with `--json` one record a line.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        let place = session.job(&args.job).await?;
        let mut printer = Printer::new(json, args.timestamps);
        if !args.follow {
            return now(&session, &place, args.offset, &mut printer).await;
        }
        tokio::select! {
            result = follow(&session.client, &place, args.offset, &mut printer) => result.map(|_| ()),
            never = resume::told_meanwhile(&session.client, &place) => match never {},
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?;
    Ok(exit::code(0))
}

/// Prints what is there now.
async fn now(
    session: &Session,
    place: &Place,
    offset: u64,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let mut offset = offset;
    loop {
        let path = place.path(&["log"]);
        let call = Call::get(&path)
            .query("offset", &offset)
            .query("limit", &PAGE_BYTES);
        let page: LogPage = session.client.fetch(call).await?;
        for line in &page.items {
            printer.print(line)?;
        }
        if page.items.is_empty() || page.next <= offset {
            return printer.finish();
        }
        offset = page.next;
    }
}
