//! The hot paths one by one, each beside the plain way of doing the same.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::imageops::FilterType;
use image::{Rgb, RgbImage};
use ndarray::{Array1, Array2};
use photond::daemon::classifier;
use photond::geo::Gazetteer;
use photond::media::{Inspector, Limits};
use photond::model::default_pack;
use photond::photo::FileStamp;
use simsimd::SpatialSimilarity;

/// 12 MP with grain, as a JPEG of about 3 MB.
fn large_jpeg() -> Vec<u8> {
    let mut state = 1u64;
    let picture = RgbImage::from_fn(4032, 3024, |x, y| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let grain = (state >> 40) as i32 % 23 - 11;
        let v = 128.0 + 90.0 * ((x as f32 / 300.0).sin() * (y as f32 / 200.0).cos());
        Rgb([
            v as i32 + grain,
            (v * 0.8) as i32 + grain,
            255 - v as i32 + grain,
        ]
        .map(|c| c.clamp(0, 255) as u8))
    });
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 78);
    picture.write_with_encoder(encoder).expect("it encodes");
    bytes
}

/// Place names: made, then asked about points around Germany, where there are most.
fn places(c: &mut Criterion) {
    let mut group = c.benchmark_group("place names");
    group.sample_size(20).bench_function("inflated", |b| {
        b.iter(|| Gazetteer::built_in().expect("the built-in place names"));
    });
    let places = Gazetteer::built_in().expect("the built-in place names");
    let mut at = 0u32;
    group.bench_function("nearest", |b| {
        b.iter(|| {
            at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let aside = |bits: u32| f64::from(bits & 0xFFFF) / 65536.0 * 7.0;
            places.nearest(47.5 + aside(at >> 16), 7.0 + aside(at))
        });
    });
    group.finish();
}

fn inspect(c: &mut Criterion) {
    let bytes = large_jpeg();
    let pack = default_pack().expect("the built-in pack");
    let inputs = vec![pack.input().expect("it sees pictures").clone()];
    let inspector = Inspector::new(Limits::default());
    let mut group = c.benchmark_group("inspect 12 MP JPEG");
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("photond: scaled decode, hash, thumbnail, tensor", |b| {
        b.iter(|| {
            inspector
                .inspect(black_box(&bytes), Some("jpg"), &inputs)
                .expect("a photo")
        });
    });
    group.bench_function("naive: full decode, Lanczos3, hash of all pixels", |b| {
        b.iter(|| {
            let picture = image::load_from_memory(black_box(&bytes)).expect("it decodes");
            // A hasher made for each photo, as a batch tool might.
            let hasher = image_hasher::HasherConfig::new()
                .hash_alg(image_hasher::HashAlg::DoubleGradient)
                .hash_size(16, 16)
                .to_hasher();
            (
                hasher.hash_image(&picture),
                picture.resize_exact(224, 224, FilterType::Lanczos3),
                picture.thumbnail(256, 256),
            )
        });
    });
    group.bench_function("floor: libjpeg at 1/8 alone", |b| {
        b.iter(|| {
            let mut decoder = mozjpeg::Decompress::new_mem(black_box(&bytes)).expect("a JPEG");
            decoder.scale(1);
            let mut started = decoder.rgb().expect("it decodes");
            let pixels: Vec<[u8; 3]> = started.read_scanlines().expect("it decodes");
            pixels
        });
    });
    group.bench_function("BLAKE3 of the bytes", |b| {
        b.iter(|| blake3::hash(black_box(&bytes)))
    });
    group.finish();
}

fn score(c: &mut Criterion) {
    const ROWS: usize = 1000;
    const DIMS: usize = 1280;
    let value = |i: usize| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5;
    let bank: Vec<f32> = (0..ROWS * DIMS).map(value).collect();
    let vector: Vec<f32> = (0..DIMS).map(|i| value(i * 31).abs() * 3.0).collect();
    let mut group = c.benchmark_group("score 1000 labels × 1280");
    group.bench_function("simsimd f32", |b| {
        b.iter(|| -> Vec<f64> {
            bank.chunks_exact(DIMS)
                .map(|row| f32::dot(row, black_box(&vector)).unwrap_or(0.0))
                .collect()
        });
    });
    let matrix = Array2::from_shape_vec((ROWS, DIMS), bank.clone()).expect("the shape fits");
    let column = Array1::from(vector.clone());
    group.bench_function("ndarray f32", |b| b.iter(|| matrix.dot(black_box(&column))));
    group.bench_function("scalar f32", |b| {
        b.iter(|| -> Vec<f32> {
            bank.chunks_exact(DIMS)
                .map(|row| row.iter().zip(black_box(&vector)).map(|(a, b)| a * b).sum())
                .collect()
        });
    });
    let classifier = classifier(&default_pack().expect("the built-in pack")).expect("it fits");
    group.bench_function("whole: scores, softmax, all terms, kept tags", |b| {
        b.iter(|| {
            let logits = classifier.logits(black_box(&vector)).expect("it fits");
            classifier.tags(&logits)
        });
    });
    group.finish();
}

fn prefilter(c: &mut Criterion) {
    let stamp = FileStamp {
        size: 3_200_000,
        mtime_ns: 1_700_000_000_000_000_000,
        ctime_ns: 5,
        inode: 9,
    };
    let bytes = vec![0x5au8; 3_200_000];
    let mut group = c.benchmark_group("is this 3.2 MB file unchanged?");
    group.bench_function("photond: compare stamps", |b| {
        b.iter(|| black_box(&stamp).compare(black_box(&stamp)));
    });
    group.bench_function("naive: hash it again", |b| {
        b.iter(|| blake3::hash(black_box(&bytes)))
    });
    group.finish();
}

criterion_group!(benches, inspect, score, prefilter, places);
criterion_main!(benches);
