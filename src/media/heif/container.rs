//! The `meta` box: which items a file has, what they are, how they refer to each other and where their
//! data is (ISO/IEC 23008-12 and 14496-12, 8.11).

use std::borrow::Cow;
use std::ops::Range;

use super::boxes::{Kind, pieces};
use super::properties::Property;
use super::view::View;
use super::{meta, sequence};
use crate::media::facts::NoPixels;

/// The most items, references, properties and extents that are read. A grid has at most 65,536 tiles; a
/// 200 megapixel phone photo has 770 items.
pub(super) const MAX_ENTRIES: usize = 1 << 17;

/// How deep pictures made from pictures may be nested. Grids of identity items are 2 deep.
pub(super) const MAX_DEPTH: u32 = 4;

/// One item: a picture, a part of one, or metadata.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) id: u32,
    pub(super) kind: Kind,
    /// MIME type of a `mime` item.
    pub(super) content_type: &'a [u8],
    /// Its properties in the order in which they apply, as places in [`Container::properties`].
    pub(super) properties: Vec<u16>,
    /// Where its data is.
    pub(super) extents: Vec<Range<u64>>,
    pub(super) place: Place,
}

/// What the extents of an item count from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    File,
    /// The `idat` box.
    Idat,
    /// Another file, other items' data, or a way not known here.
    Elsewhere,
}

/// A reference of kind `kind` from one item to others, in order (the order of a grid's tiles).
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) kind: Kind,
    pub(super) from: u32,
    pub(super) to: Vec<u32>,
}

/// What a file says of its items. Pictures' data is not looked at.
#[derive(Debug, Default)]
pub(super) struct Container<'a> {
    pub(super) file: &'a [u8],
    pub(super) idat: &'a [u8],
    /// The item to show.
    pub(super) primary: u32,
    /// In order of their numbers.
    pub(super) items: Vec<Item<'a>>,
    pub(super) properties: Vec<Property<'a>>,
    /// In order of where they come from.
    pub(super) references: Vec<Reference>,
    /// For each reference the item referred to, then the kind, then the item that refers: in order.
    pub(super) referrers: Vec<(u32, Kind, u32)>,
}

impl<'a> Container<'a> {
    /// Reads the boxes of a file: those of a still picture, else the first frame of a picture sequence.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, NoPixels> {
        let mut is_cut = false;
        let mut film = None;
        let mut is_mini = false;
        for piece in pieces(file) {
            is_cut = !piece.is_whole;
            match &piece.kind {
                b"meta" if piece.is_whole => {
                    let container = meta::read(file, piece.body);
                    if container.item(container.primary).is_some() {
                        return Ok(container);
                    }
                }
                b"moov" if piece.is_whole => film = Some(piece.body),
                b"mini" => is_mini = true,
                _ => {}
            }
        }
        match film {
            Some(film) => sequence::first_frame(file, film),
            None if is_mini => Err(NoPixels::Unsupported("HEIF with a minimal header".into())),
            None if is_cut => Err(NoPixels::Truncated),
            None => Err(NoPixels::Corrupt("it has no picture in it".into())),
        }
    }

    /// A file with one picture, whose properties are all of `properties`.
    pub(super) fn of_one_item(
        file: &'a [u8],
        kind: Kind,
        extent: Range<u64>,
        properties: Vec<Property<'a>>,
    ) -> Self {
        let item = Item {
            id: 1,
            kind,
            properties: (0..properties.len().min(255) as u16).collect(),
            extents: vec![extent],
            ..Item::default()
        };
        Self {
            file,
            primary: 1,
            items: vec![item],
            properties,
            ..Self::default()
        }
    }

    pub(super) fn item(&self, id: u32) -> Option<&Item<'a>> {
        let at = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
        self.items.get(at)
    }

    /// The item of this number, which another one or the file needs.
    pub(super) fn needed(&self, id: u32) -> Result<&Item<'a>, NoPixels> {
        self.item(id)
            .ok_or_else(|| NoPixels::Corrupt("a part of the picture is missing".into()))
    }

    /// The properties of an item, in the order in which they apply.
    pub(super) fn properties_of(&self, item: &Item<'a>) -> impl Iterator<Item = &Property<'a>> {
        item.properties
            .iter()
            .filter_map(|&index| self.properties.get(usize::from(index)))
    }

    /// The items that `from` refers to.
    pub(super) fn referred(&self, from: u32, kind: &Kind) -> &[u32] {
        let at = self
            .references
            .partition_point(|r| (r.from, r.kind) < (from, *kind));
        let found = self
            .references
            .get(at)
            .filter(|r| r.from == from && r.kind == *kind);
        found.map_or(&[], |reference| &reference.to)
    }

    /// The items that refer to `to`.
    pub(super) fn referring(&self, to: u32, kind: &Kind) -> impl Iterator<Item = &Item<'a>> {
        let kind = *kind;
        let start = self
            .referrers
            .partition_point(|&(id, k, _)| (id, k) < (to, kind));
        let found = self.referrers[start..]
            .iter()
            .take_while(move |&&(id, k, _)| (id, k) == (to, kind));
        found.filter_map(|&(_, _, from)| self.item(from))
    }

    /// The size of an item as coded (`ispe`).
    pub(super) fn coded_size(&self, item: &Item<'a>) -> Option<(u32, u32)> {
        self.properties_of(item)
            .find_map(|property| match property {
                Property::Size(width, height) => Some((*width, *height)),
                _ => None,
            })
    }

    /// The decoder's set-up for an item.
    pub(super) fn codec(&self, item: &Item<'a>, kind: &Kind) -> Option<&'a [u8]> {
        self.properties_of(item)
            .find_map(|property| match property {
                Property::Codec(found, body) if found == kind => Some(*body),
                _ => None,
            })
    }

    /// What is shown of an item of this coded size. Refused if it is nothing.
    pub(super) fn view_of(
        &self,
        item: &Item<'a>,
        width: u32,
        height: u32,
    ) -> Result<View, NoPixels> {
        let whole = View::whole(width, height);
        let view = self
            .properties_of(item)
            .try_fold(whole, |view, property| property.applied_to(view));
        view.filter(|view| view.width > 0 && view.height > 0)
            .ok_or_else(|| NoPixels::Corrupt("nothing of the picture is left to show".into()))
    }

    /// The pieces of an item's data. Each is refused as truncated if the file ends before it does.
    fn data_pieces(
        &self,
        item: &Item<'a>,
    ) -> Result<impl Iterator<Item = Result<&'a [u8], NoPixels>>, NoPixels> {
        let source = match item.place {
            Place::File => self.file,
            Place::Idat => self.idat,
            Place::Elsewhere => {
                return Err(NoPixels::Unsupported(
                    "HEIF data kept in other items or files".into(),
                ));
            }
        };
        Ok(item.extents.iter().map(move |extent| {
            let end = if extent.end == u64::MAX {
                source.len() as u64
            } else {
                extent.end
            };
            let range = usize::try_from(extent.start)
                .ok()
                .zip(usize::try_from(end).ok());
            let range = range
                .filter(|(start, end)| start <= end)
                .map(|(start, end)| start..end);
            range
                .and_then(|range| source.get(range))
                .ok_or(NoPixels::Truncated)
        }))
    }

    /// The data of an item, borrowed where it is in one piece.
    pub(super) fn data(&self, item: &Item<'a>) -> Result<Cow<'a, [u8]>, NoPixels> {
        let mut data = Cow::Borrowed(&[][..]);
        for (index, piece) in self.data_pieces(item)?.enumerate() {
            let piece = piece?;
            if index == 0 {
                data = Cow::Borrowed(piece);
                continue;
            }
            // Overlapping extents would make much of little.
            if data.len() + piece.len() > self.file.len() {
                return Err(NoPixels::Corrupt(
                    "its data is told to be in the same place twice".into(),
                ));
            }
            let joined = data.to_mut();
            joined
                .try_reserve(piece.len())
                .map_err(|_| NoPixels::NoMemory)?;
            joined.extend_from_slice(piece);
        }
        Ok(data)
    }

    /// Refuses unless all data of an item, and of the items that it is made of, is there.
    pub(super) fn check_whole(&self, item: &Item<'a>) -> Result<(), NoPixels> {
        let mut waiting = vec![(item, 0)];
        let mut room = MAX_ENTRIES;
        while let Some((item, depth)) = waiting.pop() {
            for piece in self.data_pieces(item)? {
                piece?;
            }
            let parts = self.referred(item.id, b"dimg");
            let is_too_deep = depth == MAX_DEPTH && !parts.is_empty();
            room = room
                .checked_sub(parts.len())
                .filter(|_| !is_too_deep)
                .ok_or_else(|| NoPixels::Corrupt("its pictures are nested too deeply".into()))?;
            for &part in parts {
                waiting.push((self.needed(part)?, depth + 1));
            }
        }
        Ok(())
    }

    /// Metadata items that are told to describe the primary picture or what it is made from, else those
    /// that describe no item at all.
    pub(super) fn metadata(&self, is_wanted: impl Fn(&Item<'a>) -> bool) -> Option<&Item<'a>> {
        let mut described = vec![self.primary];
        described.extend(self.referred(self.primary, b"dimg").first());
        for id in described {
            if let Some(found) = self.referring(id, b"cdsc").find(|item| is_wanted(item)) {
                return Some(found);
            }
        }
        let is_free =
            |item: &&Item<'a>| is_wanted(item) && self.referred(item.id, b"cdsc").is_empty();
        self.items.iter().find(is_free)
    }
}
