//! What is asked of the vectors: plain words, `--text`, `--like` and their opposites, as given.

use std::io::Read;

use super::{Args, home};
use crate::search::{Like, SearchError, Wish, negated};

/// Plain words first. Standard input is read here, once, if a photo is to come from there.
pub(super) fn wishes(args: &Args, max_file: u64) -> Result<Vec<Wish>, SearchError> {
    let mut wishes = Vec::new();
    if !args.words.is_empty() {
        let text = args.words.join(" ");
        if let Some(word) = negated(&text) {
            return Err(SearchError::Negated {
                given: text.clone(),
                word: word.to_owned(),
            });
        }
        wishes.push(Wish::text(&text, true)?);
    }
    for (given, wanted) in [(&args.texts, true), (&args.minus_texts, false)] {
        for text in given {
            wishes.push(Wish::text(text, wanted)?);
        }
    }
    for (given, wanted) in [(&args.likes, true), (&args.minus_likes, false)] {
        for file in given {
            wishes.push(Wish::photo(&home(file), wanted)?);
        }
    }
    let is_input = |wish: &Wish| matches!(&wish.like, Like::Photo(path) if path == "-");
    if wishes.iter().filter(|wish| is_input(wish)).count() > 1 {
        return Err(SearchError::Example {
            path: "-".into(),
            reason: "standard input can be read once".to_owned(),
        });
    }
    if let Some(wish) = wishes.iter_mut().find(|wish| is_input(wish)) {
        wish.like = Like::Picture(standard_input(max_file)?.into());
    }
    if !wishes.is_empty() && wishes.iter().all(|w| w.weight < 0.0) {
        return Err(SearchError::OnlyMinus);
    }
    Ok(wishes)
}

/// All of standard input.
fn standard_input(most: u64) -> Result<Vec<u8>, SearchError> {
    let bad = |reason: String| SearchError::Example {
        path: "standard input".into(),
        reason,
    };
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(most + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|e| bad(e.to_string()))?;
    if bytes.is_empty() {
        return Err(bad("there is nothing in it".to_owned()));
    }
    if bytes.len() as u64 > most {
        let most = most >> 20;
        return Err(bad(format!(
            "it is larger than the {most} MiB that max_file_mib allows"
        )));
    }
    Ok(bytes)
}
