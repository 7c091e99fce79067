//! The memory of a comparison. A limit of the address space stands in for a measurement: it is exact,
//! and needs no allocator of our own.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

/// What two documents of 870 kB and the program itself may take, in KiB. The stack for deep values is
/// larger, and the program does without it.
const LIMIT: usize = 40_000;
const SCHEMAS: usize = 8000;

/// Returns a document of many small objects, which take the most memory for their text.
fn document() -> Value {
    let schema = |at: usize| {
        let next = format!("#/components/schemas/S{}", (at * 7 + 1) % SCHEMAS);
        let properties = json!({"id": {"type": "string"}, "next": {"$ref": next}});
        (format!("S{at}"), json!({"type": "object", "properties": properties}))
    };
    let schemas: Map<_, _> = (0..SCHEMAS).map(schema).collect();
    let body = json!({"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}});
    let get = json!({"operationId": "get", "responses": {"200": {"content": body}}});
    let components = json!({"schemas": schemas});
    json!({"openapi": "3.0.3", "paths": {"/x": {"get": get}}, "components": components})
}

#[test]
fn two_documents_take_less_than_twenty_times_their_text() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory.json");
    std::fs::write(&file, document().to_string()).unwrap();
    let output = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -v {LIMIT}; exec \"$0\" --contract \"$1\" --generated \"$1\""),
        ])
        .args([env!("CARGO_BIN_EXE_openapi-drift").as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
}
