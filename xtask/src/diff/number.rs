//! Exact numbers and ranges of them: the bounds of values, lengths and counts.
//!
//! Integers are kept as integers, because the ends of 64 bits are not told apart as floats.
//! Nothing here knows which keyword a bound came from.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// A JSON number: an integer wherever it is whole, so that `1` and `1.0` are one.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number.
    Whole(i128),
    /// Any other number, or one too large to be kept whole.
    Real(f64),
}

impl Number {
    /// The number in a JSON value, if it is one.
    pub fn of(value: &Value) -> Option<Self> {
        if let Some(whole) = value.as_i64() {
            return Some(Self::Whole(whole.into()));
        }
        value.as_u64().map(|whole| Self::Whole(whole.into())).or_else(|| value.as_f64().map(whole))
    }

    /// A count as a number.
    pub fn size(count: usize) -> Self {
        i128::try_from(count).map_or(Self::Real(f64::INFINITY), Self::Whole)
    }

    /// The number as a JSON value, if JSON can hold it.
    pub fn to_json(self) -> Option<Value> {
        match self {
            Self::Whole(whole) => i64::try_from(whole).ok().map(Value::from),
            Self::Real(real) => Some(real.into()),
        }
    }

    /// Whether it has no fraction.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Whether it is a multiple of `step`; nothing is a multiple of zero.
    pub fn is_multiple_of(self, step: Self) -> bool {
        match (self, step) {
            (Self::Whole(number), Self::Whole(step)) => number.checked_rem(step) == Some(0),
            _ => self.is_decimal_multiple_of(step).unwrap_or_else(|| {
                // Too large or too fine for exact decimals.
                (self.real() / step.real()).fract() == 0.0
            }),
        }
    }

    /// The same in exact decimals: as floats, 0.3 is no multiple of 0.1.
    fn is_decimal_multiple_of(self, step: Self) -> Option<bool> {
        let ((number, places), (step, finer)) = (self.decimal()?, step.decimal()?);
        let scaled = |digits: i128, by: u32| digits.checked_mul(10_i128.checked_pow(by)?);
        let most = places.max(finer);
        let (number, step) = (scaled(number, most - places)?, scaled(step, most - finer)?);
        Some(number.checked_rem(step) == Some(0))
    }

    /// Its digits, and how many of them stand behind the point.
    fn decimal(self) -> Option<(i128, u32)> {
        let text = self.to_string();
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        Some((format!("{whole}{part}").parse().ok()?, u32::try_from(part.len()).ok()?))
    }

    #[expect(clippy::cast_precision_loss, reason = "only mixed comparisons are made as floats")]
    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    fn ceil(self) -> Self {
        if let Self::Real(real) = self { whole(real.ceil()) } else { self }
    }

    fn floor(self) -> Self {
        if let Self::Real(real) = self { whole(real.floor()) } else { self }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it within 128 bits")]
fn whole(real: f64) -> Number {
    if real.fract() == 0.0 && real.abs() < 1e37 {
        Number::Whole(real as i128)
    } else {
        Number::Real(real)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(&two),
            (one, two) => one.real().total_cmp(&two.real()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(out),
            Self::Real(real) => real.fmt(out),
        }
    }
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The bound.
    pub at: Number,
    /// Whether the bound itself is outside.
    pub open: bool,
}

impl End {
    /// An end that belongs to the range.
    pub fn closed(at: Number) -> Self {
        Self { at, open: false }
    }
}

/// Everything between two ends, each of which may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The lower end.
    pub low: Option<End>,
    /// The upper end.
    pub high: Option<End>,
}

impl Range {
    /// All whole numbers from `low` to `high`, both within.
    pub fn whole(low: i128, high: i128) -> Self {
        let end = |at| Some(End::closed(Number::Whole(at)));
        Self { low: end(low), high: end(high) }
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        Self {
            low: tighter(self.low, other.low, Ordering::Greater),
            high: tighter(self.high, other.high, Ordering::Less),
        }
    }

    /// Whether everything in this range is in `larger`.
    pub fn is_within(self, larger: Self) -> bool {
        self.and(larger) == self
    }

    /// Whether the number is in the range.
    pub fn has(self, at: Number) -> bool {
        let point = Some(End::closed(at));
        Self { low: point, high: point }.is_within(self)
    }

    /// The same range of whole numbers, with both ends within.
    #[must_use]
    pub fn of_integers(self) -> Self {
        let step = |end: End, by: i128| match end.at {
            Number::Whole(at) if end.open => Number::Whole(at.saturating_add(by)),
            at => at,
        };
        Self {
            low: self.low.map(|end| End::closed(step(end, 1).ceil())),
            high: self.high.map(|end| End::closed(step(end, -1).floor())),
        }
    }

    /// Every whole number of a closed range, if they are at most `most`.
    pub fn members(self, most: i128) -> Option<impl Iterator<Item = Number>> {
        let (Number::Whole(low), Number::Whole(high)) = (self.low?.at, self.high?.at) else {
            return None;
        };
        (high.saturating_sub(low) < most).then(|| (low..=high).map(Number::Whole))
    }
}

/// The end that leaves less; `inward` is the side on which the inside lies.
fn tighter(one: Option<End>, two: Option<End>, inward: Ordering) -> Option<End> {
    let (Some(a), Some(b)) = (one, two) else { return one.or(two) };
    let order = a.at.cmp(&b.at);
    Some(if order == inward || (order.is_eq() && a.open) { a } else { b })
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (None, None) => write!(out, "unbounded"),
            (Some(low), None) if low.open => write!(out, "above {}", low.at),
            (Some(low), None) => write!(out, "at least {}", low.at),
            (None, Some(high)) if high.open => write!(out, "below {}", high.at),
            (None, Some(high)) => write!(out, "at most {}", high.at),
            (Some(low), Some(high)) if low == high => write!(out, "exactly {}", low.at),
            (Some(low), Some(high)) => {
                let (after, before) = (mark(low, "above "), mark(high, "below "));
                write!(out, "{after}{} to {before}{}", low.at, high.at)
            }
        }
    }
}

fn mark(end: End, word: &'static str) -> &'static str {
    if end.open { word } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn multiples_are_told_in_decimals() {
        let is_multiple = |number: Value, step: Value| {
            let read = |value: &Value| Number::of(value).unwrap();
            read(&number).is_multiple_of(read(&step))
        };
        for (number, step) in [
            (json!(0.3), json!(0.1)),
            (json!(-0.7), json!(0.1)),
            (json!(19.99), json!(0.01)),
            (json!(3), json!(0.5)),
            (json!(4.0), json!(2)),
        ] {
            assert!(is_multiple(number.clone(), step.clone()), "{number} of {step}");
        }
        for (number, step) in
            [(json!(0.35), json!(0.1)), (json!(1), json!(0.3)), (json!(1), json!(0))]
        {
            assert!(!is_multiple(number.clone(), step.clone()), "{number} of {step}");
        }
    }
}
