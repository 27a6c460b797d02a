//! Files made here, of every container, and what is found in them.

mod build;
mod cameras;
mod containers;
mod hostile;
mod jpegs;
mod tiffs;

use exif::{In, Reader, Tag};

/// What a common EXIF reader says of `tag` in the block that [`super::facts`] gave.
fn exif_text(block: &[u8], tag: Tag) -> Option<String> {
    let parsed = Reader::new()
        .read_raw(block.to_vec())
        .expect("a readable block");
    let field = parsed.get_field(tag, In::PRIMARY)?;
    Some(field.display_value().to_string())
}
