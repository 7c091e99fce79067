//! A record as a JSON object on one line, with the keys of bunyan and then those of the record.

use crate::clock;
use slog::{Drain, Level, OwnedKVList, Record, o};
use slog_json::Json;
use std::sync::LazyLock;

static HOSTNAME: LazyLock<String> =
    LazyLock::new(|| rustix::system::uname().nodename().to_string_lossy().into_owned());

/// Returns the line of a record.
pub fn line(record: &Record<'_>, values: &OwnedKVList) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    let bunyan = o!(
        "pid" => std::process::id(),
        "hostname" => HOSTNAME.as_str(),
        "time" => clock::now().to_rfc3339(),
        "level" => level(record.level()),
        "name" => "orgtokens-server",
        "v" => 0,
        "msg" => record.msg().to_string(),
    );
    let json = Json::new(&mut line).add_key_value(bunyan).build();
    json.log(record, values).expect("memory can be written, and values are plain");
    drop(json);
    line
}

/// Returns bunyan's number of a level.
fn level(level: Level) -> u8 {
    match level {
        Level::Critical => 60,
        Level::Error => 50,
        Level::Warning => 40,
        Level::Info => 30,
        Level::Debug => 20,
        Level::Trace => 10,
    }
}
