//! Floor 0: lines of text that were read in a picture.

use serde::{Deserialize, Serialize};

/// Lines kept of one picture: more than two full pages have.
pub const MOST_LINES: usize = 400;
/// Characters kept of one line.
pub const MOST_CHARS: usize = 300;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadLine {
    /// What it says.
    pub text: String,
    /// Mean of its characters' probabilities, 0 to 1.
    pub confidence: f32,
    /// Left, top, right, bottom: shares of the upright picture.
    pub area: [f32; 4],
}

/// Lines as they are kept: in reading order, not too many, none empty or endless.
pub fn worth_keeping(mut lines: Vec<ReadLine>) -> Vec<ReadLine> {
    for line in &mut lines {
        line.text = line.text.trim().chars().take(MOST_CHARS).collect();
    }
    lines.retain(|line| !line.text.is_empty() && line.confidence.is_finite());
    if lines.len() > MOST_LINES {
        lines.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        lines.truncate(MOST_LINES);
    }
    in_reading_order(&mut lines);
    lines
}

/// From above to below; what stands beside each other from left to right.
fn in_reading_order(lines: &mut [ReadLine]) {
    let middle = |line: &ReadLine| f32::midpoint(line.area[1], line.area[3]);
    lines.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    let mut first = 0;
    for at in 1..=lines.len() {
        // A row ends where a line's middle is below the row's first line.
        if at == lines.len() || middle(&lines[at]) > lines[first].area[3] {
            lines[first..at].sort_by(|a, b| a.area[0].total_cmp(&b.area[0]));
            first = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, confidence: f32, area: [f32; 4]) -> ReadLine {
        ReadLine {
            text: text.to_owned(),
            confidence,
            area,
        }
    }

    #[test]
    fn lines_come_in_reading_order() {
        let kept = worth_keeping(vec![
            line("total", 0.9, [0.1, 0.50, 0.3, 0.54]),
            line("9.80", 0.9, [0.7, 0.49, 0.8, 0.53]),
            line("Bakery", 0.9, [0.2, 0.1, 0.6, 0.2]),
            line("  ", 0.9, [0.2, 0.3, 0.6, 0.4]),
            line("bad", f32::NAN, [0.2, 0.3, 0.6, 0.4]),
        ]);
        let said: Vec<&str> = kept.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(said, ["Bakery", "total", "9.80"]);
    }

    #[test]
    fn ten_thousand_lines_are_bounded() {
        let long = "x".repeat(5000);
        let many = (0..10_000).map(|n| {
            let y = n as f32 / 10_000.0;
            line(&long, y, [0.0, y, 1.0, y])
        });
        let kept = worth_keeping(many.collect());
        assert_eq!(kept.len(), MOST_LINES);
        assert!(
            kept.iter()
                .all(|l| l.text.len() == MOST_CHARS && l.confidence > 0.9)
        );
        assert!(kept.is_sorted_by(|a, b| a.area[1] <= b.area[1]));
    }
}
