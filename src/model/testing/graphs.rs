//! Small ONNX graphs and a tokenizer, also for the tests of the whole program.
//!
//! ONNX files are protobuf: a field is its number and wire type, then a varint or a length and
//! bytes. The few fields of the few messages a small graph needs are written by hand, so that no
//! binary fixture is needed and a test can ask for any fault.

/// Words by token id: the specials first.
pub(crate) const WORDS: [&str; 10] = [
    "[UNK]", "[PAD]", "[CLS]", "[SEP]", "a", "photo", "of", "dog", "beach", "tree",
];

/// Vector of a token in [`text`]'s table.
pub(crate) fn token_vector(id: u32) -> [f32; 3] {
    [id as f32, (id * id) as f32 / 4.0, 1.0]
}

/// A tokenizer of whole words, `[CLS] … [SEP]`, with padding and truncation of its own that must
/// not count.
pub(crate) fn tokenizer() -> Vec<u8> {
    let vocabulary: Vec<String> = WORDS
        .iter()
        .enumerate()
        .map(|(id, word)| format!("\"{word}\": {id}"))
        .collect();
    let special: Vec<String> = (0..4)
        .map(|id| {
            format!(
                r#"{{"id": {id}, "content": "{}", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}"#,
                WORDS[id]
            )
        })
        .collect();
    format!(
        r#"{{
  "version": "1.0",
  "truncation": {{"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}},
  "padding": {{"strategy": {{"Fixed": 5}}, "direction": "Right", "pad_to_multiple_of": null,
              "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"}},
  "added_tokens": [{}],
  "normalizer": null,
  "pre_tokenizer": {{"type": "WhitespaceSplit"}},
  "post_processor": {{
    "type": "TemplateProcessing",
    "single": [{{"SpecialToken": {{"id": "[CLS]", "type_id": 0}}}},
               {{"Sequence": {{"id": "A", "type_id": 0}}}},
               {{"SpecialToken": {{"id": "[SEP]", "type_id": 0}}}}],
    "pair": [{{"Sequence": {{"id": "A", "type_id": 0}}}}, {{"Sequence": {{"id": "B", "type_id": 1}}}}],
    "special_tokens": {{
      "[CLS]": {{"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
      "[SEP]": {{"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}
    }}
  }},
  "decoder": null,
  "model": {{"type": "WordLevel", "vocab": {{{}}}, "unk_token": "[UNK]"}}
}}"#,
        special.join(", "),
        vocabulary.join(", ")
    )
    .into_bytes()
}

pub(crate) const FLOAT: u64 = 1;
pub(crate) const UINT8: u64 = 2;
pub(crate) const INT32: u64 = 6;
pub(crate) const INT64: u64 = 7;
const FLOAT16: u64 = 10;

/// What the image graph does after the mean of each channel, plus (1, 2, 3).
#[derive(Clone, Copy)]
pub(crate) enum Head {
    /// Nothing: the mean colour.
    Mean,
    /// The square root: not a number for pictures dark enough.
    Root,
    /// Times zero.
    Zero,
    /// Twice the dimensions, as declared.
    Double,
    /// Twice the dimensions, but declared with any number.
    Unsaid,
    /// Float16 in and out.
    Half,
    /// Minus the mean over the batch: what dynamic quantisation does, only more.
    Batch,
    /// One picture a run, as declared.
    Single,
}

/// A graph from `pixel_values` `[N, 3, 16, 16]` to `image_embeds` `[N, 3]`.
pub(crate) fn vision(head: Head) -> Vec<u8> {
    let mut graph = Graph::default();
    let half = matches!(head, Head::Half);
    let element = if half { FLOAT16 } else { FLOAT };
    let n = if matches!(head, Head::Single) { 1 } else { -1 };
    graph.input("pixel_values", element, &[n, 3, 16, 16]);
    let pixels = if half {
        graph.node("Cast", &["pixel_values"], "pixels", &[("to", FLOAT)]);
        "pixels"
    } else {
        "pixel_values"
    };
    graph.node("GlobalAveragePool", &[pixels], "pooled", &[]);
    graph.node("Flatten", &["pooled"], "flat", &[("axis", 1)]);
    graph.floats("bias", &[3], &[1.0, 2.0, 3.0]);
    graph.node("Add", &["flat", "bias"], "colour", &[]);
    graph.floats("zero", &[1], &[0.0]);
    let out = "image_embeds";
    let mut dims = 3;
    match head {
        Head::Mean | Head::Single => graph.node("Identity", &["colour"], out, &[]),
        Head::Root => graph.node("Sqrt", &["colour"], out, &[]),
        Head::Zero => graph.node("Mul", &["colour", "zero"], out, &[]),
        Head::Double => {
            dims = 6;
            graph.node("Concat", &["colour", "colour"], out, &[("axis", 1)]);
        }
        Head::Unsaid => {
            dims = -1;
            graph.node("Concat", &["colour", "colour"], out, &[("axis", 1)]);
        }
        Head::Half => graph.node("Cast", &["colour"], out, &[("to", FLOAT16)]),
        Head::Batch => {
            graph.node("ReduceMean", &["flat"], "middle", &[("axes", 0)]);
            graph.node("Sub", &["colour", "middle"], out, &[]);
        }
    }
    graph.output(out, element, &[n, dims]);
    graph.model()
}

/// A graph from `input_ids` `[N, L]` and further inputs, unused, to the tokens' vectors
/// `last_hidden_state` `[N, L, 3]` and their plain mean `pooler_output` `[N, 3]`.
pub(crate) fn text(further: &[&str], element: u64) -> Vec<u8> {
    let mut graph = Graph::default();
    graph.input("input_ids", element, &[-1, -1]);
    for name in further {
        graph.input(name, element, &[-1, -1]);
    }
    let table: Vec<f32> = (0..WORDS.len() as u32).flat_map(token_vector).collect();
    graph.floats("table", &[WORDS.len() as u64, 3], &table);
    graph.node("Gather", &["table", "input_ids"], "last_hidden_state", &[]);
    graph.reduced("last_hidden_state", "pooler_output");
    graph.output("last_hidden_state", FLOAT, &[-1, -1, 3]);
    graph.output("pooler_output", FLOAT, &[-1, 3]);
    graph.model()
}

/// A GraphProto under construction.
#[derive(Default)]
pub(crate) struct Graph(Vec<u8>);

impl Graph {
    pub(crate) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, u64)],
    ) {
        let mut node = Vec::new();
        for input in inputs {
            bytes(&mut node, 1, input.as_bytes());
        }
        bytes(&mut node, 2, output.as_bytes());
        bytes(&mut node, 4, op.as_bytes());
        for (name, value) in attributes {
            let mut attribute = Vec::new();
            bytes(&mut attribute, 1, name.as_bytes());
            if *name == "axes" {
                number(&mut attribute, 8, *value); // ints
                number(&mut attribute, 20, 7);
            } else {
                number(&mut attribute, 3, *value); // i
                number(&mut attribute, 20, 2);
            }
            bytes(&mut node, 5, &attribute);
        }
        bytes(&mut self.0, 1, &node);
    }

    /// The mean over dimension 1, which goes.
    fn reduced(&mut self, from: &str, to: &str) {
        self.node("ReduceMean", &[from], to, &[("axes", 1), ("keepdims", 0)]);
    }

    pub(crate) fn floats(&mut self, name: &str, shape: &[u64], values: &[f32]) {
        let mut tensor = Vec::new();
        for size in shape {
            number(&mut tensor, 1, *size);
        }
        number(&mut tensor, 2, FLOAT);
        bytes(&mut tensor, 8, name.as_bytes());
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes(&mut tensor, 9, &raw);
        bytes(&mut self.0, 5, &tensor);
    }

    /// Floats that lie in another file, from its beginning.
    pub(crate) fn elsewhere(&mut self, name: &str, shape: &[u64], file: &str) {
        let mut tensor = Vec::new();
        for size in shape {
            number(&mut tensor, 1, *size);
        }
        number(&mut tensor, 2, FLOAT);
        bytes(&mut tensor, 8, name.as_bytes());
        let length = 4 * shape.iter().product::<u64>();
        for (key, value) in [
            ("location", file),
            ("offset", "0"),
            ("length", &length.to_string()),
        ] {
            let mut entry = Vec::new();
            bytes(&mut entry, 1, key.as_bytes());
            bytes(&mut entry, 2, value.as_bytes());
            bytes(&mut tensor, 13, &entry);
        }
        number(&mut tensor, 14, 1);
        bytes(&mut self.0, 5, &tensor);
    }

    pub(crate) fn input(&mut self, name: &str, element: u64, shape: &[i64]) {
        self.value(11, name, element, shape);
    }

    pub(crate) fn output(&mut self, name: &str, element: u64, shape: &[i64]) {
        self.value(12, name, element, shape);
    }

    fn value(&mut self, field: u64, name: &str, element: u64, shape: &[i64]) {
        let mut dimensions = Vec::new();
        for (i, size) in shape.iter().enumerate() {
            let mut dimension = Vec::new();
            match u64::try_from(*size) {
                Ok(size) => number(&mut dimension, 1, size),
                Err(_) => bytes(&mut dimension, 2, format!("{name}_{i}").as_bytes()),
            }
            bytes(&mut dimensions, 1, &dimension);
        }
        let mut tensor = Vec::new();
        number(&mut tensor, 1, element);
        bytes(&mut tensor, 2, &dimensions);
        let mut kind = Vec::new();
        bytes(&mut kind, 1, &tensor);
        let mut value = Vec::new();
        bytes(&mut value, 1, name.as_bytes());
        bytes(&mut value, 2, &kind);
        bytes(&mut self.0, field, &value);
    }

    /// The ModelProto: IR version 8, operator set 13.
    pub(crate) fn model(mut self) -> Vec<u8> {
        bytes(&mut self.0, 2, b"tiny");
        let mut operators = Vec::new();
        bytes(&mut operators, 1, b"");
        number(&mut operators, 2, 13);
        let mut model = Vec::new();
        number(&mut model, 1, 8);
        bytes(&mut model, 7, &self.0);
        bytes(&mut model, 8, &operators);
        model
    }
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
