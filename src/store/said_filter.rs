//! Conditions on what is said of photos, as SQL. All values are numbers, and stand in the text.

use std::ops::RangeInclusive;

use super::picture_text;

/// What people must have said of a photo; all parts hold at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaidFilter {
    /// Of each set (`keywords.id`) one at least.
    pub keywords: Vec<Vec<i64>>,
    /// Of each set (`people.id`) one at least.
    pub people: Vec<Vec<i64>>,
    /// So many stars; −1: rejected.
    pub rating: Option<RangeInclusive<i8>>,
    /// Words in the picture, each in one of its forms.
    pub in_picture: Vec<Vec<String>>,
}

impl SaidFilter {
    /// Whether every photo fits.
    pub fn is_empty(&self) -> bool {
        self.keywords.is_empty()
            && self.people.is_empty()
            && self.rating.is_none()
            && self.in_picture.is_empty()
    }

    /// The photos in whose pictures the words stand.
    fn with_words(&self) -> Option<String> {
        if self.in_picture.is_empty() {
            return None;
        }
        // The expression has letters, digits and double quotes in it, and nothing else.
        let matching = |words| format!("WHERE picture_words MATCH '{words}'");
        let rest = picture_text::expression(&self.in_picture).map(matching);
        let rest = rest.unwrap_or_else(|| "WHERE 0".to_owned());
        Some(format!("SELECT rowid AS photo FROM picture_words {rest}"))
    }

    /// Conditions over `files f`.
    pub(super) fn conditions(&self) -> Vec<String> {
        let keywords = self.keywords.iter().map(|ids| carries(ids));
        let people = self.people.iter().map(|ids| {
            format!(
                "EXISTS (SELECT 1 FROM photo_people s WHERE s.person IN ({}) AND s.photo = f.photo)",
                list(ids)
            )
        });
        let rating = self.rating.iter().map(|stars| {
            format!(
                "EXISTS (SELECT 1 FROM photos s WHERE s.id = f.photo AND s.rating BETWEEN {} AND {})",
                stars.start(),
                stars.end()
            )
        });
        let words = self.with_words();
        let words = words.iter().map(|photos| format!("f.photo IN ({photos})"));
        keywords.chain(people).chain(rating).chain(words).collect()
    }

    /// For each condition a statement that gives the photos which it lets through.
    pub(super) fn photos(&self) -> Vec<String> {
        let keywords = self.keywords.iter().map(|ids| with_keyword(ids));
        let people = self.people.iter().map(|ids| {
            format!(
                "SELECT photo FROM photo_people WHERE person IN ({})",
                list(ids)
            )
        });
        let rating = self.rating.iter().map(|stars| {
            format!(
                "SELECT id AS photo FROM photos INDEXED BY photos_by_stars
                 WHERE rating IS NOT NULL AND rating BETWEEN {} AND {}",
                stars.start(),
                stars.end()
            )
        });
        let words = self.with_words();
        keywords.chain(people).chain(rating).chain(words).collect()
    }
}

/// That the photo of `files f` carries one of these keywords.
pub(super) fn carries(ids: &[i64]) -> String {
    format!(
        "EXISTS (SELECT 1 FROM photo_keywords s WHERE s.keyword IN ({}) AND s.photo = f.photo)",
        list(ids)
    )
}

/// The photos that carry one of these keywords.
pub(super) fn with_keyword(ids: &[i64]) -> String {
    format!(
        "SELECT photo FROM photo_keywords WHERE keyword IN ({})",
        list(ids)
    )
}

fn list(ids: &[i64]) -> String {
    // SQLite finds no plan for an index by which nothing is asked for.
    if ids.is_empty() {
        return "NULL".to_owned();
    }
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    ids.join(",")
}
