//! From planes of luma and chroma to rows of red, green and blue in the picture's own colour space (ITU-T
//! H.273, 8.3).

use super::frame::Frame;
use super::properties::Nclx;
use crate::media::facts::NoPixels;

/// One row of a picture, colour by colour. Samples run from 0 to the most that [`Converter`] was told.
#[derive(Default)]
pub(super) struct Row {
    pub(super) red: Vec<u16>,
    pub(super) green: Vec<u16>,
    pub(super) blue: Vec<u16>,
}

/// How a frame's planes make up colours.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Matrix {
    /// The planes are green, blue and red.
    Gbr,
    YCgCo,
    /// Luma is so much red and so much blue, and green the rest.
    Luma {
        red: f32,
        blue: f32,
    },
}

/// How large a frame's colours are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Full,
    /// Each pixel is the mean of four; chroma that has half the size already is taken as it is.
    Half,
}

impl Scale {
    /// So many pixels at this scale; what is left over is a pixel of its own.
    pub(super) fn of(self, pixels: u32) -> u32 {
        match self {
            Self::Full => pixels,
            Self::Half => pixels.div_ceil(2),
        }
    }
}

/// Turns rows of one frame into colours.
pub(super) struct Converter<'a> {
    frame: &'a Frame,
    matrix: Matrix,
    scale: Scale,
    /// Pixels of a row that are shown, as coded.
    coded_width: usize,
    /// The same, as they are made.
    width: usize,
    /// The largest value of the result.
    top: f32,
    luma: Range,
    chroma: Range,
    samples: Vec<u16>,
    /// A row as far as it is there, and then three at the width that is made.
    narrow: Vec<f32>,
    planes: [Vec<f32>; 3],
}

/// Samples to values: minus `offset`, times `factor`.
#[derive(Debug, Clone, Copy)]
struct Range {
    offset: f32,
    factor: f32,
}

impl Range {
    fn apply(self, sample: f32) -> f32 {
        (sample - self.offset) * self.factor
    }
}

fn matrix_of(code: u16, primaries: u16) -> Result<Matrix, NoPixels> {
    Ok(match code {
        0 => Matrix::Gbr,
        1 => Matrix::Luma {
            red: 0.2126,
            blue: 0.0722,
        },
        4 => Matrix::Luma {
            red: 0.30,
            blue: 0.11,
        },
        7 => Matrix::Luma {
            red: 0.212,
            blue: 0.087,
        },
        8 => Matrix::YCgCo,
        // 10 is the same with constant luminance, which nobody writes.
        9 | 10 => Matrix::Luma {
            red: 0.2627,
            blue: 0.0593,
        },
        // "Derived from the primaries": the luminances of red and blue.
        12 | 13 => {
            let (red, blue) = super::primaries::red_and_blue_luminance(primaries);
            Matrix::Luma { red, blue }
        }
        11 | 14..=17 => {
            return Err(NoPixels::Unsupported(format!(
                "colour matrix {code} of H.273"
            )));
        }
        // 5 and 6 are BT.601, which MIAF (ISO/IEC 23000-22, 7.3.6.4) also takes where nothing is said.
        _ => Matrix::Luma {
            red: 0.299,
            blue: 0.114,
        },
    })
}

impl<'a> Converter<'a> {
    /// A converter for the first `width` pixels of each row of `frame`, as coded. Results run from 0 to `top`.
    pub(super) fn new(
        frame: &'a Frame,
        nclx: Nclx,
        width: u32,
        top: u16,
        scale: Scale,
    ) -> Result<Self, NoPixels> {
        let matrix = if frame.chroma.shifts().is_none() {
            Matrix::Luma {
                red: 0.299,
                blue: 0.114,
            } // not used
        } else {
            matrix_of(nclx.matrix, nclx.primaries)?
        };
        let [luma_depth, chroma_depth] = frame.depths.map(u32::from);
        let step = |depth: u32| 2f32.powi(depth as i32 - 8);
        let full = |depth: u32| 2f32.powi(depth as i32) - 1.0;
        let top = f32::from(top);
        let luma_scale = |depth: u32| match nclx.is_full_range {
            true => Range {
                offset: 0.0,
                factor: top / full(depth),
            },
            false => Range {
                offset: 16.0 * step(depth),
                factor: top / (219.0 * step(depth)),
            },
        };
        let chroma = match (matrix, nclx.is_full_range) {
            (Matrix::Gbr, _) => luma_scale(chroma_depth),
            (_, true) => Range {
                offset: 128.0 * step(chroma_depth),
                factor: top / full(chroma_depth),
            },
            (_, false) => Range {
                offset: 128.0 * step(chroma_depth),
                factor: top / (224.0 * step(chroma_depth)),
            },
        };
        Ok(Self {
            frame,
            matrix,
            scale,
            coded_width: width.min(frame.width) as usize,
            width: scale.of(width.min(frame.width)) as usize,
            top,
            luma: luma_scale(luma_depth),
            chroma,
            samples: Vec::new(),
            narrow: Default::default(),
            planes: Default::default(),
        })
    }

    /// Row `y` as colours, counted as they are made.
    pub(super) fn row(&mut self, y: u32, row: &mut Row) -> Result<(), NoPixels> {
        self.read_luma(y)?;
        let width = self.width;
        for colour in [&mut row.red, &mut row.green, &mut row.blue] {
            colour.resize(width, 0);
        }
        let top = self.top;
        let whole = |value: f32| round(value, top);
        if self.frame.chroma.shifts().is_none() {
            for (red, &y) in row.red.iter_mut().zip(&self.planes[0]) {
                *red = whole(y);
            }
            row.green.copy_from_slice(&row.red);
            row.blue.copy_from_slice(&row.red);
            return Ok(());
        }
        self.read_chroma(1, y)?;
        self.read_chroma(2, y)?;
        let [luma, blues, reds] = &self.planes;
        let samples = luma.iter().zip(blues).zip(reds);
        let colours = row.red.iter_mut().zip(&mut row.green).zip(&mut row.blue);
        match self.matrix {
            Matrix::Gbr => {
                for (((red, green), blue), ((&y, &b), &r)) in colours.zip(samples) {
                    (*red, *green, *blue) = (whole(r), whole(y), whole(b));
                }
            }
            Matrix::YCgCo => {
                for (((red, green), blue), ((&y, &cg), &co)) in colours.zip(samples) {
                    let rest = y - cg;
                    (*red, *green, *blue) = (whole(rest + co), whole(y + cg), whole(rest - co));
                }
            }
            Matrix::Luma {
                red: of_red,
                blue: of_blue,
            } => {
                let of_green = 1.0 - of_red - of_blue;
                let (to_red, to_blue) = (2.0 * (1.0 - of_red), 2.0 * (1.0 - of_blue));
                let (green_red, green_blue) =
                    (to_red * of_red / of_green, to_blue * of_blue / of_green);
                for (((red, green), blue), ((&y, &b), &r)) in colours.zip(samples) {
                    *red = whole(y + to_red * r);
                    *green = whole(y - green_red * r - green_blue * b);
                    *blue = whole(y + to_blue * b);
                }
            }
        }
        Ok(())
    }

    /// Row `y` of luma alone, as alpha planes have it.
    pub(super) fn luma_row(&mut self, y: u32, row: &mut Vec<u8>) -> Result<(), NoPixels> {
        self.read_luma(y)?;
        let top = self.top;
        row.clear();
        row.extend(self.planes[0].iter().map(|&value| round(value, top) as u8));
        Ok(())
    }

    fn read_luma(&mut self, y: u32) -> Result<(), NoPixels> {
        if self.scale == Scale::Half {
            return self.read_halved(0, y);
        }
        let (samples, row) = (&mut self.samples, &mut self.planes[0]);
        row.resize(self.width, 0.0);
        mixed_rows(self.frame, 0, (y, y, 0.0), self.luma, samples, row)
    }

    /// Reads the chroma of plane 1 or 2 that belongs to luma row `y`, at full width. Samples in between are
    /// those on either side, weighted by how near they are.
    fn read_chroma(&mut self, plane: usize, y: u32) -> Result<(), NoPixels> {
        let Some((across, down)) = self.frame.chroma.shifts() else {
            return Ok(());
        };
        if self.scale == Scale::Half {
            return self.read_halved(plane, y);
        }
        let (full_width, height) = self.frame.plane_size(plane);
        let siting = self.frame.siting;
        // What lies right of the part that is shown is padding, which must not be mixed in.
        let width = ((self.width as u32 + across) >> across).min(full_width) as usize;
        let near = (y >> down).min(height.saturating_sub(1));
        let (other, weight) = match (down, siting.is_between_rows, y & 1) {
            (0, _, _) | (_, false, 0) => (near, 0.0),
            (_, false, _) => (near + 1, 0.5),
            (_, true, 0) => (near.saturating_sub(1), 0.25),
            (_, true, _) => (near + 1, 0.25),
        };
        let other = other.min(height.saturating_sub(1));
        let (samples, row) = (&mut self.samples, &mut self.narrow);
        row.resize(width, 0.0);
        mixed_rows(
            self.frame,
            plane,
            (near, other, weight),
            self.chroma,
            samples,
            row,
        )?;
        widen(
            row,
            &mut self.planes[plane],
            self.width,
            across,
            siting.is_between_columns,
        );
        Ok(())
    }

    /// Reads what belongs to row `y` of a picture of half the size.
    fn read_halved(&mut self, plane: usize, y: u32) -> Result<(), NoPixels> {
        let (across, down) = match plane {
            0 => (0, 0),
            _ => self.frame.chroma.shifts().unwrap_or((0, 0)),
        };
        let range = if plane == 0 { self.luma } else { self.chroma };
        let (full_width, height) = self.frame.plane_size(plane);
        let shown = (self.coded_width as u32 + across) >> across;
        let width = shown.min(full_width) as usize;
        let siting = self.frame.siting;
        let (first, second, weight) = match (down, siting.is_between_rows) {
            (0, _) => (2 * y, 2 * y + 1, 0.5),
            (_, true) => (y, y, 0.0),
            (_, false) => (y, y + 1, 0.25),
        };
        let [first, second] = [first, second].map(|row| row.min(height.saturating_sub(1)));
        let (samples, row) = (&mut self.samples, &mut self.narrow);
        row.resize(width, 0.0);
        mixed_rows(
            self.frame,
            plane,
            (first, second, weight),
            range,
            samples,
            row,
        )?;
        narrowed(
            row,
            &mut self.planes[plane],
            self.width,
            across == 1,
            siting.is_between_columns,
        );
        Ok(())
    }
}

/// Fills `row` with the values of row `near` of a plane, `weight` of the way to those of row `other`.
fn mixed_rows(
    frame: &Frame,
    plane: usize,
    (near, other, weight): (u32, u32, f32),
    range: Range,
    samples: &mut Vec<u16>,
    row: &mut [f32],
) -> Result<(), NoPixels> {
    samples.resize(row.len(), 0);
    frame.read_row(plane, near, samples)?;
    for (value, &sample) in row.iter_mut().zip(samples.iter()) {
        *value = range.apply(f32::from(sample));
    }
    if other != near {
        frame.read_row(plane, other, samples)?;
        for (value, &sample) in row.iter_mut().zip(samples.iter()) {
            *value += weight * (range.apply(f32::from(sample)) - *value);
        }
    }
    Ok(())
}

/// Fills `half` from a row that is as wide already, or twice as wide. The last of an odd row stands for itself.
fn narrowed(row: &[f32], half: &mut Vec<f32>, width: usize, is_as_wide: bool, is_between: bool) {
    half.clear();
    match (is_as_wide, is_between) {
        (true, true) => half.extend_from_slice(&row[..width.min(row.len())]),
        // A sample lies on the left one of two pixels: their middle is a quarter of the way to the next.
        (true, false) => {
            let next = row.get(1..).unwrap_or_default().iter().chain(row.last());
            half.extend(row.iter().zip(next).map(|(a, b)| a + 0.25 * (b - a)));
        }
        (false, _) => {
            let pairs = row.chunks_exact(2);
            let rest = pairs.remainder();
            half.extend(pairs.map(|pair| 0.5 * (pair[0] + pair[1])));
            half.extend_from_slice(rest);
        }
    }
    let last = half.last().copied().unwrap_or(0.0);
    half.resize(width, last);
}

/// Spreads a row of chroma over `width` pixels.
fn widen(narrow: &[f32], wide: &mut Vec<f32>, width: usize, across: u32, is_between_columns: bool) {
    wide.resize(width, 0.0);
    if across == 0 {
        wide.copy_from_slice(&narrow[..width]);
        return;
    }
    let Some((&first, &last)) = narrow.first().zip(narrow.last()) else {
        return;
    };
    if is_between_columns {
        // Pairs of pixels between the middles of two samples: the second of one and the first of the next.
        let pairs = wide.get_mut(1..).unwrap_or_default().chunks_exact_mut(2);
        for ((pair, &left), &right) in pairs.zip(narrow).zip(narrow.get(1..).unwrap_or_default()) {
            pair[0] = left + 0.25 * (right - left);
            pair[1] = left + 0.75 * (right - left);
        }
        wide[0] = first;
        if width.is_multiple_of(2) {
            wide[width - 1] = last;
        }
    } else {
        let pairs = wide.chunks_exact_mut(2);
        for ((pair, &left), &right) in pairs.zip(narrow).zip(narrow.get(1..).unwrap_or_default()) {
            pair[0] = left;
            pair[1] = left + 0.5 * (right - left);
        }
        if width.is_multiple_of(2) {
            wide[width - 2] = last;
        }
        wide[width - 1] = last;
    }
}

/// The nearest whole number from 0 to `top`, in a way that compilers turn into vector code: adding 1.5 · 2²³
/// leaves the whole number in the low bits.
fn round(value: f32, top: f32) -> u16 {
    const SHIFT: f32 = 12_582_912.0;
    (value.max(0.0).min(top) + SHIFT).to_bits() as u16
}
