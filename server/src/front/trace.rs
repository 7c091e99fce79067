//! The trace that a request is a part of (W3C Trace Context), for the access log. It starts no span
//! and passes nothing on.

use http::{HeaderMap, HeaderName, HeaderValue};
use slog::{KV, Record, Serializer};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A valid `traceparent`, or none.
pub struct Trace(Option<HeaderValue>);

impl Trace {
    /// Reads the headers of a request. A malformed `traceparent` counts as none, and so do two.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().filter(|_| values.next().is_none());
        Self(value.filter(|value| parse(value).is_some()).cloned())
    }
}

/// Returns the ids of the caller's trace and span, and its flags. A later version than 00 may have
/// more members.
fn parse(value: &HeaderValue) -> Option<[&str; 3]> {
    let mut members = value.to_str().ok()?.split('-');
    let mut hexadecimal = |length| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        members.next().filter(|it| it.len() == length && it.bytes().all(is_digit))
    };
    let version = hexadecimal(2).filter(|version| *version != "ff")?;
    let is_id = |id: &&str| id.bytes().any(|byte| byte != b'0');
    let trace = hexadecimal(32).filter(is_id)?;
    let span = hexadecimal(16).filter(is_id)?;
    let flags = hexadecimal(2)?;
    (version != "00" || members.next().is_none()).then_some([trace, span, flags])
}

/// The keys are those of OpenTelemetry.
impl KV for Trace {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        let Some([trace, span, flags]) = self.0.as_ref().and_then(parse) else { return Ok(()) };
        serializer.emit_str("trace_id".into(), trace)?;
        serializer.emit_str("span_id".into(), span)?;
        serializer.emit_str("trace_flags".into(), flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn trace(values: &[&str]) -> Option<(String, String, String)> {
        let headers: HeaderMap =
            values.iter().map(|value| (TRACEPARENT, value.parse().unwrap())).collect();
        let [trace, span, flags] =
            Trace::of(&headers).0.as_ref().and_then(parse)?.map(str::to_owned);
        Some((trace, span, flags))
    }

    #[test]
    fn a_valid_traceparent_is_read_also_in_later_versions() {
        let expected = (TRACE.to_owned(), SPAN.to_owned(), "01".to_owned());
        for text in ["00-T-S-01", "01-T-S-01", "cc-T-S-01-what-the-future-adds"] {
            let text = text.replace('T', TRACE).replace('S', SPAN);
            assert_eq!(trace(&[&text]), Some(expected.clone()), "{text}");
        }
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let upper = TRACE.to_uppercase();
        for text in [
            "",
            "00-T-S",
            "00-T-S-01-",
            "00-T-S-01-more",
            "ff-T-S-01",
            "01-T-S-01more",
            "0-T-S-01",
            "00-T-S-1",
            "00-T-S-0x",
            "00-T0-S-01",
            "00-S-T-01",
            "00-00000000000000000000000000000000-S-01",
            "00-T-0000000000000000-01",
            "00-U-S-01",
            " 00-T-S-01",
        ] {
            let text = text.replace('T', TRACE).replace('S', SPAN).replace('U', &upper);
            assert_eq!(trace(&[&text]), None, "{text}");
        }
    }

    #[test]
    fn two_of_them_and_bytes_that_are_no_text_are_ignored() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        assert!(trace(&[&good]).is_some());
        assert_eq!(trace(&[&good, &good]), None);
        assert_eq!(trace(&["00-\u{e9}"]), None);
        assert_eq!(trace(&[]), None);
    }
}
