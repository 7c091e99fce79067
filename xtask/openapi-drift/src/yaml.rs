//! Reads YAML (and JSON, which is YAML) into JSON values, with the position of every key and
//! element.
//!
//! It reads events with an explicit stack, so that deep nesting cannot overflow. What JSON cannot
//! hold, or what two readers would read differently, is an error and never a guess.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

/// Deeper than any document that a person wrote, and shallow enough for every walk over it.
const MAX_DEPTH: usize = 100;
/// Aliases can multiply a small file without end.
const MAX_VALUES: usize = 1_000_000;

/// Line and column, both counted from 1.
pub type Position = (usize, usize);

/// A value, and the positions in it.
pub type Positioned = (Value, Positions);

/// The position of each JSON pointer in a document. It holds hashes, because the pointers of a large
/// document are larger than the document.
#[derive(Debug, Default)]
pub struct Positions(HashMap<u64, (u32, u32)>);

/// The hash of the pointer of the whole document.
const ROOT: u64 = 0;

impl Positions {
    /// Returns line and column of a JSON pointer, or of the nearest parent that has them.
    pub fn get(&self, pointer: &str) -> Option<Position> {
        let mut nearest = self.0.get(&ROOT);
        let mut hash = ROOT;
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            hash = child(hash, &name);
            nearest = self.0.get(&hash).or(nearest);
        }
        nearest.map(|(line, column)| (*line as usize, *column as usize))
    }

    fn insert(&mut self, hash: u64, at: Marker) {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        self.0.entry(hash).or_insert((number(at.line()), number(at.col() + 1)));
    }
}

/// Returns the hash of a pointer with one more step.
fn child(parent: u64, step: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (parent, step).hash(&mut hasher);
    hasher.finish()
}

/// Escapes a name as one step of a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads the only document in `text`.
pub fn read(text: &str) -> Result<Positioned, String> {
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
    let value = reader.root.ok_or("holds no document")?;
    Ok((value, reader.positions))
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
fn json(text: &str) -> Option<Positioned> {
    Some((serde_json::from_str(text).ok()?, Positions::default()))
}

/// A collection whose end has not been read yet.
struct Collection {
    value: Value,
    key: Option<String>,
    anchor: usize,
    /// The hash of its pointer.
    hash: u64,
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    open: Vec<Collection>,
    anchors: HashMap<usize, Value>,
    positions: Positions,
    count: usize,
}

impl Reader {
    fn handle(&mut self, event: Event<'_>, at: Marker) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag, at),
            Event::SequenceStart(anchor, _) => self.start(Value::Array(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.start(Value::Object(Map::new()), anchor, at),
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
        let is_string = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let value = if is_string { Value::String(text.into_owned()) } else { plain(&text)? };
        self.record_position(at);
        self.add(value, anchor)
    }

    fn expects_key(&self) -> bool {
        let innermost = self.open.last();
        innermost.is_some_and(|parent| parent.value.is_object() && parent.key.is_none())
    }

    /// Every key is a string: `200` is the status "200".
    fn key(&mut self, name: String, at: Marker) -> Result<(), String> {
        if name == "<<" {
            return Err("holds a merge key `<<`, which is not YAML 1.2: write it out".into());
        }
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        if parent.value.get(&name).is_some() {
            return Err(format!("holds the key `{name}` twice: remove one"));
        }
        self.positions.insert(child(parent.hash, &name), at);
        parent.key = Some(name);
        Ok(())
    }

    fn start(&mut self, value: Value, anchor: usize, at: Marker) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds a key that is not a name".into());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        let hash = self.record_position(at);
        self.open.push(Collection { value, key: None, anchor, hash });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(collection) = self.open.pop() else { return Ok(()) };
        self.add(collection.value, collection.anchor)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), String> {
        if self.expects_key() {
            return Err("holds an alias as a key: write the name out".into());
        }
        let value = self.anchors.get(&anchor).cloned().ok_or("holds an alias of itself")?;
        let (count, depth) = measure(&value);
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.copied(count)?;
        self.record_position(at);
        self.add(value, 0)
    }

    /// Counts the copies that anchors and aliases make.
    fn copied(&mut self, count: usize) -> Result<(), String> {
        self.count += count;
        if self.count > MAX_VALUES {
            return Err(format!("copies more than {MAX_VALUES} values by aliases: use `$ref`"));
        }
        Ok(())
    }

    /// Returns the hash of the next value. A value with a key has the position of the key.
    fn record_position(&mut self, at: Marker) -> u64 {
        let hash = match self.open.last() {
            None => ROOT,
            Some(Collection { key: Some(key), hash, .. }) => child(*hash, key),
            Some(parent) => {
                let index = parent.value.as_array().map_or(0, Vec::len);
                child(parent.hash, &index.to_string())
            }
        };
        self.positions.insert(hash, at);
        hash
    }

    fn add(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            self.copied(measure(&value).0)?;
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Collection { value: Value::Array(elements), .. }) => elements.push(value),
            Some(Collection { value: Value::Object(members), key, .. }) => {
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

/// Returns how many values there are, and how deep they are nested.
fn measure(value: &Value) -> (usize, usize) {
    let children: Vec<_> = match value {
        Value::Array(elements) => elements.iter().map(measure).collect(),
        Value::Object(members) => members.values().map(measure).collect(),
        _ => Vec::new(),
    };
    children.iter().fold((1, 1), |(count, depth), (c, d)| (count + c, depth.max(d + 1)))
}

/// Reads a plain scalar by the YAML 1.2 core schema.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => return number_or_text(text),
    })
}

fn number_or_text(text: &str) -> Result<Value, String> {
    let radix = |prefix, base| text.strip_prefix(prefix).map(|t| i64::from_str_radix(t, base));
    if let Some(Ok(whole)) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Ok(whole.into());
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Err(format!("holds the number `{text}`, which JSON cannot hold"));
    }
    let is_numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    let digits = text.strip_prefix('+').unwrap_or(text);
    Ok(match (digits.parse::<i64>(), digits.parse::<u64>(), digits.parse::<f64>()) {
        _ if !is_numeric => text.into(),
        (Ok(whole), ..) => whole.into(),
        (_, Ok(whole), _) => whole.into(),
        (.., Ok(real)) if real.is_finite() => real.into(),
        (.., Ok(_)) => return Err(format!("holds the number `{text}`, which is out of range")),
        _ => text.into(),
    })
}
