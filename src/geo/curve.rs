//! A Z curve over squares of 360/2^18 degrees: column and row with their bits mixed.
//!
//! All squares of a larger, aligned square follow each other on the curve, so a box on the map is a
//! few runs of it.

use std::ops::Range;

/// Columns around the globe; half as many rows from the south pole to the north pole.
const COLUMNS: u32 = 1 << BITS;
const BITS: u32 = 18;
const DEGREES: f64 = 360.0 / COLUMNS as f64;

/// Columns and rows, ends not included. Columns may go beyond the last: these are the first ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MapBox {
    columns: Range<u32>,
    rows: Range<u32>,
}

/// The middle of a square: degrees north and east.
pub(super) fn middle(point: u64) -> (f64, f64) {
    let (column, row) = apart(point);
    (
        (f64::from(row) + 0.5) * DEGREES - 90.0,
        (f64::from(column) + 0.5) * DEGREES - 180.0,
    )
}

/// The box around a circle on the globe, whose radius is an angle in degrees.
pub(super) fn box_around(lat: f64, lon: f64, radius: f64) -> MapBox {
    // A square more on each side: what is looked for are the middles.
    let row = |lat: f64| ((lat.clamp(-90.0, 90.0) + 90.0) / DEGREES) as u32;
    let rows = row(lat - radius).saturating_sub(1)..row(lat + radius) + 2;
    let columns = if lat.abs() + radius >= 90.0 {
        0..COLUMNS
    } else {
        let aside = (radius.to_radians().sin() / lat.to_radians().cos()).min(1.0);
        let aside = aside.asin().to_degrees() + DEGREES;
        let west = (lon - aside + 180.0).rem_euclid(360.0);
        let first = (west / DEGREES) as u32;
        let count = ((2.0 * aside / DEGREES) as u32 + 2).min(COLUMNS);
        first..first + count
    };
    MapBox { columns, rows }
}

impl MapBox {
    /// The runs of the curve that hold the box, and more beside it.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        // Squares half as wide as the narrower side: at most three to cover it.
        let sides = (self.columns.len(), self.rows.len());
        let level = sides.0.min(sides.1).max(2).ilog2().saturating_sub(1);
        let part = move |range: &Range<u32>| (range.start >> level)..((range.end - 1) >> level) + 1;
        let columns = part(&self.columns);
        part(&self.rows).flat_map(move |row| {
            columns.clone().map(move |column| {
                let column = column & ((COLUMNS >> level) - 1);
                let first = mixed(column << level, row << level);
                first..first + (1 << (2 * level))
            })
        })
    }

    pub(super) fn holds(&self, point: u64) -> bool {
        let (column, row) = apart(point);
        let beyond = column + COLUMNS;
        self.rows.contains(&row)
            && (self.columns.contains(&column) || self.columns.contains(&beyond))
    }
}

fn mixed(column: u32, row: u32) -> u64 {
    spread(column) | spread(row) << 1
}

fn apart(point: u64) -> (u32, u32) {
    (gathered(point), gathered(point >> 1))
}

/// Every bit moved to twice its place.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF;
    bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// The reverse of [`spread`].
fn gathered(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF;
    bits = (bits | bits >> 16) & 0x0000_0000_FFFF_FFFF;
    bits as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the script that makes the file has it.
    pub(in crate::geo) fn along(lat: f64, lon: f64) -> u64 {
        let column = ((lon + 180.0) / DEGREES).floor() as u32 % COLUMNS;
        mixed(column, ((lat + 90.0) / DEGREES).floor() as u32)
    }

    proptest! {
        #[test]
        fn bits_that_are_mixed_come_apart(column in 0..COLUMNS, row in 0..COLUMNS / 2) {
            prop_assert_eq!(apart(mixed(column, row)), (column, row));
        }

        #[test]
        fn a_box_and_its_runs_hold_their_circle(
            lat in -90.0..=90.0f64, lon in -180.0..=180.0f64, radius in 0.01..3.0f64,
            way in 0.0..360.0f64, far in 0.0..1.0f64,
        ) {
            // So far from the middle, that way.
            let (d, way) = ((radius * far).to_radians(), way.to_radians());
            let phi = lat.to_radians();
            let north = (phi.sin() * d.cos() + phi.cos() * d.sin() * way.cos()).clamp(-1.0, 1.0).asin();
            let east = (way.sin() * d.sin() * phi.cos()).atan2(d.cos() - phi.sin() * north.sin());
            let east = (lon + east.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
            let point = along(north.to_degrees(), east);
            let around = box_around(lat, lon, radius);
            prop_assert!(around.holds(point), "{around:?} {:?}", apart(point));
            prop_assert!(around.runs().any(|run| run.contains(&point)));
        }
    }

    #[test]
    fn a_box_of_some_kilometres_is_few_runs() {
        for (lat, lon) in [(48.9, 2.3), (-17.5, 179.99), (69.0, 19.0)] {
            let runs = box_around(lat, lon, 0.3).runs().count();
            assert!(runs <= 64, "{runs} at {lat}");
        }
    }
}
