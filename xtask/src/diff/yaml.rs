//! YAML (and JSON, which is YAML) into plain JSON values, with the place of every key and element.
//!
//! Driven by events and an explicit stack, so that no nesting overflows. What JSON cannot hold and
//! what two readers would read differently is refused with a sentence, never guessed.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

use super::document::escape;

/// Deeper than any document that a person wrote, and shallow enough for every walk over it.
const MAX_DEPTH: usize = 100;
/// Aliases can multiply a small file without end.
const MAX_VALUES: usize = 1_000_000;

/// Line and column, both counted from 1.
pub type Position = (usize, usize);

/// A value and the position of each JSON pointer in it.
pub type Positioned = (Value, HashMap<String, Position>);

/// Reads the one document in `text`.
pub fn read(text: &str) -> Result<Positioned, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => return json(text).ok_or(format!("is not YAML or JSON: {error}")),
        };
        reader.take(event, span.start).map_err(|what| {
            format!("{what} (line {}, column {})", span.start.line(), span.start.col() + 1)
        })?;
    }
    let value = reader.root.ok_or("holds no document")?;
    Ok((value, reader.positions))
}

/// What is JSON and no YAML (an escaped surrogate pair) is read without positions.
fn json(text: &str) -> Option<Positioned> {
    Some((serde_json::from_str(text).ok()?, HashMap::new()))
}

/// A collection whose end has not been read yet.
struct Open {
    value: Value,
    key: Option<String>,
    anchor: usize,
    pointer: String,
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    positions: HashMap<String, Position>,
    values: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag, at),
            Event::SequenceStart(anchor, _) => self.begin(Value::Array(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.begin(Value::Object(Map::new()), anchor, at),
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
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        at: Marker,
    ) -> Result<(), String> {
        if self.expects_key() {
            return self.key(text.into_owned(), at);
        }
        let quoted = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let value = if quoted { Value::String(text.into_owned()) } else { plain(&text)? };
        self.place(at);
        self.put(value, anchor, 1)
    }

    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.value.is_object() && open.key.is_none())
    }

    /// Keys are names, whatever they look like: `200` is the status "200".
    fn key(&mut self, name: String, at: Marker) -> Result<(), String> {
        if name == "<<" {
            return Err("holds a merge key `<<`, which is not YAML 1.2: write it out".into());
        }
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if open.value.get(&name).is_some() {
            return Err(format!("holds the key `{name}` twice: remove one"));
        }
        let pointer = format!("{}/{}", open.pointer, escape(&name));
        open.key = Some(name);
        self.positions.insert(pointer, (at.line(), at.col() + 1));
        Ok(())
    }

    fn begin(&mut self, value: Value, anchor: usize, at: Marker) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds a key that is not a name".into());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        let pointer = self.place(at);
        self.open.push(Open { value, key: None, anchor, pointer });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        self.put(open.value, open.anchor, 1)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds an alias as a key: write the name out".into());
        }
        let value = self.anchors.get(&anchor).cloned().ok_or("holds an alias of itself")?;
        let (size, depth) = measure(&value);
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.place(at);
        self.put(value, 0, size)
    }

    /// The pointer of the value that comes next; a key has been placed already.
    fn place(&mut self, at: Marker) -> String {
        let pointer = match self.open.last() {
            None => String::new(),
            Some(Open { key: Some(key), pointer, .. }) => format!("{pointer}/{}", escape(key)),
            Some(open) => {
                let index = open.value.as_array().map_or(0, Vec::len);
                format!("{}/{index}", open.pointer)
            }
        };
        self.positions.entry(pointer.clone()).or_insert((at.line(), at.col() + 1));
        pointer
    }

    fn put(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), String> {
        self.values += size;
        if self.values > MAX_VALUES {
            return Err(format!("holds more than {MAX_VALUES} values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open { value: Value::Array(elements), .. }) => elements.push(value),
            Some(Open { value: Value::Object(members), key, .. }) => {
                members.insert(key.take().unwrap_or_default(), value);
            }
            Some(_) => {}
        }
        Ok(())
    }
}

fn too_deep() -> String {
    format!("is nested more than {MAX_DEPTH} deep: use `$ref`")
}

/// How many values, and how deep.
fn measure(value: &Value) -> (usize, usize) {
    let children: Vec<_> = match value {
        Value::Array(elements) => elements.iter().map(measure).collect(),
        Value::Object(members) => members.values().map(measure).collect(),
        _ => Vec::new(),
    };
    children.iter().fold((1, 1), |(size, depth), (s, d)| (size + s, depth.max(d + 1)))
}

/// The YAML 1.2 core schema: only these spellings are anything but a string.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => return number(text),
    })
}

fn number(text: &str) -> Result<Value, String> {
    let radix = |prefix, base| text.strip_prefix(prefix).map(|t| i64::from_str_radix(t, base));
    if let Some(Ok(whole)) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Ok(whole.into());
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Err(format!("holds the number `{text}`, which JSON has not"));
    }
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    let digits = text.strip_prefix('+').unwrap_or(text);
    Ok(match (digits.parse::<i64>(), digits.parse::<u64>(), digits.parse::<f64>()) {
        _ if !numeric => text.into(),
        (Ok(whole), ..) => whole.into(),
        (_, Ok(whole), _) => whole.into(),
        (.., Ok(real)) if real.is_finite() => real.into(),
        (.., Ok(_)) => return Err(format!("holds the number `{text}`, which is out of range")),
        _ => text.into(),
    })
}
