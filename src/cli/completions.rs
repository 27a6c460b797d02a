//! `photond completions` and `photond man`: what `make install` puts beside the program. Both are made of the
//! command line's own definition, so that they cannot fall behind it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Exit};

/// Print what a shell needs to complete photond's words
///
/// `make install` does this for bash, zsh and fish.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  photond completions bash > ~/.local/share/bash-completion/completions/photond
  photond completions zsh > ~/.zfunc/_photond     a folder that fpath names
  photond completions fish > ~/.config/fish/completions/photond.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual's pages, one a command, into a folder
#[derive(clap::Args)]
#[command(after_help = "Examples:
  photond man ~/.local/share/man/man1
  man photond-query")]
pub(super) struct ManArgs {
    /// The folder; it is made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let script = script(args.shell);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    pages(&args.dir)?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> Vec<u8> {
    // Commands that photond gives itself are not for completing.
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|c| !c.is_hide_set());
    let mut shown = Command::new("photond")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(shown.cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "photond", &mut script);
    script
}

fn pages(dir: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write the manual's pages into {}", dir.display());
    std::fs::create_dir_all(dir).with_context(cannot)?;
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    page(&all, dir).with_context(cannot)
}

/// The page of a command, and those of its commands.
fn page(command: &Command, dir: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        page(below, dir)?;
    }
    let page = Man::new(command.clone()).source(concat!("photond ", env!("CARGO_PKG_VERSION")));
    page.generate_to(dir).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands that people see, and those of them that they do not.
    fn commands() -> (Vec<String>, Vec<String>) {
        let all = Cli::command();
        let (hidden, shown): (Vec<_>, Vec<_>) =
            all.get_subcommands().partition(|c| c.is_hide_set());
        let names = |of: Vec<&Command>| of.iter().map(|c| c.get_name().to_owned()).collect();
        (names(shown), names(hidden))
    }

    #[test]
    fn every_command_can_be_completed() {
        let (shown, hidden) = commands();
        assert!(shown.len() > 20 && hidden.len() > 2);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            let words = |name: &str| {
                script
                    .split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)))
                    .any(|word| word == name)
            };
            for name in &shown {
                assert!(words(name), "{shell}: {name}");
            }
            for name in &hidden {
                assert!(!words(name), "{shell}: {name}");
            }
            assert!(words("not-tag") || words("--not-tag"), "{shell}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("share/man1");
        pages(&dir).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.join(name));
        let (shown, hidden) = commands();
        let main = page("photond.1").unwrap();
        for name in shown {
            let own = page(&format!("photond-{name}.1")).unwrap();
            assert!(
                own.starts_with(".ie") && own.contains(".SH SYNOPSIS"),
                "{name}"
            );
            let listed = main.contains(&format!("photond\\-{}(1)", name.replace('-', "\\-")));
            assert!(listed, "{name}: {main}");
        }
        for name in hidden {
            assert!(page(&format!("photond-{name}.1")).is_err(), "{name}");
        }
        let query = page("photond-query.1").unwrap();
        assert!(query.contains("not\\-tag") && query.contains("Examples:"));
        assert!(query.contains("All conditions hold at once"), "{query}");
        assert!(query.contains(env!("CARGO_PKG_VERSION")), "{query}");
    }
}
