//! A note of a Google Takeout: the JSON that Google puts beside each photo of an export.
//!
//! What it says is what the person did in Google Photos, and when and where Google thinks that the
//! photo was taken: `photoTakenTime` is UTC, whatever the camera's clock said, and a place of 0, 0
//! is none. Its title is the file's name. A heart becomes five stars.

use serde::Deserialize;
use serde_json::Value;

use crate::said::text::{is_camera_default, line, paragraphs};
use crate::said::{DateField, MAX_CAPTION, Position, Said, SaidDate, Standard, WrittenDate};

const STANDARD: Standard = Standard::Takeout;

/// The fields that are read. Each is looked at by itself, so that one of another type costs no other.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Note {
    photo_taken_time: Value,
    geo_data: Value,
    geo_data_exif: Value,
    title: Value,
    description: Value,
    people: Value,
    favorited: Value,
}

/// What a note says; `None`: it is JSON of another kind.
///
/// # Errors
/// Why it is no JSON.
pub(super) fn read(text: &[u8]) -> Result<Option<Said>, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let note: Note = match serde_json::from_slice(text) {
        Ok(note) => note,
        // A list, or fields that come twice.
        Err(e) if e.is_data() => return Ok(None),
        Err(e) => return Err(line(&format!("it is no JSON: {e}"), 120).unwrap_or_default()),
    };
    if !note.photo_taken_time.is_object() {
        return Ok(None);
    }
    let mut said = Said::default();
    date(&note.photo_taken_time, &mut said);
    said.position =
        position(&note.geo_data, &mut said).or_else(|| position(&note.geo_data_exif, &mut said));
    let title = note.title.as_str().filter(|title| !is_file_name(title));
    said.title = title.and_then(|title| Said::cleaned_title(&unescaped(title)));
    let caption = note.description.as_str().map(unescaped);
    said.caption = caption
        .and_then(|text| paragraphs(&text, MAX_CAPTION))
        .filter(|text| !is_camera_default(text));
    said.rating = (note.favorited == Value::Bool(true)).then_some(5);
    for person in note.people.as_array().into_iter().flatten() {
        if let Some(name) = person.get("name").and_then(Value::as_str)
            && !said.add_person(STANDARD, &unescaped(name), None)
        {
            break;
        }
    }
    Ok(Some(said))
}

/// Seconds since 1970; 0 is what is written where nothing is known.
fn date(taken: &Value, said: &mut Said) {
    let timestamp = &taken["timestamp"];
    let seconds = match timestamp {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_i64(),
    };
    let date = seconds.filter(|s| *s != 0).and_then(|seconds: i64| {
        let millis = seconds.checked_mul(1000)?;
        WrittenDate::of_utc_millis(millis)
    });
    match date {
        Some(date) => said.dates.push(SaidDate {
            field: DateField::Takeout,
            date,
        }),
        None if seconds == Some(0) || timestamp.is_null() => {}
        None => said.drop_value(STANDARD, "photoTakenTime", &shown(timestamp), "is no date"),
    }
}

fn position(geo: &Value, said: &mut Said) -> Option<Position> {
    let number = |name: &str| geo.get(name).and_then(Value::as_f64);
    let (lat, lon) = (number("latitude")?, number("longitude")?);
    if (lat, lon) == (0.0, 0.0) {
        return None;
    }
    if lat.abs() > 90.0 || lon.abs() > 180.0 {
        let value = format!("{lat}, {lon}");
        said.drop_value(STANDARD, "geoData", &value, "is out of range");
        return None;
    }
    // A height of 0 is written where none is known.
    let altitude = number("altitude").filter(|m| *m != 0.0 && m.abs() <= Position::MAX_ALTITUDE);
    Some(Position {
        lat,
        lon,
        altitude_m: altitude,
        source: STANDARD,
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What Google writes as the title is the name that the file was uploaded with.
fn is_file_name(title: &str) -> bool {
    title.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=5).contains(&extension.len())
            && extension.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Texts in notes are written as for a web page.
fn unescaped(text: &str) -> String {
    const ENTITIES: [(&str, &str); 6] = [
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        // Last, so that `&amp;lt;` becomes `&lt;`.
        ("&amp;", "&"),
    ];
    let mut text = text.to_owned();
    for (entity, character) in ENTITIES {
        if text.contains(entity) {
            text = text.replace(entity, character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(fields: &str) -> Said {
        let text =
            format!(r#"{{"photoTakenTime": {{"timestamp": "1341921600"}}, {fields} "x": 1}}"#);
        read(text.as_bytes()).expect("JSON").expect("a note")
    }

    #[test]
    fn a_whole_note_is_read() {
        let text = r#"{
          "title": "IMG_2012.JPG",
          "description": "Mum &amp; Dad&#39;s garden\nin July",
          "imageViews": "3",
          "creationTime": {"timestamp": "1400000000", "formatted": "13 May 2014, 16:53:20 UTC"},
          "photoTakenTime": {"timestamp": "1341921600", "formatted": "10 Jul 2012, 12:00:00 UTC"},
          "geoData": {"latitude": 48.85, "longitude": 2.35, "altitude": 35.5, "latitudeSpan": 0.0},
          "geoDataExif": {"latitude": 1.0, "longitude": 2.0, "altitude": 0.0},
          "people": [{"name": "Nora Lind"}, {"name": ""}, {}, "x", {"name": "Oskar"}],
          "favorited": true, "url": "https://photos.google.com/photo/x"
        }"#;
        let said = read(text.as_bytes()).expect("JSON").expect("a note");
        assert_eq!(said.dates[0].date.to_string(), "2012-07-10T12:00:00Z");
        assert_eq!(said.dates[0].field.source(), "takeout");
        let position = said.position.expect("a place");
        assert_eq!((position.lat, position.lon), (48.85, 2.35));
        assert_eq!(position.altitude_m, Some(35.5));
        assert_eq!(said.caption.as_deref(), Some("Mum & Dad's garden\nin July"));
        assert_eq!((said.title, said.rating), (None, Some(5)));
        let people: Vec<&str> = said.people.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(people, ["Nora Lind", "Oskar"]);
        assert_eq!(said.dropped, [""; 0]);
    }

    #[test]
    fn a_title_that_is_no_file_name_counts() {
        assert_eq!(
            note(r#""title": "Our garden","#).title.as_deref(),
            Some("Our garden")
        );
        for name in ["a.jpg", "Photo 1.HEIC", "x.y.Mp4"] {
            assert_eq!(
                note(&format!(r#""title": "{name}","#)).title,
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn zeros_are_no_place_and_the_other_place_counts_then() {
        let none = r#"{"latitude": 0.0, "longitude": 0.0, "altitude": 0.0}"#;
        assert_eq!(note(&format!(r#""geoData": {none},"#)).position, None);
        let camera = r#"{"latitude": 0.0, "longitude": 7.5}"#;
        let said = note(&format!(r#""geoData": {none}, "geoDataExif": {camera},"#));
        assert_eq!(said.position.map(|p| (p.lat, p.lon)), Some((0.0, 7.5)));
    }

    #[test]
    fn what_cannot_be_is_left_out_by_itself() {
        let said = note(
            r#""geoData": {"latitude": 91, "longitude": 7}, "description": 5, "people": {"name": "x"},
               "favorited": "yes", "title": ["x"],"#,
        );
        assert_eq!(said.dates.len(), 1);
        assert_eq!(
            (said.position, said.caption, said.rating),
            (None, None, None)
        );
        assert_eq!(said.dropped, ["takeout: geoData 91, 7 is out of range"]);
        for (timestamp, date, dropped) in [
            ("\"0\"", None, 0),
            ("0", None, 0),
            ("null", None, 0),
            ("\"-86400\"", Some("1969-12-31T00:00:00Z"), 0),
            ("-86400", Some("1969-12-31T00:00:00Z"), 0),
            ("\"99999999999\"", None, 1),
            ("\"9223372036854775807\"", None, 1),
            ("1e300", None, 1),
            ("\"soon\"", None, 1),
            ("{}", None, 1),
        ] {
            let text = format!(r#"{{"photoTakenTime": {{"timestamp": {timestamp}}}}}"#);
            let said = read(text.as_bytes()).expect("JSON").expect("a note");
            let found = said.dates.first().map(|d| d.date.to_string());
            assert_eq!(found.as_deref(), date, "{timestamp}");
            assert_eq!(said.dropped.len(), dropped, "{timestamp}");
        }
    }

    #[test]
    fn other_json_is_no_note_and_what_is_no_json_is_told() {
        for text in [
            "{}",
            "[]",
            "5",
            "\"x\"",
            r#"{"title": "Summer", "description": "", "date": {"timestamp": "5"}}"#,
            r#"{"photoTakenTime": "1341921600"}"#,
            r#"{"name": "package", "version": "1"}"#,
            r#"{"title": 1, "title": 2}"#,
        ] {
            assert_eq!(read(text.as_bytes()), Ok(None), "{text}");
        }
        let deep = "[".repeat(100_000);
        let deep_note = format!(r#"{{"photoTakenTime": {deep}"#);
        for text in [
            "",
            "{",
            "{\"photoTakenTime\": {\"times",
            "\u{1}",
            &deep,
            &deep_note,
        ] {
            assert!(read(text.as_bytes()).is_err(), "{}", text.len());
        }
        assert!(read(b"\xef\xbb\xbf{}").is_ok() && read(b"{\"title\": \"\xff\"}").is_err());
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(|n| Value::from(n.to_string())),
        ];
        let name = prop_oneof![
            Just("timestamp"),
            Just("latitude"),
            Just("longitude"),
            Just("altitude"),
            Just("name"),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(name.clone(), inner, 0..4)
                    .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_a_note_says_what_is_taken_is_possible(
            fields in prop::collection::hash_map(
                prop_oneof![
                    Just("photoTakenTime"), Just("geoData"), Just("geoDataExif"), Just("title"),
                    Just("description"), Just("people"), Just("favorited"),
                ],
                anything(),
                0..7,
            )
        ) {
            let note: Value = fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            let read = read(note.to_string().as_bytes()).expect("it is JSON");
            prop_assert_eq!(read.is_some(), note["photoTakenTime"].is_object());
            if let Some(said) = read {
                prop_assert!(said.tidied().is_possible());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
