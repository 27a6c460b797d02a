//! Mistakes on the command line that are worth more than a usage message.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What to say of a mistake instead of the usage, if there is something better.
pub(super) fn better(error: &clap::Error) -> Option<String> {
    let word = left_out(error, &std::env::args_os().collect::<Vec<_>>())?;
    Some(format!(
        "-{word}: to leave photos with {word:?} out, say --not-tag {word:?}"
    ))
}

/// The word of `photond query -word`, which asks for photos without it.
fn left_out(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument || arguments.iter().all(|a| a != "query") {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let letter = flag
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))?;
    let words = arguments
        .iter()
        .filter_map(|a| a.to_str()?.strip_prefix('-'));
    let mut words = words.filter(|word| word.starts_with(letter) && word.chars().count() > 1);
    let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic() || c == '-');
    words.find(is_word).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn word(line: &str) -> Option<String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = crate::cli::Cli::command().try_get_matches_from(&arguments);
        left_out(&error.unwrap_err(), &arguments)
    }

    #[test]
    fn a_word_with_a_dash_is_one_to_leave_out() {
        assert_eq!(word("photond query -dog").as_deref(), Some("dog"));
        assert_eq!(word("photond query cat -dog").as_deref(), Some("dog"));
        for line in [
            "photond query --dog",
            "photond index -dog",
            "photond query -d",
            "photond query -9x",
        ] {
            assert_eq!(word(line), None, "{line}");
        }
    }
}
