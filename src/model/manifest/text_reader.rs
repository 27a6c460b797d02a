//! `[finder]` and `[reader]`: the two graphs of a text reader.

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::rules::{MOST_BOXES, MULTIPLES, listed, named, scaling, share, within};
use crate::model::error::ModelError;

/// Longer side of the pictures.
const PICTURES: std::ops::RangeInclusive<u32> = 64..=2048;
/// Height of a line.
const HEIGHTS: std::ops::RangeInclusive<u32> = 16..=128;
/// Width of a line.
const WIDTHS: std::ops::RangeInclusive<u32> = 16..=8192;

/// `[finder]`: a graph that says of each pixel how likely it lies in the heart of a line of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinderTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, height, width]`.
    pub tensor: String,
    /// Name of its output, `[N, 1, height, width]`.
    pub output: String,
    /// Longer side of its pictures in pixels; smaller ones are not enlarged.
    pub size: u32,
    /// What the sides of the tensor are multiples of.
    pub multiple: u32,
    /// Which channel comes first.
    pub channels: ChannelOrder,
    /// Subtracted from each 0…255 value, in the order of its channels.
    pub mean: [f32; 3],
    /// Divides the difference.
    pub std: [f32; 3],
    /// Above this a pixel is in a line.
    pub threshold: f32,
    /// Least mean of a line's pixels.
    pub box_score: f32,
    /// A rectangle grows on each side by its area, times this, over its circumference.
    pub unclip: f32,
    /// Least height of a rectangle in pixels.
    pub least_side: f32,
    /// Most lines of a picture, the surest.
    pub most: usize,
}

/// `[reader]`: a graph that reads one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, height, width]`.
    pub tensor: String,
    /// Name of its output, `[N, steps, classes]`: probabilities, the first class is "none", the last a space.
    pub output: String,
    /// The graph's own property (metadata) that has its characters, one a line.
    pub keys: String,
    /// Longer side of the picture, in pixels, that lines are cut out of.
    pub picture: u32,
    /// Height of a line in pixels.
    pub height: u32,
    /// A longer line is squeezed into this width.
    pub most_width: u32,
    /// Which channel comes first.
    pub channels: ChannelOrder,
    /// Subtracted from each 0…255 value, in the order of its channels.
    pub mean: [f32; 3],
    /// Divides the difference.
    pub std: [f32; 3],
    /// Least mean of a line's characters.
    pub confidence: f32,
    /// Least letters and digits of a line.
    pub least_characters: usize,
}

/// Order of a picture's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Whether a text reader has what it needs.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    if m.dims != 0 {
        return Err(m.wrong("dims", "is there, but a text reader has no vectors"));
    }
    let Some(found) = &m.finder else {
        return Err(m.wrong("finder", "is missing (a text reader needs it)"));
    };
    let Some(read) = &m.reader else {
        return Err(m.wrong("reader", "is missing (a text reader needs it)"));
    };
    finder(m, found)?;
    reader(m, read, found.size)
}

fn finder(m: &Manifest, table: &FinderTable) -> Result<(), ModelError> {
    let FinderTable {
        file,
        tensor,
        output,
        size,
        multiple,
        channels: _,
        mean,
        std,
        threshold,
        box_score,
        unclip,
        least_side,
        most,
    } = table;
    listed(m, "finder.file", file)?;
    named(m, "finder.tensor", tensor)?;
    named(m, "finder.output", output)?;
    within(m, "finder.size", *size, &PICTURES)?;
    within(m, "finder.multiple", *multiple, &MULTIPLES)?;
    scaling(m, "finder", mean, std)?;
    share(m, "finder.threshold", *threshold)?;
    share(m, "finder.box_score", *box_score)?;
    within(m, "finder.unclip", *unclip, &(0.0..=100.0))?;
    within(m, "finder.least_side", *least_side, &(0.0..=100.0))?;
    within(m, "finder.most", *most, &MOST_BOXES)
}

/// `size`: of the finder's pictures, of which the reader's is the same or a larger one.
fn reader(m: &Manifest, table: &ReaderTable, size: u32) -> Result<(), ModelError> {
    let ReaderTable {
        file,
        tensor,
        output,
        keys,
        picture,
        height,
        most_width,
        channels: _,
        mean,
        std,
        confidence,
        least_characters: _,
    } = table;
    listed(m, "reader.file", file)?;
    named(m, "reader.tensor", tensor)?;
    named(m, "reader.output", output)?;
    named(m, "reader.keys", keys)?;
    within(m, "reader.picture", *picture, &(size..=*PICTURES.end()))?;
    within(m, "reader.height", *height, &HEIGHTS)?;
    within(m, "reader.most_width", *most_width, &WIDTHS)?;
    scaling(m, "reader", mean, std)?;
    share(m, "reader.confidence", *confidence)
}
