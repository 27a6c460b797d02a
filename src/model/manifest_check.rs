//! Whether a manifest makes sense: one function a table, each rule with its key.

use super::error::ModelError;
use super::manifest::{
    Calibration, DerivedTable, FacesTable, FileEntry, FinderTable, FitName, ImageTable, Kind,
    Manifest, ReaderTable, TextSpec,
};

/// Most dimensions of a vector: four times the largest published dual encoders.
const MOST_DIMS: usize = 1 << 14;
/// Side of an input in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 16..=1024;
/// What the sides of a letterbox are multiples of.
const MULTIPLES: std::ops::RangeInclusive<u32> = 1..=128;
/// Boxes of one picture.
const MOST_BOXES: std::ops::RangeInclusive<usize> = 1..=1000;
/// Pictures in one run.
const BATCHES: std::ops::RangeInclusive<usize> = 1..=256;
/// Tokens of a text.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=8192;
/// Names that mean something else in a folder of packs or in a pack.
const TAKEN: [&str; 4] = ["in-use", "people-on", "model.toml", "verified"];

/// Looks at every key.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    names(m)?;
    if m.kind == Kind::Detector {
        detector(m)?;
    } else if m.kind == Kind::TextReader {
        text_reader(m)?;
    } else if m.dims == 0 || m.dims > MOST_DIMS {
        return Err(m.wrong("dims", &format!("is {}, not 1 to {MOST_DIMS}", m.dims)));
    }
    sides(m)?;
    files(m)?;
    if let Some(image) = &m.image {
        picture(m, image)?;
    }
    if let Some(table) = &m.faces {
        faces(m, table)?;
    }
    if let Some(derived) = &m.derived {
        probabilities(m, derived)?;
    }
    if let Some(text) = &m.text {
        sentence(m, text)?;
    }
    for (role, file) in &m.roles {
        listed(m, &format!("roles.{role}"), file)?;
    }
    calibration(m)
}

fn names(m: &Manifest) -> Result<(), ModelError> {
    let lower = m
        .name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !lower || !is_plain(&m.name) || TAKEN.contains(&m.name.as_str()) {
        return Err(m.wrong(
            "name",
            "must be 1 to 64 of a-z 0-9 . _ - with a letter or digit first, and no reserved word",
        ));
    }
    if !is_plain(&m.revision) {
        return Err(m.wrong("revision", "must be 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    if m.licence.weights.trim().is_empty() {
        return Err(m.wrong("licence.weights", "is empty"));
    }
    if let Some(source) = &m.source {
        if !is_path(&source.repo) || source.repo.split('/').count() != 2 {
            return Err(m.wrong(
                "source.repo",
                &format!("is {:?}, not owner/name", source.repo),
            ));
        }
        if !is_path(&source.revision) {
            return Err(m.wrong(
                "source.revision",
                &format!("is {:?}, no branch or commit", source.revision),
            ));
        }
    }
    if let Some(bad) = m.variants.keys().find(|v| !is_plain(v)) {
        return Err(m.wrong("variants", &format!("has {bad:?}, which is no plain name")));
    }
    Ok(())
}

/// Which tables each kind has.
fn sides(m: &Manifest) -> Result<(), ModelError> {
    match m.kind {
        Kind::Classifier => {
            let others = [(m.derived.is_some(), "derived"), (m.text.is_some(), "text")];
            absent(m, &others, "a classifier has none")?;
            if m.image.is_none() {
                return Err(m.wrong("image", "is missing (a classifier needs it)"));
            }
        }
        Kind::DualEncoder => {
            match (&m.image, &m.derived) {
                (Some(_), Some(_)) => {
                    return Err(m.wrong(
                        "image",
                        "and derived are both there (a pack has one image side)",
                    ));
                }
                (None, None) => {
                    return Err(m.wrong(
                        "image",
                        "is missing, and so is derived (a dual encoder needs one of them)",
                    ));
                }
                _ => {}
            }
            if m.text.is_none() {
                return Err(m.wrong("text", "is missing (a dual encoder needs it)"));
            }
        }
        Kind::Detector => {
            let others = [
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
                (m.faces.is_some(), "faces"),
            ];
            absent(m, &others, "a detector has none")?;
            return Ok(());
        }
        Kind::FaceEncoder => {
            if m.faces.is_none() {
                return Err(m.wrong("faces", "is missing (a face encoder needs it)"));
            }
            let others = [
                (m.image.is_some(), "image"),
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
            ];
            absent(m, &others, "a face encoder has none")?;
        }
        Kind::TextReader => {
            let others = [
                (m.image.is_some(), "image"),
                (m.derived.is_some(), "derived"),
                (m.text.is_some(), "text"),
                (m.calibration.is_some(), "calibration"),
            ];
            absent(m, &others, "a text reader has none")?;
        }
    }
    if m.kind != Kind::TextReader {
        let own = [
            (m.finder.is_some(), "finder"),
            (m.reader.is_some(), "reader"),
        ];
        absent(m, &own, "only a text reader has it")?;
    }
    if m.kind != Kind::FaceEncoder {
        let own = [(m.faces.is_some(), "faces")];
        absent(m, &own, "only a face encoder has it")?;
    }
    let own = [
        (m.classes.is_some(), "classes"),
        (m.class.is_some(), "class"),
        (m.boxes.is_some(), "boxes"),
        (m.people.is_some(), "people"),
        (m.after.is_some(), "after"),
    ];
    absent(m, &own, "only a detector has it")
}

/// That none of these keys is there.
fn absent(m: &Manifest, keys: &[(bool, &str)], why: &str) -> Result<(), ModelError> {
    match keys.iter().find(|(there, _)| *there) {
        Some((_, key)) => Err(m.wrong(key, &format!("is there, but {why}"))),
        None => Ok(()),
    }
}

/// The tables that only a text reader has.
fn text_reader(m: &Manifest) -> Result<(), ModelError> {
    /// Longer side of the finder's pictures.
    const FINDERS: std::ops::RangeInclusive<u32> = 64..=2048;
    /// Height of a line.
    const HEIGHTS: std::ops::RangeInclusive<u32> = 16..=128;
    /// Width of a line.
    const WIDTHS: std::ops::RangeInclusive<u32> = 16..=8192;
    if m.dims != 0 {
        return Err(m.wrong("dims", "is there, but a text reader has no vectors"));
    }
    let Some(FinderTable {
        file,
        tensor,
        output,
        size,
        multiple,
        channels: _,
        mean,
        std,
        threshold,
        box_score,
        unclip,
        least_side,
        most,
    }) = &m.finder
    else {
        return Err(m.wrong("finder", "is missing (a text reader needs it)"));
    };
    listed(m, "finder.file", file)?;
    named(m, "finder.tensor", tensor)?;
    named(m, "finder.output", output)?;
    if !FINDERS.contains(size) {
        return Err(m.wrong("finder.size", &range(*size, &FINDERS)));
    }
    if !MULTIPLES.contains(multiple) {
        return Err(m.wrong("finder.multiple", &range(*multiple, &MULTIPLES)));
    }
    scaling(m, "finder", mean, std)?;
    let Some(reader) = &m.reader else {
        return Err(m.wrong("reader", "is missing (a text reader needs it)"));
    };
    let ReaderTable {
        file,
        tensor,
        output,
        keys,
        picture,
        height,
        most_width,
        channels: _,
        mean,
        std,
        confidence,
        least_characters: _,
    } = reader;
    let shares = [
        ("finder.threshold", threshold),
        ("finder.box_score", box_score),
        ("reader.confidence", confidence),
    ];
    for (key, share) in shares {
        if !(*share > 0.0 && *share < 1.0) {
            return Err(m.wrong(key, &format!("is {share}, not between 0 and 1")));
        }
    }
    for (key, number) in [("finder.unclip", unclip), ("finder.least_side", least_side)] {
        if !(*number >= 0.0 && *number <= 100.0) {
            return Err(m.wrong(key, &format!("is {number}, not 0 to 100")));
        }
    }
    if !MOST_BOXES.contains(most) {
        return Err(m.wrong("finder.most", &range(*most, &MOST_BOXES)));
    }
    listed(m, "reader.file", file)?;
    named(m, "reader.keys", keys)?;
    if !FINDERS.contains(picture) || picture < size {
        return Err(m.wrong(
            "reader.picture",
            &range(*picture, &(*size..=*FINDERS.end())),
        ));
    }
    named(m, "reader.tensor", tensor)?;
    named(m, "reader.output", output)?;
    if !HEIGHTS.contains(height) {
        return Err(m.wrong("reader.height", &range(*height, &HEIGHTS)));
    }
    if !WIDTHS.contains(most_width) {
        return Err(m.wrong("reader.most_width", &range(*most_width, &WIDTHS)));
    }
    scaling(m, "reader", mean, std)
}

/// Numbers that bytes are scaled with.
fn scaling(m: &Manifest, table: &str, mean: &[f32; 3], std: &[f32; 3]) -> Result<(), ModelError> {
    if mean.iter().any(|v| !v.is_finite()) {
        let key = format!("{table}.mean");
        return Err(m.wrong(&key, "has a value that is not a number"));
    }
    if std.iter().any(|v| !v.is_finite() || *v <= 0.0) {
        let key = format!("{table}.std");
        return Err(m.wrong(&key, "has a value that is not above 0"));
    }
    Ok(())
}

/// The tables that only a detector has.
fn detector(m: &Manifest) -> Result<(), ModelError> {
    if m.dims != 0 {
        return Err(m.wrong("dims", "is there, but a detector has no vectors"));
    }
    if m.image.is_none() {
        return Err(m.wrong("image", "is missing (a detector needs it)"));
    }
    match (&m.classes, &m.class) {
        (Some(file), None) => listed(m, "classes", file)?,
        (None, Some(class)) if !class.trim().is_empty() => {}
        _ => {
            return Err(m.wrong(
                "classes",
                "or class must be there, and not both (a file with names, or one name)",
            ));
        }
    }
    let Some(rules) = m.boxes else {
        return Err(m.wrong("boxes", "is missing (a detector needs it)"));
    };
    let share = |key: &str, value: f32| {
        if value > 0.0 && value < 1.0 {
            Ok(())
        } else {
            Err(m.wrong(key, &format!("is {value}, not between 0 and 1")))
        }
    };
    share("boxes.least", rules.least)?;
    share("boxes.overlap", rules.overlap)?;
    if !MOST_BOXES.contains(&rules.most) {
        return Err(m.wrong("boxes.most", &range(rules.most, &MOST_BOXES)));
    }
    if let Some(people) = m.people {
        let numbers = [people.weights, people.least].concat();
        if !numbers
            .iter()
            .chain([&people.constant])
            .all(|v| v.is_finite())
        {
            return Err(m.wrong("people", "has a value that is not a number"));
        }
        share("people.face_area", people.face_area)?;
    }
    if let Some(after) = &m.after {
        share("after.score", after.score)?;
    }
    Ok(())
}

fn files(m: &Manifest) -> Result<(), ModelError> {
    for (name, FileEntry { path, size, blake3 }) in &m.files {
        let key = |part: &str| format!("files.{name:?}{part}");
        if !is_plain(name) || TAKEN.contains(&name.as_str()) {
            return Err(m.wrong(
                &key(""),
                "is no file name (A-Z a-z 0-9 . _ - only, a letter or digit first)",
            ));
        }
        if path.as_ref().is_some_and(|p| !is_path(p)) {
            return Err(m.wrong(
                &key(".path"),
                &format!("is {path:?}, which is no path in a repository"),
            ));
        }
        if *size == Some(0) {
            return Err(m.wrong(&key(".size"), "is 0"));
        }
        let hex = |h: &String| {
            h.len() == 64
                && h.bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if blake3.as_ref().is_some_and(|h| !hex(h)) {
            return Err(m.wrong(&key(".blake3"), "is not 64 lower-case hex digits"));
        }
    }
    Ok(())
}

fn picture(m: &Manifest, image: &ImageTable) -> Result<(), ModelError> {
    listed(m, "image.file", &image.file)?;
    named(m, "image.tensor", &image.tensor)?;
    let outputs = [
        ("image.output", &image.output, m.kind != Kind::Detector),
        ("image.scores", &image.scores, m.kind == Kind::Detector),
        ("image.boxes", &image.boxes, m.kind == Kind::Detector),
    ];
    for (key, output, wanted) in outputs {
        match output {
            Some(name) if wanted => named(m, key, name)?,
            None if !wanted => {}
            Some(_) => return Err(m.wrong(key, &format!("is there, but a {} has none", m.kind))),
            None => return Err(m.wrong(key, &format!("is missing (a {} needs it)", m.kind))),
        }
    }
    if !SIDES.contains(&image.size) {
        return Err(m.wrong("image.size", &range(image.size, &SIDES)));
    }
    match (image.fit, image.crop) {
        (FitName::CenterCrop, Some(crop)) if crop > 0.0 && crop <= 1.0 => {}
        (FitName::CenterCrop, crop) => {
            let found = crop.map_or("missing".to_owned(), |c| c.to_string());
            return Err(m.wrong(
                "image.crop",
                &format!("is {found}; center-crop wants more than 0, at most 1"),
            ));
        }
        (FitName::Squash | FitName::Letterbox, None) => {}
        (FitName::Squash | FitName::Letterbox, Some(_)) => {
            return Err(m.wrong(
                "image.crop",
                "is there, but squash and letterbox take the whole picture",
            ));
        }
    }
    if (image.fit == FitName::Letterbox) != (m.kind == Kind::Detector) {
        let reason = format!("is not what a {} takes", m.kind);
        return Err(m.wrong("image.fit", &reason));
    }
    match (image.fit, image.multiple) {
        (FitName::Letterbox, Some(multiple)) if MULTIPLES.contains(&multiple) => {}
        (FitName::Letterbox, found) => {
            let found = found.map_or("missing".to_owned(), |m| m.to_string());
            let (least, most) = (MULTIPLES.start(), MULTIPLES.end());
            let reason = format!("is {found}; letterbox wants {least} to {most}");
            return Err(m.wrong("image.multiple", &reason));
        }
        (_, None) => {}
        (_, Some(_)) => {
            return Err(m.wrong("image.multiple", "is there, but only letterbox has one"));
        }
    }
    for (key, values) in [("image.mean", image.mean), ("image.std", image.std)] {
        if values.is_some() == (m.kind == Kind::Detector) {
            let reason = if values.is_some() {
                "is there, but a detector's graph does that itself"
            } else {
                "is missing"
            };
            return Err(m.wrong(key, reason));
        }
    }
    if let (Some(mean), Some(std)) = (&image.mean, &image.std) {
        scaling(m, "image", mean, std)?;
    }
    if !BATCHES.contains(&image.batch) {
        return Err(m.wrong("image.batch", &range(image.batch, &BATCHES)));
    }
    Ok(())
}

fn faces(m: &Manifest, faces: &FacesTable) -> Result<(), ModelError> {
    listed(m, "faces.file", &faces.file)?;
    listed(m, "faces.weights", &faces.weights)?;
    named(m, "faces.tensor", &faces.tensor)?;
    named(m, "faces.output", &faces.output)?;
    identity(m, "faces.detector", &faces.detector)?;
    for (key, side) in [("faces.side", faces.side), ("faces.size", faces.size)] {
        if !SIDES.contains(&side) {
            return Err(m.wrong(key, &range(side, &SIDES)));
        }
    }
    if !MULTIPLES.contains(&faces.multiple) {
        return Err(m.wrong("faces.multiple", &range(faces.multiple, &MULTIPLES)));
    }
    let mut shares = faces.points.iter().flatten();
    if !shares.all(|v| (0.0..=1.0).contains(v)) {
        return Err(m.wrong("faces.points", "has a point outside of the face's picture"));
    }
    let [left, right, ..] = faces.points;
    if left[0] >= right[0] {
        return Err(m.wrong("faces.points", "has the eyes the wrong way round"));
    }
    for (key, value) in [("faces.least", faces.least), ("faces.askew", faces.askew)] {
        if !(value > 0.0 && value < 1.0) {
            return Err(m.wrong(key, &format!("is {value}, not between 0 and 1")));
        }
    }
    if !(faces.smallest >= 1.0 && faces.smallest <= faces.size as f32) {
        let reason = format!("is {}, not 1 to faces.size", faces.smallest);
        return Err(m.wrong("faces.smallest", &reason));
    }
    Ok(())
}

/// `name@revision`.
fn identity(m: &Manifest, key: &str, id: &str) -> Result<(), ModelError> {
    let parts = id.split_once('@');
    if parts.is_some_and(|(name, revision)| is_plain(name) && is_plain(revision)) {
        return Ok(());
    }
    Err(m.wrong(key, &format!("is {id:?}, not name@revision")))
}

fn probabilities(m: &Manifest, derived: &DerivedTable) -> Result<(), ModelError> {
    listed(m, "derived.class_vectors", &derived.class_vectors)?;
    identity(m, "derived.from", &derived.from)?;
    if derived.top == 0 {
        return Err(m.wrong("derived.top", "is 0"));
    }
    Ok(())
}

fn sentence(m: &Manifest, text: &TextSpec) -> Result<(), ModelError> {
    listed(m, "text.file", &text.file)?;
    listed(m, "text.tokenizer", &text.tokenizer)?;
    named(m, "text.ids", &text.ids)?;
    named(m, "text.output", &text.output)?;
    let inputs: Vec<&String> = [Some(&text.ids), text.mask.as_ref(), text.types.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    for (i, input) in inputs.iter().enumerate() {
        named(m, "text.mask or text.types", input)?;
        if inputs[..i].contains(input) {
            return Err(m.wrong(
                "text",
                &format!("gives the input {input:?} two meanings among ids, mask and types"),
            ));
        }
    }
    if !LENGTHS.contains(&text.length) {
        return Err(m.wrong("text.length", &range(text.length, &LENGTHS)));
    }
    if text.prompt.matches("{}").count() != 1 {
        return Err(m.wrong(
            "text.prompt",
            &format!("is {:?}; it needs one {{}} for the label", text.prompt),
        ));
    }
    Ok(())
}

fn calibration(m: &Manifest) -> Result<(), ModelError> {
    let finite = match &m.calibration {
        None if m.kind == Kind::FaceEncoder => {
            return Err(m.wrong("calibration", "is missing (a face encoder needs it)"));
        }
        None => true,
        Some(Calibration::SizedLogistic { .. } | Calibration::Threshold { .. })
            if m.kind != Kind::Detector =>
        {
            return Err(m.wrong("calibration.kind", "is one that only a detector has"));
        }
        Some(Calibration::Distance { same }) if m.kind == Kind::FaceEncoder => {
            if *same <= 0.0 {
                return Err(m.wrong("calibration.same", &format!("is {same}, not above 0")));
            }
            same.is_finite()
        }
        Some(_) if m.kind == Kind::FaceEncoder => {
            let reason = "is not distance, as a face encoder's is";
            return Err(m.wrong("calibration.kind", reason));
        }
        Some(Calibration::Distance { .. }) => {
            return Err(m.wrong("calibration.kind", "is one that only a face encoder has"));
        }
        Some(Calibration::SizedLogistic {
            area,
            per_area,
            alone,
            with_classifier,
            with_classifier_size: [classified_area, classified_per_area],
        }) => {
            for (name, area) in [
                ("calibration.area", area),
                ("calibration.with_classifier_size", classified_area),
            ] {
                if !(*area > 0.0 && *area < 1.0) {
                    let reason = format!("is {area}, not between 0 and 1");
                    return Err(m.wrong(name, &reason));
                }
            }
            let numbers = alone.iter().chain(with_classifier);
            let numbers = numbers.chain([per_area, classified_per_area]);
            numbers.into_iter().all(|v| v.is_finite())
        }
        Some(Calibration::Threshold { shown }) => {
            if !(*shown > 0.0 && *shown < 1.0) {
                let reason = format!("is {shown}, not between 0 and 1");
                return Err(m.wrong("calibration.shown", &reason));
            }
            true
        }
        Some(_) if m.kind == Kind::Detector => {
            let reason = "is not sized-logistic or threshold, as a detector's is";
            return Err(m.wrong("calibration.kind", reason));
        }
        Some(Calibration::Softmax { .. }) if m.kind == Kind::DualEncoder => {
            return Err(m.wrong(
                "calibration.kind",
                "is softmax, which a dual encoder cannot have (sigmoid or cosine)",
            ));
        }
        Some(Calibration::Softmax {
            temperature,
            classes,
            kinds,
            concepts,
        }) => {
            if *temperature <= 0.0 {
                let reason = format!("is {temperature}, not above 0");
                return Err(m.wrong("calibration.temperature", &reason));
            }
            let mut all = [classes, kinds, concepts].into_iter().flatten();
            temperature.is_finite() && all.all(|v| v.is_finite())
        }
        Some(_) if m.kind == Kind::Classifier => {
            return Err(m.wrong("calibration.kind", "is not softmax, as a classifier's is"));
        }
        Some(Calibration::Sigmoid { scale, bias }) => {
            if *scale <= 0.0 {
                return Err(m.wrong("calibration.scale", &format!("is {scale}, not above 0")));
            }
            scale.is_finite() && bias.is_finite()
        }
        Some(Calibration::Cosine { values }) => values.values().all(|v| v.is_finite()),
    };
    if finite {
        Ok(())
    } else {
        Err(m.wrong("calibration", "has a value that is not a number"))
    }
}

fn listed(m: &Manifest, key: &str, file: &str) -> Result<(), ModelError> {
    if m.files.contains_key(file) {
        Ok(())
    } else {
        Err(m.wrong(key, &format!("is {file:?}, which is not among [files]")))
    }
}

fn named(m: &Manifest, key: &str, name: &str) -> Result<(), ModelError> {
    if name.is_empty() || name.contains('\0') {
        Err(m.wrong(key, "is empty or no name"))
    } else {
        Ok(())
    }
}

fn range<T: std::fmt::Display>(found: T, allowed: &std::ops::RangeInclusive<T>) -> String {
    format!("is {found}, not {} to {}", allowed.start(), allowed.end())
}

/// One component: cannot climb, hide, or mean anything to a shell.
fn is_plain(name: &str) -> bool {
    name.len() <= 64
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Components with `/` between them, relative.
fn is_path(path: &str) -> bool {
    path.len() <= 512 && path.split('/').all(is_plain)
}
