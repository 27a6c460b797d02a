//! `photond password`

use std::io::{BufRead, IsTerminal, Read};

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Context_, Exit, serve};
use crate::serve::{remove_password, set_password};

/// Set the password of the gallery on your network
///
/// Asks for it twice, or reads one line where standard input is no terminal. What is kept is its argon2id hash. Whoever
/// was let in over the network with another one has to sign in again. `photond serve --lan` opens the gallery there.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Take it away, and close the gallery on the network
    #[arg(long)]
    remove: bool,
}

/// The longest line that is read.
const LONGEST: u64 = 4096;

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let dir = &context.data_dir;
    if args.remove {
        let was_set = remove_password(dir)?;
        tell(context);
        return Ok(match was_set {
            true => {
                context
                    .out
                    .line("no password is set any more: nobody gets in over the network")?;
                Exit::Done
            }
            false => {
                context.out.notice("no password was set");
                Exit::Nothing
            }
        });
    }
    let password = asked(context)?;
    set_password(dir, &password).context("nothing was changed")?;
    tell(context);
    context.out.line("the password is set")?;
    context
        .out
        .notice("`photond serve --lan` opens the gallery for other machines of your network");
    Ok(Exit::Done)
}

/// Connections that were let in with another password end.
fn tell(context: &Context_) {
    // A photond that cannot be told looks at the password with the next request.
    let _ = serve::told(&context.data_dir, false);
}

fn asked(context: &Context_) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let mut line = String::new();
        stdin.lock().take(LONGEST).read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let _quiet = Quiet::begin()?;
    let typed = || {
        let mut bytes = stdin.lock().bytes();
        let typed = line_of(&mut bytes)?;
        typed.context("nothing was changed")
    };
    context.out.notice("new password (it is not shown):");
    let first = typed()?;
    context.out.notice("once more:");
    if typed()? != first {
        bail!("these were two different passwords; nothing was changed");
    }
    Ok(first)
}

/// A terminal that shows nothing of what is typed and leaves all keys to whoever reads, until this is dropped: also
/// Ctrl-C, which would leave it as it is now.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// What is typed up to the end of the line; `None`: given up.
fn line_of(bytes: &mut dyn Iterator<Item = std::io::Result<u8>>) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    for byte in bytes {
        match byte? {
            b'\r' | b'\n' => {
                let line = String::from_utf8(line).context("the terminal sends no UTF-8")?;
                return Ok(Some(line));
            }
            // Ctrl-C, Ctrl-D, Ctrl-Z and Ctrl-\.
            0x03 | 0x04 | 0x1a | 0x1c => return Ok(None),
            // Backspace: the whole character.
            0x08 | 0x7f => while line.pop().is_some_and(|last: u8| last & 0xc0 == 0x80) {},
            // Ctrl-U.
            0x15 => line.clear(),
            other if (line.len() as u64) < LONGEST => line.push(other),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Option<String> {
        line_of(&mut keys.bytes().map(Ok)).unwrap()
    }

    #[test]
    fn keys_mean_what_they_mean_in_a_line() {
        assert_eq!(
            typed("correct horse\nmore").as_deref(),
            Some("correct horse")
        );
        assert_eq!(typed("caf\u{e9}\u{7f}e\r").as_deref(), Some("cafe"));
        assert_eq!(typed("\u{8}ab\u{8}\u{8}\u{8}c\n").as_deref(), Some("c"));
        assert_eq!(typed("wrong\u{15}right\n").as_deref(), Some("right"));
        for given_up in ["", "half", "word\u{3}\n", "\u{4}", "word\u{1a}\n"] {
            assert_eq!(typed(given_up), None, "{given_up:?}");
        }
    }
}
