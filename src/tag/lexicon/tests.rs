use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::spelling::normalise;
use super::*;

const TEXT: &str = "# key\tname\tsynonyms\tcategory\tparents\n\
    v.golden-hour\tgolden hour\tmagic hour\tlight\t\n\
    n1\tdog\tdomestic dog\tnoun.animal\t6\n\
    n2\tbeagle\t\tnoun.animal\t1\n\
    n3\tpug\tpug-dog\tnoun.animal\t1\n\
    n4\tglasses\tspectacles\tobject\t6\n\
    n5\tglass\t\tnoun.artifact\t6\n\
    n6\tthing\t\t-\t\n";

static BUILT_IN: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::built_in().unwrap());

fn found<'l>(lexicon: &'l Lexicon, word: &str) -> Vec<&'l str> {
    let rows = lexicon.named(word).into_iter();
    rows.map(|row| lexicon.term(row).key).collect()
}

#[test]
fn lines_are_terms_and_then_nodes() {
    let lexicon = Lexicon::parse(TEXT).unwrap();
    assert_eq!((lexicon.rows(), lexicon.labels()), (7, 6));
    let pug = lexicon.term(3);
    assert_eq!(
        (pug.key, pug.name, pug.category),
        ("n3", "pug", "noun.animal")
    );
    assert_eq!(lexicon.words(3).collect::<Vec<_>>(), ["pug", "pug-dog"]);
    assert_eq!(pug.parents, [1]);
    assert_eq!(lexicon.term(0).parents, [] as [u32; 0]);
    assert_eq!((lexicon.row("n4"), lexicon.row("n9")), (Some(4), None));
    let other = Lexicon::parse(&TEXT.replace("beagle", "boxer")).unwrap();
    assert_ne!(lexicon.version(), other.version());
}

#[test]
fn kinds_are_above_and_kin_beside() {
    let lexicon = Lexicon::parse(TEXT).unwrap();
    assert_eq!(lexicon.ancestors(2), [1, 6]);
    assert_eq!(lexicon.siblings(2), [3]);
    assert_eq!(lexicon.siblings(1), [4, 5]);
    assert_eq!(lexicon.siblings(0), [] as [u32; 0]);
    assert!(lexicon.is_above(6, 2) && lexicon.is_above(1, 2));
    assert!(!lexicon.is_above(2, 1) && !lexicon.is_above(2, 2) && !lexicon.is_above(4, 2));
}

#[test]
fn a_word_means_the_nearest_term() {
    let lexicon = Lexicon::parse(TEXT).unwrap();
    assert_eq!(found(&lexicon, "Dogs"), ["n1"]);
    assert_eq!(found(&lexicon, "PUG dog"), ["n3"]);
    assert_eq!(found(&lexicon, "thing"), ["n6"], "a node has words too");
    assert_eq!(found(&lexicon, "golden_hours"), ["v.golden-hour"]);
    assert_eq!(
        found(&lexicon, "glasses"),
        ["n4"],
        "the word as it is comes first"
    );
    assert_eq!(found(&lexicon, "glass"), ["n5"]);
    assert_eq!(lexicon.suggest("beagel"), ["beagle"]);
    assert_eq!(lexicon.suggest("hour"), ["golden hour"]);
    assert_eq!(lexicon.suggest(""), [] as [&str; 0]);
    assert_eq!(lexicon.suggest("zzzzzz"), [] as [&str; 0]);
}

#[test]
fn bad_lines_are_named() {
    for (from, to, said) in [
        ("# key", "key", "line 1: it has no header"),
        (
            "\tlight\t\n",
            "\tlight\n",
            "line 2: it has not five columns",
        ),
        ("n2\t", "n1\t", "line 4: line 3 has the same key"),
        (
            "\tpug\t",
            "\t\t",
            "line 5: its key, name or category is empty",
        ),
        (
            "pug-dog",
            "Domestic-Dog",
            "line 5: line 3 has the word Domestic-Dog too",
        ),
        (
            "noun.animal\t6",
            "noun.animal\t7",
            "line 3: its parent 7 is not there",
        ),
        (
            "noun.animal\t6",
            "noun.animal\t1",
            "line 3: its parent 1 is not there",
        ),
        (
            "noun.animal\t6",
            "noun.animal\tn6",
            "line 3: its parent n6 is not there",
        ),
        (
            "noun.animal\t6",
            "noun.animal\t2",
            "line 3: it is above itself",
        ),
        ("noun.artifact", "-", "line 8: a label stands after a node"),
    ] {
        let text = TEXT.replacen(from, to, 1);
        let text = if said.starts_with("line 8") {
            text.replace("\tthing\t\t-\t", "\tthing\t\tobject\t")
        } else {
            text
        };
        let error = Lexicon::parse(&text).unwrap_err().to_string();
        assert_eq!(error, format!("lexicon.tsv, {said}"));
    }
    let cut = read::inflate(&LEXICON[..LEXICON.len() / 2], LEXICON_FILE).unwrap_err();
    assert!(cut.to_string().contains("cannot be inflated"), "{cut}");
}

#[test]
fn the_built_in_one_is_sound() {
    BUILT_IN.check().unwrap();
    assert!(BUILT_IN.labels() > 20_000, "{}", BUILT_IN.labels());
    assert_eq!(BUILT_IN.version().len(), 16);
    let curated = |row: &usize| !BUILT_IN.term(*row).category.starts_with("noun.");
    let first = (0..BUILT_IN.labels()).take_while(curated).count();
    assert!(
        (300..1000).contains(&first),
        "{first} curated terms come first"
    );
    assert_eq!((first..BUILT_IN.labels()).find(curated), None);
    let root = BUILT_IN.row("n00001740").unwrap();
    for row in 0..BUILT_IN.rows() {
        let term = BUILT_IN.term(row);
        let curated = term.key.starts_with("v.");
        // Every chain of kinds is whole: it ends at WordNet's one root, `entity`.
        let whole = row == root || BUILT_IN.is_above(root, row);
        assert!(curated || whole, "{term:?}");
    }
}

/// A photo's tags come from the classifier and from here, side by side.
#[test]
fn whatever_the_classifier_says_is_a_label_here() {
    let text = include_str!("../../../models/efficientnet-lite0/vocabulary.tsv");
    let mut said = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        if columns[2] == "0" {
            let row = BUILT_IN.row(columns[0]);
            assert!(row.is_some_and(|row| row < BUILT_IN.labels()), "{line}");
            said += 1;
        }
    }
    assert!(said > 1000, "{said}");
}

#[test]
fn words_struck_out_by_hand_are_nowhere() {
    let text = include_str!("../../../models/vocabulary/steps/senses.tsv");
    let struck: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once("\t-"))
        .map(|(word, _)| normalise(word))
        .collect();
    assert!(struck.len() > 100, "{}", struck.len());
    for row in 0..BUILT_IN.labels() {
        for word in BUILT_IN.words(row) {
            assert!(!struck.contains(&normalise(word)), "{word}");
        }
    }
}

#[test]
fn people_find_what_they_look_for() {
    for (word, key) in [
        ("dogs", "n02084071"),
        ("vehicle", "n04524313"),
        ("animals", "n00015388"),
        ("Sunset", "n15169248"),
        ("selfies", "v.selfie"),
        ("black and white", "n02846399"),
        ("mouse", "n02330245"),
        ("crane", "n03126707"),
        ("orange", "n07747607"),
    ] {
        let keys = found(&BUILT_IN, word);
        assert!(keys.contains(&key), "{word}: {keys:?}");
    }
    assert!(BUILT_IN.suggest("girafe").contains(&"giraffe".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_word_finds_its_own_term(at in any::<prop::sample::Index>(), pick in any::<prop::sample::Index>()) {
        let term = BUILT_IN.term(at.index(BUILT_IN.rows()));
        let words: Vec<&str> = BUILT_IN.words(term.row).collect();
        let word = words[pick.index(words.len())].to_uppercase();
        prop_assert_eq!(BUILT_IN.named(&word), [term.row]);
    }

    #[test]
    fn above_is_what_ancestors_says(low in any::<prop::sample::Index>(), high in any::<prop::sample::Index>()) {
        let (low, high) = (low.index(BUILT_IN.rows()), high.index(BUILT_IN.rows()));
        let ancestors = BUILT_IN.ancestors(low);
        prop_assert_eq!(BUILT_IN.is_above(high, low), ancestors.contains(&u32::try_from(high).unwrap()));
        for above in ancestors {
            prop_assert!(BUILT_IN.is_above(above as usize, low));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(#[a-z\t]*\n)?([a-z0-9.\t|-]{0,20}\n){0,8}") {
        let _ = Lexicon::parse(&text);
    }
}
