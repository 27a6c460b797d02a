//! Coordinates as XMP writes them: `40,25.008N`, `40,25,0.48N`, and decimal degrees.

/// Why a coordinate was not taken.
pub(super) const OUT_OF_RANGE: &str = "is out of range";
const NOT_A_COORDINATE: &str = "is no coordinate";
const NO_HEMISPHERE: &str = "has no hemisphere";

/// Degrees, positive in the direction of the first letter of `letters`. `reference` is EXIF's field
/// for the hemisphere, which some programs copy into XMP. Minutes without a hemisphere are a guess
/// and not taken; decimal degrees have their sign.
pub(super) fn degrees(
    text: &str,
    reference: Option<&str>,
    letters: [char; 2],
    most: f64,
) -> Result<f64, &'static str> {
    let text = text.trim();
    let is_letter = |c: &char| letters.contains(&c.to_ascii_uppercase());
    let last = text.chars().next_back().filter(is_letter);
    let number = text.strip_suffix(|c: char| is_letter(&c)).unwrap_or(text);
    let parts: Vec<&str> = number.split(',').map(str::trim).collect();
    let value = match parts[..] {
        [degrees] => decimal(degrees),
        [degrees, minutes] => sexagesimal([degrees, minutes, "0"]),
        [degrees, minutes, seconds] => sexagesimal([degrees, minutes, seconds]),
        _ => None,
    };
    let value = value.ok_or(NOT_A_COORDINATE)?;
    let referred = || reference?.trim().chars().next().filter(is_letter);
    let east_or_north = match last.or_else(referred) {
        // A sign and a letter may say the same.
        Some(letter) if value < 0.0 => {
            let agrees = letter.eq_ignore_ascii_case(&letters[1]);
            agrees.then_some(true).ok_or(NOT_A_COORDINATE)?
        }
        Some(letter) => letter.eq_ignore_ascii_case(&letters[0]),
        None if parts.len() > 1 => return Err(NO_HEMISPHERE),
        None => true,
    };
    if value.abs() > most {
        return Err(OUT_OF_RANGE);
    }
    Ok(if east_or_north { value } else { -value })
}

fn sexagesimal(parts: [&str; 3]) -> Option<f64> {
    let [degrees, minutes, seconds] = parts.map(decimal);
    let (degrees, minutes, seconds) = (degrees?, minutes?, seconds?);
    let is_part = |v: f64| (0.0..=60.0).contains(&v);
    let is_sound = degrees >= 0.0 && is_part(minutes) && is_part(seconds);
    is_sound.then_some(degrees + minutes / 60.0 + seconds / 3600.0)
}

/// A decimal number; no infinity, no exponent.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text
        .chars()
        .all(|c| matches!(c, '0'..='9' | '.' | '-' | '+'));
    text.parse()
        .ok()
        .filter(|v: &f64| is_plain && v.is_finite())
}

/// A decimal number or a fraction of two, as EXIF in XMP has them.
pub(super) fn rational(text: &str) -> Option<f64> {
    let Some((top, bottom)) = text.split_once('/') else {
        return decimal(text);
    };
    let (top, bottom) = (decimal(top)?, decimal(bottom)?);
    Some(top / bottom).filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latitude(text: &str) -> Result<f64, &'static str> {
        degrees(text, None, ['N', 'S'], 90.0)
    }

    #[track_caller]
    fn assert_near(value: Result<f64, &'static str>, expected: f64) {
        assert!(
            value.is_ok_and(|v| (v - expected).abs() < 1e-9),
            "{value:?}"
        );
    }

    #[test]
    fn all_forms_are_read() {
        assert_near(latitude("40,25.008N"), 40.4168);
        assert_near(latitude("53,7.9535400N"), 53.132_559);
        assert_near(latitude("40,30,36S"), -40.51);
        assert_near(latitude(" 40, 30, 36 s "), -40.51);
        assert_near(latitude("-33.45"), -33.45);
        assert_near(latitude("33.45S"), -33.45);
        assert_near(latitude("-33.45S"), -33.45);
        assert_near(degrees("33.45", Some("South"), ['N', 'S'], 90.0), -33.45);
        assert_near(degrees("179,58.8E", None, ['E', 'W'], 180.0), 179.98);
    }

    #[test]
    fn what_is_no_place_is_told() {
        for (text, why) in [
            ("123,0N", OUT_OF_RANGE),
            ("40,61N", NOT_A_COORDINATE),
            ("40,25.008E", NOT_A_COORDINATE),
            ("-40,25.008N", NOT_A_COORDINATE),
            ("-40.5N", NOT_A_COORDINATE),
            ("40,25.008", NO_HEMISPHERE),
            ("", NOT_A_COORDINATE),
            ("N", NOT_A_COORDINATE),
            ("inf", NOT_A_COORDINATE),
            ("1e1", NOT_A_COORDINATE),
            ("1,2,3,4N", NOT_A_COORDINATE),
        ] {
            assert_eq!(latitude(text), Err(why), "{text}");
        }
    }

    #[test]
    fn fractions_are_numbers_unless_divided_by_zero() {
        assert_eq!(rational("1255/10"), Some(125.5));
        assert_eq!(rational("12.5"), Some(12.5));
        assert_eq!(rational("1/0"), None);
        assert_eq!(rational("0/0"), None);
    }
}
