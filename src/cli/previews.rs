//! `photond query --preview`: each photo's thumbnail above its line.

use std::io::Write;

use super::Context_;
use super::drawing::Screen;
use crate::store::{Hit, ThumbStore};

/// Cells across and down, with the line below: several photos are on a screen.
const COLUMNS: u32 = 40;
const ROWS: u32 = 11;

/// Draws what the index keeps; no photo is opened.
pub(super) struct Previews {
    screen: Screen,
    thumbs: Option<ThumbStore>,
}

impl Previews {
    /// # Errors
    /// In words for a person, where nothing can be drawn.
    pub fn new(context: &Context_) -> anyhow::Result<Self> {
        Ok(Self {
            screen: Screen::new(&context.out)?.at_most(COLUMNS, ROWS),
            // Not there before the first photo, and made anew by the daemon when it is damaged.
            thumbs: ThumbStore::open_read_only(&context.data_dir).ok(),
        })
    }

    /// A photo that has no thumbnail, or has it not any more, has its line alone.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn draw(&self, hit: &Hit, out: &mut impl Write) -> anyhow::Result<()> {
        let thumbs = self.thumbs.as_ref();
        let thumb = thumbs.and_then(|thumbs| thumbs.image_of(&hit.photo.hash).ok()?);
        match thumb {
            Some((_, jpeg)) => self.screen.draw(&jpeg, out),
            None => Ok(()),
        }
    }
}
