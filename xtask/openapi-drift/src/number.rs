//! Exact numbers, and ranges of numbers: the bounds of values, lengths and counts.
//!
//! Integers stay integers, because floats cannot tell the bounds of 64 bits from their neighbours.
//! This module must not know which keyword a bound comes from.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Number as Json;

/// A JSON number. `1` and `1.0` are the same integer.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An integer.
    Whole(i128),
    /// Any other number, or an integer that is too large for `Whole`.
    Real(f64),
}

impl Number {
    /// Reads a number of JSON.
    pub fn of(json: &Json) -> Option<Self> {
        json.as_i128().map(Self::Whole).or_else(|| json.as_f64().map(from_float))
    }

    /// Converts a count.
    pub fn from_count(count: usize) -> Self {
        i128::try_from(count).map_or(Self::Real(f64::INFINITY), Self::Whole)
    }

    /// Returns the number as JSON, if JSON can hold it.
    pub fn to_json(self) -> Option<Json> {
        match self {
            Self::Whole(whole) => Json::from_i128(whole),
            Self::Real(real) => Json::from_f64(real),
        }
    }

    /// Returns an integer as a float, if that has the same value.
    fn exact_float(self) -> Option<Json> {
        let float = self.to_float();
        let is_exact = matches!(from_float(float), Self::Whole(_)) && from_float(float) == self;
        Json::from_f64(float).filter(|_| is_exact)
    }

    /// Whether it is an integer.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Whether it is a multiple of `step`. No number is a multiple of zero.
    pub fn is_multiple_of(self, step: Self) -> bool {
        self.is_decimal_multiple_of(step).unwrap_or_else(|| {
            // Too large or too fine for exact decimals.
            (self.to_float() / step.to_float()).fract() == 0.0
        })
    }

    /// Compares exact decimals: as floats, 0.3 is not a multiple of 0.1.
    fn is_decimal_multiple_of(self, step: Self) -> Option<bool> {
        let ((number, places), (step, step_places)) = (self.decimal()?, step.decimal()?);
        let scaled = |digits: i128, by: u32| digits.checked_mul(10_i128.checked_pow(by)?);
        let most = places.max(step_places);
        let (number, step) = (scaled(number, most - places)?, scaled(step, most - step_places)?);
        Some(number.checked_rem(step) == Some(0))
    }

    /// Returns all digits, and how many of them are after the decimal point.
    fn decimal(self) -> Option<(i128, u32)> {
        let text = match self {
            Self::Whole(whole) => whole.to_string(),
            Self::Real(real) => real.to_string(),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some((digits, u32::try_from(fraction.len()).ok()?))
    }

    #[expect(clippy::cast_precision_loss, reason = "only mixed comparisons are made as floats")]
    fn to_float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    fn ceil(self) -> Self {
        if let Self::Real(real) = self { from_float(real.ceil()) } else { self }
    }

    fn floor(self) -> Self {
        if let Self::Real(real) = self { from_float(real.floor()) } else { self }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the condition keeps it within 128 bits")]
fn from_float(real: f64) -> Number {
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
            (one, two) => one.to_float().total_cmp(&two.to_float()),
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
        match *self {
            // JSON has an exponent, and does not write out hundreds of digits.
            Self::Whole(whole) => match self.to_json().or_else(|| self.exact_float()) {
                Some(json) => json.fmt(out),
                None => whole.fmt(out),
            },
            Self::Real(real) => match Json::from_f64(real) {
                Some(json) => json.fmt(out),
                None => real.fmt(out),
            },
        }
    }
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The number.
    pub at: Number,
    /// Whether the number itself is outside of the range.
    pub is_exclusive: bool,
}

impl Bound {
    /// A bound that is inside of the range.
    pub fn inclusive(at: Number) -> Self {
        Self { at, is_exclusive: false }
    }
}

/// All numbers between two bounds, each of which may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The lower bound.
    pub low: Option<Bound>,
    /// The upper bound.
    pub high: Option<Bound>,
}

impl Range {
    /// All integers from `low` to `high`, both included.
    pub fn whole(low: i128, high: i128) -> Self {
        let bound = |at| Some(Bound::inclusive(Number::Whole(at)));
        Self { low: bound(low), high: bound(high) }
    }

    /// Returns the range of the numbers that are in both.
    pub fn intersect(self, other: Self) -> Self {
        Self {
            low: tighter(self.low, other.low, Ordering::Greater),
            high: tighter(self.high, other.high, Ordering::Less),
        }
    }

    /// Whether every number in this range is in `larger`.
    pub fn is_within(self, larger: Self) -> bool {
        self.intersect(larger) == self
    }

    /// Whether the number is in the range.
    pub fn contains(self, at: Number) -> bool {
        let bound = Some(Bound::inclusive(at));
        Self { low: bound, high: bound }.is_within(self)
    }

    /// Returns the range of the same integers, with inclusive bounds.
    #[must_use]
    pub fn of_integers(self) -> Self {
        let step = |bound: Bound, by: i128| match bound.at {
            Number::Whole(at) if bound.is_exclusive => Number::Whole(at.saturating_add(by)),
            at => at,
        };
        Self {
            low: self.low.map(|bound| Bound::inclusive(step(bound, 1).ceil())),
            high: self.high.map(|bound| Bound::inclusive(step(bound, -1).floor())),
        }
    }

    /// Returns every integer of an inclusive range, unless there are more than `most`.
    pub fn integers(self, most: i128) -> Option<impl Iterator<Item = Number>> {
        let (Number::Whole(low), Number::Whole(high)) = (self.low?.at, self.high?.at) else {
            return None;
        };
        (high.saturating_sub(low) < most).then(|| (low..=high).map(Number::Whole))
    }
}

/// Returns the bound that leaves fewer numbers; those are in the direction `inward`.
fn tighter(one: Option<Bound>, two: Option<Bound>, inward: Ordering) -> Option<Bound> {
    let (Some(a), Some(b)) = (one, two) else { return one.or(two) };
    let order = a.at.cmp(&b.at);
    Some(if order == inward || (order.is_eq() && a.is_exclusive) { a } else { b })
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (None, None) => write!(out, "unbounded"),
            (Some(low), None) if low.is_exclusive => write!(out, "above {}", low.at),
            (Some(low), None) => write!(out, "at least {}", low.at),
            (None, Some(high)) if high.is_exclusive => write!(out, "below {}", high.at),
            (None, Some(high)) => write!(out, "at most {}", high.at),
            (Some(low), Some(high)) if low == high => write!(out, "exactly {}", low.at),
            (Some(low), Some(high)) => {
                let above = if low.is_exclusive { "above " } else { "" };
                let below = if high.is_exclusive { "below " } else { "" };
                write!(out, "{above}{} to {below}{}", low.at, high.at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_multiple_is_decided_in_decimals() {
        let is_multiple = |number: Value, step: Value| {
            let read = |value: &Value| Number::of(value.as_number().unwrap()).unwrap();
            read(&number).is_multiple_of(read(&step))
        };
        for (number, step) in [
            (json!(0.3), json!(0.1)),
            (json!(-0.7), json!(0.1)),
            (json!(19.99), json!(0.01)),
            (json!(3), json!(0.5)),
            (json!(4.0), json!(2)),
            (json!(2e300), json!(1e300)),
        ] {
            assert!(is_multiple(number.clone(), step.clone()), "{number} of {step}");
        }
        let others = [
            (json!(0.35), json!(0.1)),
            (json!(1), json!(0.3)),
            (json!(1), json!(0)),
            (json!(3e300), json!(2e300)),
        ];
        for (number, step) in others {
            assert!(!is_multiple(number.clone(), step.clone()), "{number} of {step}");
        }
    }
}
