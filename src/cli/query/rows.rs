//! What `photond query` prints of each photo.

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Format;
use crate::cli::output::{count, printable};
use crate::cli::previews::Previews;
use crate::cli::{Context_, links};
use crate::link_folder::LinkFolder;
use crate::said::{DateField, SaidDate, WrittenDate};
use crate::search::{Member, Query, RankedHit, Searcher, Shot, Videos};
use crate::store::Hit;

/// Rows on their way to standard output.
pub(super) struct Rows<'a> {
    pub context: &'a Context_,
    pub searcher: &'a Searcher<'a>,
    pub query: &'a Query,
    pub format: Format,
    pub null: bool,
    pub explain: bool,
    /// Only their number is wanted.
    pub are_counted: bool,
    /// Instead of a list.
    pub links: Option<LinkFolder>,
    pub previews: Option<Previews>,
    pub out: BufWriter<std::io::StdoutLock<'static>>,
    pub videos: Videos,
    /// Files that belong to photos shown.
    pub members: usize,
    pub first: bool,
    pub failure: Option<anyhow::Error>,
}

impl Rows<'_> {
    /// In how many files that many photos are shown, where it is more than one each.
    pub fn in_files(&self, photos: usize) -> String {
        if self.members == 0 {
            return String::new();
        }
        format!(" in {} files", count(photos + self.members))
    }

    /// The other files of a photo. A list of paths has no use for videos, so no disk is asked for them.
    fn members_of(&mut self, shot: &Shot) -> Vec<Member> {
        let mut members: Vec<Member> = shot.members.iter().map(Member::of).collect();
        if self.format != Format::Paths || self.query.all_files {
            members.extend(self.videos.beside(&shot.face).map(Member::video));
        }
        self.members += members.len();
        members
    }

    /// Whether a person is told at the end how many there were.
    pub fn says_how_many(&self) -> bool {
        self.format == Format::Table && !self.context.quiet && !self.are_counted
    }

    pub fn row(&mut self, shot: &Shot, ranked: Option<&RankedHit<'_>>) -> ControlFlow<()> {
        if self.are_counted {
            return ControlFlow::Continue(());
        }
        let members = self.members_of(shot);
        let hit = &shot.face;
        let result = match self.format {
            _ if self.links.is_some() => self.link_rows(hit, &members),
            Format::Table => self.table_row(hit, &members, ranked),
            Format::Paths => self.path_rows(hit, &members),
            Format::Json | Format::Jsonl => self.json_row(hit, members, ranked),
        };
        self.first = false;
        // Pictures are large: each is shown when it is there.
        let result = match &self.previews {
            Some(_) => result.and_then(|()| Ok(self.out.flush()?)),
            None => result,
        };
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                self.failure = Some(e);
                ControlFlow::Break(())
            }
        }
    }

    /// Shows photos that have come to fit, at once.
    pub fn these(&mut self, found: &HashSet<i64>) -> anyhow::Result<()> {
        let (searcher, query) = (self.searcher, self.query);
        searcher.show(query, found, &mut |shot| self.row(shot, None))?;
        match self.failure.take() {
            Some(e) => Err(e),
            None => Ok(self.out.flush()?),
        }
    }

    pub fn end(mut self) -> anyhow::Result<()> {
        if let Some(e) = self.failure {
            return Err(e);
        }
        if let Some(links) = &self.links {
            links::end(self.context, links);
        } else if self.format == Format::Json {
            let end: &[u8] = if self.first { b"[]\n" } else { b"\n]\n" };
            self.out.write_all(end)?;
        }
        Ok(self.out.flush()?)
    }

    fn table_row(
        &mut self,
        hit: &Hit,
        members: &[Member],
        ranked: Option<&RankedHit<'_>>,
    ) -> anyhow::Result<()> {
        let (context, searcher) = (self.context, self.searcher);
        if let Some(previews) = &self.previews {
            previews.draw(hit, &mut self.out)?;
        }
        let path = hit.path.under(&hit.root);
        let said = searcher.said(hit, searcher.min_confidence(self.query))?;
        // Words that people gave need no number.
        let keywords = searcher.reader.keywords_of(hit.photo.id)?;
        let given = keywords.iter().map(|keyword| printable(keyword.word()));
        let told = said
            .iter()
            .filter(|tag| !keywords.iter().any(|keyword| keyword.is(&tag.name)))
            .map(|t| format!("{} {:.0}%", printable(&t.name), t.confidence * 100.0));
        let tags: Vec<String> = given.chain(told).collect();
        let taken = taken(hit.date());
        let score = ranked.map_or_else(String::new, |r| {
            let doubt = if r.standing.confident { ' ' } else { '?' };
            format!("{:5.2}{doubt} ", r.standing.score)
        });
        let away = if hit.online { "" } else { "  (offline)" };
        let copies = match hit.photo.places {
            2.. if !self.query.all_paths => format!(" (at {} places)", count(hit.photo.places)),
            _ => String::new(),
        };
        writeln!(
            self.out,
            "{score}{}{}  {}  {}{away}",
            printable(&path.to_string_lossy()),
            context.out.dim(&printable(&(endings(members) + &copies))),
            context.out.dim(&format!("{taken:16}")),
            tags.join(", ")
        )?;
        if ranked.is_none() && self.explain {
            for t in searcher.tags_json(&said) {
                let (by, percent) = (t.sources.join(" and "), t.confidence * 100.0);
                let line = format!("       {} {percent:.0}% by {by}", t.name);
                writeln!(self.out, "{}", context.out.dim(&printable(&line)))?;
            }
        }
        if let Some(ranked) = ranked.filter(|_| self.explain) {
            let why = printable(&ranked.why.to_string());
            writeln!(self.out, "       {}", context.out.dim(&why))?;
        }
        Ok(())
    }

    fn path_rows(&mut self, hit: &Hit, members: &[Member]) -> anyhow::Result<()> {
        path_row(
            self.context,
            &hit.path.under(&hit.root),
            self.null,
            &mut self.out,
        )?;
        if self.query.all_files {
            for member in members {
                path_row(self.context, &member.file, self.null, &mut self.out)?;
            }
        }
        Ok(())
    }

    fn link_rows(&mut self, hit: &Hit, members: &[Member]) -> anyhow::Result<()> {
        let Some(links) = &mut self.links else {
            return Ok(());
        };
        links.add(hit.path.name(), &hit.path.under(&hit.root))?;
        // The same files as a list of paths would have.
        for member in members.iter().filter(|_| self.query.all_files) {
            let name = member.file.file_name().unwrap_or_default();
            links.add(name.as_bytes(), &member.file)?;
        }
        Ok(())
    }

    fn json_row(
        &mut self,
        hit: &Hit,
        members: Vec<Member>,
        ranked: Option<&RankedHit<'_>>,
    ) -> anyhow::Result<()> {
        let separator = match (self.format, self.first) {
            (Format::Json, true) => "[\n",
            (Format::Json, false) => ",\n",
            _ => "",
        };
        self.out.write_all(separator.as_bytes())?;
        let mut row = self
            .searcher
            .json(hit, self.query.min_confidence.unwrap_or(0.0))?;
        row.members = members;
        if let Some(ranked) = ranked {
            row.score = Some((f64::from(ranked.standing.score) * 1e4).round() / 1e4);
            row.confident = Some(ranked.standing.confident);
            row.why = self.explain.then(|| ranked.why.clone());
        }
        serde_json::to_writer(&mut self.out, &row).map_err(std::io::Error::from)?;
        if self.format == Format::Jsonl {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// To the minute as far as it is known, in brackets where it is not the camera's: what --since and
/// --until go by.
fn taken(said: SaidDate) -> String {
    let date = WrittenDate {
        second: None,
        nanosecond: None,
        offset_minutes: None,
        ..said.date
    };
    let date = match said.field {
        // When a file was last written says at most on which day.
        DateField::File => WrittenDate {
            hour: None,
            minute: None,
            ..date
        },
        _ => date,
    };
    let text = date.to_string().replace('T', " ");
    match said.field.source() {
        "exif" | "xmp" | "iptc" | "gps" | "png" => text,
        _ => format!("({text})"),
    }
}

/// What the names of a photo's other files end with: ` (+ CR2)`.
fn endings(members: &[Member]) -> String {
    if members.is_empty() {
        return String::new();
    }
    let endings = members.iter().map(|member| {
        let ending = member.file.extension().unwrap_or_default();
        ending.to_string_lossy()
    });
    format!(" (+ {})", endings.collect::<Vec<_>>().join(", "))
}

fn path_row(
    context: &Context_,
    path: &Path,
    null: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if null {
        out.write_all(path.as_os_str().as_bytes())?;
        out.write_all(b"\0")?;
    } else {
        if context.out.terminal_out {
            out.write_all(printable(&path.to_string_lossy()).as_bytes())?;
        } else {
            out.write_all(path.as_os_str().as_bytes())?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}
