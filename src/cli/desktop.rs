//! The desktop's own programs: the browser, the file manager, a picture viewer.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// A program that has not failed by then has done what was asked.
const PATIENCE: Duration = Duration::from_secs(4);

/// Opens an address or a file with the program that the desktop has for it.
///
/// # Errors
/// Without a desktop, and where its program fails.
pub(super) fn open(what: impl AsRef<OsStr>) -> anyhow::Result<()> {
    needs_desktop()?;
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    run(program, &[what.as_ref().to_owned()])
}

/// Shows a file in the file manager, marked if it can do that.
///
/// # Errors
/// As [`open`].
pub(super) fn reveal(file: &Path) -> anyhow::Result<()> {
    needs_desktop()?;
    if cfg!(target_os = "macos") {
        return run("open", &["-R".into(), file.as_os_str().to_owned()]);
    }
    // What file managers agree on; its answer comes when the window is there.
    let ask = [
        OsString::from("--session"),
        "--print-reply".into(),
        "--reply-timeout=3000".into(),
        "--dest=org.freedesktop.FileManager1".into(),
        "--type=method_call".into(),
        "/org/freedesktop/FileManager1".into(),
        "org.freedesktop.FileManager1.ShowItems".into(),
        format!("array:string:{}", address(file)).into(),
        "string:".into(),
    ];
    if run("dbus-send", &ask).is_ok() {
        return Ok(());
    }
    open(file.parent().unwrap_or(file))
}

/// A file as an address. Everything but letters, digits and `-._~/` is escaped: commas too, which divide
/// `dbus-send`'s lists.
fn address(file: &Path) -> String {
    let mut address = "file://".to_owned();
    for byte in file.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                address.push(char::from(*byte));
            }
            other => address += &format!("%{other:02X}"),
        }
    }
    address
}

/// Where there is no screen, `xdg-open` would start a browser in this terminal.
fn needs_desktop() -> anyhow::Result<()> {
    let screens = ["DISPLAY", "WAYLAND_DISPLAY"];
    let has_screen = screens.iter().any(|name| std::env::var_os(name).is_some());
    if !has_screen && !cfg!(target_os = "macos") {
        bail!("photond runs where no window can be opened; copy the path instead");
    }
    Ok(())
}

/// Runs a program of the desktop. One that stays, as a viewer may, is not waited for.
fn run(program: &str, args: &[OsString]) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{program} cannot be started; copy the path instead"))?;
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("photond-desktop".to_owned())
        .spawn(move || ended.send(child.wait()))?;
    match end.recv_timeout(PATIENCE) {
        Ok(Ok(status)) if !status.success() => {
            bail!("{program} ended with {status}; copy the path instead")
        }
        Ok(Err(e)) => Err(e.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_commas_and_no_spaces() {
        let file = Path::new("/home/anna/Trip, 2019/Zürich #1.jpg");
        let expected = "file:///home/anna/Trip%2C%202019/Z%C3%BCrich%20%231.jpg";
        assert_eq!(address(file), expected);
    }
}
