//! Mistakes in the settings file, in words that say what to write instead.
//!
//! The file is read twice: here, key by key, with the places of keys and values at hand; and by serde,
//! which finds nothing wrong any more. What serde would say of a mistake is about types of Rust.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What stands behind a key.
enum Kind {
    /// Folders.
    Folders,
    /// Patterns in gitignore syntax.
    Patterns,
    Bool,
    /// A whole number, and what to know of it.
    Whole(&'static str),
    /// Any number, and what to know of it.
    Number(&'static str),
    Choice(&'static [&'static str]),
    /// Where to listen.
    Address,
    /// Names of hosts, perhaps with ports.
    Hosts,
    /// A path.
    File,
    Table(&'static [(&'static str, Kind)]),
    /// Read, and of no effect.
    Anything,
}

/// All settings.
const SETTINGS: &[(&str, Kind)] = &[
    ("roots", Kind::Folders),
    ("exclude", Kind::Patterns),
    ("hidden", Kind::Bool),
    ("follow_symlinks", Kind::Bool),
    ("parallel", Kind::Whole("0 means one a processor")),
    ("max_file_mib", Kind::Whole("of MiB")),
    ("max_megapixels", Kind::Whole("of millions of pixels")),
    ("decode", Kind::Choice(&["workers", "in-process"])),
    ("decode_seconds", Kind::Whole("of seconds")),
    ("decode_memory_mib", Kind::Whole("of MiB")),
    ("rescan_hours", Kind::Number("of hours, like 6 or 0.5")),
    ("min_confidence", Kind::Number("from 0 to 1; 60 % is 0.6")),
    ("background", Kind::Bool),
    (
        "on_battery",
        Kind::Choice(&["everything", "live", "nothing"]),
    ),
    (
        "max_watches",
        Kind::Whole("0 means as many as the system gives"),
    ),
    (
        "labels",
        Kind::Table(&[("terms", Kind::Whole("0 means none"))]),
    ),
    (
        "detect",
        Kind::Table(&[
            ("things", Kind::Bool),
            ("faces", Kind::Bool),
            ("text", Kind::Bool),
        ]),
    ),
    (
        "gallery",
        Kind::Table(&[
            ("port", Kind::Whole("0 to 65535; 0 means any")),
            ("always", Kind::Bool),
            ("previews_mib", Kind::Whole("of MiB; 0 keeps none")),
            ("lan", Kind::Address),
            ("names", Kind::Hosts),
            ("certificate", Kind::File),
            ("key", Kind::File),
        ]),
    ),
    ("pools", Kind::Anything),
];

/// What is wrong, and the place in the text where it stands.
pub(super) struct Mistake {
    pub at: usize,
    pub reason: String,
}

type Checked = Result<(), Mistake>;

/// Finds the first mistake that is none of a value's range.
pub(super) fn look(text: &str) -> Checked {
    let table = DeTable::parse(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        syntax(text, at, e.message())
    })?;
    check_table(table.get_ref(), SETTINGS, "")
}

fn wrong(at: usize, reason: String) -> Checked {
    Err(Mistake { at, reason })
}

fn check_table(table: &DeTable<'_>, known: &[(&str, Kind)], within: &str) -> Checked {
    // In the order of the text: the first mistake is told.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let name: &str = key.get_ref();
        let Some((_, kind)) = known.iter().find(|(k, _)| *k == name) else {
            return wrong(key.span().start, unknown(name, known, within));
        };
        check(&format!("{within}{name}"), value, kind)?;
    }
    Ok(())
}

fn check(name: &str, value: &Spanned<DeValue<'_>>, kind: &Kind) -> Checked {
    let at = value.span().start;
    let value = value.get_ref();
    match kind {
        Kind::Anything => Ok(()),
        Kind::Folders => list(name, at, value, "\"~/Pictures\"", &folder),
        Kind::Patterns => list(name, at, value, "\"*.gif\"", &pattern),
        Kind::Bool => match value {
            DeValue::Boolean(_) => Ok(()),
            _ => wrong(
                at,
                format!("`{name}` is true or false: write `true` or `false`, without quotes"),
            ),
        },
        Kind::Whole(what) => match value {
            DeValue::Integer(number) if !number.to_string().starts_with('-') => Ok(()),
            DeValue::String(text) if text.parse::<u64>().is_ok() => wrong(
                at,
                format!("`{name}` is a number: write `{name} = {text}`, without quotes"),
            ),
            _ => wrong(at, format!("`{name}` is a whole number{}", behind(what))),
        },
        Kind::Number(what) => match value {
            DeValue::Integer(_) | DeValue::Float(_) => Ok(()),
            DeValue::String(text) if text.parse::<f64>().is_ok() => wrong(
                at,
                format!("`{name}` is a number: write `{name} = {text}`, without quotes"),
            ),
            _ => wrong(at, format!("`{name}` is a number{}", behind(what))),
        },
        Kind::Choice(choices) => match value {
            DeValue::String(text) if choices.contains(&&**text) => Ok(()),
            _ => {
                let choices: Vec<String> = choices.iter().map(|c| format!("{c:?}")).collect();
                wrong(at, format!("`{name}` is one of {}", choices.join(", ")))
            }
        },
        Kind::Address => match value {
            DeValue::String(text) => address(name, text).map_err(|reason| Mistake { at, reason }),
            _ => wrong(
                at,
                format!("`{name}` is an address with a port: write `{name} = \"0.0.0.0:7756\"`"),
            ),
        },
        Kind::Hosts => list(name, at, value, "\"photos.example.org\"", &host),
        Kind::File => match value {
            DeValue::String(text) => folder(text).map_err(|reason| Mistake { at, reason }),
            _ => wrong(
                at,
                format!("`{name}` is a path in quotes, like \"~/photond.pem\""),
            ),
        },
        Kind::Table(known) => match value {
            DeValue::Table(table) => check_table(table, known, &format!("{name}.")),
            _ => wrong(
                at,
                format!("`{name}` is a table: write `[{name}]` in a line of its own"),
            ),
        },
    }
}

/// `of MiB` goes on with the sentence, `0 means …` is one of its own.
fn behind(what: &str) -> String {
    match what.starts_with("of ") || what.starts_with("from ") {
        true => format!(" {what}"),
        false => format!("; {what}"),
    }
}

fn list(
    name: &str,
    at: usize,
    value: &DeValue<'_>,
    example: &str,
    item: &dyn Fn(&str) -> Result<(), String>,
) -> Checked {
    match value {
        DeValue::Array(items) => {
            for each in items {
                let at = each.span().start;
                match each.get_ref() {
                    DeValue::String(text) => item(text).map_err(|reason| Mistake { at, reason })?,
                    _ => {
                        let reason =
                            format!("`{name}` is a list of texts in quotes, like [{example}]");
                        return wrong(at, reason);
                    }
                }
            }
            Ok(())
        }
        DeValue::String(text) => wrong(
            at,
            format!("`{name}` is a list: write `{name} = [{:?}]`", text.as_ref()),
        ),
        _ => wrong(
            at,
            format!("`{name}` is a list of texts in quotes, like [{example}]"),
        ),
    }
}

/// A folder is told from the root or from the home folder.
fn folder(text: &str) -> Result<(), String> {
    let rest = ["$HOME/", "${HOME}/"]
        .iter()
        .find_map(|home| text.strip_prefix(home));
    if let Some(rest) = rest {
        return Err(format!(
            "{text:?}: variables are not expanded; `~` is: write \"~/{rest}\""
        ));
    }
    if text.starts_with('$') {
        return Err(format!("{text:?}: variables are not expanded; `~` is"));
    }
    if text.is_empty() {
        return Err("a folder without a name".to_owned());
    }
    if Path::new(text).is_absolute() || text == "~" || text.starts_with("~/") {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no whole path, and would depend on where photond is started: write \"~/{text}\", or all of it from / on"
    ))
}

/// Where the network's listener is to be.
fn address(name: &str, text: &str) -> Result<(), String> {
    let at = text.parse::<std::net::SocketAddr>().map_err(|_| {
        format!("{text:?} is no address with a port: write `{name} = \"0.0.0.0:7756\"` (all of this machine's, or one of them)")
    })?;
    match at.ip().to_canonical().is_loopback() {
        true => Err(format!(
            "{text:?} is this machine's alone: `photond open` is for that, and 0.0.0.0 is all of its network"
        )),
        false => Ok(()),
    }
}

/// As it stands in an address, without what is around it.
fn host(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(()),
        false => Err(format!(
            "{text:?} is no name of a host: write it as in `https://NAME/`, without what is around it"
        )),
    }
}

fn pattern(text: &str) -> Result<(), String> {
    let mut builder = ignore::gitignore::GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    let added = builder.add_line(None, text).map(|_| ());
    added.map_err(|e| format!("the exclude pattern {text:?} is not valid: {e}"))
}

fn unknown(name: &str, known: &[(&str, Kind)], within: &str) -> String {
    let near = known
        .iter()
        .map(|(key, _)| (strsim::levenshtein(name, key), *key))
        .filter(|(far, _)| *far <= 2 + name.len() / 6)
        .min();
    match near {
        Some((_, key)) => {
            format!("there is no setting `{within}{name}`; do you mean `{within}{key}`?")
        }
        None => {
            let keys: Vec<String> = known
                .iter()
                .map(|(key, _)| format!("`{within}{key}`"))
                .collect();
            format!(
                "there is no setting `{within}{name}`; there are {}",
                keys.join(", ")
            )
        }
    }
}

/// What the text is no TOML for, said for the value that stands there.
fn syntax(text: &str, at: usize, message: &str) -> Mistake {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let named = line.split_once('=').map(|(key, value)| {
        let value = value.split('#').next().unwrap_or_default();
        (key.trim(), value.trim())
    });
    let reason = named.and_then(|(key, value)| bare(key, value));
    Mistake {
        at,
        reason: reason.unwrap_or_else(|| message.to_owned()),
    }
}

/// A value without quotes.
fn bare(key: &str, value: &str) -> Option<String> {
    let is_bare = value
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || "~/$*.".contains(c));
    let (_, kind) = SETTINGS
        .iter()
        .find(|(k, _)| *k == key)
        .filter(|_| is_bare)?;
    Some(match kind {
        Kind::Bool => format!("`{key}` is true or false: write `true` or `false`"),
        Kind::Folders | Kind::Patterns | Kind::Hosts => {
            format!("`{key}` is a list: write `{key} = [{value:?}]`")
        }
        Kind::Choice(_) | Kind::Address | Kind::File => {
            format!("text stands in quotes: write `{key} = {value:?}`")
        }
        Kind::Whole(what) => format!("`{key}` is a whole number{}", behind(what)),
        Kind::Number(what) => format!("`{key}` is a number{}", behind(what)),
        Kind::Table(_) | Kind::Anything => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        look(text).map_or_else(|mistake| mistake.reason, |()| "nothing".to_owned())
    }

    #[test]
    fn a_mistake_is_told_with_what_to_write() {
        for (text, wanted) in [
            ("roots = \"~/Pictures\"", "write `roots = [\"~/Pictures\"]`"),
            ("roots = ~/Pictures", "write `roots = [\"~/Pictures\"]`"),
            ("root = []", "no setting `root`; do you mean `roots`?"),
            ("rots = []", "do you mean `roots`?"),
            ("colour = 1", "there are `roots`"),
            (
                "parallel = \"all\"",
                "`parallel` is a whole number; 0 means one a processor",
            ),
            (
                "parallel = all",
                "`parallel` is a whole number; 0 means one a processor",
            ),
            ("parallel = \"2\"", "write `parallel = 2`"),
            ("parallel = -1", "`parallel` is a whole number"),
            ("parallel = 1.5", "`parallel` is a whole number"),
            ("hidden = yes", "write `true` or `false`"),
            (
                "hidden = \"true\"",
                "write `true` or `false`, without quotes",
            ),
            ("hidden = 1", "write `true` or `false`"),
            ("min_confidence = \"30%\"", "from 0 to 1; 60 % is 0.6"),
            ("on_battery = all", "write `on_battery = \"all\"`"),
            (
                "on_battery = \"all\"",
                "one of \"everything\", \"live\", \"nothing\"",
            ),
            (
                "exclude = [\"ok\", \"[\"]",
                "the exclude pattern \"[\" is not valid",
            ),
            ("exclude = \"*.gif\"", "write `exclude = [\"*.gif\"]`"),
            (
                "[gallery]\nlan = 7756",
                "write `gallery.lan = \"0.0.0.0:7756\"`",
            ),
            ("[gallery]\nlan = \"nas:7756\"", "no address with a port"),
            (
                "[gallery]\nlan = \"127.0.0.1:7756\"",
                "`photond open` is for that",
            ),
            ("[gallery]\nnames = [\"https://nas/\"]", "no name of a host"),
            ("[gallery]\ncertificate = \"c.pem\"", "write \"~/c.pem\""),
            ("[gallery]\nkey = true", "`gallery.key` is a path in quotes"),
            (
                "roots = [\"$HOME/Pictures\"]",
                "`~` is: write \"~/Pictures\"",
            ),
            ("roots = [\"$PICS\"]", "variables are not expanded"),
            ("roots = [\"Pictures\"]", "write \"~/Pictures\""),
            ("roots = [3]", "a list of texts in quotes"),
            ("labels = 3", "write `[labels]`"),
            ("[labels]\nterm = 3", "do you mean `labels.terms`?"),
            ("[detect]\nface = false", "do you mean `detect.faces`?"),
            ("[detect]\nthings = 0", "`detect.things`"),
            (
                "[labels]\nterms = \"none\"",
                "`labels.terms` is a whole number; 0 means none",
            ),
            ("roots = [\"~/a\"", "array"),
            (
                "roots = [\"/a\", \"~\", \"~/b\"]\nhidden = true\nrescan_hours = 6\n[pools]\nx = 1",
                "nothing",
            ),
        ] {
            let said = said(text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn the_first_mistake_is_told_where_it_stands() {
        let text = "hidden = true\n\nroots = [\n  \"~/a\",\n  \"b\",\n]\nparallel = \"x\"\n";
        let mistake = look(text).err().unwrap();
        assert_eq!(text[..mistake.at].matches('\n').count() + 1, 5);
    }

    #[test]
    fn every_setting_is_known_to_both_readers() {
        for (key, kind) in SETTINGS {
            let value = match kind {
                Kind::Folders | Kind::Patterns | Kind::Hosts => "[]".to_owned(),
                Kind::Address => "\"0.0.0.0:7756\"".to_owned(),
                Kind::File => "\"/key.pem\"".to_owned(),
                Kind::Bool => "true".to_owned(),
                Kind::Whole(_) => "300".to_owned(),
                Kind::Number(_) => "0.5".to_owned(),
                Kind::Choice(choices) => format!("{:?}", choices[0]),
                Kind::Table(_) | Kind::Anything => "{}".to_owned(),
            };
            let text = format!("{key} = {value}");
            assert_eq!(said(&text), "nothing", "{text}");
            assert!(
                toml::from_str::<crate::config::Config>(&text).is_ok(),
                "{text}"
            );
        }
    }
}
