//! The entries of a changelog, and which finding an entry announces.

use openapi_drift::Finding;

/// Returns the entries that the earlier changelog does not have, and that are in no section of a release
/// that it has.
pub fn new_entries(now: &str, before: &str) -> Vec<String> {
    let is_released =
        |heading: &str| !heading.contains("unreleased") && before.lines().any(|it| it == heading);
    let mut new = entries(now, is_released);
    let known = entries(before, |_| false);
    new.retain(|entry| !known.contains(entry));
    new
}

/// Returns the entry that announces a finding.
pub fn entry(finding: &Finding) -> String {
    format!("Breaking: `{}` in {}: {}.", finding.code(), finding.places.join(", "), finding.title)
}

/// Whether the entry names the code and every place. Its other words are free.
pub fn announces(entry: &str, finding: &Finding) -> bool {
    entry.starts_with("Breaking: ")
        && entry.contains(&format!("`{}`", finding.code()))
        && finding.places.iter().all(|place| names(entry, place))
}

/// Whether the entry names this place, and not a longer one that begins or ends with it.
fn names(entry: &str, place: &str) -> bool {
    let is_part = |text: &str| {
        let word = text.split(' ').next().unwrap_or_default();
        word.starts_with(|first: char| first == '`' || first.is_ascii_digit())
            || ["request", "query", "path", "header"].contains(&word)
    };
    entry.match_indices(place).any(|(at, _)| {
        let (before, after) = (&entry[..at], &entry[at + place.len()..]);
        let goes_on = |letter: char| letter.is_alphanumeric() || letter == '/';
        !before.ends_with(goes_on)
            && !after.starts_with(goes_on)
            && !after.strip_prefix(' ').is_some_and(is_part)
    })
}

/// Returns the entries of a changelog without their line breaks. Comments have none.
fn entries(changelog: &str, is_left_out: impl Fn(&str) -> bool) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut is_skipped = false;
    for line in without_comments(changelog).lines() {
        if line.starts_with("## ") {
            is_skipped = is_left_out(line);
        }
        match (line.strip_prefix("- "), line.strip_prefix("  "), entries.last_mut()) {
            _ if is_skipped => {}
            (Some(first), ..) => entries.push(first.trim().to_owned()),
            (None, Some(more), Some(entry)) => *entry = format!("{entry} {}", more.trim()),
            _ => {}
        }
    }
    entries
}

/// Removes the comments. What looks like one in backticks is none.
fn without_comments(text: &str) -> String {
    let is_code = |before: &str| {
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.matches('`').count() % 2 == 1
    };
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((at, _)) = rest.match_indices("<!--").find(|(at, _)| !is_code(&rest[..*at])) {
        kept.push_str(&rest[..at]);
        rest = rest[at..].split_once("-->").map_or("", |(_, after)| after);
    }
    kept + rest
}
