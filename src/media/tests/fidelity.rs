//! The small picture stands for the large one: hash and tensor of a scaled decode, and the tensor
//! against a plain reference.

use ndarray::Axis;

use super::*;
use crate::embedding::Tensor;

/// Pillow's bicubic (a = −0.5, widened by the scale when reducing), written the long way round.
/// Columns first, then rows, each pass rounded to 8 bits: the other order, Pillow's own, differs
/// only where an overshoot at a hard edge is clipped between the two.
fn reference(picture: &RgbImage, [left, top, width, height]: [f64; 4], spec: &InputSpec) -> Tensor {
    let n = spec.size;
    let kernel = |x: f64| match x.abs() {
        x if x < 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
        x if x < 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
        _ => 0.0,
    };
    let weights = |i: u32, start: f64, extent: f64, limit: u32| -> Vec<(u32, f64)> {
        let scale = extent / f64::from(n);
        let support = scale.max(1.0);
        let centre = start + (f64::from(i) + 0.5) * scale;
        let from = (centre - 2.0 * support + 0.5).max(0.0) as u32;
        let to = ((centre + 2.0 * support + 0.5) as u32).min(limit);
        let raw: Vec<_> = (from..to)
            .map(|x| (x, kernel((f64::from(x) - centre + 0.5) / support)))
            .collect();
        let sum: f64 = raw.iter().map(|w| w.1).sum();
        raw.into_iter().map(|(x, w)| (x, w / sum)).collect()
    };
    let blend = |taps: &[(u32, f64)], at: &dyn Fn(u32) -> u8| {
        let sum: f64 = taps.iter().map(|(i, w)| w * f64::from(at(*i))).sum();
        sum.round().clamp(0.0, 255.0) as u8
    };
    let squeezed = RgbImage::from_fn(picture.width(), n, |x, y| {
        let taps = weights(y, top, height, picture.height());
        image::Rgb(std::array::from_fn(|c| {
            blend(&taps, &|sy| picture.get_pixel(x, sy).0[c])
        }))
    });
    let square = RgbImage::from_fn(n, n, |x, y| {
        let taps = weights(x, left, width, picture.width());
        image::Rgb(std::array::from_fn(|c| {
            blend(&taps, &|sx| squeezed.get_pixel(sx, y).0[c])
        }))
    });
    let side = n as usize;
    Tensor::from_shape_fn((3, side, side), |(c, y, x)| {
        let value = square.get_pixel(x as u32, y as u32).0[c];
        (f32::from(value) - spec.mean[c]) / spec.std[c]
    })
}

fn tensor_of(picture: &RgbImage, spec: &InputSpec) -> Tensor {
    let (inspector, wanted) = (inspector(), std::slice::from_ref(spec));
    let bytes = png(picture, None);
    let alone = inspector.tensors(&bytes, None, wanted).unwrap();
    assert_eq!(
        inspector.inspect(&bytes, None, wanted).unwrap().tensors,
        alone
    );
    square(&alone[0]).clone()
}

#[test]
fn the_tensor_is_pillows_bicubic() {
    let crop = InputSpec {
        size: 24,
        fit: Fit::CenterCrop(0.875),
        mean: [127.0, 0.0, 50.0],
        std: [128.0, 1.0, 2.0],
    };
    let squash = InputSpec {
        fit: Fit::Squash,
        ..crop.clone()
    };
    for (w, h) in [(100, 60), (61, 93), (20, 14), (7, 400)] {
        let picture = scene(w, h);
        let side = 0.875 * f64::from(w.min(h));
        let centred = [
            (f64::from(w) - side) / 2.0,
            (f64::from(h) - side) / 2.0,
            side,
            side,
        ];
        for (spec, part) in [
            (&crop, centred),
            (&squash, [0.0, 0.0, f64::from(w), f64::from(h)]),
        ] {
            let (ours, theirs) = (tensor_of(&picture, spec), reference(&picture, part, spec));
            assert_eq!(ours.dim(), theirs.dim());
            for ((at, a), b) in ours.indexed_iter().zip(&theirs) {
                let levels = (a - b).abs() * spec.std[at.0];
                assert!(
                    levels <= 1.01,
                    "{w}×{h} {:?} at {at:?}: {levels} levels apart",
                    spec.fit
                );
            }
        }
    }
}

#[test]
fn hash_and_tensor_survive_the_scaled_decode() {
    let picture = scene(2400, 1800);
    let wanted = [InputSpec { size: 112, ..SPEC }];
    let inspector = inspector();
    let full = inspector
        .inspect(&png(&picture, None), None, &wanted)
        .unwrap();
    for kind in [Jpeg::Baseline, Jpeg::Progressive] {
        let scaled = inspector
            .inspect(&jpeg(&picture, kind, None), None, &wanted)
            .unwrap();
        let distance = full.perceptual_hash.distance(&scaled.perceptual_hash);
        assert!(
            distance.is_some_and(|d| d <= 2),
            "{kind:?}: {distance:?} bits"
        );
        let (a, b) = (square(&full.tensors[0]), square(&scaled.tensors[0]));
        let error: f64 = a
            .iter()
            .zip(b)
            .map(|(x, y)| (f64::from(x - y) * 128.0).powi(2))
            .sum();
        let psnr = 10.0 * (255.0_f64.powi(2) / (error / a.len() as f64)).log10();
        assert!(psnr > 35.0, "{kind:?}: {psnr} dB");
    }
}

#[test]
fn different_pictures_have_different_hashes() {
    let hash = |p: &RgbImage| look(&png(p, None), "png").unwrap().perceptual_hash;
    let picture = scene(300, 200);
    let mirrored = image::imageops::flip_horizontal(&picture);
    let distance = hash(&picture).distance(&hash(&mirrored)).unwrap();
    assert!(distance > 20, "only {distance} bits");
}

#[test]
fn grey_and_cmyk_jpegs_look_like_their_colour_selves() {
    let picture = scene(200, 150);
    let colour = look(&jpeg(&picture, Jpeg::Baseline, None), "jpg").unwrap();
    let cmyk = look(&jpeg(&picture, Jpeg::Cmyk, None), "jpg").unwrap();
    let mean = |seen: &Inspection| {
        let t = square(&seen.tensors[0]);
        std::array::from_fn::<f32, 3, _>(|c| t.index_axis(Axis(0), c).sum() / 1024.0)
    };
    let (a, b) = (mean(&colour), mean(&cmyk));
    assert!(
        a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 0.03),
        "{a:?} {b:?}"
    );
    let grey = look(&jpeg(&picture, Jpeg::Grey, None), "jpg").unwrap();
    let [r, g, b] = mean(&grey);
    assert!(r == g && g == b);
    assert!(
        grey.perceptual_hash
            .distance(&colour.perceptual_hash)
            .is_some_and(|d| d <= 6)
    );
}

#[test]
fn the_tiniest_and_thinnest_pictures_work() {
    for (w, h) in [(1, 1), (1, 1000), (1000, 1), (2, 3)] {
        for bytes in [
            png(&scene(w, h), None),
            jpeg(&scene(w, h), Jpeg::Baseline, None),
        ] {
            let seen = look(&bytes, "png").unwrap();
            assert_eq!((seen.width, seen.height), (w, h));
            assert!(square(&seen.tensors[0]).iter().all(|v| v.is_finite()));
            let thumbnail = seen.thumbnail.unwrap();
            assert!(thumbnail.width.max(thumbnail.height) <= 256);
        }
    }
}

/// 1280 × 960 with a thumbnail of 320 × 240; see `make_samples.py`.
const LARGE: &[u8] = include_bytes!("../../../tests/samples/large_with_thumb.heic");

#[test]
fn what_takes_long_shows_its_small_picture_first() {
    let look = |look| {
        let seen = inspector().look(LARGE, Some("heic"), &[SPEC], look);
        seen.unwrap()
    };
    let (quick, whole, small) = (
        look(Extent::Quick),
        look(Extent::Whole),
        look(Extent::Small),
    );
    assert_eq!(quick.pixels, Pixels::Preview);
    assert_eq!(whole.pixels, Pixels::Whole);
    assert!(matches!(small.pixels, Pixels::Thumbnail(_)));
    for seen in [&quick, &small] {
        assert_eq!((seen.width, seen.height), (1280, 960));
        assert_eq!(seen.tensors.len(), 1);
        assert!(seen.thumbnail.is_some());
        let bits = |hash: &PerceptualHash| hash.0.clone();
        let apart: u32 = bits(&seen.perceptual_hash)
            .iter()
            .zip(bits(&whole.perceptual_hash))
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert!(apart <= 8, "the same picture: {apart} bits apart");
    }
    // What is decoded at once has no first look.
    let bytes = jpeg(&scene(1600, 1200), Jpeg::Baseline, None);
    let seen = inspector().look(&bytes, Some("jpg"), &[SPEC], Extent::Quick);
    assert_eq!(seen.unwrap().pixels, Pixels::Whole);
}
