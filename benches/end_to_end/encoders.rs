//! A full-size image model in the pipeline beside ONNX Runtime alone on the same file, int8 beside
//! float32, and whether a vector depends on its neighbours.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;
use photond::embedding::{Embedding, Tensor};
use photond::media::{Inspector, Limits};
use photond::model::{EncoderOptions, ImageEncoder, ModelPack, Runtime, find_runtime, packs};

use crate::measure::{Cost, cosine, cost, median, ms, own_cpu, photond, scratch};
use crate::photos::{jpeg, synthetic};
use crate::siglip;

/// Word on the command line that makes this program the comparison, see [`alone`].
pub const ALONE: &str = "onnx-runtime-alone";

/// Photos in the folder.
const COUNT: u32 = 96;
const ROUNDS: usize = 3;
const SIDE: usize = 224;
/// Batch sizes that the comparison may choose from.
const BATCHES: [usize; 3] = [1, 4, 8];

pub fn run() {
    let Some(folder) = siglip::folder() else {
        return;
    };
    let (dir, photos, data) = scratch();
    let bytes: Vec<Vec<u8>> = (0..COUNT)
        .map(|i| jpeg(&synthetic(i, 1024, 768), 85))
        .collect();
    for (i, bytes) in bytes.iter().enumerate() {
        std::fs::write(photos.join(format!("{i:04}.jpg")), bytes).expect("writable");
    }
    let mean = bytes.iter().map(Vec::len).sum::<usize>() as f64 / bytes.len() as f64 / 1e3;
    println!("{COUNT} synthetic 1024×768 JPEGs of {mean:.0} kB");
    let packs = dir.path().join("packs");
    let full = siglip::pack(&packs.join(siglip::NAME), &folder, "vision_model.onnx", 8);
    against_alone(&photos, &data, &packs.join(siglip::NAME));
    let tensors = tensors(&full, &bytes[..32]);
    let Some(mut encoder) = encoder(&full) else {
        return;
    };
    neighbours("float32", &mut encoder, &tensors[..24], &[1, 3, 8]);
    let quantised = "vision_model_quantized.onnx";
    if folder.join(quantised).is_file() {
        let int8 = siglip::pack(&packs.join("bench-int8"), &folder, quantised, 1);
        int8_beside(&mut encoder, &int8, &tensors);
    } else {
        println!("int8 skipped: {} has no {quantised}", folder.display());
    }
}

/// Photos a second, and CPU time a photo in milliseconds: the latter hardly depends on what else the
/// machine does.
#[derive(Default)]
struct Rates {
    rates: Vec<f64>,
    cpu: Vec<f64>,
}

impl Rates {
    fn add(&mut self, (rate, cpu): (f64, f64)) {
        self.rates.push(rate);
        self.cpu.push(cpu);
    }

    fn print(&mut self, name: &str, note: &str) {
        println!(
            "{name:27} {:6.2} photos/s   {:5.0} ms CPU a photo   {note}",
            median(&mut self.rates),
            median(&mut self.cpu)
        );
    }
}

/// The pipeline's rate beside that of ONNX Runtime with nothing around it, in turns.
fn against_alone(photos: &Path, data: &Path, pack: &Path) {
    let root = photos.to_string_lossy().into_owned();
    let one = photos.with_file_name("one");
    std::fs::create_dir(&one).expect("it can be made");
    std::fs::copy(photos.join("0000.jpg"), one.join("0000.jpg")).expect("a photo");
    let one = one.to_string_lossy().into_owned();
    let index = |data: &Path, root: &str| cost(&mut photond(data, &["index", "-q", root]));
    let prepare = |data: &Path| {
        std::fs::create_dir_all(data.join("models")).expect("it can be made");
        let link = data.join("models").join(siglip::NAME);
        std::os::unix::fs::symlink(pack, link).expect("a link");
    };
    let choose = |data: &Path| {
        packs::Packs::new(data)
            .set_in_use(siglip::NAME)
            .expect("it is noted");
    };
    let (mut plain, mut switch, mut fresh) = (Rates::default(), Rates::default(), Rates::default());
    let (mut ratios, mut fresh_ratios, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (rate, cpu) = alone_rate(&pack.join("vision_model.onnx"));
        plain.add((rate, cpu));
        let switched = data.join(format!("switched-{round}"));
        prepare(&switched);
        index(&switched, &root);
        choose(&switched);
        let whole = index(&switched, &root);
        let new = data.join(format!("fresh-{round}"));
        prepare(&new);
        choose(&new);
        let whole_fresh = index(&new, &root);
        // A single photo: the start, the loading of the models, and the end.
        let single = data.join(format!("single-{round}"));
        prepare(&single);
        choose(&single);
        let load = index(&single, &one);
        let each = |whole: Cost| {
            let seconds = whole.wall.as_secs_f64() - load.wall.as_secs_f64();
            let cpu = ms(whole.cpu) - ms(load.cpu);
            let photos = f64::from(COUNT - 1);
            (photos / seconds, cpu / photos)
        };
        switch.add(each(whole));
        fresh.add(each(whole_fresh));
        ratios.push(100.0 * each(whole).0 / rate);
        fresh_ratios.push(100.0 * each(whole_fresh).0 / rate);
        loads.push(load.wall.as_secs_f64());
    }
    plain.print(
        "ONNX Runtime alone",
        "its own settings, its best batch size",
    );
    switch.print(
        "photond index, a switch",
        &format!(
            "{:.1} % of that (wanted: 95 %), without {:.1} s for a folder with one photo",
            median(&mut ratios),
            median(&mut loads)
        ),
    );
    fresh.print(
        "photond index, first time",
        &format!(
            "{:.1} %, classifier, thumbnails and all rows besides",
            median(&mut fresh_ratios)
        ),
    );
}

/// Photos a second and CPU milliseconds a photo of [`alone`] in a process of its own, at its best
/// batch size.
fn alone_rate(graph: &Path) -> (f64, f64) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(ALONE)
        .arg(graph)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| {
            let (rate, cpu) = line.split_once(' ')?;
            Some((rate.parse().ok()?, cpu.parse().ok()?))
        })
        .max_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0))
        .expect("a rate a line")
}

/// The comparison: a program that does nothing but run the graph on pictures that are ready, with
/// as many threads as there are processors and every other setting as ONNX Runtime has it. Prints
/// photos a second and CPU milliseconds a photo, a line for each batch size.
pub fn alone(graph: &str) {
    let choice = find_runtime(Path::new("runtime")).expect("a runtime");
    let env = ort::init_from(&choice.path)
        .expect("it loads")
        .build()
        .expect("it starts");
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut session = Session::builder(&env)
        .expect("a builder")
        .with_intra_threads(threads)
        .expect("it takes threads")
        .commit_from_file(graph)
        .expect("the graph loads");
    let pixels = |i: usize| ((i * 7919) % 1009) as f32 / 504.5 - 1.0;
    let most = BATCHES[BATCHES.len() - 1];
    let pictures: Vec<f32> = (0..most * 3 * SIDE * SIDE).map(pixels).collect();
    let mut run = |batch: usize| {
        let shape = [batch, 3, SIDE, SIDE];
        let input = TensorRef::from_array_view((shape, &pictures[..batch * 3 * SIDE * SIDE]))
            .expect("it fits");
        let outputs = session
            .run(ort::inputs!["pixel_values" => input])
            .expect("it runs");
        std::hint::black_box(&outputs["pooler_output"]);
    };
    let mut found = [const { Vec::new() }; BATCHES.len()];
    for round in 0..4 {
        for (batch, found) in BATCHES.iter().zip(&mut found) {
            let (start, cpu) = (Instant::now(), own_cpu());
            for _ in 0..most / batch {
                run(*batch);
            }
            // The first round warms up.
            if round > 0 {
                found.push((start.elapsed().as_secs_f64(), ms(own_cpu() - cpu)));
            }
        }
    }
    for mut found in found {
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds, cpu) = found[found.len() / 2];
        println!("{} {}", most as f64 / seconds, cpu / most as f64);
    }
}

fn encoder(pack: &ModelPack) -> Option<ImageEncoder> {
    let choice = find_runtime(Path::new("runtime"))
        .inspect_err(|e| println!("skipped: {e}"))
        .ok()?;
    let runtime = Runtime::load(&choice).expect("it loads");
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    Some(ImageEncoder::new(&runtime, pack, EncoderOptions { threads }).expect("it runs"))
}

fn tensors(pack: &ModelPack, photos: &[Vec<u8>]) -> Vec<Tensor> {
    let inspector = Inspector::new(Limits::default());
    let inputs = [pack.input().expect("it sees pictures").clone()];
    photos
        .iter()
        .map(|bytes| {
            inspector
                .tensors(bytes, Some("jpg"), &inputs)
                .expect("a photo")
                .remove(0)
                .square()
                .expect("an encoder's")
                .clone()
        })
        .collect()
}

fn encoded(encoder: &mut ImageEncoder, tensors: &[Tensor], batch: usize) -> Vec<Embedding> {
    tensors
        .chunks(batch)
        .flat_map(|chunk| {
            let chunk: Vec<&Tensor> = chunk.iter().collect();
            encoder.encode(&chunk).expect("it runs")
        })
        .collect()
}

/// How far vectors differ between batch sizes and between runs.
fn neighbours(name: &str, encoder: &mut ImageEncoder, tensors: &[Tensor], batches: &[usize]) {
    let single = encoded(encoder, tensors, 1);
    let most = |a: &[Embedding], b: &[Embedding]| {
        a.iter()
            .zip(b)
            .flat_map(|(a, b)| a.values.iter().zip(&b.values))
            .map(|(a, b)| (a - b).abs())
            .fold(0f32, f32::max)
    };
    let again = most(&single, &encoded(encoder, tensors, 1));
    let others = batches
        .iter()
        .map(|batch| most(&single, &encoded(encoder, tensors, *batch)))
        .fold(0f32, f32::max);
    println!(
        "{name}: largest difference of a value between runs {again:.1e}, between batches of {batches:?} {others:.1e} (allowed: 1e-4)"
    );
}

/// The quantised graph beside the full one, in turns over the same pictures.
fn int8_beside(full: &mut ImageEncoder, pack: &ModelPack, tensors: &[Tensor]) {
    let Some(mut int8) = encoder(pack) else {
        return;
    };
    let (mut full_rates, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cosines, mut others) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let start = Instant::now();
        let exact = encoded(full, tensors, 8);
        let full_rate = tensors.len() as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        let coarse = encoded(&mut int8, tensors, 1);
        let rate = tensors.len() as f64 / start.elapsed().as_secs_f64();
        if round == 0 {
            cosines = exact
                .iter()
                .zip(&coarse)
                .map(|(a, b)| cosine(&a.values, &b.values))
                .collect();
            others = exact
                .windows(2)
                .map(|w| cosine(&w[0].values, &w[1].values))
                .collect();
            continue;
        }
        full_rates.push(full_rate);
        rates.push(rate);
        ratios.push(rate / full_rate);
    }
    println!(
        "int8 {:.2} photos/s, float32 {:.2} photos/s: {:.2} × (wanted: 2 ×; median of 3 turns)   cosine between them: median {:.4}, least {:.4} (of two photos: {:.4})",
        median(&mut rates),
        median(&mut full_rates),
        median(&mut ratios),
        median(&mut cosines),
        cosines[0],
        median(&mut others)
    );
    neighbours("int8", &mut int8, &tensors[..24], &[1]);
}
