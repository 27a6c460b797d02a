//! The last step of every vector: finite, and of length one where the pack wants it.

use super::error::ModelError;
use crate::embedding::Embedding;

/// Shortest vector that still has a direction; rounding noise of float32 lies far above it.
const SHORTEST: f64 = 1e-9;

/// Checks a vector that a model gave, and scales it to length one if asked.
///
/// # Errors
/// [`ModelError::BadOutput`] for a value that is not finite, or a vector of zeros that was to be
/// scaled.
pub(super) fn finished(
    pack: &str,
    mut values: Vec<f32>,
    normalise: bool,
) -> Result<Embedding, ModelError> {
    let bad = |reason: String| ModelError::BadOutput {
        pack: pack.to_owned(),
        reason,
    };
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(bad(format!("value {at} is {}", values[at])));
    }
    if normalise {
        let length = values
            .iter()
            .map(|v| f64::from(*v) * f64::from(*v))
            .sum::<f64>()
            .sqrt();
        if length < SHORTEST {
            return Err(bad("a vector of zeros, which has no direction".to_owned()));
        }
        for value in &mut values {
            *value = (f64::from(*value) / length) as f32;
        }
    }
    Ok(Embedding { values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_finite_and_of_length_one() {
        let unit = finished("p", vec![3.0, 0.0, 4.0], true).unwrap();
        assert_eq!(unit.values, [0.6, 0.0, 0.8]);
        let plain = finished("p", vec![3.0, 0.0, 4.0], false).unwrap();
        assert_eq!(plain.values, [3.0, 0.0, 4.0]);
        // Squares that float32 cannot hold.
        let long = finished("p", vec![3e30, 4e30], true).unwrap();
        assert!((long.values[0] - 0.6).abs() < 1e-6 && (long.values[1] - 0.8).abs() < 1e-6);
        let zeros = finished("p", vec![0.0; 4], true).unwrap_err().to_string();
        assert!(zeros.contains("zeros"), "{zeros}");
        assert!(finished("p", vec![0.0; 4], false).is_ok());
        for bad in [f32::NAN, f32::INFINITY] {
            let text = finished("p", vec![1.0, bad], false).unwrap_err();
            assert!(text.to_string().contains("value 1"), "{text}");
        }
    }
}
