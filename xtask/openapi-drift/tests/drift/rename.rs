//! What was renamed is one finding with both places, and what cannot be paired without doubt is not
//! taken for renamed.

use openapi_drift::{Document, Outcome, Pair, Question, compare};
use serde_json::{Value, json};

fn changed(before: Value, now: Value) -> Outcome {
    let documented = Document::new("before", before).unwrap();
    let served = Document::new("now", now).unwrap();
    compare(Question::Change, &Pair { documented, served })
}

/// Returns the titles of what breaks, then of what is added.
fn titles(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().chain(&outcome.additions).map(|finding| &*finding.title).collect()
}

fn responding(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "required": required});
    schema["properties"] = properties;
    let body = json!({"content": {"application/json": {"schema": schema}}});
    let operation = json!({"operationId": "a", "responses": {"200": body}});
    json!({"openapi": "3.0.3", "paths": {"/a": {"get": operation}}})
}

#[test]
fn a_renamed_property_is_one_finding_with_both_places() {
    let (string, number) = (json!({"type": "string"}), json!({"type": "number"}));
    let before = responding(json!({"id": string, "a": string, "b": number}), &["a"]);
    let now = responding(json!({"id": string, "x": string, "y": number}), &["x"]);
    let outcome = changed(before, now);
    assert_eq!(titles(&outcome), ["`a` is now `x`", "`b` is now `y`"]);
    let finding = &outcome.findings[0];
    assert!(finding.documented.used_at.ends_with("/properties/a"), "{finding:?}");
    assert!(finding.served.used_at.ends_with("/properties/x"), "{finding:?}");
    assert_eq!([&*finding.documented.says, &*finding.served.says], ["a", "x"]);
    // One that is new next to a renamed one is no other name for it.
    let before = responding(json!({"a": string}), &[]);
    let now = responding(json!({"x": string, "y": number}), &[]);
    assert_eq!(titles(&changed(before, now)), ["`a` is now `x`", "`y` is new"]);
}

#[test]
fn a_renamed_parameter_of_a_path_does_not_move_the_operation() {
    let document = |route: &str, name: &str| {
        let parameter = json!({"name": name, "in": "path", "schema": {"type": "string"}});
        with_parameters(route, "get", json!([parameter]))
    };
    let why = |route: &str, name: &str| {
        let outcome = changed(document("/a/{id}", "id"), document(route, name));
        let [finding] = &outcome.findings[..] else { panic!("{:?}", titles(&outcome)) };
        finding.why()
    };
    assert!(why("/a/{slug}", "slug").starts_with("the path matches the same"));
    assert_eq!(why("/b/{id}", "id"), "a caller of the documented route receives 404 or 405");
}

#[test]
fn a_parameter_of_the_path_that_operations_share_is_renamed_once() {
    let document = |name: &str, other: &str| {
        let parameter =
            |name: &str| json!({"name": name, "in": "path", "schema": {"type": "string"}});
        let item = |ids: [&str; 2], names: &[&str]| {
            let parameters: Vec<_> = names.iter().map(|name| parameter(name)).collect();
            let [get, put] = ids.map(|id| json!({"operationId": id}));
            json!({"parameters": parameters, "get": get, "put": put})
        };
        let [one, two] = [format!("/v1/{{{name}}}"), format!("/v1/{{{name}}}/b/{{{other}}}")];
        let paths = json!({one: item(["a", "b"], &[name]), two: item(["c", "d"], &[name, other])});
        json!({"openapi": "3.0.3", "paths": paths})
    };
    let outcome = changed(document("slug", "id"), document("name", "id"));
    let title = "the path parameter `slug` is now `name`";
    assert_eq!(titles(&outcome), [title]);
    let finding = &outcome.findings[0];
    assert_eq!(finding.places, ["a", "b", "c", "d"]);
    assert_eq!(finding.code().to_string(), "path");
    assert!(finding.why().starts_with("the path matches the same"), "{}", finding.why());
    assert_eq!(finding.served.used_at, "/paths/~1v1~1{name}");
    let outcome = changed(document("slug", "id"), document("name", "number"));
    assert_eq!(titles(&outcome), [title, "the path parameter `id` is now `number`"]);
    assert_eq!(outcome.findings[1].places, ["c", "d"]);
}

#[test]
fn a_property_is_renamed_only_if_one_other_has_its_shape() {
    let string = json!({"type": "string"});
    let before = || responding(json!({"a": string}), &[]);
    let two = responding(json!({"x": string, "y": string}), &[]);
    assert_eq!(titles(&changed(before(), two)), ["`a` is gone", "`x` is new", "`y` is new"]);
    let wider = responding(json!({"x": {"type": "string", "nullable": true}}), &[]);
    assert_eq!(titles(&changed(before(), wider)), ["`a` is gone", "`x` is new"]);
    let narrower = responding(json!({"x": {"type": "string", "maxLength": 9}}), &[]);
    assert_eq!(titles(&changed(before(), narrower)), ["`a` is gone", "`x` is new"]);
    let required = responding(json!({"x": string}), &["x"]);
    assert_eq!(titles(&changed(before(), required)), ["`a` is gone", "`x` is new"]);
    let with_default = responding(json!({"x": {"type": "string", "default": "-"}}), &[]);
    assert_eq!(titles(&changed(before(), with_default)), ["`a` is gone", "`x` is new"]);
    let both = responding(json!({"a": string, "b": string}), &[]);
    let one = responding(json!({"x": string}), &[]);
    assert_eq!(titles(&changed(both, one)), ["`a` is gone", "`b` is gone", "`x` is new"]);
    let many = |prefix: &str, count| {
        let names = (0..count).map(|at| (format!("{prefix}{at}"), json!({"maxLength": at})));
        responding(names.collect(), &[])
    };
    assert_eq!(titles(&changed(many("a", 20), many("x", 20))).len(), 20);
    assert_eq!(titles(&changed(many("a", 21), many("x", 21))).len(), 42);
    assert_eq!(titles(&changed(many("a", 1), many("x", 21))).len(), 22);
    assert_eq!(titles(&changed(many("a", 21), many("x", 1))).len(), 22);
}

fn with_parameters(route: &str, id: &str, parameters: Value) -> Value {
    let mut operation = json!({"operationId": id});
    operation["parameters"] = parameters;
    json!({"openapi": "3.0.3", "paths": {route: {"get": operation}}})
}

#[test]
fn a_renamed_parameter_is_one_finding_with_both_places() {
    let limit = |name: &str, place: &str, most: u8| {
        let schema = json!({"type": "integer", "maximum": most});
        json!([{"name": name, "in": place, "schema": schema}])
    };
    let document = |parameters| with_parameters("/a", "a", parameters);
    let outcome = changed(document(limit("limit", "query", 9)), document(limit("max", "query", 9)));
    let title = "parameter `limit` was in query, and is now called `max`";
    assert_eq!(titles(&outcome), [title]);
    assert!(outcome.findings[0].served.used_at.ends_with("/parameters/0"));
    let two = |names: [&str; 2]| {
        let string = json!({"name": names[1], "in": "query", "schema": {"type": "string"}});
        let mut all = limit(names[0], "query", 9);
        all.as_array_mut().unwrap().push(string);
        document(all)
    };
    let outcome = changed(two(["limit", "q"]), two(["max", "text"]));
    let second = "parameter `q` was in query, and is now called `text`";
    assert_eq!(titles(&outcome), [title, second]);
    let outcome = changed(document(limit("limit", "query", 9)), two(["max", "text"]));
    assert_eq!(titles(&outcome), [title, "parameter `text` in query is new"]);
    let moved = changed(document(limit("a", "query", 9)), document(limit("A", "header", 9)));
    assert_eq!(titles(&moved), ["parameter `a` was in query, and is now in header"]);
    for other in [
        limit("Limit", "query", 8),
        limit("max", "query", 8),
        limit("max", "query", 10),
        limit("max", "header", 9),
    ] {
        let outcome = changed(document(limit("limit", "query", 9)), document(other));
        assert_eq!(titles(&outcome).len(), 2, "{:?}", titles(&outcome));
    }
}

#[test]
fn a_parameter_of_a_renamed_route_is_compared_by_its_place() {
    let document = |route: &str, names: [&str; 2], kind: &str| {
        let parameter = |name: &str, kind: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}});
        let parameters = [parameter(names[0], "string"), parameter(names[1], kind)];
        with_parameters(route, "get", json!(parameters))
    };
    let before = || document("/a/{one}/{two}", ["one", "two"], "string");
    let now = |kind| document("/b/{x}/{one}", ["x", "one"], kind);
    assert_eq!(titles(&changed(before(), now("string"))).len(), 1);
    // The finding about the route says that it has more or fewer of them.
    let none = || with_parameters("/c", "get", json!([]));
    assert_eq!(titles(&changed(before(), none())).len(), 1);
    assert_eq!(titles(&changed(none(), before())).len(), 1);
    let outcome = changed(before(), now("boolean"));
    let titles = titles(&outcome);
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles[1].contains("parameter `two` could be string"), "{titles:?}");
    // A header with the name of a parameter of the path stays what it is.
    let with_header = |route: &str, name: &str| {
        let path = json!({"name": name, "in": "path", "schema": {"type": "string"}});
        let header = json!({"name": "one", "in": "header", "schema": {"type": "string"}});
        with_parameters(route, "get", json!([path, header]))
    };
    let outcome = changed(with_header("/a/{one}", "one"), with_header("/b/{x}", "x"));
    assert_eq!(outcome.findings.len(), 1, "{:?}", outcome.findings);
    // Those of the query are compared as always.
    let with_query = |route: &str, path: &[&str], kind: &str, query: [&str; 2]| {
        let path =
            path.iter().map(|name| json!({"name": name, "in": "path", "schema": {"type": kind}}));
        let query = json!({"name": query[0], "in": "query", "schema": {"type": query[1]}});
        with_parameters(route, "get", path.chain([query]).collect())
    };
    let earlier = || with_query("/a/{one}", &["one"], "string", ["q", "string"]);
    let same_path = with_query("/b/{x}", &["x"], "boolean", ["r", "integer"]);
    let outcome = changed(earlier(), same_path);
    let breaks = [
        "parameter `q` in query is gone",
        "parameter `one` could be string, and may now be only boolean",
    ];
    let found: Vec<_> = outcome.findings[1..].iter().map(|finding| &*finding.title).collect();
    assert_eq!(found, breaks);
    let outcome = changed(earlier(), with_query("/b", &[], "string", ["r", "integer"]));
    assert_eq!(outcome.findings[1].title, breaks[0]);
    assert_eq!(outcome.findings.len(), 2);
    assert_eq!(outcome.additions[0].title, "parameter `r` in query is new");
    // With another number of parameters none has a counterpart.
    let fewer = with_parameters("/b", "get", json!([]));
    assert_eq!(changed(before(), fewer).findings.len(), 1);
}

fn with_routes(routes: &[(&str, &str)]) -> Value {
    let item = |(route, id): &(&str, &str)| {
        ((*route).to_owned(), json!({"get": {"operationId": id, "responses": {"204": {}}}}))
    };
    let paths: serde_json::Map<_, _> = routes.iter().map(item).collect();
    json!({"openapi": "3.0.3", "paths": paths})
}

#[test]
fn an_operation_that_moved_is_known_by_its_name_and_then_by_its_route() {
    let outcome = changed(with_routes(&[("/x", "a")]), with_routes(&[("/x", "b"), ("/y", "a")]));
    let moved = "a: the route was GET /x, and is now GET /y";
    assert_eq!(titles(&outcome), [moved, "GET /x (b) is new"]);
    let renamed = changed(with_routes(&[("/x", "a")]), with_routes(&[("/x", "b")]));
    assert_eq!(titles(&renamed), ["a: the operationId was `a`, and is now `b`"]);
    let mut nameless = [["/a", "/b"], ["/b", "/c"]].map(|it| with_routes(&it.map(|it| (it, ""))));
    for operation in
        nameless.iter_mut().flat_map(|it| it["paths"].as_object_mut().unwrap().values_mut())
    {
        operation["get"].as_object_mut().unwrap().remove("operationId");
    }
    let [before, now] = nameless;
    assert_eq!(titles(&changed(before, now)), ["GET /a is gone", "GET /c is new"]);
    // The first of several goes first.
    let twice = |routes: [&str; 2]| with_routes(&routes.map(|route| (route, "a")));
    let [one, two] = [["/a", "/b"], ["/c", "/d"]].map(twice);
    let moved = ["/a, and is now GET /c", "/b, and is now GET /d"];
    assert_eq!(titles(&changed(one, two)), moved.map(|it| format!("a: the route was GET {it}")));
    let both = changed(with_routes(&[("/x/{a}", "a")]), with_routes(&[("/x/{b}", "b")]));
    assert_eq!(titles(&both).len(), 2, "{:?}", titles(&both));
    assert!(both.additions.is_empty());
    let other = changed(with_routes(&[("/x/{a}.a", "a")]), with_routes(&[("/x/{a}.b", "b")]));
    assert_eq!(titles(&other), ["GET /x/{a}.a (a) is gone", "GET /x/{a}.b (b) is new"]);
}
