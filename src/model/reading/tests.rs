//! A made-up pack, and graphs for it.

use super::*;
use crate::model::{ImageSide, ModelPack, TextGraphs};

/// A pack that reads text, without its graphs.
pub const MANIFEST: &str = r#"
name = "tiny-reader"
revision = "r1"
kind = "text-reader"

[finder]
file = "finder.onnx"
tensor = "x"
output = "p"
size = 640
multiple = 32
channels = "bgr"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
threshold = 0.3
box_score = 0.6
unclip = 1.5
least_side = 3.0
most = 200

[reader]
file = "reader.onnx"
tensor = "x"
output = "p"
keys = "character"
picture = 1280
height = 48
most_width = 3200
channels = "bgr"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
confidence = 0.8
least_characters = 2

[licence]
weights = "Apache-2.0"

[files."finder.onnx"]
size = 1
blake3 = "2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[files."reader.onnx"]
size = 1
blake3 = "2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"#;

/// Tables of a made-up pack.
pub fn tables() -> TextGraphs {
    let manifest = crate::model::Manifest::parse(MANIFEST).unwrap();
    let pack = ModelPack::load_parts(manifest, |_| {
        Some(crate::model::pack::Part::Absent {
            reason: "it is made up".to_owned(),
            remedy: "none".to_owned(),
        })
    });
    match pack.unwrap().image {
        ImageSide::Text(graphs) => graphs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blue_comes_first_where_it_is_wanted_and_padding_is_nothing() {
    let mut pixels = ndarray::Array3::zeros((1, 1, 3));
    pixels[[0, 0, 0]] = 255;
    let how = |order| Channels {
        order,
        mean: [127.5, 0.0, 127.5],
        std: [127.5, 1.0, 127.5],
    };
    let rgb = prepare(pixels.view(), 2, how(ChannelOrder::Rgb));
    let values: Vec<f32> = rgb.iter().copied().collect();
    assert_eq!(values, [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]);
    let bgr = prepare(pixels.view(), 1, how(ChannelOrder::Bgr));
    assert_eq!(bgr.iter().copied().collect::<Vec<f32>>(), [-1.0, 0.0, 1.0]);
}
