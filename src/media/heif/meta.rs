//! Reading of the `meta` box into a [`Container`] (ISO/IEC 14496-12, 8.11).

use super::boxes::{Fields, Piece, pieces};
use super::container::{Container, Item, MAX_ENTRIES, Place, Reference};
use super::properties::Property;

/// Reads a `meta` box. Of a list that breaks off in the middle, what comes before counts.
pub(super) fn read<'a>(file: &'a [u8], body: &'a [u8]) -> Container<'a> {
    let mut container = Container {
        file,
        ..Container::default()
    };
    let mut locations = None;
    let mut associations = Vec::new();
    for piece in pieces(body.get(4..).unwrap_or_default()) {
        match &piece.kind {
            b"pitm" => {
                let mut fields = Fields::new(piece.body);
                let id = fields
                    .version()
                    .and_then(|(version, _)| fields.id(version > 0));
                container.primary = id.unwrap_or(container.primary);
            }
            b"iinf" => container.read_infos(&piece).unwrap_or_default(),
            b"iloc" => locations = Some(piece.body),
            b"iref" => container.read_references(&piece).unwrap_or_default(),
            b"idat" => container.idat = piece.body,
            b"iprp" => {
                for part in pieces(piece.body) {
                    match &part.kind {
                        b"ipco" => {
                            let found = pieces(part.body).take(MAX_ENTRIES);
                            container.properties =
                                found.map(|piece| Property::read(&piece)).collect();
                        }
                        b"ipma" => associations.push(part.body),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // Stable: of two items with one number the first stays, as others read it.
    container.items.sort_by_key(|item| item.id);
    container.items.dedup_by_key(|item| item.id);
    container.index_references();
    if let Some(body) = locations {
        container.read_locations(body).unwrap_or_default();
    }
    for body in associations {
        container.read_associations(body).unwrap_or_default();
    }
    container
}

impl<'a> Container<'a> {
    fn read_infos(&mut self, piece: &Piece<'a>) -> Option<()> {
        let mut fields = Fields::new(piece.body);
        let (version, _) = fields.version()?;
        fields.id(version > 0)?; // how many: the boxes tell it as well
        for entry in pieces(fields.rest())
            .filter(|entry| entry.kind == *b"infe")
            .take(MAX_ENTRIES)
        {
            let mut fields = Fields::new(entry.body);
            let (version, _) = fields.version()?;
            if !(2..=3).contains(&version) {
                continue; // older than HEIF: no kind
            }
            let id = fields.id(version == 3)?;
            fields.u16()?; // protection
            let kind = fields.kind()?;
            fields.text(); // name
            let content_type = if kind == *b"mime" { fields.text() } else { &[] };
            self.items.push(Item {
                id,
                kind,
                content_type,
                ..Item::default()
            });
        }
        Some(())
    }

    fn read_references(&mut self, piece: &Piece<'a>) -> Option<()> {
        let mut fields = Fields::new(piece.body);
        let (version, _) = fields.version()?;
        let mut room = MAX_ENTRIES;
        for entry in pieces(fields.rest()) {
            let mut fields = Fields::new(entry.body);
            let from = fields.id(version > 0)?;
            let count = usize::from(fields.u16()?);
            room = room.checked_sub(count + 1)?;
            let to = (0..count)
                .map(|_| fields.id(version > 0))
                .collect::<Option<_>>()?;
            self.references.push(Reference {
                kind: entry.kind,
                from,
                to,
            });
        }
        Some(())
    }

    /// Sorts the references, from both sides.
    fn index_references(&mut self) {
        // Stable, so that the first of several references of one kind counts.
        self.references
            .sort_by_key(|reference| (reference.from, reference.kind));
        for reference in &self.references {
            let back = |&to: &u32| (to, reference.kind, reference.from);
            self.referrers.extend(reference.to.iter().map(back));
        }
        self.referrers.sort_unstable();
        self.referrers.dedup();
    }

    fn read_locations(&mut self, body: &'a [u8]) -> Option<()> {
        let mut fields = Fields::new(body);
        let (version, _) = fields.version()?;
        let (sizes, more) = (fields.u8()?, fields.u8()?);
        let (offset_size, length_size, base_size) = (sizes >> 4, sizes & 15, more >> 4);
        let index_size = if version > 0 { more & 15 } else { 0 };
        let count = fields.id(version > 1)?;
        let mut room = MAX_ENTRIES;
        for _ in 0..count {
            let id = fields.id(version > 1)?;
            let method = if version > 0 { fields.u16()? & 15 } else { 0 };
            let source = fields.u16()?; // 0 is this file
            let base = fields.number(base_size)?;
            let extents = fields.u16()?;
            room = room.checked_sub(usize::from(extents) + 1)?;
            let mut found = Vec::new();
            for _ in 0..extents {
                fields.number(index_size)?;
                let start = base.checked_add(fields.number(offset_size)?)?;
                // 0 is "up to the end".
                let end = match fields.number(length_size)? {
                    0 => u64::MAX,
                    length => start.checked_add(length)?,
                };
                found.push(start..end);
            }
            if let Ok(at) = self.items.binary_search_by_key(&id, |item| item.id) {
                self.items[at].extents = found;
                self.items[at].place = match (method, source) {
                    (0, 0) => Place::File,
                    (1, _) => Place::Idat,
                    _ => Place::Elsewhere,
                };
            }
        }
        Some(())
    }

    fn read_associations(&mut self, body: &'a [u8]) -> Option<()> {
        let mut fields = Fields::new(body);
        let (version, flags) = fields.version()?;
        for _ in 0..fields.u32()? {
            let id = fields.id(version > 0)?;
            let count = usize::from(fields.u8()?);
            let at = self.items.binary_search_by_key(&id, |item| item.id);
            for _ in 0..count {
                // The highest bit says whether the property may be ignored. 0 is "none".
                let index = match flags & 1 {
                    0 => u16::from(fields.u8()? & 0x7F),
                    _ => fields.u16()? & 0x7FFF,
                };
                if let (Ok(at), Some(index)) = (at, index.checked_sub(1)) {
                    let properties = &mut self.items[at].properties;
                    if properties.len() < 255 {
                        properties.push(index);
                    }
                }
            }
        }
        Some(())
    }
}
