//! Reads YAML (and JSON, which is YAML) into values, with the position of every key and element.
//!
//! It reads events with an explicit stack, so that deep nesting cannot overflow. What JSON cannot
//! hold, or what two readers would read differently, is an error and never a guess.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::value::{Data, Position, Value};

/// Deeper than any document that a person wrote, and shallow enough for every walk over it.
const MAX_DEPTH: usize = 100;
/// Aliases can multiply a small file without end.
const MAX_VALUES: usize = 1_000_000;

/// Escapes a name as one step of a JSON pointer.
pub fn escape(name: &str) -> Cow<'_, str> {
    if !name.contains(['~', '/']) {
        return name.into();
    }
    name.replace('~', "~0").replace('/', "~1").into()
}

/// Reads the only document in `text`.
pub fn read(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    let marked = marked(text);
    let added = marked.len() - text.len();
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(&marked);
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let why = format!("is not YAML or JSON: {}", error.info());
                return json(text).ok_or(located(&why, shifted(*error.marker(), added)));
            }
        };
        let at = shifted(span.start, added);
        reader.handle(event, at).map_err(|why| located(&why, at))?;
    }
    reader.root.ok_or_else(|| "holds no document".into())
}

/// Marks the start of a JSON document. Otherwise its first brace may begin a key, and the parser
/// keeps every token until the last brace.
fn marked(text: &str) -> Cow<'_, str> {
    if text.starts_with('{') { Cow::Owned(format!("--- {text}")) } else { Cow::Borrowed(text) }
}

/// Returns the position in the text without the mark, which is in its first line.
fn shifted(at: Marker, added: usize) -> Marker {
    let added = if at.line() == 1 { added } else { 0 };
    Marker::new(at.index(), at.line(), at.col().saturating_sub(added))
}

fn located(why: &str, at: Marker) -> String {
    format!("{why} (line {}, column {})", at.line(), at.col() + 1)
}

/// Reads JSON that is not YAML (an escaped surrogate pair), without positions.
fn json(text: &str) -> Option<Value> {
    serde_json::from_str::<serde_json::Value>(text).ok().map(Value::from)
}

/// A collection whose end has not been read yet.
struct Open {
    collection: Collection,
    anchor: usize,
    at: Position,
}

enum Collection {
    Array(Vec<Value>),
    /// The members, and the name of the next one with its position.
    Object(BTreeMap<Arc<str>, Value>, Option<(Arc<str>, Position)>),
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    /// Every text, because most occur again.
    texts: HashSet<Arc<str>>,
    count: usize,
}

impl Reader {
    fn handle(&mut self, event: Event<'_>, at: Marker) -> Result<(), String> {
        let at = (at.line(), at.col() + 1);
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, at),
            Event::SequenceStart(anchor, _) => {
                self.start(Collection::Array(Vec::new()), anchor, at)
            }
            Event::MappingStart(anchor, _) => {
                self.start(Collection::Object(BTreeMap::new(), None), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err("holds more than one document: give one".into())
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        at: Position,
    ) -> Result<(), String> {
        if self.expects_key() {
            return self.key(text, at);
        }
        let is_string = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let plain = if is_string { None } else { plain(text)? };
        let data = plain.unwrap_or_else(|| Data::String(self.shared(text)));
        self.add(Value::at(data, at), anchor)
    }

    /// Returns the text, in the memory of an equal one.
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new = Arc::from(text);
        self.texts.insert(Arc::clone(&new));
        new
    }

    fn expects_key(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.collection);
        matches!(innermost, Some(Collection::Object(_, None)))
    }

    /// Every key is a string: `200` is the status "200".
    fn key(&mut self, name: &str, at: Position) -> Result<(), String> {
        if name == "<<" {
            return Err("holds a merge key `<<`, which is not YAML 1.2: write it out".into());
        }
        let name = self.shared(name);
        let innermost = self.open.last_mut().map(|open| &mut open.collection);
        if let Some(Collection::Object(members, key)) = innermost {
            if members.contains_key(&name) {
                return Err(format!("holds the key `{name}` twice: remove one"));
            }
            *key = Some((name, at));
        }
        Ok(())
    }

    fn start(&mut self, collection: Collection, anchor: usize, at: Position) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds a key that is not a name".into());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        self.open.push(Open { collection, anchor, at });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(Open { collection, anchor, at }) = self.open.pop() else { return Ok(()) };
        let data = match collection {
            Collection::Array(elements) => Data::Array(elements.into()),
            Collection::Object(members, _) => Data::Object(members.into_iter().collect()),
        };
        self.add(Value::at(data, at), anchor)
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds an alias as a key: write the name out".into());
        }
        let value = self.anchors.get(&anchor).cloned().ok_or("holds an alias of itself")?;
        let (count, depth) = measure(&value);
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.copied(count)?;
        self.add(Value::at(value.data, at), 0)
    }

    /// Counts the copies that anchors and aliases make.
    fn copied(&mut self, count: usize) -> Result<(), String> {
        self.count += count;
        if self.count > MAX_VALUES {
            return Err(format!("copies more than {MAX_VALUES} values by aliases: use `$ref`"));
        }
        Ok(())
    }

    /// Adds a value to the innermost collection. One with a key has the position of the key.
    fn add(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            self.copied(measure(&value).0)?;
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut().map(|open| &mut open.collection) {
            None => self.root = Some(value),
            Some(Collection::Array(elements)) => elements.push(value),
            Some(Collection::Object(members, key)) => {
                let member = key.take().map(|(name, at)| (name, Value::at(value.data, at)));
                members.extend(member);
            }
        }
        Ok(())
    }
}

fn too_deep() -> String {
    format!("is nested more than {MAX_DEPTH} deep: use `$ref`")
}

/// Returns how many values there are, and how deep they are nested.
fn measure(value: &Value) -> (usize, usize) {
    let children = value.children().map(measure);
    children.fold((1, 1), |(count, depth), (c, d)| (count + c, depth.max(d + 1)))
}

/// Reads a plain scalar by the YAML 1.2 core schema. Returns nothing for a string.
fn plain(text: &str) -> Result<Option<Data>, String> {
    Ok(Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => return number(text).map(|found| found.map(|number| Value::from(number).data)),
    }))
}

fn number(text: &str) -> Result<Option<serde_json::Value>, String> {
    let radix = |prefix, base| text.strip_prefix(prefix).map(|t| i64::from_str_radix(t, base));
    if let Some(Ok(whole)) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Ok(Some(whole.into()));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Err(format!("holds the number `{text}`, which JSON cannot hold"));
    }
    let is_numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    Ok(Some(match (text.parse::<i64>(), text.parse::<u64>(), text.parse::<f64>()) {
        _ if !is_numeric => return Ok(None),
        (Ok(whole), ..) => whole.into(),
        (_, Ok(whole), _) => whole.into(),
        (.., Ok(real)) if real.is_finite() => real.into(),
        (.., Ok(_)) => return Err(format!("holds the number `{text}`, which is out of range")),
        _ => return Ok(None),
    }))
}
