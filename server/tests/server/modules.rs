//! The modules of `src` have no cyclic dependencies. The test reads the sources as text, in the layout of
//! rustfmt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules, and the modules that each of them uses.
type Modules = BTreeMap<String, BTreeSet<String>>;

#[test]
fn modules_have_no_cyclic_dependencies() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut modules = Modules::new();
    for file in files(source) {
        let path = file.strip_prefix(source).unwrap().with_extension("");
        let names = path.iter().map(|name| name.to_str().unwrap()).collect::<Vec<_>>();
        let code = code(&fs::read_to_string(&file).unwrap());
        for hidden in ["crate::{", "crate::*", &"super::".repeat(names.len())] {
            assert!(!code.contains(hidden), "{path:?} has `{hidden}`: write `use crate::module`");
        }
        let used = code.split("crate::").skip(1);
        let used = used.map(|rest| rest.split(|c| !matches!(c, 'a'..='z' | '_')).next().unwrap());
        let used = used.filter(|used| *used != names[0]).map(str::to_owned);
        modules.entry(names[0].to_owned()).or_default().extend(used);
    }
    for (user, used) in [("front", "handlers"), ("handlers", "service"), ("service", "store")] {
        assert!(modules[user].contains(used), "{user} uses {used}: {modules:?}");
    }
    assert_eq!(cycle(modules), None, "each uses the next one, and the last one the first");
}

/// Returns modules of which each uses the next one, and the last one the first.
fn cycle(mut modules: Modules) -> Option<Vec<String>> {
    // Forgets what uses no other module, until each that is left uses one that is left.
    while let Some((lowest, _)) = modules.iter().find(|(_, used)| used.is_empty()) {
        let lowest = lowest.clone();
        modules.remove(&lowest);
        for used in modules.values_mut() {
            used.remove(&lowest);
        }
    }
    let mut path = vec![modules.keys().next()?.clone()];
    loop {
        let used = modules.get(path.last()?).expect("only modules follow `crate::`");
        let next = used.first()?.clone();
        if let Some(start) = path.iter().position(|module| *module == next) {
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

/// Returns the source without its tests and comments.
fn code(source: &str) -> String {
    let mut parts = source.split("\n#[cfg(test)]\nmod tests {\n");
    let (first, later) = (parts.next(), parts.map(|part| part.split_once("\n}\n").unwrap().1));
    let lines = first.into_iter().chain(later).flat_map(str::lines);
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
