//! `photond open`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::{Context_, Exit, desktop};
use crate::daemon::is_held;
use crate::dirs::api_sockets;
use crate::serve::{ask, hand_over, reached};

/// Look at your photos in the browser
///
/// Asks the running photond for a gallery on this machine alone (127.0.0.1) and opens the browser there. The
/// address holds a code that lets one browser in, once and within a minute; nobody else on this machine or
/// network gets in, and nothing is fetched from the internet.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  photond open
  photond open --print
  ssh -L 7755:127.0.0.1:7755 home photond open --print     from another machine: open what it prints

`photond serve --lan` opens it for all machines of your network, with a password and encrypted.")]
pub(super) struct Args {
    /// Only print the address
    #[arg(long)]
    pub(super) print: bool,
}

const NOT_RUNNING: &str =
    "photond is not running: `photond watch` starts it here, `photond service install` for good";
pub(super) const NO_GALLERY: &str = "the running photond gives no gallery (one of an earlier version never does: restart it; a single `photond index` has none)";

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let socket = running(&context.data_dir)?;
    let url = match invitation(&socket)? {
        Some(url) => url,
        None => {
            hand_over(&socket, context.config.gallery.port)
                .context("no port of 127.0.0.1 can be opened for the gallery")?;
            invitation(&socket)?.context("photond has taken a port and gives no address")?
        }
    };
    let url = url.as_str();
    if args.print {
        context.out.line(url)?;
        return Ok(Exit::Done);
    }
    if desktop::open(url).is_ok() {
        context.out.notice("opened in the browser");
    } else {
        context
            .out
            .notice("no browser could be started here; open this address within a minute:");
        context.out.line(url)?;
    }
    Ok(Exit::Done)
}

/// The socket of the photond that runs over this index.
///
/// # Errors
/// If none does, or it gives no gallery.
pub(super) fn running(data_dir: &Path) -> anyhow::Result<PathBuf> {
    if !is_held(data_dir) {
        bail!(NOT_RUNNING);
    }
    let sockets = api_sockets(data_dir);
    Ok(reached(&sockets).context(NO_GALLERY)?.to_owned())
}

/// An address that lets one browser in; none, where the daemon has no port yet.
fn invitation(socket: &Path) -> anyhow::Result<Option<String>> {
    let invitation = ask(socket, "/api/v1/invite", &json!({})).context(NO_GALLERY)?;
    // Safari does not know names below localhost.
    let name = if cfg!(target_os = "macos") {
        "by_number"
    } else {
        "url"
    };
    Ok(invitation[name].as_str().map(str::to_owned))
}
