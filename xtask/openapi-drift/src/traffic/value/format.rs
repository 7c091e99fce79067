//! The formats of strings that are checked. Any other format is a hint.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

/// Whether a text has a format.
pub fn matches(format: &str, text: &str) -> bool {
    match format {
        "date" => is_date(text),
        "date-time" => is_date_time(text),
        "uuid" => is_match(&UUID, text),
        "email" => is_match(&EMAIL, text),
        "uri" => is_match(&URI, text),
        "byte" => text.len().is_multiple_of(4) && is_match(&BASE64, text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        _ => true,
    }
}

type Pattern = LazyLock<Option<Regex>>;

static UUID: Pattern = LazyLock::new(|| {
    Regex::new("^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$").ok()
});
static EMAIL: Pattern = LazyLock::new(|| Regex::new(r"^[^@\s]+@[^@\s]+$").ok());
static URI: Pattern = LazyLock::new(|| Regex::new(r"^[A-Za-z][A-Za-z0-9+.-]*:\S*$").ok());
static BASE64: Pattern = LazyLock::new(|| Regex::new("^[A-Za-z0-9+/]*={0,2}$").ok());
static DATE: Pattern = LazyLock::new(|| Regex::new(r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$").ok());
static TIME: Pattern = LazyLock::new(|| {
    let clock = r"([01][0-9]|2[0-3]):[0-5][0-9]";
    Regex::new(&format!(r"^{clock}:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]{clock})$")).ok()
});

fn is_match(pattern: &Pattern, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn is_date(text: &str) -> bool {
    let parts = DATE.as_ref().and_then(|pattern| pattern.captures(text));
    let Some(parts) = parts else { return false };
    let number = |index: usize| parts[index].parse().unwrap_or(0);
    let (year, month, day): (u32, u32, u32) = (number(1), number(2), number(3));
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let parts = text.split_once(['T', 't', ' ']);
    parts.is_some_and(|(date, time)| is_date(date) && is_match(&TIME, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_accepts_what_has_it_and_nothing_else() {
        for (format, good, bad) in [
            ("date", "2024-02-29", "2023-02-29"),
            ("date", "2000-02-29", "1900-02-29"),
            ("date", "2023-12-31", "2023-11-31"),
            ("date", "2023-04-30", "2023-04-31"),
            ("date", "2023-06-30", "2023-06-31"),
            ("date", "2023-09-30", "2023-09-31"),
            ("date", "2023-01-31", "2023-01-32"),
            ("date", "2023-01-01", "2023-01-00"),
            ("date", "2023-01-09", "2023-01-9"),
            ("date", "2023-01-01", "2023-13-01"),
            ("date-time", "2023-01-01t00:00:60z", "2023-01-01"),
            ("date-time", "2023-01-01T00:00:00-08:00", "2023-01-01T24:00:00Z"),
            ("uuid", "67E55044-10b1-426f-9247-bb680e5fe0c8", "67e5504410b1426f9247bb680e5fe0c8"),
            ("email", "jane@example.com", "jane at example.com"),
            ("uri", "urn:isbn:1", "isbn 1"),
            ("byte", "YQ==", "YQ="),
            ("byte", "", "a b="),
            ("ipv4", "192.0.2.1", "192.0.2.256"),
            ("ipv6", "2001:db8::1", "2001:db8::1::2"),
        ] {
            assert!(matches(format, good), "{format}: {good}");
            assert!(!matches(format, bad), "{format}: {bad}");
        }
        assert!(matches("colour", "anything"), "an unknown format is a hint");
    }
}
