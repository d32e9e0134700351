//! What `cairn` and `cairn-inside` share of running notebooks inside attempts.

mod hold;

use std::io::Write as _;

/// The whole of the hidden command `cairn execute`: runs a notebook, and asks the service where it is to be held at a cell that failed.
///
/// Blocks; must not be called from an async task. Gives the exit status, see [`kernels::main_execute`].
pub fn main_execute(args: kernels::ExecuteArgs) -> u8 {
    let service = args.hold_ms.and_then(|_| match hold::Service::given() {
        Ok(service) => Some(service),
        Err(why) => {
            // That nobody reads this changes nothing.
            drop(writeln!(
                std::io::stderr(),
                "warning: this run cannot be held: {why}"
            ));
            None
        }
    });
    let hold = service
        .as_ref()
        .map(|service| service as &dyn kernels::Hold);
    kernels::main_execute(args, hold)
}
