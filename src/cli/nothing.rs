//! What to say where a query finds nothing: which of its words is to blame, and what comes near.

use std::path::PathBuf;

use super::Context_;
use super::output::count;
use crate::model::text_id;
use crate::search::{Foreign, PathHint, Query, Ranked, SearchError, Searcher};
use crate::store::is_gear;

/// Says why nothing was found, as far as that can be told.
///
/// # Errors
/// The database.
pub(super) fn say(
    context: &Context_,
    searcher: &Searcher<'_>,
    query: &Query,
) -> Result<(), SearchError> {
    let notice = |line: &str| context.out.notice(line);
    if let Some(given) = &query.path
        && let Some(hint) = searcher.nothing_at(given)?
    {
        notice(&where_is(&hint, &given.typed.to_string_lossy()));
    }
    if !query.tags.is_empty() {
        if searcher.reader.counts()?.tagged() == 0 {
            notice("no photo has tags yet: `photond doctor` says why");
        }
        for word in &query.tags {
            if let Some(near) = searcher.unsaid(word)? {
                notice(&unsaid(word, &near));
            }
        }
    }
    if !query.in_picture.is_empty()
        && let Some(line) = unread(context, searcher)?
    {
        notice(&line);
    }
    let reader = searcher.reader;
    if let Some(camera) = &query.camera {
        no_gear(context, (camera, "camera"), &reader.cameras(usize::MAX)?);
    }
    if let Some(lens) = &query.lens {
        no_gear(context, (lens, "lens"), &reader.lenses(usize::MAX)?);
    }
    Ok(())
}

/// Says which cameras or lenses there are, if none is what was typed.
fn no_gear(context: &Context_, (typed, kind): (&str, &str), known: &[(String, i64)]) {
    if !known.iter().any(|(name, _)| is_gear(name, typed)) {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        context.out.notice(&none_called(typed, kind, &names));
    }
}

/// How much of the text in pictures has not been read.
fn unread(context: &Context_, searcher: &Searcher<'_>) -> Result<Option<String>, SearchError> {
    let reader = searcher.reader;
    let model = text_id().ok().map(|id| reader.model(&id)).transpose()?;
    let seen = match model.flatten() {
        Some(row) => reader.embedding_count(row.id)?,
        None => 0,
    };
    let photos = reader.counts()?.photos;
    if seen >= photos {
        return Ok(None);
    }
    let done = if seen == 0 {
        "no text has been read in pictures yet".to_owned()
    } else {
        let positive = |n: i64| count(u64::try_from(n).unwrap_or(0));
        format!(
            "text has been read in {} of {} photos so far",
            positive(seen),
            positive(photos)
        )
    };
    Ok(Some(if context.config.detect.text {
        format!("{done}; `photond watch` reads on while it is idle")
    } else {
        format!("{done}, and `text = false` below `[detect]` in the settings turns it off")
    }))
}

/// That a sentence is in a language that the model does not read; if it may only be a name, nothing
/// where something was found.
pub(super) fn in_another_language(
    searcher: &Searcher<'_>,
    model: &str,
    ranked: &Ranked,
) -> Option<String> {
    let words = match ranked.foreign.as_ref()? {
        Foreign::Surely => {
            return Some(format!(
                "this seems to be another language, and {model} reads English: say it in English, or choose a model that reads many (`photond model list`)"
            ));
        }
        Foreign::Words(words) if ranked.confident == 0 => words,
        Foreign::Words(_) => return None,
    };
    let near: Vec<String> = words.iter().flat_map(|word| searcher.near(word)).collect();
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let words = words.join(", ");
    Some(match near.is_empty() {
        false => format!(
            "{model} does not know {words}; did you mean {}?",
            near.join(", ")
        ),
        true => format!(
            "{model} reads English and does not know {words}: if that is another language, say it in English"
        ),
    })
}

/// Where a path lies that finds nothing, and what it may have been meant for.
fn where_is(hint: &PathHint, typed: &str) -> String {
    let list = |paths: &[PathBuf]| {
        let shown: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
        shown.join(", ")
    };
    let mut said = match (&hint.path, &hint.root) {
        (Some(path), Some(root)) => format!(
            "{} lies in {}, and no photo is known there",
            path.display(),
            root.display()
        ),
        (Some(_), None) if hint.roots.is_empty() => "photond looks at no folder yet".to_owned(),
        (Some(path), None) => format!(
            "{} lies outside all folders that photond looks at ({}), and no folder or file in them is called {typed:?}",
            path.display(),
            list(&hint.roots)
        ),
        (None, _) => format!("no path that is known matches {typed:?}"),
    };
    if !hint.similar.is_empty() {
        said += &format!("; do you mean {}?", list(&hint.similar));
    }
    said
}

/// What to do about a word that the models in use cannot tell.
fn unsaid(word: &str, near: &[String]) -> String {
    let mut ways: Vec<String> = near.iter().map(|name| format!("--tag {name:?}")).collect();
    ways.push(format!("--text {word:?}"));
    format!(
        "photond cannot tell {word:?} from other things by itself: {} come near",
        ways.join(", ")
    )
}

fn none_called(typed: &str, kind: &str, names: &[&str]) -> String {
    /// More are no help.
    const MOST: usize = 8;
    if names.is_empty() {
        return format!("no photo tells its {kind}");
    }
    let more = if names.len() > MOST { ", …" } else { "" };
    format!(
        "no photo is by a {kind} called {typed:?}; there are {}{more}",
        names[..names.len().min(MOST)].join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_finds_nothing_is_told_where_it_lies() {
        let hint = |path: Option<&str>, root: Option<&str>, similar: &[&str]| PathHint {
            path: path.map(PathBuf::from),
            root: root.map(PathBuf::from),
            roots: vec!["/p".into(), "/q".into()],
            similar: similar.iter().map(PathBuf::from).collect(),
        };
        let say = |hint: &PathHint| where_is(hint, "x");
        let inside = say(&hint(Some("/p/x"), Some("/p"), &[]));
        assert_eq!(inside, "/p/x lies in /p, and no photo is known there");
        let outside = say(&hint(Some("/x"), None, &["/p/X"]));
        assert!(outside.contains("outside all folders that photond looks at (/p, /q)"));
        assert!(outside.ends_with("do you mean /p/X?"), "{outside}");
        let pattern = say(&hint(None, None, &[]));
        assert_eq!(pattern, "no path that is known matches \"x\"");
    }

    #[test]
    fn cameras_that_there_are_are_named() {
        assert!(none_called("x", "camera", &["Canon"]).ends_with("there are Canon"));
        assert_eq!(none_called("x", "lens", &[]), "no photo tells its lens");
        let many = ["a"; 20];
        assert!(none_called("x", "camera", &many).ends_with(", …"));
    }
}
