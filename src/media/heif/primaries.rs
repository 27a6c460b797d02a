//! Colour primaries (ITU-T H.273, table 2): where red, green, blue and white lie, and how one set is turned
//! into another.

/// Three rows of three.
pub(super) type Matrix3 = [[f32; 3]; 3];

/// Chromaticities x and y of red, green, blue and white.
type Chromaticities = [[f32; 2]; 4];

const D65: [f32; 2] = [0.3127, 0.329];
const BT_709: Chromaticities = [[0.64, 0.33], [0.30, 0.60], [0.15, 0.06], D65];

fn chromaticities(code: u16) -> Chromaticities {
    match code {
        4 => [[0.67, 0.33], [0.21, 0.71], [0.14, 0.08], [0.310, 0.316]],
        5 => [[0.64, 0.33], [0.29, 0.60], [0.15, 0.06], D65],
        6 | 7 => [[0.630, 0.340], [0.310, 0.595], [0.155, 0.070], D65],
        8 => [
            [0.681, 0.319],
            [0.243, 0.692],
            [0.145, 0.049],
            [0.310, 0.316],
        ],
        9 => [[0.708, 0.292], [0.170, 0.797], [0.131, 0.046], D65],
        11 => [
            [0.680, 0.320],
            [0.265, 0.690],
            [0.150, 0.060],
            [0.314, 0.351],
        ],
        12 => [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], D65], // Display P3
        22 => [[0.630, 0.340], [0.295, 0.605], [0.155, 0.077], D65],
        _ => BT_709, // 1, and what MIAF takes where nothing is said
    }
}

/// How much of luminance red and blue make up.
pub(super) fn red_and_blue_luminance(code: u16) -> (f32, f32) {
    let luminance = to_xyz(&chromaticities(code))[1];
    (luminance[0], luminance[2])
}

/// From linear light in the primaries of `code` to linear light in those of BT.709 (which sRGB has), white
/// staying white. `None` where nothing changes.
pub(super) fn to_bt709(code: u16) -> Option<Matrix3> {
    let from = chromaticities(code);
    if from == BT_709 {
        return None;
    }
    let to = BT_709;
    let into_xyz = to_xyz(&from);
    let adapted = if from[3] == to[3] {
        into_xyz
    } else {
        product(&adaptation(from[3], to[3]), &into_xyz)
    };
    Some(product(&inverse(&to_xyz(&to)), &adapted))
}

/// X, Y and Z of a chromaticity with Y = 1.
fn xyz([x, y]: [f32; 2]) -> [f32; 3] {
    [x / y, 1.0, (1.0 - x - y) / y]
}

/// Linear red, green and blue to XYZ: each primary so strong that together they make white.
fn to_xyz(chromaticities: &Chromaticities) -> Matrix3 {
    let [red, green, blue, white] = chromaticities.map(xyz);
    let columns: Matrix3 = std::array::from_fn(|row| [red[row], green[row], blue[row]]);
    let strengths = applied(&inverse(&columns), white);
    columns.map(|row| std::array::from_fn(|column| row[column] * strengths[column]))
}

/// XYZ under one white to XYZ under another, by the Bradford method.
fn adaptation(from: [f32; 2], to: [f32; 2]) -> Matrix3 {
    const CONES: Matrix3 = [
        [0.8951, 0.2664, -0.1614],
        [-0.7502, 1.7135, 0.0367],
        [0.0389, -0.0685, 1.0296],
    ];
    let (old, new) = (applied(&CONES, xyz(from)), applied(&CONES, xyz(to)));
    let scaled: Matrix3 =
        std::array::from_fn(|row| CONES[row].map(|cell| cell * new[row] / old[row]));
    product(&inverse(&CONES), &scaled)
}

/// The matrix times a column.
pub(super) fn applied(matrix: &Matrix3, column: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * column[0] + row[1] * column[1] + row[2] * column[2])
}

fn product(a: &Matrix3, b: &Matrix3) -> Matrix3 {
    a.map(|row| std::array::from_fn(|column| (0..3).map(|k| row[k] * b[k][column]).sum()))
}

/// The inverse by cofactors. All matrices here have one.
fn inverse(m: &Matrix3) -> Matrix3 {
    let cofactor = |row: usize, column: usize| {
        let [a, b] = [(row + 1) % 3, (row + 2) % 3];
        let [c, d] = [(column + 1) % 3, (column + 2) % 3];
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f32 = (0..3)
        .map(|column| m[0][column] * cofactor(0, column))
        .sum();
    std::array::from_fn(|row| std::array::from_fn(|column| cofactor(column, row) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_matrices_come_out() {
        // BT.2087, 4: BT.2020 to BT.709.
        let expected = [
            [1.6605, -0.5876, -0.0728],
            [-0.1246, 1.1329, -0.0083],
            [-0.0182, -0.1006, 1.1187],
        ];
        let found = to_bt709(9).unwrap();
        for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 2e-4, "{found} is not {expected}");
        }
        assert!(to_bt709(1).is_none() && to_bt709(2).is_none());
        let (red, blue) = red_and_blue_luminance(9);
        assert!((red - 0.2627).abs() < 1e-4 && (blue - 0.0593).abs() < 1e-4);
    }

    #[test]
    fn white_stays_white() {
        for code in [4, 5, 6, 8, 9, 11, 12, 22] {
            let white = applied(&to_bt709(code).unwrap(), [1.0; 3]);
            assert!(
                white.iter().all(|v| (v - 1.0).abs() < 1e-3),
                "{code}: {white:?}"
            );
        }
    }
}
