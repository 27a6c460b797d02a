//! `photond why`: which rule, verdict, error or evidence decided about a path.
//!
//! Answered from the disk, the settings and the index; of a running photond only the report that it
//! keeps in the index is read, so that the answer is the same with and without one.

mod file;
mod folder;
mod known;
mod rule;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::output::{printable, span};
use super::paths::{put_path_as, real};
use super::show::real_path;
use super::status::{Status, read};
use super::{Context_, Exit, TableOrJson};
use crate::daemon::RootReport;
use crate::photo::RelPath;
use crate::source::Filter;
use crate::store::{RootRow, StoreError, StoreReader, unix_now};

/// Say of a file or folder why it is indexed or not, and what is known of it and why
///
/// Names the rule that leaves it out, with the file and line it stands in, or what went wrong, or what
/// is known of a photo and who says so. The path need not be there.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A photo, another file, or a folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Shape of the answer
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

/// What is to be said of a path.
struct Explanation {
    /// Stable short key.
    verdict: &'static str,
    /// For people.
    lines: Vec<String>,
    /// More for programs.
    fields: Map<String, Value>,
}

impl Explanation {
    fn new(verdict: &'static str, line: String) -> Self {
        Self {
            verdict,
            lines: vec![line],
            fields: Map::new(),
        }
    }

    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    fn put(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }
}

/// What answers are made from.
struct Asked<'a> {
    context: &'a Context_,
    reader: Option<&'a StoreReader>,
    status: Option<&'a Status>,
}

/// A path in one of the roots.
struct Inside<'a> {
    /// With links in folders resolved.
    path: &'a Path,
    root: PathBuf,
    /// Absent while the root has not been indexed.
    row: Option<&'a RootRow>,
    rel: RelPath,
    /// What the running photond says of the root.
    report: Option<&'a RootReport>,
    filter: Filter,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = match StoreReader::open(&context.data_dir) {
        Err(StoreError::NoIndex { .. }) => None,
        reader => Some(reader?),
    };
    let status = reader.as_ref().map(|reader| read(context, reader, false));
    let status = status.transpose()?;
    let asked = Asked {
        context,
        reader: reader.as_ref(),
        status: status.as_ref(),
    };
    let explanation = asked.explain(&args.path)?;
    match args.format {
        TableOrJson::Table => {
            for line in &explanation.lines {
                context.out.line(&printable(line))?;
            }
        }
        TableOrJson::Json => {
            let mut fields = Map::new();
            put_path_as(&mut fields, "path", &real_path(&args.path));
            fields.insert("verdict".to_owned(), json!(explanation.verdict));
            fields.insert("sentences".to_owned(), json!(explanation.lines));
            fields.extend(explanation.fields);
            let text = serde_json::to_string_pretty(&Value::Object(fields))?;
            context.out.line(&text)?;
        }
    }
    Ok(match explanation.verdict {
        "not-there" => Exit::Nothing,
        _ => Exit::Done,
    })
}

impl<'a> Asked<'a> {
    fn explain(&'a self, given: &Path) -> anyhow::Result<Explanation> {
        let link = self.link_on_the_way(given);
        // A link to a file is known at its own path, where it is followed.
        let path = match &link {
            Some(link) if self.is_recorded(link)? => link.clone(),
            _ => real_path(given),
        };
        let mut explanation = match self.inside(&path)? {
            Some(inside) => {
                let mut explanation = self.within(&inside)?;
                put_path_as(&mut explanation.fields, "root", &inside.root);
                explanation
            }
            None => self.outside(&path)?,
        };
        if let Some(link) = link {
            let target = std::fs::canonicalize(&link);
            let line = match &target {
                Ok(target) => format!(
                    "{} is a symbolic link to {}{}",
                    link.display(),
                    target.display(),
                    self.about_links()
                ),
                Err(e) => format!(
                    "{} is a symbolic link that leads nowhere: {e}",
                    link.display()
                ),
            };
            explanation.lines.insert(0, line);
            put_path_as(&mut explanation.fields, "link", &link);
            let nowhere = target.is_err() && explanation.verdict != "photo";
            if explanation.verdict == "outside" || nowhere {
                explanation.verdict = "link";
            }
        }
        Ok(explanation)
    }

    fn about_links(&self) -> &'static str {
        if self.context.config.follow_symlinks {
            "; a folder that a link leads to is indexed under its own path, unless it lies around one that is looked at"
        } else {
            "; links are not followed (`follow_symlinks = true` in the settings follows them)"
        }
    }

    /// Whether the index has something at this very path.
    fn is_recorded(&self, path: &Path) -> anyhow::Result<bool> {
        let Some((reader, inside)) = self.reader.zip(self.inside(path)?) else {
            return Ok(false);
        };
        let Some(row) = inside.row else {
            return Ok(false);
        };
        Ok(reader.path_state(row.id, &inside.rel)?.is_some())
    }

    /// The first symbolic link below a root that the path leads through.
    fn link_on_the_way(&self, given: &Path) -> Option<PathBuf> {
        let mut at = PathBuf::new();
        for part in std::path::absolute(given).ok()?.components() {
            let next = at.join(part);
            let is_link = std::fs::symlink_metadata(&next).is_ok_and(|m| m.is_symlink());
            let below = || {
                self.roots()
                    .any(|(root, _)| root != next && next.starts_with(&root))
            };
            if is_link && below() {
                return Some(next);
            }
            at = std::fs::canonicalize(&next).unwrap_or(next);
        }
        None
    }

    /// The folders that photond looks at: those of the index, then those of the settings.
    fn roots(&self) -> impl Iterator<Item = (PathBuf, Option<&'a RootRow>)> {
        let known = self.status.map_or(&[][..], |status| &status.roots);
        let set = self.context.config.roots.iter().map(|root| real(root));
        let set = set.filter(|root| !known.iter().any(|row| row.path == *root));
        let known = known.iter().map(|row| (row.path.clone(), Some(row)));
        known.chain(set.map(|root| (root, None)))
    }

    /// The innermost root that the path lies in; of several volumes at one place the one that is there.
    fn inside<'p>(&'p self, path: &'p Path) -> anyhow::Result<Option<Inside<'p>>> {
        let around = self.roots().filter(|(root, _)| path.starts_with(root));
        let best = around.max_by_key(|(root, row)| {
            (root.components().count(), row.is_some_and(|row| row.online))
        });
        let Some((root, row)) = best else {
            return Ok(None);
        };
        let rel = RelPath::below(&root, path).unwrap_or_default();
        let setup = super::watch::setup_without_roots(self.context);
        let filter = setup.filter(&root)?;
        Ok(Some(Inside {
            path,
            row,
            rel,
            report: row.and_then(|row| self.status?.report_of(row)),
            filter,
            root,
        }))
    }

    fn within(&self, inside: &Inside<'_>) -> anyhow::Result<Explanation> {
        if inside.disk_answers() {
            let dir = inside.rel.parent().unwrap_or_default();
            inside.filter.learn_with_ancestors(&dir);
            let is_dir = inside.path.is_dir();
            if is_dir {
                inside.filter.learn_with_ancestors(&inside.rel);
            }
        }
        if self.is_folder(inside)? {
            self.folder(inside)
        } else {
            self.file(inside)
        }
    }

    /// By the disk, or, where that is away, by what is known to lie in it.
    fn is_folder(&self, inside: &Inside<'_>) -> anyhow::Result<bool> {
        if inside.rel.is_root() {
            return Ok(true);
        }
        if inside.disk_answers()
            && let Ok(found) = std::fs::symlink_metadata(inside.path)
        {
            return Ok(found.is_dir());
        }
        Ok(match (self.reader, inside.row) {
            (Some(reader), Some(row)) => reader.has_files_below(row.id, &inside.rel)?,
            _ => false,
        })
    }

    fn outside(&self, path: &Path) -> anyhow::Result<Explanation> {
        let roots: Vec<PathBuf> = self.roots().map(|(root, _)| root).collect();
        let list = |roots: &[&PathBuf]| {
            /// More are no help.
            const MOST: usize = 10;
            let shown = roots.iter().take(MOST);
            let shown: Vec<_> = shown.map(|root| root.display().to_string()).collect();
            let more = if roots.len() > MOST { ", …" } else { "" };
            format!("{}{more}", shown.join(", "))
        };
        let below: Vec<&PathBuf> = roots.iter().filter(|r| r.starts_with(path)).collect();
        let here = path.display();
        if !below.is_empty() {
            let line = format!(
                "{here} itself is not looked at; these folders in it are: {}",
                list(&below)
            );
            return Ok(Explanation::new("around", line));
        }
        let there = std::fs::symlink_metadata(path);
        let mut explanation = Explanation::new(
            "outside",
            if roots.is_empty() {
                format!("{here}: photond looks at no folder yet")
            } else {
                let all: Vec<&PathBuf> = roots.iter().collect();
                format!(
                    "{here} lies outside all folders that photond looks at: {}",
                    list(&all)
                )
            },
        );
        let folder = match &there {
            Ok(found) if found.is_dir() => path,
            _ => path.parent().unwrap_or(path),
        };
        explanation.say(match &there {
            Err(_) => "there is nothing at this path either; check the spelling".to_owned(),
            Ok(_) => format!(
                "`photond index {0:?}` looks at its folder once; in `roots` of the settings it is looked at always",
                folder
            ),
        });
        if let Some((reader, hash)) = self.reader.zip(self.hash_of(path))
            && let Some(hit) = reader.places(&hash)?.into_iter().next()
        {
            let known = hit.path.under(&hit.root);
            explanation.say(format!("the same photo is known at {}", known.display()));
            put_path_as(&mut explanation.fields, "same_as", &known);
        }
        Ok(explanation)
    }

    /// The content of a file that is no larger than what is indexed.
    fn hash_of(&self, path: &Path) -> Option<crate::photo::ContentHash> {
        let most = self.context.config.max_file_mib << 20;
        let small = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= most);
        let mut hasher = blake3::Hasher::new();
        let mut file = small.then(|| std::fs::File::open(path).ok()).flatten()?;
        std::io::copy(&mut file, &mut hasher).ok()?;
        Some(crate::photo::ContentHash(*hasher.finalize().as_bytes()))
    }

    /// Whether a photond works on the index.
    fn is_alive(&self) -> bool {
        self.status.is_some_and(|status| status.alive)
    }
}

impl Inside<'_> {
    /// Whether its disk is there and was not found to hang.
    fn disk_answers(&self) -> bool {
        let hangs = self.report.is_some_and(|r| r.hangs_s.is_some());
        !hangs && self.row.is_none_or(|row| row.online)
    }
}

/// How long ago something was.
fn ago(at: i64) -> String {
    let seconds = u64::try_from(unix_now() - at).unwrap_or(0);
    format!("{} ago", span(seconds))
}
