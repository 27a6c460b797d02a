use super::*;
use crate::model::testing::{self, DUAL, dual_files};

fn tokens(change: impl Fn(&mut TextSpec)) -> Result<Tokens, ModelError> {
    let pack = testing::pack(DUAL, &dual_files());
    let mut spec = pack.text.clone().unwrap();
    change(&mut spec);
    Tokens::new(&pack, &spec)
}

#[test]
fn length_and_padding_are_the_packs_not_the_tokenizers() {
    let padded = tokens(|_| ()).unwrap();
    let row = padded.row("a photo of dog").unwrap();
    assert_eq!(row.ids, [2, 4, 5, 6, 7, 3, 1, 1]);
    assert_eq!(row.mask, [1, 1, 1, 1, 1, 1, 0, 0]);
    assert_eq!(row.types, [0; 8]);
    let own = tokens(|spec| spec.pad_id = None).unwrap();
    assert_eq!(own.row("a photo of dog").unwrap().ids, [2, 4, 5, 6, 7, 3]);
    assert_eq!(own.row("").unwrap().ids, [2, 3]);
}

#[test]
fn a_long_text_loses_its_end_but_not_the_closing_token() {
    let tokens = tokens(|_| ()).unwrap();
    let long = "dog ".repeat(10_000);
    assert_eq!(tokens.count(&long).unwrap(), 10_002);
    assert_eq!(tokens.row(&long).unwrap().ids, [2, 7, 7, 7, 7, 7, 7, 3]);
    assert_eq!(tokens.count("dog beach").unwrap(), 4);
    assert_eq!(
        tokens
            .row("dog beach tree dog beach tree")
            .unwrap()
            .ids
            .len(),
        8
    );
}

#[test]
fn lower_case_is_the_packs_choice() {
    let plain = tokens(|_| ()).unwrap();
    assert_eq!(plain.row("DOG").unwrap().ids[1], 0, "unknown");
    let lower = tokens(|spec| spec.lowercase = true).unwrap();
    assert_eq!(lower.row("DOG").unwrap().ids[1], 7);
}

#[test]
fn special_tokens_in_a_text_are_text() {
    let tokens = tokens(|spec| spec.pad_id = None).unwrap();
    assert_eq!(tokens.row("dog [SEP]").unwrap().ids.len(), 4);
    let ids = tokens.row("x[SEP]dog").unwrap().ids;
    assert_eq!(ids, [2, 0, 3], "one unknown word, not cut in three");
}

#[test]
fn a_tokenizer_without_room_or_sense_is_refused() {
    let text = tokens(|spec| spec.length = 2).err().unwrap().to_string();
    assert!(
        text.contains("2 special tokens") && text.contains("text.length"),
        "{text}"
    );
    let text = tokens(|spec| spec.tokenizer = "vision.onnx".to_owned())
        .err()
        .unwrap()
        .to_string();
    assert!(
        text.contains("tiny-dual@r1: vision.onnx is not understood"),
        "{text}"
    );
}

#[test]
fn a_text_without_a_token_is_refused() {
    let mut files = dual_files();
    let bare = String::from_utf8(files[2].1.clone()).unwrap();
    let at = bare.find("\"post_processor\"").unwrap();
    let end = bare.find("\"decoder\"").unwrap();
    files[2].1 = format!("{}\"post_processor\": null,\n{}", &bare[..at], &bare[end..]).into_bytes();
    let pack = testing::pack(DUAL, &files);
    let tokens = Tokens::new(&pack, pack.text.as_ref().unwrap()).unwrap();
    assert!(tokens.row("dog").is_ok());
    let text = tokens.row(" ").unwrap_err().to_string();
    assert!(text.contains("no tokens"), "{text}");
}
