//! The Prometheus text exposition format, version 0.0.4: for a scraper behind a small script, or the
//! textfile collector of the node exporter.
//!
//! Labels have few values: roots by their paths, kinds of failures, states. What only a running
//! daemon knows is left out while none runs, so that nothing stale looks alive.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What kind of number a family of metrics has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricKind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, while the process lives.
    Counter,
}

/// The text, as it is put together.
#[derive(Default)]
pub(in crate::cli) struct Exposition {
    text: String,
    family: String,
}

impl Exposition {
    /// Begins a family of metrics; its name has `photond_` before it.
    pub fn gauge(&mut self, name: &str, help: &str) -> &mut Self {
        self.begin(name, MetricKind::Gauge, help)
    }

    /// Begins a family of counters; its name has `_total` behind it.
    pub fn counter(&mut self, name: &str, help: &str) -> &mut Self {
        self.begin(&format!("{name}_total"), MetricKind::Counter, help)
    }

    fn begin(&mut self, name: &str, kind: MetricKind, help: &str) -> &mut Self {
        let kind = match kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        self.family = format!("photond_{name}");
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.text,
            "# HELP {0} {help}\n# TYPE {0} {kind}",
            self.family
        );
        self
    }

    /// A number of the family, with its labels.
    pub fn labelled(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", label(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.text, "{}{labels} {value}", self.family);
        self
    }

    /// The one number of the family.
    pub fn is(&mut self, value: f64) {
        self.labelled(&[], value);
    }

    /// The one number of the family, where it is known.
    pub fn known(&mut self, value: Option<f64>) {
        // A family without a number is allowed, and says that there could be one.
        if let Some(value) = value {
            self.is(value);
        }
    }

    /// Which of some states it is: 1 for that one, 0 for the others.
    pub fn state(&mut self, labels: &[(&str, &str)], states: &[&str], now: Option<&str>) {
        for state in states {
            let mut all = labels.to_vec();
            all.push(("state", state));
            self.labelled(&all, f64::from(u8::from(now == Some(*state))));
        }
    }

    pub fn text(&self) -> &str {
        self.text.trim_end()
    }
}

/// A label's value between its quotes.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A path as a label's value: no two paths are the same there, whatever their bytes are.
pub(super) fn path_label(path: &Path) -> String {
    // Nearly every path is plain, and then stays as it is.
    if let Some(plain) = path.to_str() {
        return plain.to_owned();
    }
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn labels_are_escaped_and_counters_end_as_they_should() {
        let mut e = Exposition::default();
        e.counter("files", "Files.\nMore \\ of them.")
            .labelled(&[("path", "a\"b\\c\nd"), ("kind", "x")], 2.0);
        e.gauge("up", "Up.").is(1.0);
        assert_eq!(
            e.text(),
            "# HELP photond_files_total Files.\\nMore \\\\ of them.\n\
             # TYPE photond_files_total counter\n\
             photond_files_total{path=\"a\\\"b\\\\c\\nd\",kind=\"x\"} 2\n\
             # HELP photond_up Up.\n\
             # TYPE photond_up gauge\n\
             photond_up 1"
        );
    }

    #[test]
    fn paths_that_are_no_text_stay_apart() {
        let label = |bytes: &[u8]| path_label(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(label(b"/a b"), "/a b");
        assert_ne!(label(b"/caf\xe9"), label(b"/caf\xe8"));
        assert_ne!(label(b"/\\xe9\xe8"), label(b"/\xe9\xe8"));
    }
}
