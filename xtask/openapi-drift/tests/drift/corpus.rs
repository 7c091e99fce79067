//! The corpus: every difference is found and named, and nothing else is reported.
//! The cases are data in `corpus.txt`; this module must not repeat a rule.

use crate::case::{self, Case};
use crate::pair::{outcome, pair, report};

/// Returns what is wrong with the result of a case, if anything is.
fn mistake(case: &Case) -> Option<String> {
    let outcome = match outcome(case.applied(pair())) {
        Ok(outcome) => outcome,
        Err(why) => return Some(format!("could not compare: {}\n{why}", case.line)),
    };
    let text = report(&outcome);
    if outcome.findings.is_empty() == case.is_drift() {
        let wrong = if case.is_drift() { "missed" } else { "false alarm" };
        return Some(format!("{wrong}: {}\n{text}", case.line));
    }
    let unnamed: Vec<_> = case.names.iter().filter(|name| !text.contains(*name)).collect();
    (!unnamed.is_empty()).then(|| format!("does not name {unnamed:?}: {}\n{text}", case.line))
}

#[test]
fn the_documents_agree() {
    let outcome = outcome(pair()).unwrap();
    assert!(outcome.findings.is_empty(), "{}", report(&outcome));
    assert_eq!(outcome.operations, 7);
}

#[test]
fn every_change_has_the_expected_result() {
    let mistakes: Vec<_> = case::all().iter().filter_map(mistake).collect();
    assert!(mistakes.is_empty(), "{} wrong:\n\n{}", mistakes.len(), mistakes.join("\n"));
}

#[test]
fn the_corpus_is_large_and_a_third_of_its_changes_make_no_difference() {
    let cases = case::all();
    let same = cases.iter().filter(|case| !case.is_drift()).count();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    assert!(same * 3 >= cases.len(), "{same} of {}", cases.len());
    assert!(cases.iter().all(|case| case.is_drift() != case.names.is_empty()));
}
