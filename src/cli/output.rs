//! Writing to the terminal: colours where wanted, names made harmless.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log::{self, Priority};

/// Where results and messages go.
#[derive(Clone, Copy)]
pub(super) struct Output {
    color_out: bool,
    color_err: bool,
    pub terminal_out: bool,
    pub terminal_err: bool,
    /// `NO_COLOR` or `--color never`.
    pub color_forbidden: bool,
}

impl Output {
    /// `color`: forced on or off, or what the terminal and `NO_COLOR` say.
    pub fn new(color: Option<bool>) -> Self {
        let terminal_out = std::io::stdout().is_terminal();
        let terminal_err = std::io::stderr().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self {
            color_out: color.unwrap_or(wanted && terminal_out),
            color_err: color.unwrap_or(wanted && terminal_err),
            terminal_out,
            terminal_err,
            color_forbidden: color.map_or(!wanted, |color| !color),
        }
    }

    /// A line of progress on standard error, where a person sees it.
    pub fn spinner(self, quiet: bool) -> Option<ProgressBar> {
        (self.terminal_err && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{spinner} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar
        })
    }

    /// One line of results.
    pub fn line(&self, text: &str) -> std::io::Result<()> {
        writeln!(std::io::stdout().lock(), "{text}")
    }

    /// One line for people, not part of the results.
    pub fn notice(&self, text: &str) {
        log::say(Priority::Notice, &printable(text));
    }

    /// The one line that says why the program ends.
    pub fn error(&self, text: &str) {
        let text = printable(text);
        if self.color_err {
            log::say(
                Priority::Error,
                &format!("\x1b[1;31mphotond:\x1b[0m {text}"),
            );
        } else {
            log::say(Priority::Error, &format!("photond: {text}"));
        }
    }

    /// Emphasised, on standard output.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Stepping back, on standard output.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Wrong, on standard output.
    pub fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Right, on standard output.
    pub fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color_out {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Control characters (terminal escapes, newlines in file names) and characters that reorder text
/// shown as escapes.
pub(super) fn printable(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.chars().any(|c| c.is_control() || reorders(c)) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            if c.is_control() || reorders(c) {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// A number with thousands set apart: `12 345`.
pub(super) fn count(n: impl TryInto<i128>) -> String {
    let n: i128 = n.try_into().unwrap_or(0);
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

/// `1 photo`, `2 photos`.
pub(super) fn plural(n: impl TryInto<i128> + Copy, one: &str, many: &str) -> String {
    let word = if n.try_into().is_ok_and(|n: i128| n == 1) {
        one
    } else {
        many
    };
    format!("{} {word}", count(n))
}

/// A time span for people: `45 s`, `3 min`, `2 h 5 min`, `3 days`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5399 => format!("{} min", (seconds + 30) / 60),
        5400..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86400),
    }
}

/// The local date and time of a moment.
pub(super) fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix).map_or_else(
        |_| String::new(),
        |t| {
            let local = t.to_zoned(jiff::tz::TimeZone::system());
            local.strftime("%Y-%m-%d %H:%M").to_string()
        },
    )
}

/// True if the reader of our output has gone away (`photond query | head`).
pub(super) fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        c.downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_speak_to_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(printable("Grüße 🏖.jpg"), "Grüße 🏖.jpg");
    }

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(plural(1, "photo", "photos"), "1 photo");
        assert_eq!(span(7500), "2 h 5 min");
    }
}
