//! Formats a record as one line of JSON: the keys of the bunyan format, then those of the record.

use humantime::format_rfc3339_micros;
use serde::Serialize;
use slog::{KV as _, Key, OwnedKVList, Record};
use std::fmt::Arguments;
use std::io::Write as _;
use std::process;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The start of every line, with the members that never change.
static START: LazyLock<String> = LazyLock::new(|| {
    let name = rustix::system::uname();
    let hostname = serde_json::Value::from(name.nodename().to_string_lossy());
    let pid = process::id();
    format!(r#"{{"pid":{pid},"hostname":{hostname},"name":"orgtokens-server","v":0"#)
});

/// Returns the line of a record.
pub fn line(record: &Record<'_>, values: &OwnedKVList) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(START.as_bytes());
    let mut members = Members(&mut line);
    // The formatter panics if the time is before 1970.
    let now = SystemTime::now().max(UNIX_EPOCH);
    members.start("time");
    write!(members.0, "\"{}\"", format_rfc3339_micros(now)).expect("memory can be written");
    // The levels of bunyan: from 60 (critical) down to 10 (trace).
    members.add("level", &(70 - 10 * record.level().as_usize()));
    members.add_text("msg", record.msg());
    values.serialize(record, &mut members).expect("memory can be written");
    record.kv().serialize(record, &mut members).expect("memory can be written");
    line.extend_from_slice(b"}\n");
    line
}

/// Appends members to a JSON object. Unlike slog's own JSON drain, it does not allocate per member.
struct Members<'a>(&'a mut Vec<u8>);

impl Members<'_> {
    /// Adds a member. The key must not need escaping.
    fn add(&mut self, key: &str, value: &(impl Serialize + ?Sized)) {
        self.start(key);
        serde_json::to_writer(&mut *self.0, value).expect("memory can be written");
    }

    /// Adds a member with a formatted string.
    fn add_text(&mut self, key: &str, value: &Arguments<'_>) {
        match value.as_str() {
            Some(text) => self.add_str(key, text),
            None => self.add_str(key, &value.to_string()),
        }
    }

    fn add_str(&mut self, key: &str, text: &str) {
        // Most strings need no escaping. Without an early exit the compiler vectorizes this loop.
        let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        if text.bytes().fold(false, |any, byte| any | needs_escape(byte)) {
            return self.add(key, text);
        }
        self.start(key);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }

    fn start(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

/// Writes numbers and booleans as JSON numbers and booleans. Everything else becomes a string.
macro_rules! emit {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(&mut self, key: Key, value: $type) -> slog::Result {
            self.add(key.as_ref(), &value);
            Ok(())
        })*
    };
}

impl slog::Serializer for Members<'_> {
    emit! {
        emit_usize: usize, emit_u16: u16, emit_u32: u32, emit_u64: u64, emit_u128: u128,
        emit_i32: i32, emit_i64: i64, emit_bool: bool
    }

    fn emit_str(&mut self, key: Key, value: &str) -> slog::Result {
        self.add_str(key.as_ref(), value);
        Ok(())
    }

    fn emit_arguments(&mut self, key: Key, value: &Arguments<'_>) -> slog::Result {
        self.add_text(key.as_ref(), value);
        Ok(())
    }
}
