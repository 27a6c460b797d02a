//! What scaled decoding costs in quality, and how good the tags are.

use std::collections::HashMap;
use std::io::Cursor;

use photond::media::{Inspector, Limits};
use photond::model::{EncoderOptions, ImageEncoder, Runtime, default_pack, find_runtime};
use photond::tag::Lexicon;

use crate::measure::{cosine, cost, photond, scratch};
use crate::photos::{folder_from, jpeg, jpegs, synthetic};

/// The pipeline's scaled decode against a full decode of the same photo.
pub fn scaled_against_full() {
    let pack = default_pack().expect("the built-in pack");
    let choice = match find_runtime(std::path::Path::new("runtime")) {
        Ok(choice) => choice,
        Err(e) => {
            println!("skipped: {e}");
            return;
        }
    };
    let runtime = Runtime::load(&choice).expect("it loads");
    let mut encoder =
        ImageEncoder::new(&runtime, &pack, EncoderOptions { threads: 1 }).expect("it runs");
    let inspector = Inspector::new(Limits::default());
    let inputs = [pack.input().expect("it sees pictures").clone()];
    let photos: Vec<(String, Vec<u8>)> = match folder_from("PHOTOND_BENCH_LARGE") {
        Some(folder) => jpegs(&folder)
            .into_iter()
            .map(|f| {
                (
                    f.file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    std::fs::read(f).expect("readable"),
                )
            })
            .collect(),
        None => (0..3)
            .map(|i| {
                (
                    format!("synthetic {i}"),
                    jpeg(&synthetic(i, 4032, 3024), 78),
                )
            })
            .collect(),
    };
    for (name, bytes) in photos {
        let scaled = inspector
            .inspect(&bytes, Some("jpg"), &inputs)
            .expect("it is a photo");
        // The full decode goes through a bitmap, which has no scaled decoding; turned upright here.
        let mut full = image::load_from_memory(&bytes).expect("it decodes");
        if let Some(turn) = image::metadata::Orientation::from_exif(scaled.orientation) {
            full.apply_orientation(turn);
        }
        let mut bitmap = Cursor::new(Vec::new());
        full.to_rgb8()
            .write_to(&mut bitmap, image::ImageFormat::Bmp)
            .expect("it encodes");
        let full = inspector
            .inspect(bitmap.get_ref(), Some("bmp"), &inputs)
            .expect("it is a picture");
        let vectors = encoder
            .encode(&[&scaled, &full].map(|seen| seen.tensors[0].square().expect("an encoder's")))
            .expect("it runs");
        println!(
            "{name:28} cosine {:.4}   phash distance {}",
            cosine(&vectors[0].values, &vectors[1].values),
            scaled
                .perceptual_hash
                .distance(&full.perceptual_hash)
                .map_or(-1, i64::from)
        );
    }
}

/// Tags against the labels of real photos.
pub fn labels() {
    let Some(folder) = folder_from("PHOTOND_BENCH_LABELLED") else {
        println!("skipped: PHOTOND_BENCH_LABELLED names no folder with labels.tsv");
        return;
    };
    let table = std::fs::read_to_string(folder.join("labels.tsv")).expect("labels.tsv");
    let labels: HashMap<&str, &str> = table
        .lines()
        .filter_map(|l| {
            let mut columns = l.split('\t');
            Some((columns.next()?, columns.next()?))
        })
        .collect();
    let (_dir, _, data) = scratch();
    cost(&mut photond(
        &data,
        &["index", "-q", &folder.to_string_lossy()],
    ));
    let lexicon = Lexicon::built_in().expect("the lexicon");
    let rows = |args: &[&str]| -> Vec<serde_json::Value> {
        let mut all = vec!["query", "--format", "json"];
        all.extend(args);
        let output = photond(&data, &all).output().expect("it runs");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    let class = |row: &serde_json::Value| {
        let path = row["path"].as_str().unwrap_or_default().to_owned();
        let class = labels.get(path.rsplit('/').next().unwrap_or_default())?;
        lexicon.row(class)
    };
    let all = rows(&[]);
    let is_right = |row: &serde_json::Value| {
        let Some(class) = class(row) else {
            return false;
        };
        let parents = lexicon.term(class).parents;
        let shown = row["tags"].as_array().into_iter().flatten();
        shown.filter(|t| t["shown"] == true).any(|tag| {
            let said = tag["term"].as_str().and_then(|key| lexicon.row(key));
            said.is_some_and(|said| said == class || parents.iter().any(|p| *p as usize == said))
        })
    };
    let right = all.iter().filter(|row| is_right(row)).count();
    println!(
        "the class or what is directly above it is shown: {right} of {} ({:.1} %) [≥ 88]",
        all.len(),
        100.0 * right as f64 / all.len() as f64
    );
    for (word, key) in [
        ("dog", "n02084071"),
        ("bird", "n01503061"),
        ("cat", "n02121620"),
        ("vehicle", "n04524313"),
        ("insect", "n02159955"),
        ("musical instrument", "n03800933"),
    ] {
        let Some(top) = lexicon.row(key) else {
            continue;
        };
        let belongs = |class: usize| class == top || lexicon.is_above(top, class);
        let known = labels.values().filter_map(|key| lexicon.row(key));
        let wanted = known.filter(|class| belongs(*class)).count();
        let found = rows(&["--tag", word]);
        let hits = found.iter().filter(|row| class(row).is_some_and(belongs));
        let hits = hits.count();
        println!(
            "--tag {word:20} precision {:.3}   recall {:.3}   ({hits} of {} found are right, {wanted} exist)",
            hits as f64 / found.len().max(1) as f64,
            hits as f64 / wanted.max(1) as f64,
            found.len()
        );
    }
}
