//! Rules in words.

use serde_json::{Value, json};

use super::{Asked, Inside};
use crate::source::{LeftOut, Rule};

impl Asked<'_> {
    /// What a rule says, where it says so, and what to do.
    pub(super) fn rule_lines(&self, inside: &Inside<'_>, left_out: &LeftOut) -> Vec<String> {
        let at = left_out.at.under(&inside.root);
        let at = at.display();
        let name = left_out.at.name();
        let is_folder = left_out.at != inside.rel || inside.path.is_dir();
        let what = if is_folder { "folder" } else { "file" };
        let mut lines = Vec::new();
        if left_out.at != inside.rel {
            lines.push(format!(
                "it lies in {at}, which is left out with all that is in it"
            ));
        }
        lines.push(match left_out.rule {
            Rule::Hidden => format!(
                "a {what} is hidden if its name begins with a dot, and left out; `hidden = true` in the settings takes hidden ones in"
            ),
            Rule::System if is_folder => {
                "folders of this name are kept by systems and programs for themselves, and always left out".to_owned()
            }
            Rule::System => "files of this name are rules and no photos".to_owned(),
            Rule::Companion => {
                "macOS keeps its notes on another file in it (`._*`); it is no photo of its own".to_owned()
            }
            Rule::Bin => "it has been thrown away: Android's bin calls files so (`.trashed-*`)".to_owned(),
            Rule::Backup => {
                "by its name it is the copy that a program kept of what it changed (`*_original`, `*~`, `*.orig`)".to_owned()
            }
            Rule::Mark => format!(
                "{} closes its folder, and all below, to programs that collect pictures; without that file they are indexed",
                self.file_of(inside, left_out)
            ),
            Rule::IgnoreFile => format!(
                "{}{} says so: {}",
                self.file_of(inside, left_out),
                line(left_out.line),
                left_out.pattern.as_deref().unwrap_or_default()
            ),
            Rule::Setting => self.setting(inside, left_out, name),
        });
        lines
    }

    fn file_of(&self, inside: &Inside<'_>, left_out: &LeftOut) -> String {
        let file = left_out.file.as_ref();
        file.map_or_else(String::new, |f| f.under(&inside.root).display().to_string())
    }

    fn setting(&self, inside: &Inside<'_>, left_out: &LeftOut, name: &[u8]) -> String {
        let pattern = left_out.pattern.as_deref().unwrap_or_default();
        let own = left_out.at.under(&inside.root) == self.context.data_dir;
        if own {
            return format!(
                "it is photond's own data folder, {}",
                String::from_utf8_lossy(name)
            );
        }
        match &self.context.config_path {
            Some(path) => format!(
                "{}{} says so: the pattern {pattern:?} of `exclude`",
                path.display(),
                line(self.line_of_setting(pattern))
            ),
            None => format!("the pattern {pattern:?} of `exclude` in the settings says so"),
        }
    }

    fn line_of_setting(&self, pattern: &str) -> Option<usize> {
        let text = std::fs::read_to_string(self.context.config_path.as_ref()?).ok()?;
        crate::config::line_of_exclude(&text, pattern)
    }

    pub(super) fn rule_json(&self, inside: &Inside<'_>, left_out: &LeftOut) -> Value {
        let rule = match left_out.rule {
            Rule::Hidden => "hidden",
            Rule::System => "system",
            Rule::Companion => "companion",
            Rule::Bin => "bin",
            Rule::Backup => "backup",
            Rule::Mark => "mark",
            Rule::IgnoreFile => "photondignore",
            Rule::Setting => "exclude",
        };
        let by_setting = left_out.rule == Rule::Setting;
        let pattern = left_out.pattern.as_deref();
        let file = match &left_out.file {
            Some(file) => Some(file.under(&inside.root)),
            None => self.context.config_path.clone().filter(|_| by_setting),
        };
        let line = match pattern {
            Some(pattern) if by_setting => self.line_of_setting(pattern),
            _ => left_out.line,
        };
        json!({
            "rule": rule,
            "at": left_out.at.under(&inside.root).to_string_lossy(),
            "pattern": pattern,
            "file": file.map(|f| f.to_string_lossy().into_owned()),
            "line": line,
        })
    }
}

fn line(number: Option<usize>) -> String {
    number.map_or_else(String::new, |n| format!(", line {n},"))
}
