//! Whether a manifest makes sense: one function a table, each rule with its key.

use super::error::ModelError;
use super::manifest::{
    Calibration, DerivedTable, FileEntry, FitName, ImageTable, Kind, Manifest, TextSpec,
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
const TAKEN: [&str; 3] = ["in-use", "model.toml", "verified"];

/// Looks at every key.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    names(m)?;
    if m.kind == Kind::Detector {
        detector(m)?;
    } else if m.dims == 0 || m.dims > MOST_DIMS {
        return Err(m.wrong("dims", &format!("is {}, not 1 to {MOST_DIMS}", m.dims)));
    }
    sides(m)?;
    files(m)?;
    if let Some(image) = &m.image {
        picture(m, image)?;
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
            for (there, key) in [(m.derived.is_some(), "derived"), (m.text.is_some(), "text")] {
                if there {
                    return Err(m.wrong(key, "is there, but a classifier has none"));
                }
            }
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
            for (there, key) in [(m.derived.is_some(), "derived"), (m.text.is_some(), "text")] {
                if there {
                    return Err(m.wrong(key, "is there, but a detector has none"));
                }
            }
            return Ok(());
        }
    }
    let own = [
        (m.classes.is_some(), "classes"),
        (m.class.is_some(), "class"),
        (m.boxes.is_some(), "boxes"),
        (m.people.is_some(), "people"),
        (m.after.is_some(), "after"),
    ];
    match own.into_iter().find(|(there, _)| *there) {
        Some((_, key)) => Err(m.wrong(key, "is there, but only a detector has it")),
        None => Ok(()),
    }
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
    if image.mean.iter().flatten().any(|v| !v.is_finite()) {
        return Err(m.wrong("image.mean", "has a value that is not a number"));
    }
    if image
        .std
        .iter()
        .flatten()
        .any(|v| !v.is_finite() || *v <= 0.0)
    {
        return Err(m.wrong("image.std", "has a value that is not above 0"));
    }
    if !BATCHES.contains(&image.batch) {
        return Err(m.wrong("image.batch", &range(image.batch, &BATCHES)));
    }
    Ok(())
}

fn probabilities(m: &Manifest, derived: &DerivedTable) -> Result<(), ModelError> {
    listed(m, "derived.class_vectors", &derived.class_vectors)?;
    let whole = derived
        .from
        .split_once('@')
        .is_some_and(|(name, revision)| is_plain(name) && is_plain(revision));
    if !whole {
        return Err(m.wrong(
            "derived.from",
            &format!("is {:?}, not name@revision", derived.from),
        ));
    }
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
        None => true,
        Some(Calibration::SizedLogistic { .. } | Calibration::Threshold { .. })
            if m.kind != Kind::Detector =>
        {
            return Err(m.wrong("calibration.kind", "is one that only a detector has"));
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
