//! `photond serve`

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::open::{self, NO_GALLERY};
use super::output::printable;
use super::{Context_, Exit};
use crate::serve::{
    CertificateFiles, LanSettings, OpenOnLan, addresses, ask, hand_over_lan, host_names,
    lan_standing, with_port,
};

/// Let one browser in without opening it, or other machines of your network
///
/// Without a flag it says the address that lets one browser of this machine in (as `open --print`). With `--lan` the
/// running photond answers on your network, encrypted and with the password that `photond password` has set, also after
/// it is started anew, until `--no-lan`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  photond serve
  photond password; photond serve --lan
  photond serve --lan 192.168.1.5:8443
  photond serve --no-lan")]
pub(super) struct Args {
    /// Open it for other machines of the network, at this address of this one [default: 0.0.0.0:7756, all of them]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        default_missing_value = "0.0.0.0:7756",
        value_parser = address,
        conflicts_with = "no_lan"
    )]
    lan: Option<SocketAddr>,
    /// Close it for other machines
    #[arg(long)]
    no_lan: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address of this machine and a port, like 0.0.0.0:7756".to_owned())
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    match args.lan {
        Some(at) => open_on_lan(context, at),
        None if args.no_lan => close(context),
        None => open::run(context, &open::Args { print: true }),
    }
}

/// What the settings say of the listener on the network.
pub(super) fn lan_settings(context: &Context_) -> LanSettings {
    let gallery = &context.config.gallery;
    LanSettings {
        at: gallery.lan,
        names: gallery.names.clone(),
        certificate: gallery.certificate.clone(),
        key: gallery.key.clone(),
    }
}

fn open_on_lan(context: &Context_, at: SocketAddr) -> anyhow::Result<Exit> {
    let dir = &context.data_dir;
    let socket = open::running(dir)?;
    let is_there = |open: &OpenOnLan| open.at == at;
    let mut open = lan_standing(dir).open.filter(is_there);
    if open.is_none() {
        // A service sees no addresses: they come into the certificate here.
        CertificateFiles::prepared(dir, &lan_settings(context))?;
        hand_over_lan(&socket, at).context("the gallery is not open on the network")?;
        open = lan_standing(dir).open;
    }
    let open = open.context("photond has taken the port and does not say that it is open")?;
    context
        .out
        .notice("open for other machines of your network, with the password, until `photond serve --no-lan`:");
    for url in urls(&open, &context.config.gallery.names) {
        context.out.line(&url)?;
    }
    let print = &open.fingerprint;
    context
        .out
        .notice(&format!("SHA-256 fingerprint of its certificate: {print}"));
    if open.self_signed {
        context.out.notice(
            "each browser warns once, because nobody it knows has signed this certificate: go on if it shows this fingerprint",
        );
    }
    Ok(Exit::Done)
}

/// Addresses to open, the likeliest first.
fn urls(open: &OpenOnLan, names: &[String]) -> Vec<String> {
    let port = open.at.port();
    let ips: Vec<IpAddr> = match open.at.ip() {
        ip if !ip.is_unspecified() => vec![ip],
        any => addresses()
            .into_iter()
            .filter(|ip| any.is_ipv6() || ip.is_ipv4())
            .collect(),
    };
    let ips = ips.iter().map(|ip| SocketAddr::new(*ip, port).to_string());
    let hosts = host_names()
        .into_iter()
        .filter(|name| name.ends_with(".local"));
    let hosts = hosts.map(|name| format!("{name}:{port}"));
    let more = names.iter().map(|name| with_port(name, port));
    let all = more.chain(ips).chain(hosts);
    all.map(|host| format!("https://{host}/")).collect()
}

fn close(context: &Context_) -> anyhow::Result<Exit> {
    let was_open = told(&context.data_dir, true)?;
    if context.config.gallery.lan.is_some() {
        context
            .out
            .notice("`lan` under [gallery] in the settings opens it again at the next start");
    }
    if was_open {
        context.out.line("closed for other machines")?;
        return Ok(Exit::Done);
    }
    context.out.notice("it was not open for other machines");
    Ok(Exit::Nothing)
}

/// Has the daemon close the listener on the network, or end all connections there. False if it was not open.
pub(super) fn told(data_dir: &Path, close: bool) -> anyhow::Result<bool> {
    let socket = open::running(data_dir)?;
    let answer = ask(&socket, "/api/v1/lan", &json!({ "close": close })).context(NO_GALLERY)?;
    Ok(answer["done"] == 1)
}

/// What `photond status` says of it while a photond runs.
pub(super) fn status_lines(context: &Context_) -> Vec<String> {
    let (out, standing) = (context.out, lan_standing(&context.data_dir));
    let open = standing.open.map(|open| {
        let at = open.at;
        format!("open for other machines at {at}, with the password (`photond serve --no-lan` closes it)")
    });
    let trouble = standing
        .trouble
        .map(|why| out.red(&format!("not open for other machines: {}", printable(&why))));
    open.into_iter().chain(trouble).collect()
}

/// The same for programs.
pub(super) fn status_json(context: &Context_, alive: bool) -> Value {
    let standing = lan_standing(&context.data_dir);
    let open = standing.open.filter(|_| alive);
    json!({
        "open": open.as_ref().map(|open| open.at),
        "fingerprint": open.map(|open| open.fingerprint),
        "trouble": standing.trouble.filter(|_| alive),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_open() {
        let open = OpenOnLan {
            at: "[fd00::5]:7756".parse().unwrap(),
            fingerprint: String::new(),
            self_signed: true,
        };
        let urls = urls(&open, &["photos.example:443".to_owned(), "nas".to_owned()]);
        let first = [
            "https://photos.example:443/",
            "https://nas:7756/",
            "https://[fd00::5]:7756/",
        ];
        assert_eq!(urls[..3], first);
        assert!(address("7756").is_err() && address("nas:7756").is_err());
    }
}
