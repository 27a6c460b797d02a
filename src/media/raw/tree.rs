//! All directories of a TIFF structure, and what of them matters: previews, XMP, orientation, sizes.

use super::bytes::{Span, size};
use super::ifd::{Budget, Directory, Entry, View};
use super::tags::{self, panasonic};
use super::{jpeg, maker};

/// How deep sub-directories are followed.
const MAX_DEPTH: u8 = 8;
/// Sub-directories one entry may name. DNG files with masks and depth have about ten.
const MAX_SUB_DIRECTORIES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// In the chain that starts at the header.
    Main,
    /// Below another one, by the SubIFDs tag.
    Sub,
    Exif,
    Gps,
}

/// A TIFF structure, read.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) view: View<'a>,
    directories: Vec<(Role, Directory)>,
    /// What may be JPEG previews, in the order of finding.
    pub(super) candidates: Vec<Span>,
}

impl<'a> Tree<'a> {
    /// Reads the structure whose header is at `base`.
    pub(super) fn read(bytes: &'a [u8], base: usize) -> Option<Self> {
        let (view, first) = View::open(bytes, base)?;
        let mut tree = Self {
            view,
            directories: Vec::new(),
            candidates: Vec::new(),
        };
        let mut budget = Budget::new();
        // The last is read next: the first directory's relatives come before the second of the chain.
        let mut open = vec![(Role::Main, first, 0)];
        while let Some((role, offset, depth)) = open.pop() {
            let Some(directory) = view.directory(offset, &mut budget) else {
                continue;
            };
            if matches!(role, Role::Main) && directory.next != 0 {
                open.push((Role::Main, directory.next, depth));
            }
            if depth < MAX_DEPTH {
                tree.open_below(&directory, depth + 1, &mut open);
            }
            tree.add_candidates(&directory);
            for tag in [tags::MAKER_NOTE, tags::DNG_PRIVATE_DATA] {
                if let Some(note) = directory.get(tag) {
                    maker::previews(&view, note, &mut budget, &mut tree.candidates);
                }
            }
            tree.directories.push((role, directory));
        }
        (!tree.directories.is_empty()).then_some(tree)
    }

    fn open_below(&self, directory: &Directory, depth: u8, open: &mut Vec<(Role, u32, u8)>) {
        let named = [
            (tags::SUB_IFDS, Role::Sub, MAX_SUB_DIRECTORIES),
            (tags::GPS_IFD, Role::Gps, 1),
            (tags::EXIF_IFD, Role::Exif, 1),
        ];
        for (tag, role, most) in named {
            let Some(entry) = directory.get(tag) else {
                continue;
            };
            let count = size(entry.count).min(most);
            let offsets = (0..count).rev().filter_map(|i| self.view.number(entry, i));
            open.extend(offsets.map(|o| (role, o, depth)));
        }
    }

    /// Notes what `directory` says is a JPEG: by JPEGInterchangeFormat, as its only strip or tile,
    /// or as a value (Panasonic).
    fn add_candidates(&mut self, directory: &Directory) {
        let number = |tag, i| Some(size(self.view.number(directory.get(tag)?, i)?));
        let is_one = |tag| directory.get(tag).is_some_and(|e| e.count == 1);
        let holds_samples = self.holds_samples(directory);
        let mut add = |start: usize, len: usize| {
            jpeg::note(self.view.bytes, Span { start, len }, &mut self.candidates);
        };
        let mut pair = |offset, len| {
            if let (true, Some(at), Some(len)) = (is_one(offset), number(offset, 0), number(len, 0))
            {
                add(self.view.base.saturating_add(at), len);
            }
        };
        pair(tags::JPEG_OFFSET, tags::JPEG_LENGTH);
        if !holds_samples {
            pair(tags::STRIP_OFFSETS, tags::STRIP_BYTE_COUNTS);
            pair(tags::TILE_OFFSETS, tags::TILE_BYTE_COUNTS);
        }
        if let Some(blob) = directory.get(panasonic::JPG_FROM_RAW) {
            add(blob.at, blob.len);
        }
    }

    /// True if the picture in `directory` is the sensor's data, even if coded as a JPEG.
    pub(super) fn holds_samples(&self, directory: &Directory) -> bool {
        let kind = directory
            .get(tags::PHOTOMETRIC)
            .and_then(|e| self.view.number(e, 0));
        matches!(
            kind,
            Some(tags::PHOTOMETRIC_CFA | tags::PHOTOMETRIC_LINEAR_RAW)
        )
    }

    /// The directories with `role`, in the order of finding.
    pub(super) fn with_role(&self, role: Role) -> impl Iterator<Item = &Directory> {
        self.directories
            .iter()
            .filter(move |(r, _)| *r == role)
            .map(|(_, d)| d)
    }

    /// The directories that may hold a picture.
    pub(super) fn pictures(&self) -> impl Iterator<Item = &Directory> {
        self.directories
            .iter()
            .filter(|(r, _)| matches!(r, Role::Main | Role::Sub))
            .map(|(_, d)| d)
    }

    /// An entry of the first directory.
    pub(super) fn root(&self, tag: u16) -> Option<&Entry> {
        self.with_role(Role::Main).next()?.get(tag)
    }

    /// An entry of any EXIF directory.
    pub(super) fn exif(&self, tag: u16) -> Option<&Entry> {
        self.with_role(Role::Exif).find_map(|d| d.get(tag))
    }

    /// EXIF orientation, 1 to 8.
    pub(super) fn orientation(&self) -> u32 {
        self.root(tags::ORIENTATION)
            .and_then(|e| self.view.number(e, 0))
            .filter(|o| (1..=8).contains(o))
            .unwrap_or(1)
    }

    /// The XMP packet, if it is whole and of at most `max` bytes.
    pub(super) fn xmp(&self, max: usize) -> Option<&'a [u8]> {
        self.pictures()
            .find_map(|d| self.view.value(d.get(tags::XMP)?))
            .filter(|x| !x.is_empty() && x.len() <= max)
    }
}
