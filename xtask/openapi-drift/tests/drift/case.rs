//! One line of the corpus: a single change of one document, and the expected result. This module
//! reads and applies changes; `corpus` checks the results.

use openapi_drift::Pair;
use serde_json::Value;

/// A change, and what the comparison must find.
#[derive(Clone, Debug)]
pub struct Case {
    /// The line of the corpus, for messages.
    pub line: String,
    /// The expected result.
    pub verdict: String,
    /// The words that the finding must contain.
    pub names: Vec<String>,
    on_server: bool,
    change: String,
    pointer: String,
    value: String,
}

/// Returns every case of the corpus.
pub fn all() -> Vec<Case> {
    read(include_str!("corpus.txt"), &["drift", "same"], ["contract", "server"])
}

/// Returns every change between two versions of the contract.
pub fn changes() -> Vec<Case> {
    read(include_str!("change.txt"), &["breaks", "adds", "same"], ["old", "new"])
}

fn read(text: &str, verdicts: &[&str], sides: [&str; 2]) -> Vec<Case> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Case::parse(line, verdicts, sides)).collect()
}

impl Case {
    fn parse(line: &str, verdicts: &[&str], sides: [&str; 2]) -> Self {
        let fields: Vec<_> = line.split(" |").map(str::trim).collect();
        let [verdict, side, change, pointer, value, names] = fields[..] else {
            panic!("six fields in `{line}`")
        };
        assert!(verdicts.contains(&verdict), "{line}");
        assert!(sides.contains(&side), "{line}");
        let names = names.split("; ").filter(|name| !name.is_empty()).map(str::to_owned);
        Self {
            line: line.to_owned(),
            verdict: verdict.to_owned(),
            names: names.collect(),
            on_server: side == sides[1],
            change: change.to_owned(),
            pointer: pointer.to_owned(),
            value: value.to_owned(),
        }
    }

    /// Whether the change makes the documents differ.
    pub fn is_drift(&self) -> bool {
        self.verdict == "drift"
    }

    /// Returns the pair after the change. A change without effect is a mistake in the corpus.
    pub fn applied(&self, mut pair: Pair<Value>) -> Pair<Value> {
        let document = if self.on_server { &mut pair.served } else { &mut pair.documented };
        let before = document.clone();
        self.change(document);
        assert_ne!(*document, before, "the change has no effect: {}", self.line);
        pair
    }

    fn change(&self, document: &mut Value) {
        let pointer = absolute(document, &self.pointer);
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer has a last step");
        let last = last.replace("~1", "/");
        match self.change.as_str() {
            "set" => set(self.at(document, parent), &last, self.json()),
            "drop" => drop(remove(self.at(document, parent), &last)),
            "rename" => {
                let parent = self.at(document, parent);
                let value = remove(parent, &last);
                set(parent, &self.value, value);
            }
            "push" => {
                let parent = self.at(document, parent);
                let members = parent.as_object_mut().unwrap();
                members.entry(last).or_insert_with(|| Value::Array(Vec::new()));
                self.at(document, &pointer).as_array_mut().unwrap().push(self.json());
            }
            "call" => {
                let new = format!("{parent}/{}", self.value);
                let value = remove(self.at(document, parent), &last);
                set(self.at(document, parent), &self.value, value);
                redirect(document, &format!("#{pointer}"), &format!("#{new}"));
            }
            "reverse" => self.at(document, &pointer).as_array_mut().unwrap().reverse(),
            _ => panic!("unknown change: {}", self.line),
        }
    }

    fn at<'a>(&self, document: &'a mut Value, pointer: &str) -> &'a mut Value {
        document
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("the pointer leads nowhere: {}", self.line))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.value)
            .unwrap_or_else(|_| panic!("the value is not JSON: {}", self.line))
    }
}

/// Expands the short forms of a pointer.
fn absolute(document: &Value, pointer: &str) -> String {
    let pointer = pointer.replace("JSON", "content/application~1json/schema");
    let (first, rest) = pointer
        .split_once('/')
        .map_or((pointer.as_str(), None), |(first, rest)| (first, Some(rest)));
    let rest = rest.map_or(String::new(), |rest| format!("/{rest}"));
    match first.chars().next() {
        None => pointer,
        Some(letter) if letter.is_uppercase() => format!("/components/schemas/{first}{rest}"),
        Some(_) => format!("{}{rest}", operation(document, first)),
    }
}

fn operation(document: &Value, id: &str) -> String {
    let paths = document["paths"].as_object().unwrap();
    let found = paths.iter().find_map(|(path, item)| {
        let methods = item.as_object()?;
        let (method, _) = methods.iter().find(|(_, operation)| operation["operationId"] == id)?;
        Some(format!("/paths/{}/{method}", path.replace('/', "~1")))
    });
    found.unwrap_or_else(|| panic!("no operation `{id}`"))
}

/// Replaces every reference to `from` by one to `to`.
fn redirect(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(elements) => elements.iter_mut().for_each(|value| redirect(value, from, to)),
        Value::Object(members) => members.values_mut().for_each(|value| redirect(value, from, to)),
        _ => {}
    }
}

fn set(parent: &mut Value, key: &str, value: Value) {
    match parent {
        Value::Array(elements) => elements[key.parse::<usize>().unwrap()] = value,
        _ => drop(parent.as_object_mut().unwrap().insert(key.to_owned(), value)),
    }
}

fn remove(parent: &mut Value, key: &str) -> Value {
    match parent {
        Value::Array(elements) => elements.remove(key.parse().unwrap()),
        _ => parent.as_object_mut().unwrap().remove(key).expect("a member to remove"),
    }
}
