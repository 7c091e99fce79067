//! The corpus: every drift is caught and named, and nothing else is called drift.
//! The cases are data, in `corpus.txt`: no rule is spelled again here.

use crate::case::{self, Case};
use crate::pair::{outcome, pair, report};

/// What is wrong with the verdict on a case, if anything is.
fn complaint(case: &Case) -> Option<String> {
    let outcome = match outcome(case.applied(pair())) {
        Ok(outcome) => outcome,
        Err(why) => return Some(format!("could not compare: {}\n{why}", case.line)),
    };
    let text = report(&outcome);
    if outcome.findings.is_empty() == case.is_drift {
        let wrong = if case.is_drift { "missed" } else { "false alarm" };
        return Some(format!("{wrong}: {}\n{text}", case.line));
    }
    let unnamed: Vec<_> = case.names.iter().filter(|name| !text.contains(*name)).collect();
    (!unnamed.is_empty()).then(|| format!("does not name {unnamed:?}: {}\n{text}", case.line))
}

#[test]
fn the_pair_conforms() {
    let outcome = outcome(pair()).unwrap();
    assert!(outcome.findings.is_empty(), "{}", report(&outcome));
    assert_eq!(outcome.operations, 7);
}

#[test]
fn every_change_gets_its_verdict() {
    let complaints: Vec<_> = case::all().iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{} wrong:\n\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_corpus_is_large_and_a_third_of_it_keeps_the_meaning() {
    let cases = case::all();
    let same = cases.iter().filter(|case| !case.is_drift).count();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    assert!(same * 3 >= cases.len(), "{same} of {}", cases.len());
    assert!(cases.iter().all(|case| case.is_drift != case.names.is_empty()));
}
