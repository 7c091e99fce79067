//! Checks of recorded traffic: every rule in both directions, both formats, redaction and coverage.

use std::sync::LazyLock;

use openapi_drift::{
    Document, REDACTED, Routes, TrafficOutcome, TrafficRule, check_traffic, read_traffic,
};
use serde_json::{Value, json};

const CONTRACT: &str = include_str!("traffic.yaml");

fn contract() -> &'static Document {
    static DOCUMENT: LazyLock<Document> =
        LazyLock::new(|| Document::parse("traffic.yaml", CONTRACT).unwrap());
    &DOCUMENT
}

/// An entry with JSON bodies. Null is no body.
fn entry(request: &str, body: &Value, status: u16, response: &Value) -> Value {
    let (method, url) = request.split_once(' ').unwrap();
    let mut entry = json!({
        "request": {"method": method, "url": url, "headers": []},
        "response": {"status": status, "headers": [{"name": "X-TOTAL", "value": "1"}]},
    });
    for (side, member, body) in [("request", "postData", body), ("response", "content", response)] {
        if !body.is_null() {
            let header =
                json!({"name": "content-type", "value": "application/json; charset=utf-8"});
            entry[side]["headers"].as_array_mut().unwrap().push(header);
            entry[side][member] = json!({"text": body.to_string()});
        }
    }
    entry
}

fn get(url: &str, status: u16, response: &Value) -> Value {
    entry(&format!("GET {url}"), &Value::Null, status, response)
}

/// A list of one book with one more member.
fn book(name: &str, value: Value) -> Value {
    let mut book = json!({"id": 1, "title": "Emma"});
    book[name] = value;
    get("/v1/books", 200, &json!([book]))
}

/// A book that is added, with one more member.
fn added(name: &str, value: Value) -> Value {
    let mut book = json!({"title": "Emma"});
    book[name] = value;
    entry("POST /v1/books", &book, 201, &json!({"id": 1, "title": "Emma"}))
}

fn with(mut entry: Value, pointer: &str, value: Value) -> Value {
    *entry.pointer_mut(pointer).unwrap() = value;
    entry
}

/// Adds a header to a side of an entry, the last of which wins nothing: the first one counts.
fn header(mut entry: Value, side: &str, name: &str, value: &str) -> Value {
    let headers = entry[side]["headers"].as_array_mut().unwrap();
    headers.insert(0, json!({"name": name, "value": value}));
    entry
}

/// A body that is not JSON.
fn text(mut entry: Value, media_type: &str, text: &str) -> Value {
    entry["response"]["content"] = json!({"mimeType": media_type, "text": text});
    entry
}

fn check_lines(lines: &str, prefix: Option<&str>) -> TrafficOutcome {
    let contract = contract();
    let exchanges = read_traffic("traffic.jsonl", lines).unwrap();
    check_traffic(&Routes::new(contract, prefix), &exchanges)
}

fn check(entries: &[Value]) -> TrafficOutcome {
    let lines: Vec<_> = entries.iter().map(Value::to_string).collect();
    check_lines(&lines.join("\n"), None)
}

/// Checks an entry against another contract.
fn check_with(contract: &str, entry: &Value) -> TrafficOutcome {
    let contract = Document::parse("other.yaml", contract).unwrap();
    let exchanges = read_traffic("traffic.jsonl", &entry.to_string()).unwrap();
    check_traffic(&Routes::new(&contract, None), &exchanges)
}

fn codes(outcome: &TrafficOutcome) -> Vec<String> {
    outcome.findings.iter().map(|finding| finding.rule.to_string()).collect()
}

fn no() -> Value {
    Value::Null
}

fn error() -> Value {
    json!({"error": "no"})
}

#[test]
fn traffic_that_keeps_the_contract_has_no_finding() {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let books = || get("/v1/books", 200, &json!([]));
    for kept in [
        get("https://other.example.com/v1/books?limit=100&sort=title#top", 200, &json!([])),
        get("/v1/books?tags=a,b&shelf=1&shelf=2", 200, &json!([])),
        get("/v1/b%6Foks?limit=%31", 200, &json!([])),
        get("/v1/books?limit=101&unknown=1", 422, &error()),
        header(books(), "request", "x-trace", id),
        header(books(), "response", "x-note", "short"),
        get("/v1/books/1", 500, &error()),
        get("/v1/books/x", 404, &error()),
        get("/v1/nothing", 400, &no()),
        get("/v1/nothing", 499, &no()),
        get("/v2/books", 200, &no()),
        entry("DELETE /v1/books/1", &no(), 204, &no()),
        entry("HEAD /v1/books", &no(), 200, &no()),
        entry("HEAD /v1/books/1", &no(), 200, &no()),
        entry("PUT /v1/books", &no(), 405, &no()),
        entry("POST /v1/books", &json!({"title": ""}), 400, &error()),
        entry("POST /v1/books", &no(), 400, &error()),
        text(get("/v1/books/latest", 200, &no()), "text/plain;charset=x", "Emma"),
        text(get("/v1/books/latest", 200, &no()), "image/png", "Emma"),
        text(get("/v1/covers/a.b.png?filter[size]=1", 200, &no()), "image/png", "x"),
        book("isbn", json!("0123")),
        book("added", json!("2024-02-29T23:59:60.5+01:00")),
        book("lent", json!(null)),
        book("lent", json!(true)),
        book("tags", json!(["a", "b", "c"])),
        book("price", json!(19.99)),
        book("author", json!({"name": "Jane", "born": 1775})),
        book("names", json!({"de": "Emma", "fr": "Emma"})),
        book("closed", json!({"a": 1})),
        book("open", json!({"a": 1, "b": 2})),
        book("free", json!({"a": 1})),
        book("word", json!("good")),
        book("medium", json!({"type": "file", "bytes": 1})),
        book("size", json!(1.5)),
        book("size", json!(10)),
        book("sequel", json!({"id": 2, "title": "Emma 2"})),
        added("note", json!("only in requests")),
        entry("POST /v1/sessions?client=a", &no(), 200, &json!({"token": "lib_a"})),
    ] {
        let outcome = check(std::slice::from_ref(&kept));
        assert!(outcome.findings.is_empty(), "{kept}\n{:#?}", outcome.findings);
    }
}

#[test]
fn a_body_of_which_only_the_size_was_recorded_is_not_checked() {
    let response = |size: u8| {
        let headers = json!([{"name": "x-total", "value": "1"}]);
        let response = json!({"status": 200, "headers": headers, "content": {"size": size}});
        with(get("/v1/books", 200, &no()), "/response", response)
    };
    let request = |size: i8| {
        let added = entry("POST /v1/books", &no(), 201, &json!({"id": 1, "title": "E"}));
        let request =
            json!({"method": "POST", "url": "/v1/books", "headers": [], "bodySize": size});
        with(added, "/request", request)
    };
    // Nor is one without a size.
    let unknown = with(response(1), "/response/content", json!({"mimeType": "text/html"}));
    assert!(codes(&check(&[response(1), request(1), unknown])).is_empty());
    expect(&[
        ("response-missing", response(0)),
        ("request-missing", request(0)),
        ("request-missing", request(-1)),
    ]);
}

/// Checks that each entry has one finding with this code.
fn expect(broken: &[(&str, Value)]) {
    for (code, entry) in broken {
        let found = codes(&check(std::slice::from_ref(entry)));
        assert_eq!(found, [format!("traffic-{code}")], "{entry}");
    }
}

#[test]
fn a_response_that_breaks_the_contract_has_one_finding_with_its_code() {
    let books = || get("/v1/books", 200, &json!([]));
    expect(&[
        ("operation", get("/v1/nothing", 200, &no())),
        ("operation", get("/v1/nothing", 500, &no())),
        ("operation", entry("PUT /v1/books", &no(), 302, &no())),
        ("operation", entry("OPTIONS /v1/books", &no(), 200, &no())),
        ("operation", get("/v1/books/", 200, &json!([]))),
        ("status", get("/v1/books", 500, &error())),
        ("status", entry("POST /v1/books", &json!({"title": 1}), 409, &error())),
        ("response-media-type", text(get("/v1/books", 200, &no()), "text/html", "<p>")),
        ("response-media-type", with(books(), "/response/headers/1/value", json!("text/json"))),
        ("response-media-type", entry("DELETE /v1/books/1", &no(), 204, &json!({}))),
        ("response-missing", get("/v1/books", 200, &no())),
        ("response-missing", get("/v1/books", 404, &json!({}))),
        ("response-missing", get("/v1/books", 200, &json!([{"title": "Emma"}]))),
        ("response-missing", with(books(), "/response/headers/0/name", json!("x"))),
        ("response-value", with(books(), "/response/headers/0/value", json!("x"))),
        ("response-value", header(books(), "response", "x-note", "too long")),
        ("response-value", with(books(), "/response/content/text", json!("{"))),
        (
            "response-value",
            text(get("/v1/books/latest", 200, &no()), "text/plain", &"x".repeat(21)),
        ),
        ("response-value", get("/v1/books", 404, &json!({"error": null}))),
        ("response-member", get("/v1/books", 404, &json!({"error": "", "extra": 1}))),
    ]);
    for unknown in ["", "x-unknown"] {
        let outcome = check(&[text(get("/v1/books", 200, &no()), unknown, "<p>")]);
        assert_eq!(outcome.findings[0].sent, "no Content-Type");
    }
    // The most severe comes first.
    let found = codes(&check(&[book("extra", json!(1)), get("/v1/nothing", 200, &no())]));
    assert_eq!(found, ["traffic-operation", "traffic-response-member"]);
}

#[test]
fn a_finding_says_what_was_documented_and_what_was_sent() {
    let books = || get("/v1/books", 200, &json!([]));
    for (entry, expected) in [
        (
            get("/v1/nothing?a=b", 200, &no()),
            "GET /v1/nothing is served, and not documented; no such operation; 200; GET /v1/nothing; /paths",
        ),
        (
            get("/v1/books", 500, &error()),
            "listBooks answered with 500, which is not documented; 200, 4XX; 500; listBooks 500; /paths/~1books/get",
        ),
        (
            text(get("/v1/books/latest", 200, &no()), "a/b", "<p>"),
            "the response body is documented as image/*, text/plain, and another one was sent; image/*, text/plain; \
             a/b; latestBook 200; /paths/~1books~1latest/get/responses/200",
        ),
        (
            entry("DELETE /v1/books/1", &json!({}), 204, &no()),
            "the request body is documented as no body, and another one was accepted; no body; \
             application/json; charset=utf-8; removeBook request; /paths/~1books~1{id}/delete",
        ),
        (
            with(books(), "/response/content/text", json!("{")),
            "the response body is documented as JSON, and another value was sent; JSON; [redacted]; listBooks 200; \
             /paths/~1books/get/responses/200/content/application~1json",
        ),
        (
            with(books(), "/response/headers/0/name", json!("x")),
            "header `X-Total` is documented as required, and was absent; required; nothing; \
             listBooks 200 header `X-Total`; /paths/~1books/get/responses/200/headers/X-Total",
        ),
    ] {
        let [finding] = &check(&[entry]).findings[..] else { panic!("one finding: {expected}") };
        let (contract, place) = (&finding.contract, &finding.places[0]);
        let said = [&finding.title, &contract.says, &finding.sent, place, &contract.used_at];
        assert_eq!(said.map(String::as_str).join("; "), expected);
    }
}

#[test]
fn a_value_that_breaks_its_schema_has_one_finding_with_its_code() {
    expect(&[
        ("response-missing", book("author", json!({"name": "Jane"}))),
        ("response-missing", book("medium", json!({"type": "file"}))),
        ("response-value", book("id", json!(1_u64 << 31))),
        ("response-value", book("id", json!(1.5))),
        ("response-value", book("added", json!(REDACTED))),
        ("response-value", book("title", json!(""))),
        ("response-value", book("isbn", json!("12345"))),
        ("response-value", book("added", json!("2023-02-29T00:00:00Z"))),
        ("response-value", book("lent", json!("true"))),
        ("response-value", book("kind", json!("poem"))),
        ("response-value", book("tags", json!(["a", "a"]))),
        ("response-value", book("tags", json!(["a", "b", "c", "d"]))),
        ("response-value", book("tags", json!([1]))),
        ("response-value", book("price", json!(0.001))),
        ("response-value", book("price", json!(-1))),
        ("response-value", book("names", json!({"de": 1}))),
        ("response-value", book("closed", json!({"b": 1}))),
        ("response-value", book("word", json!("bad"))),
        ("response-value", book("size", json!(1))),
        ("response-value", book("medium", json!({"type": "file", "bytes": "1"}))),
        ("response-value", book("sequel", json!({"id": 2, "title": 1}))),
        ("response-member", book("extra", json!(1))),
        ("response-member", book("medium", json!({"type": "file", "bytes": 1, "extra": 1}))),
        ("response-member", book("note", json!("only in requests"))),
        ("undecided", book("odd", json!("a"))),
        ("undecided", book("loop", json!("a"))),
    ]);
}

#[test]
fn an_accepted_request_that_breaks_the_contract_has_one_finding_with_its_code() {
    let books = || get("/v1/books", 200, &json!([]));
    let session = |url: &str, body: &Value| entry(url, body, 200, &json!({"token": "lib_a"}));
    expect(&[
        (
            "request-media-type",
            with(added("isbn", json!("1")), "/request/headers/0/value", json!("a/b")),
        ),
        ("request-media-type", entry("DELETE /v1/books/1", &json!({}), 204, &no())),
        ("request-missing", entry("POST /v1/books", &no(), 201, &json!({"id": 1, "title": "E"}))),
        (
            "request-missing",
            entry("POST /v1/books", &json!({}), 201, &json!({"id": 1, "title": "E"})),
        ),
        ("request-missing", session("POST /v1/sessions", &no())),
        ("request-value", get("/v1/books?limit=101", 200, &json!([]))),
        ("request-value", get("/v1/books?limit=x", 200, &json!([]))),
        ("request-value", get("/v1/books?limit=1&limit=2", 200, &json!([]))),
        ("request-value", get("/v1/books?tags=a,b,c", 200, &json!([]))),
        ("request-value", get("/v1/books?shelf=1,2", 200, &json!([]))),
        ("request-value", header(books(), "request", "X-Trace", "x")),
        ("request-value", get("/v1/books/0", 200, &json!({"id": 1, "title": "Emma"}))),
        ("request-value", text(get("/v1/covers/a.gif", 200, &no()), "image/gif", "x")),
        ("request-value", added("title", json!(1))),
        ("request-value", session("POST /v1/sessions?client=", &json!([]))),
        ("request-member", added("titel", json!("Emma"))),
        ("request-member", added("id", json!(1))),
        ("parameter", get("/v1/books?limt=1", 200, &json!([]))),
    ]);
}

#[test]
fn a_variant_with_another_constant_was_not_meant() {
    // The other variant has fewer problems: only the constant is wrong.
    let outcome = check(&[book("medium", json!({"type": "file", "pages": 1}))]);
    assert_eq!(codes(&outcome), ["traffic-response-missing", "traffic-response-member"]);
}

#[test]
fn literal_segments_win_over_templates() {
    let item = |path: &str| format!("  '{path}': {{get: {{responses: {{204: {{}}}}}}}}\n");
    let paths = [
        "/a/{x}",
        "/a/{x}~",
        "/a/~~",
        "/{a}/~",
        "/b/x{y}",
        // The first segments fit both, so the second decide.
        "/p{a}/{c}/{d}",
        "/{b}q/x/{d}",
        // Literal segments that lead nowhere.
        "/l/m/n",
        "/l/{m}/o",
        "/{l}/m/p",
        // The same requests.
        "/s/{one}",
        "/s/{two}",
        "/v/{from}-{to}.{type}",
        "/w/{a{b",
    ];
    let paths = paths.map(item).concat();
    let contract = Document::parse("c", &format!("openapi: 3.0.3\npaths:\n{paths}")).unwrap();
    let routes = Routes::new(&contract, None);
    let check = |url: &str| {
        let entry = get(url, 204, &no()).to_string();
        check_traffic(&routes, &read_traffic("f", &entry).unwrap())
    };
    for (url, seen) in [
        ("/a/b", "/a/{x}"),
        ("/a/b~", "/a/{x}~"),
        ("/a/~~", "/a/~~"),
        ("/b/~", "/{a}/~"),
        ("/pq/x/y", "/{b}q/x/{d}"),
        ("/pz/x/y", "/p{a}/{c}/{d}"),
        ("/l/m/n", "/l/m/n"),
        ("/l/m/o", "/l/{m}/o"),
        ("/l/m/p", "/{l}/m/p"),
        ("/s/1", "/s/{one}"),
        ("/v/1-2-3.4.5", "/v/{from}-{to}.{type}"),
        ("/v/---...", "/v/{from}-{to}.{type}"),
        ("/v/%0A-ä.ö", "/v/{from}-{to}.{type}"),
        ("/w/{a{b", "/w/{a{b"),
    ] {
        let outcome = check(url);
        let found: Vec<_> =
            outcome.coverage.operations.iter().filter(|it| it.is_seen).map(|it| &it.name).collect();
        assert_eq!(found, [&format!("GET {seen}")], "{url}");
    }
    for url in ["/b/z", "/b/x", "/a/", "/v/--.", "/v/-1.2", "/v/1-2.", "/l/m", "/l/m/n/o", "/w/x"] {
        assert_eq!(codes(&check(url)), ["traffic-operation"], "{url}");
    }
}

#[test]
fn variables_of_a_segment_take_as_much_as_they_can() {
    let parameter = |name: &str, value: &str| {
        format!("{{name: {name}, in: path, required: true, schema: {{enum: ['{value}']}}}}")
    };
    for (path, url, values) in [
        ("/{a}-{b}.{c}", "/1-2-3.4.5", ["1-2", "3.4", "5"]),
        ("/{a}{b}x{c}", "/12xxx", ["12", "x", "x"]),
        ("/{a}ab{b}ab{c}", "/ababababab", ["ab", "ab", "ab"]),
        ("/<{a}|{b}|{c}>", "/<|||||>", ["|", "|", "|"]),
        ("/{a}{b}{c}", "/%C3%A4%C3%B6%C3%BC", ["ä", "ö", "ü"]),
        ("/{a}/{b}/x{c}", "/%2F/2/x3", ["/", "2", "3"]),
    ] {
        let [a, b, c] = values;
        let [a, b, c] = [parameter("a", a), parameter("b", b), parameter("c", c)];
        let get = format!("{{parameters: [{a}, {b}, {c}], responses: {{204: {{}}}}}}");
        let contract = format!("{{openapi: 3.1.0, paths: {{'{path}': {{get: {get}}}}}}}");
        let outcome = check_with(&contract, &self::get(url, 204, &no()));
        assert!(outcome.findings.is_empty(), "{path}: {:#?}", outcome.findings);
    }
}

#[test]
fn every_code_has_words_of_its_own() {
    for rule in TrafficRule::ALL {
        assert_eq!(TrafficRule::find(&rule.to_string()), Some(rule));
        let texts = [rule.summary(), rule.why(), rule.help(), rule.example()[0], rule.example()[1]];
        assert!(texts.iter().all(|text| !text.is_empty()), "{rule}");
        assert_eq!(openapi_drift::Code::find(&rule.to_string()), None);
    }
    assert_eq!(TrafficRule::find("traffic-nothing"), None);
}

#[test]
fn one_cause_is_one_finding_with_its_count_and_its_first_exchanges() {
    let mut entries: Vec<_> = (0..5).map(|number| book("isbn", json!(number))).collect();
    entries.insert(0, get("/v1/books", 200, &json!([])));
    // Two elements of one list are one exchange, and another operation has the same cause.
    let pair = json!([{"id": 1, "title": "", "isbn": 1}, {"id": 1, "title": "a", "isbn": 2}]);
    entries.push(with(book("isbn", no()), "/response/content/text", json!(pair.to_string())));
    entries.push(get("/v1/books/1", 200, &json!({"id": 1, "title": "Emma", "isbn": 7})));
    let outcome = check(&entries);
    assert_eq!(outcome.exchanges, 8);
    let [isbn] =
        outcome.findings.iter().filter(|it| it.title.starts_with("`isbn`")).collect::<Vec<_>>()[..]
    else {
        panic!("{:#?}", outcome.findings)
    };
    assert_eq!((isbn.count, isbn.sent.as_str()), (7, "0"));
    assert_eq!(isbn.places, ["listBooks 200 `[].isbn`", "getBook 200 `.isbn`"]);
    assert_eq!(isbn.exchanges, [2, 3, 4].map(|number| ("traffic.jsonl".to_owned(), number)));
    let line = CONTRACT.lines().position(|line| line.contains("isbn:")).unwrap() + 1;
    assert_eq!(isbn.contract.position, Some((line, 9)));
}

#[test]
fn a_finding_names_its_first_places() {
    let book = |sequel| {
        let mut book = json!({"id": 1, "title": "Emma", "isbn": 1});
        book["sequel"] = sequel;
        book
    };
    let last = json!({"id": 1, "title": "Emma", "isbn": 1});
    let outcome = check(&[get("/v1/books/1", 200, &(0..14).fold(last, |it, _| book(it)))]);
    let [isbn] = &outcome.findings[..] else { panic!("{:#?}", outcome.findings) };
    assert_eq!((isbn.count, isbn.places.len()), (1, 12));
}

#[test]
fn a_member_without_a_name_decides_on_no_variant_and_no_exclusion() {
    let contract = |schema: &str| {
        let content = format!("{{content: {{application/json: {{schema: {schema}}}}}}}");
        format!("{{openapi: 3.1.0, paths: {{/a: {{get: {{responses: {{200: {content}}}}}}}}}}}")
    };
    let object = |name: &str| format!("{{type: object, properties: {{{name}: {{type: string}}}}}}");
    let both = contract(&format!("{{oneOf: [{}, {}]}}", object("a"), object("b")));
    let outcome = check_with(&both, &get("/a", 200, &json!({"z": 1})));
    assert_eq!(codes(&outcome), ["traffic-response-value", "traffic-response-member"]);
    // The variant that allows all other members was meant, even if it names fewer.
    let one = "{type: object, properties: {x: {type: integer}, y: {type: integer}}}";
    let either = contract(&format!("{{anyOf: [{one}, {}]}}", object("z")));
    let outcome = check_with(&either, &get("/a", 200, &json!({"x": "a", "y": 1})));
    assert_eq!(codes(&outcome), ["traffic-response-member", "traffic-response-member"]);
    let list = "{type: object, required: [a], properties: {a: {prefixItems: [{type: string}]}}}";
    let not = contract(&format!("{{type: object, additionalProperties: true, not: {list}}}"));
    let outcome = check_with(&not, &get("/a", 200, &json!({"a": ["b"], "z": 1})));
    assert_eq!(codes(&outcome), ["traffic-undecided"]);
}

#[test]
fn a_prefix_chooses_the_api_among_other_traffic() {
    let line = |url: &str| get(url, 200, &json!([])).to_string();
    let lines = [line("https://a.example.com/lib/books"), line("https://b.example.com/lib/x")];
    let run = |prefix| {
        let outcome = check_lines(&lines.join("\n"), Some(prefix));
        (outcome.exchanges, outcome.skipped, codes(&outcome).len())
    };
    assert_eq!(run("https://a.example.com/lib"), (1, 1, 0));
    assert_eq!(run("/lib/"), (2, 0, 1));
    let asked = |method| {
        let entry = entry(&format!("{method} /v1/nothing"), &no(), 404, &no());
        header(entry, "request", "access-control-request-method", "GET")
    };
    let outcome = check(&[asked("GET"), asked("OPTIONS"), get("/v2/books", 200, &no())]);
    assert_eq!((outcome.exchanges, outcome.skipped), (1, 2));
    assert_eq!(run("/li"), (0, 2, 0));
    assert_eq!(run("/lib/x"), (1, 1, 1));
    // Hosts have no case, and the usual port need not be written.
    assert_eq!(run("HTTPS://A.example.com:443/lib"), (1, 1, 0));
    assert_eq!(run("https://a.example.com:80/lib"), (0, 2, 0));
    assert_eq!(run("https://a.example.com/LIB"), (0, 2, 0));
    for url in ["https://A.Example.com/lib/books", "https://u:p@a.example.com:443/lib/books"] {
        let outcome = check_lines(&line(url), Some("https://a.example.com/lib"));
        assert_eq!((outcome.exchanges, codes(&outcome).len()), (1, 0), "{url}");
    }
    // An address in a path is a part of the path.
    let outcome = check_lines(&line("/lib/http://x/books"), Some("/lib"));
    assert_eq!(codes(&outcome), ["traffic-operation"]);
    assert_eq!(check_lines(&line("/a/http://x/lib/books"), Some("/lib")).skipped, 1);
}

#[test]
fn a_path_is_relative_to_the_longest_address_that_it_begins_with() {
    let contract = "{openapi: 3.0.3, servers: [{url: /a}, {url: 'https://x.example/a/b/'}], paths: {/c: {get: {responses: {204: {}}}}}}";
    for url in ["/a/c", "/a/b/c"] {
        let none: &[&str] = &[];
        assert_eq!(codes(&check_with(contract, &get(url, 204, &no()))), none, "{url}");
    }
}

/// What the contract of the other tests does not have: an operation with parameters, headers and
/// bodies that few documents use.
fn rare() -> String {
    let variant = |at| format!("{{type: object, required: [p{at}], additionalProperties: true}}");
    let variants = (0..9).map(variant).collect::<Vec<_>>().join(", ");
    format!(
        "
openapi: 3.0.3
paths:
  /a:
    get:
      parameters:
        - {{name: json, in: query, content: {{application/json: {{schema: {{type: integer}}}}}}}}
        - {{name: pipes, in: query, style: pipeDelimited, schema: {{type: array, items: {{}}}}}}
        - {{name: any, in: query, schema: {{anyOf: [{{type: object}}, {{type: string}}]}}}}
        - {{name: X-List, in: header, schema: {{type: array, items: {{type: integer}}}}}}
      responses:
        '200':
          headers:
            Content-Type: {{schema: {{type: integer}}}}
            X-List: {{schema: {{type: array, maxItems: 2, items: {{type: integer}}}}}}
          content:
            application/problem+json: {{schema: {{type: object, required: [a]}}}}
            application/json: {{schema: {{oneOf: [{variants}]}}}}
            text/plain: {{schema: {{type: string, maxLength: 9}}}}
            application/x+json: {{schema: {{allOf: [{{$ref: '#/components/schemas/Loop'}}]}}}}
        '304': {{description: ''}}
    put:
      requestBody: {{required: true, content: {{}}}}
      responses: {{'200': {{content: {{'*/*': {{schema: {{type: string, maxLength: 1}}}}}}}}}}
components:
  schemas:
    Loop: {{allOf: [{{$ref: '#/components/schemas/Loop'}}]}}
"
    )
}

#[test]
fn what_few_contracts_have_is_checked_too() {
    let problem = |body| text(get("/a", 200, &no()), "application/problem+json", body);
    let ask = |query| with(problem("{\"a\": 1}"), "/request/url", json!(format!("/a?{query}")));
    let list = |side, value| header(ask(""), side, "x-list", value);
    let long = "x".repeat(100);
    for (entry, expected) in [
        (ask("json=1"), None),
        (ask("json=x"), Some("request-value")),
        (ask("pipes=x"), Some("undecided")),
        (ask("any=x"), None),
        (list("request", "1, 2"), None),
        (list("request", "1, x"), Some("request-value")),
        (list("response", "1,2"), None),
        (list("response", "1,2,3"), Some("response-value")),
        (problem("{}"), Some("response-missing")),
        (problem("\"text\""), Some("response-value")),
        (text(get("/a", 200, &no()), "text/plain", &long), Some("response-value")),
        (get("/a", 200, &json!({"p1": 1})), None),
        (get("/a", 200, &json!({"p1": 1, "p2": 1})), Some("response-value")),
        (text(get("/a", 304, &no()), "text/html", "<p>"), None),
        (text(get("/a", 200, &no()), "application/x+json", "1"), Some("undecided")),
        (text(entry("PUT /a", &no(), 200, &no()), "a/b", "long"), None),
    ] {
        let outcome = check_with(&rare(), &entry);
        let expected: Vec<_> = expected.iter().map(|code| format!("traffic-{code}")).collect();
        assert_eq!(codes(&outcome), expected, "{entry}");
        let cut = format!("\"{}...", &long[..79]);
        assert!(outcome.findings.iter().all(|it| it.sent.len() < 80 || it.sent == cut));
        let members = outcome.coverage.members.iter().map(|it| it.name.as_str());
        let headers: Vec<_> = members.filter(|name| name.contains("200 header")).collect();
        assert_eq!(headers, ["GET /a 200 header `X-List`"]);
    }
}

/// An archive as Chromium exports it: members that begin with `_`, bodies as base64 or without text,
/// pseudo-headers, a preflight, and a request that was blocked.
const HAR: &str = include_str!("chromium.har");

#[test]
fn an_archive_of_a_browser_is_read() {
    let exchanges = read_traffic("chromium.har", HAR).unwrap();
    assert_eq!(exchanges.len(), 6);
    let contract = contract();
    let outcome = check_traffic(&Routes::new(contract, None), &exchanges);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    assert_eq!((outcome.exchanges, outcome.skipped), (3, 3));
    let seen =
        |name: &str| outcome.coverage.statuses.iter().any(|it| it.name == name && it.is_seen);
    assert!(seen("listBooks 200") && seen("addBook 201") && seen("latestBook 200"));
    // The body in base64 is really read.
    let broken = HAR.replace("W3siaWQiOjEsInRpdGxlIjoiRW1tYSJ9XQ==", "W3siaWQiOjF9XQ==");
    let exchanges = read_traffic("chromium.har", &broken).unwrap();
    let outcome = check_traffic(&Routes::new(contract, None), &exchanges);
    assert_eq!(codes(&outcome), ["traffic-response-missing"]);
}

#[test]
fn what_is_no_traffic_is_refused_with_one_sentence() {
    let base64 = "{\"request\":{\"method\":\"GET\",\"url\":\"/\",\"headers\":[]},\"response\":{\
                  \"status\":200,\"headers\":[],\"content\":{\"text\":\"?\",\"encoding\":\"base64\"}}}";
    for (text, why) in [
        ("no", "f is neither a HAR file nor JSON lines: line 1 is not JSON"),
        ("{}\n{", "line 2 is not JSON"),
        ("{}", "f lacks the text `request/method` in exchange 1"),
        ("{\"log\": {}}", "`log` without `entries`"),
        (
            "{\"request\": {\"method\": \"GET\", \"url\": \"/\"}}",
            "lacks the number `response/status` in exchange 1",
        ),
        (
            "{\"request\": {\"method\": \"GET\", \"url\": \"/\"}, \"response\": {\"status\": 200}}",
            "lacks a list of `headers` in exchange 1",
        ),
        (base64, "has a body that is not base64 in exchange 1"),
        (
            &base64.replace("[]", "[{}]"),
            "has a header without a text `name` or `value` in exchange 1",
        ),
    ] {
        let error = read_traffic("f", text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert_eq!(read_traffic("f", "\u{feff}\n \n").unwrap(), []);
}

/// Returns the JSON pointer of every value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    for (key, member) in value.as_object().into_iter().flatten() {
        pointers(member, &format!("{at}/{}", escape(key)), all);
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        pointers(element, &format!("{at}/{index}"), all);
    }
}

#[test]
fn no_contract_and_no_archive_panics() {
    let entries = [
        book("medium", json!({"type": "file"})),
        added("isbn", json!("1")),
        get("/v1/books?tags=a,b&shelf=1&limit=x", 400, &error()),
        text(get("/v1/covers/a.png", 200, &no()), "image/png", "x"),
    ];
    let lines = entries.map(|entry| entry.to_string()).join("\n");
    let exchanges = read_traffic("f", &lines).unwrap();
    let mut all = Vec::new();
    pointers(&contract().value(), "", &mut all);
    let wrong = [json!([]), json!("x"), json!({}), json!([1]), no()];
    for (pointer, wrong) in all.iter().zip(wrong.iter().cycle()) {
        let mut value = contract().value().clone();
        *value.pointer_mut(pointer).unwrap() = wrong.clone();
        if let Ok(contract) = Document::new("c", value) {
            check_traffic(&Routes::new(&contract, None), &exchanges);
        }
    }
    for end in 1..HAR.trim_end().len() {
        assert!(read_traffic("f", &HAR[..end]).is_err(), "{end}");
    }
}

#[test]
fn credentials_are_redacted_and_what_stands_for_them_is_accepted() {
    let contract = contract();
    let routes = Routes::new(contract, None);
    let login = json!({"user": "jane", "password": "hush"});
    let mut kept = entry("POST /v1/sessions?client=a", &login, 200, &json!({"token": "lib_hush"}));
    kept = header(kept, "request", "AUTHORIZATION", "Bearer hush");
    kept = header(kept, "request", "Cookie", "session=hush");
    kept = header(kept, "request", "Proxy-Authorization", "Basic hush");
    kept = header(kept, "response", "set-cookie", "session=hush");
    let mut unknown = entry("POST /v1/hush", &json!({"a": "hush"}), 404, &json!({"b": "hush"}));
    for entry in [&mut kept, &mut unknown] {
        if entry["request"]["url"] == "/v1/hush" {
            entry["request"]["url"] = json!("/v1/unknown");
        }
        routes.redact(entry);
        assert!(!entry.to_string().contains("hush"), "{entry}");
    }
    assert_eq!(unknown["response"]["content"]["text"], REDACTED);
    assert!(kept["request"]["postData"]["text"].as_str().unwrap().contains("jane"));
    assert!(codes(&check(&[kept.clone(), unknown])).is_empty());
    // Lists of secrets and maps of secrets have them too.
    let secret = "{type: string, format: password}";
    let one =
        format!("{{type: object, properties: {{pin: {secret}}}, additionalProperties: {secret}}}");
    let schema = format!("{{type: array, items: {one}}}");
    let content = format!("{{content: {{application/json: {{schema: {schema}}}}}}}");
    let contract =
        format!("{{openapi: 3.0.3, paths: {{/a: {{get: {{responses: {{200: {content}}}}}}}}}}}");
    let mut kept = get("/a", 200, &json!([{"pin": "hush", "other": "hush"}]));
    let document = Document::parse("c.yaml", &contract).unwrap();
    Routes::new(&document, None).redact(&mut kept);
    let expected = json!([{"pin": REDACTED, "other": REDACTED}]).to_string();
    assert_eq!(kept["response"]["content"]["text"], expected);
    assert!(codes(&check_with(&contract, &kept)).is_empty());
    // A body in base64 is not read, and one that is empty has no secret.
    kept["response"]["content"] = json!({"text": "aHVzaA==", "encoding": "base64"});
    kept["request"]["postData"] = json!({"text": ""});
    Routes::new(&document, None).redact(&mut kept);
    assert_eq!(kept["response"]["content"], json!({"text": REDACTED}));
    assert_eq!(kept["request"]["postData"], json!({"text": ""}));
    // Some base64 is JSON too.
    kept["response"]["content"] = json!({"text": "1234", "encoding": "base64"});
    Routes::new(&document, None).redact(&mut kept);
    assert_eq!(kept["response"]["content"], json!({"text": REDACTED}));
    // It is accepted only where a secret is documented, and a secret is never shown.
    let other = book("isbn", json!(REDACTED));
    assert_eq!(codes(&check(&[other])), ["traffic-response-value"]);
    let secret = entry("POST /v1/sessions?client=a", &no(), 200, &json!({"token": "hush"}));
    let outcome = check(&[secret]);
    assert_eq!(codes(&outcome), ["traffic-response-value"]);
    assert!(!format!("{outcome:?}").contains("hush"), "{outcome:?}");
}

#[test]
fn keys_in_headers_and_in_the_query_are_redacted_and_accepted() {
    let contract = "
openapi: 3.0.3
paths:
  /a:
    get:
      parameters:
        - {name: access_token, in: query, schema: {type: string, maxLength: 4}}
        - {name: X-Secret, in: header, schema: {type: string, maxLength: 4}}
        - {name: page, in: query, schema: {type: integer}}
      responses:
        '204': {headers: {X-New-Token: {schema: {type: string, maxLength: 4}}}}
components:
  securitySchemes:
    a: {type: apiKey, in: header, name: X-Seal}
    b: {type: apiKey, in: query, name: sig}
    c: {type: http, scheme: bearer, name: page}
";
    let url = "/a?access%5Ftoken=hush&sig=hush&page=1#hush";
    let mut kept = get(url, 204, &no());
    for name in ["x-seal", "X-API-Key", "x-secret", "token", "X-Password"] {
        kept = header(kept, "request", name, "hush");
    }
    kept = header(kept, "response", "x-new-token", "hush");
    kept = header(kept, "response", "x-total", "1");
    let named = json!([{"name": "sig", "value": "hush"}, {"name": "page", "value": "1"}]);
    kept["request"]["queryString"] = named;
    kept["request"]["cookies"] = json!([{"name": "a", "value": "hush"}]);
    kept["response"]["cookies"] = json!([{"name": "b", "value": "hush"}]);
    kept["request"]["postData"] = json!({"text": "a=hush", "params": [{"value": "hush"}]});
    let document = Document::parse("c.yaml", contract).unwrap();
    Routes::new(&document, None).redact(&mut kept);
    assert!(!kept.to_string().contains("hush"), "{kept}");
    let expected = "/a?access%5Ftoken=%5Bredacted%5D&sig=%5Bredacted%5D&page=1";
    assert_eq!(kept["request"]["url"], expected);
    assert_eq!(kept["request"]["queryString"][1]["value"], "1");
    assert!(kept.to_string().contains(r#""name":"x-total","value":"1""#), "{kept}");
    kept["request"]["postData"] = no();
    assert!(codes(&check_with(contract, &kept)).is_empty(), "{:#?}", check_with(contract, &kept));
    // It stands for nothing else.
    let other = get("/a?page=%5Bredacted%5D", 204, &no());
    assert_eq!(codes(&check_with(contract, &other)), ["traffic-request-value"]);
}

#[test]
fn coverage_counts_operations_statuses_and_optional_members() {
    let outcome = check(&[
        get("/v1/books?limit=1", 200, &json!([{"id": 1, "title": "Emma", "isbn": "1234"}])),
        get("/v1/books?sort=x", 400, &error()),
        entry(
            "POST /v1/books",
            &json!({"title": "a", "note": "b"}),
            201,
            &json!({"id": 1, "title": "a"}),
        ),
    ]);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    let coverage = &outcome.coverage;
    let names = |all: &[openapi_drift::Item], is_seen| {
        let all = all.iter().filter(|it| it.is_seen == is_seen).map(|it| it.name.clone());
        all.collect::<Vec<_>>()
    };
    assert_eq!(names(&coverage.operations, true), ["addBook", "listBooks"]);
    assert_eq!(names(&coverage.statuses, true), ["addBook 201", "listBooks 200", "listBooks 4XX"]);
    let members = names(&coverage.members, true);
    // A refused request shows nothing, and `isbn` is seen in responses only.
    assert_eq!(
        members,
        ["addBook request `.note`", "listBooks 200 `[].isbn`", "listBooks query `limit`"]
    );
    let missing = names(&coverage.members, false);
    for name in
        ["addBook request `.isbn`", "listBooks query `sort`", "listBooks 200 header `X-Note`"]
    {
        assert!(missing.contains(&name.to_owned()), "{missing:?}");
    }
    assert!(!missing.iter().any(|name| name.contains("200 `[].note`")), "{missing:?}");
}

#[test]
fn every_optional_part_is_counted() {
    let object = |name| format!("{{type: object, properties: {{{name}: {{}}}}}}");
    let [deep, value] = ["deep", "value"].map(object);
    let body = format!(
        "{{required: [id], properties: {{id: {{}}, own: {deep}, list: {{items: {deep}}}, \
         map: {{type: object, additionalProperties: {value}}}}}}}"
    );
    let parameters = "[{name: a, in: query}, {name: b, in: query, required: true}, \
                      {name: X-A, in: header}, {name: c, in: cookie}]";
    let headers = "{X-B: {}, X-C: {required: true}, Content-Type: {}}";
    let contract = format!(
        "{{openapi: 3.0.3, paths: {{/a: {{put: {{operationId: put, parameters: {parameters}, \
         requestBody: {{content: {{application/json: {{schema: {body}}}}}}}, \
         responses: {{200: {{headers: {headers}}}}}}}}}}}}}"
    );
    let sent = json!({"id": 1, "list": [{"deep": 1}], "map": {"x": {"value": 1}}});
    let mut sent = header(entry("PUT /a?a=1&b=1", &sent, 200, &no()), "request", "x-a", "1");
    sent["response"]["headers"] =
        json!([{"name": "x-b", "value": "1"}, {"name": "x-c", "value": "1"}]);
    let outcome = check_with(&contract, &sent);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    let members = outcome.coverage.members.iter();
    let members: Vec<_> = members.map(|it| (it.name.as_str(), it.is_seen)).collect();
    let expected = [
        ("put 200 header `X-B`", true),
        ("put header `X-A`", true),
        ("put query `a`", true),
        ("put request `.list[].deep`", true),
        ("put request `.list`", true),
        ("put request `.map.*.value`", true),
        ("put request `.map`", true),
        ("put request `.own.deep`", false),
        ("put request `.own`", false),
    ];
    assert_eq!(members, expected);
    assert_eq!(outcome.coverage.members[0].contract.says, "documented");
}

#[test]
fn every_gap_needs_a_reason_and_every_reason_a_gap() {
    let contract = contract();
    let outcome = check(&[get("/v1/books", 200, &json!([]))]);
    let gaps = |reasons: &str| outcome.coverage.gaps(contract, ("reasons.txt", reasons));
    let titles = |reasons: &str| {
        let gaps = gaps(reasons).unwrap();
        gaps.into_iter().map(|it| format!("{}: {}", it.rule, it.title)).collect::<Vec<_>>()
    };
    // Six operations, and nine statuses: two of `addBook` and `getBook`, one of each other.
    assert_eq!(titles("").len(), 15);
    assert_eq!(titles("* 418: an operation has no status").len(), 16);
    let none: Vec<(String, usize)> = Vec::new();
    assert!(gaps("* 418: no").unwrap().iter().all(|it| it.count == 0 && it.exchanges == none));
    let most = "# Comment\n\nlistBooks 4XX: a\naddBook : b\ngetBook: b\nremoveBook: b\nlatestBook: b\n\
                getCover: b\nlogIn: b\n* 200: c\n* 201: c\n* 400: c\n* default: c\n";
    let missing = "traffic-uncovered: `removeBook 204` is documented, and was not seen";
    assert_eq!(titles(most), [missing]);
    let all = format!("{most}* 204: d\nlistBooks 200: seen\n* 418: no\nlistBooks: seen\n");
    let unneeded = |line: usize, name: &str| {
        format!("traffic-unneeded-reason: reasons.txt:{line} explains `{name}`, which is no gap")
    };
    let expected =
        [unneeded(15, "listBooks 200"), unneeded(16, "* 418"), unneeded(17, "listBooks")];
    assert_eq!(titles(&all), expected);
    for malformed in ["addBook", "addBook:", "addBook: "] {
        let error = gaps(malformed).unwrap_err().to_string();
        assert!(error.starts_with("reasons.txt has no reason in line 1"), "{error}");
    }
}

/// A contract with secrets of every kind.
const SECRETS: &str = "
openapi: 3.1.0
paths:
  /a:
    post:
      parameters:
        - {name: sig, in: query, schema: {type: integer}}
        - {name: X-Auth-Token, in: header, schema: {type: integer}}
        - {name: page, in: query, schema: {type: integer}}
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}
      responses:
        '200':
          headers: {Set-Cookie: {schema: {type: string, maxLength: 1}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}
components:
  securitySchemes:
    a: {type: apiKey, in: query, name: sig}
  schemas:
    A:
      type: object
      properties:
        title: {type: string, maxLength: 1}
        pw: {type: string, format: password, writeOnly: true, maxLength: 1}
        pin: {type: integer, writeOnly: true}
        maybe: {anyOf: [{type: string, format: password, maxLength: 1}, {type: 'null'}]}
        api_key: {type: string, maxLength: 1}
        list: {type: array, items: {type: object, properties: {password: {type: string, maxLength: 1}}}}
        map: {type: object, additionalProperties: {type: string, maxLength: 1}}
        keys: {type: object, writeOnly: true, properties: {one: {type: string, maxLength: 1}}}
        parts: {type: array, maxItems: 0}
        closed: {type: object, additionalProperties: false, properties: {a: {}}}
        one: {oneOf: [{type: object, additionalProperties: true}, {type: object, required: [a], additionalProperties: true}]}
";

/// An exchange in which nothing is wrong but its address.
fn post(url: &str) -> Value {
    entry(&format!("POST {url}"), &json!({}), 200, &json!({}))
}

#[test]
fn a_finding_never_shows_what_may_be_a_secret() {
    let broken = [
        json!({"pw": "hush1"}),
        json!({"pin": "hush1"}),
        json!({"maybe": "hush1"}),
        json!({"maybe": ["hush1"]}),
        json!({"api_key": "hush1"}),
        json!({"api_key": ["hush1"]}),
        json!({"undocumented": "hush1"}),
        json!({"closed": {"b": "hush1"}}),
        json!({"title": {"a": "hush1"}}),
        json!({"title": ["hush1"]}),
        json!({"list": [{"password": "hush1"}]}),
        json!({"list": "hush1"}),
        json!({"map": {"secret": "hush1"}}),
        json!({"keys": {"one": "hush1"}}),
        json!({"parts": ["hush1"]}),
        json!({"one": {"a": "hush1"}}),
    ];
    let mut entries = vec![
        post("/a?sig=hush1"),
        post("/a?other=hush1"),
        post("/a?page=1&page=hush1"),
        header(post("/a"), "request", "x-auth-token", "hush1"),
        header(post("/a"), "response", "set-cookie", "hush1"),
        text(post("/a"), "application/json", "{\"title\": \"hush1"),
        with(post("/a"), "/request/postData/text", json!("{hush1")),
        post("https://hush1:hush1@a.example.com/b"),
    ];
    for body in broken {
        entries.push(entry("POST /a", &body, 200, &json!({})));
        entries.push(entry("POST /a", &json!({}), 200, &body));
    }
    for entry in entries {
        let outcome = check_with(SECRETS, &entry);
        assert!(!outcome.findings.is_empty(), "{entry}");
        assert!(!format!("{outcome:?}").contains("hush1"), "{entry}\n{:#?}", outcome.findings);
    }
}

#[test]
fn a_documented_value_that_is_no_secret_is_shown() {
    let shown = [
        (entry("POST /a", &json!({"title": "plain"}), 200, &json!({})), "\"plain\""),
        (entry("POST /a", &json!({"title": null}), 200, &json!({})), "null"),
        (entry("POST /a", &json!({"map": {"a": "plain"}}), 200, &json!({})), "\"plain\""),
        (entry("POST /a", &json!({"parts": [1, 2]}), 200, &json!({})), "an array of length 2"),
        (entry("POST /a", &json!({"title": {"a": 1}}), 200, &json!({})), "an object"),
        (post("/a?page=x"), "\"x\""),
        (post("/a?page=1&page=2"), "2 values"),
        (post("https://hush1@a.example.com/b"), "200"),
    ];
    for (entry, sent) in shown {
        assert_eq!(check_with(SECRETS, &entry).findings[0].sent, sent, "{entry}");
    }
    let outcome = check_with(SECRETS, &post("https://hush1@a.example.com/b"));
    let title = "POST https://a.example.com/b is served, and not documented";
    assert_eq!(outcome.findings[0].title, title);
    // A recorder does not write it either.
    let document = Document::parse("c.yaml", SECRETS).unwrap();
    let mut kept = post("https://hush1:hush1@a.example.com/b?a=1");
    Routes::new(&document, None).redact(&mut kept);
    assert_eq!(kept["request"]["url"], "https://a.example.com/b?a=1");
}

#[test]
fn a_parameter_that_is_an_object_is_read_by_its_style() {
    let object = "type: object, required: [a], properties: {a: {type: integer}, token: {type: boolean}, l: {type: array}}";
    let contract = |parameter: &str, more: &str| {
        format!(
            "{{openapi: 3.0.3, paths: {{/a: {{get: {{responses: {{204: {{}}}}, parameters: [\
             {{name: f, in: query, {parameter}, schema: {{{object}{more}}}}}, \
             {{name: page, in: query, schema: {{type: integer}}}}]}}}}}}}}"
        )
    };
    let (deep, form, listed) = ("style: deepObject", "style: form", "explode: false");
    let (open, closed) = (", additionalProperties: {type: integer}", "");
    for (parameter, more, query, expected) in [
        (deep, closed, "", None),
        (deep, closed, "f[a]=1&page=2", None),
        (deep, closed, "f%5Ba%5D=1", None),
        (deep, closed, "f[a]=1&f[token]=[redacted]", None),
        (deep, closed, "f[a]=x", Some("request-value")),
        (deep, closed, "f[token]=true", Some("request-missing")),
        (deep, closed, "f[a]=1&f[z]=1", Some("request-member")),
        (deep, open, "f[a]=1&f[z]=1", None),
        (deep, open, "f[a]=1&f[z]=x", Some("request-value")),
        (deep, closed, "f[a]=1&f[a]=2", Some("undecided")),
        (deep, closed, "f[a]=1&f[l]=2", Some("undecided")),
        (deep, open, "f[a]=1&f[z][y]=2", Some("undecided")),
        (deep, closed, "a=1", Some("parameter")),
        (deep, closed, "f=1", Some("undecided")),
        ("required: true, style: deepObject", closed, "page=2", Some("request-missing")),
        (form, closed, "page=2", None),
        (form, closed, "a=1", None),
        (form, closed, "a=x", Some("request-value")),
        (form, closed, "a=1&z=1", Some("parameter")),
        (form, open, "a=1&z=1&page=2", None),
        (form, open, "a=1&z=x", Some("request-value")),
        (listed, closed, "f=a,1,token,true", None),
        (listed, closed, "f=a,x", Some("request-value")),
        (listed, closed, "f=a", Some("undecided")),
        ("style: pipeDelimited", closed, "f=a%7C1", Some("undecided")),
        ("style: pipeDelimited", closed, "", None),
    ] {
        let outcome =
            check_with(&contract(parameter, more), &get(&format!("/a?{query}"), 204, &no()));
        let expected: Vec<_> = expected.iter().map(|code| format!("traffic-{code}")).collect();
        assert_eq!(
            codes(&outcome),
            expected,
            "{parameter} {more} {query}\n{:#?}",
            outcome.findings
        );
    }
}
