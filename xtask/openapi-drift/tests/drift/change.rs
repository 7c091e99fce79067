//! Two versions of one contract: every broken promise is found and named, additions are listed, and
//! nothing else is reported. The cases are data in `change.txt`.

use openapi_drift::{Code, Document, Effect, Outcome, Pair, Question, Rule, compare};
use serde_json::{Value, json};

use crate::case::{self, Case};
use crate::pair::{pair, report};

/// Compares an earlier version of a contract with a later one.
fn changed(versions: Pair<Value>) -> Outcome {
    let documented = Document::new("v1:openapi.yaml", versions.documented).unwrap();
    let served = Document::new("openapi.yaml", versions.served).unwrap();
    compare(Question::Change, &Pair { documented, served })
}

fn unchanged() -> Pair<Value> {
    let contract = pair().documented;
    Pair { documented: contract.clone(), served: contract }
}

/// Returns what is wrong with the result of a case, if anything is.
fn mistake(case: &Case) -> Option<String> {
    let outcome = changed(case.applied(unchanged()));
    let (breaks, adds) = (!outcome.findings.is_empty(), !outcome.additions.is_empty());
    let text = format!("{}\n{}", codes(&outcome).join(" "), report(&outcome));
    let expected = (case.verdict == "breaks", case.verdict == "adds");
    if (breaks, adds && !breaks) != expected {
        return Some(format!("wrong verdict: {}\n{text}", case.line));
    }
    let unnamed: Vec<_> = case.names.iter().filter(|name| !text.contains(*name)).collect();
    (!unnamed.is_empty()).then(|| format!("does not name {unnamed:?}: {}\n{text}", case.line))
}

fn codes(outcome: &Outcome) -> Vec<String> {
    let all = outcome.findings.iter().chain(&outcome.additions);
    assert!(outcome.notes.is_empty(), "{:#?}", outcome.notes);
    all.map(|finding| finding.code().to_string()).collect()
}

#[test]
fn a_contract_keeps_its_own_promises() {
    let outcome = changed(unchanged());
    assert!(codes(&outcome).is_empty(), "{}", report(&outcome));
    let sentence = "openapi.yaml keeps every promise of v1:openapi.yaml: 7 operations compared\n";
    assert_eq!(report(&outcome), sentence);
}

#[test]
fn every_change_has_the_expected_verdict() {
    let mistakes: Vec<_> = case::changes().iter().filter_map(mistake).collect();
    assert!(mistakes.is_empty(), "{} wrong:\n\n{}", mistakes.len(), mistakes.join("\n"));
}

#[test]
fn every_code_has_a_change_that_breaks_or_adds() {
    let cases = case::changes();
    let found: Vec<_> =
        cases.iter().flat_map(|case| codes(&changed(case.applied(unchanged())))).collect();
    // Each rule is a rule of changes too, under the name that it has there. Only notes are not.
    let all = Code::all().filter(|code| code.rule != Rule::ErrorRange);
    let all = all.map(|code| Code { question: Question::Change, ..code }.to_string());
    let missing: Vec<_> = all.filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let compatible = cases.iter().filter(|case| case.verdict != "breaks").count();
    assert!(compatible * 3 >= cases.len(), "{compatible} of {}", cases.len());
}

/// A document with one operation, and these security schemes.
fn secured(schemes: &Value) -> Value {
    let operation = json!({"operationId": "a", "security": [{"login": ["read"]}]});
    json!({
        "openapi": "3.0.3",
        "paths": {"/a": {"get": operation}},
        "components": {"securitySchemes": schemes},
    })
}

#[test]
fn a_security_scheme_is_what_it_does_and_not_its_name() {
    let login = |scheme: &str, prose: &str| {
        let prose = json!({"description": prose, "bearerFormat": prose, "x-note": prose});
        let mut login = json!({"type": "http", "scheme": scheme});
        login.as_object_mut().unwrap().extend(prose.as_object().unwrap().clone());
        secured(&json!({"login": login}))
    };
    let outcome = |one, two| codes(&changed(Pair { documented: one, served: two }));
    assert!(outcome(login("bearer", "one"), login("bearer", "two")).is_empty());
    assert_eq!(outcome(login("bearer", ""), login("basic", "")), ["security"]);
    // HTTP reads the names of schemes and headers without case.
    assert!(outcome(login("bearer", ""), login("Bearer", "")).is_empty());
    let key = |place: &str, name: &str| {
        secured(&json!({"login": {"type": "apiKey", "in": place, "name": name}}))
    };
    assert!(outcome(key("header", "X-K"), key("header", "x-k")).is_empty());
    assert_eq!(outcome(key("query", "K"), key("query", "k")), ["security"]);
    let moved = changed(Pair { documented: key("query", "k"), served: key("header", "k") });
    let title = "`login` (read) was enough, and is another scheme now: its `in` was `query`, and is `header`";
    assert_eq!(moved.findings[0].title, title);
    let flow = |url: &str, scopes| {
        let flow = json!({"clientCredentials": {"tokenUrl": url, "scopes": scopes}});
        secured(&json!({"login": {"type": "oauth2", "flows": flow}}))
    };
    let scopes = json!({"read": "", "write": ""});
    assert!(
        outcome(flow("/token", json!({"read": ""})), flow("/token", scopes.clone())).is_empty()
    );
    assert_eq!(
        outcome(flow("/token", scopes.clone()), flow("/login", scopes.clone())),
        ["security"]
    );
    let other =
        changed(Pair { documented: flow("/token", scopes.clone()), served: flow("/b", scopes) });
    assert!(other.findings[0].title.ends_with("is another scheme now: its `flows` differ"));
}

/// A document with one operation, whose bodies have this schema.
fn with_body(schema: &Value) -> Value {
    let reference = json!({"$ref": "#/components/schemas/Body"});
    let body = json!({"content": {"application/json": {"schema": reference}}});
    let operation = json!({"operationId": "a", "requestBody": body, "responses": {"200": body}});
    json!({
        "openapi": "3.0.3",
        "paths": {"/a": {"put": operation}},
        "components": {"schemas": {"Body": schema}},
    })
}

#[test]
fn another_operation_id_is_found_at_its_own_line() {
    let document = |id: &str| {
        let text = format!("openapi: 3.0.3\npaths:\n  /a:\n    put:\n      summary: A\n{id}");
        Document::parse("openapi.yaml", &text).unwrap()
    };
    let position = |before: &str, now: &str| {
        let versions = Pair { documented: document(before), served: document(now) };
        compare(Question::Change, &versions).findings[0].served.position
    };
    assert_eq!(position("      operationId: a", "      operationId: b"), Some((6, 7)));
    assert_eq!(position("      operationId: a", ""), Some((4, 5)));
}

#[test]
fn a_body_that_must_be_sent_now_is_one_finding() {
    let without = json!({"openapi": "3.0.3", "paths": {"/a": {"put": {"operationId": "a"}}}});
    let mut with = without.clone();
    with["paths"]["/a"]["put"]["requestBody"] =
        json!({"required": true, "content": {"application/json": {}}});
    let outcome = changed(Pair { documented: without, served: with });
    assert_eq!((codes(&outcome), outcome.findings.len()), (vec!["added-media-type".to_owned()], 1));
}

/// Returns the places where the change of a schema has this effect.
fn places(before: &Value, now: &Value, effect: Effect) -> Vec<String> {
    let outcome = changed(Pair { documented: with_body(before), served: with_body(now) });
    let all = outcome.findings.into_iter().chain(outcome.additions);
    all.filter(|finding| finding.effect == effect).flat_map(|finding| finding.places).collect()
}

#[test]
fn what_breaks_in_one_direction_is_not_merged_with_what_adds_in_the_other() {
    let before = json!({"type": "object", "properties": {"a": {}}});
    let now = json!({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]});
    assert_eq!(places(&before, &now, Effect::Breaks), ["a request `.b`"]);
    assert_eq!(places(&before, &now, Effect::Adds), ["a 200 `.b`"]);
    // So does an object that named nothing, even if it allows any other member.
    let free = json!({"type": "object"});
    let open = json!({"type": "object", "properties": {"b": {}}, "required": ["b"], "additionalProperties": true});
    assert_eq!(places(&free, &open, Effect::Breaks), ["a request `.b`"]);
    // A client may reject a member that was forbidden, and a caller need not send it.
    let sealed = |properties| json!({"type": "object", "properties": properties, "additionalProperties": false});
    let (before, now) = (sealed(json!({"a": {}})), sealed(json!({"a": {}, "b": {}})));
    assert_eq!(places(&before, &now, Effect::Breaks), ["a 200 `.b`"]);
    assert_eq!(places(&before, &now, Effect::Adds), ["a request `.b`"]);
    // A new member that adds a property to what others must be breaks nothing.
    let member = |properties| json!({"type": "object", "properties": properties});
    let open = |mut properties: Value, new: Option<Value>| {
        properties["new"] = new.unwrap_or_default();
        properties.as_object_mut().unwrap().retain(|_, schema| !schema.is_null());
        let more = member(json!({"x": {}}));
        json!({"type": "object", "properties": properties, "additionalProperties": more})
    };
    let before = open(json!({"a": {}}), None);
    let now = |properties| open(json!({"a": {}}), Some(member(properties)));
    let wider = now(json!({"x": {}, "y": {}}));
    assert_eq!(places(&before, &wider, Effect::Breaks), Vec::<String>::new());
    let other = now(json!({"x": {"type": "string"}, "y": {}}));
    assert_eq!(places(&before, &other, Effect::Breaks), ["a request `.new`"]);
}

#[test]
fn a_variant_that_a_request_takes_in_addition_is_listed() {
    let variant = |name: &str, schema: Value| json!({"type": "object", "required": [name], "properties": {name: schema}});
    let kind = |value: &str| variant("kind", json!({"type": "string", "enum": [value]}));
    let (before, now) = (json!({"oneOf": [kind("a")]}), json!({"oneOf": [kind("a"), kind("b")]}));
    assert_eq!(places(&before, &now, Effect::Adds), ["a request `.kind`"]);
    assert_eq!(places(&now, &before, Effect::Adds), ["a 200 `.kind`"; 0]);
    let plain = |name: &str| variant(name, json!({"type": "string"}));
    let (before, now) = (plain("bark"), json!({"oneOf": [plain("bark"), plain("swim")]}));
    assert_eq!(places(&before, &now, Effect::Adds), ["a request"]);
    let outcome = changed(Pair { documented: with_body(&before), served: with_body(&now) });
    assert!(outcome.additions[0].why().starts_with("nothing breaks"));
    assert!(outcome.additions[0].help().starts_with("nothing to fix"));
}

#[test]
fn a_default_of_what_callers_must_send_is_never_used() {
    let contract = |most: u8, required: bool| {
        let schema = json!({"type": "integer", "default": most});
        let parameter =
            json!({"name": "limit", "in": "query", "required": required, "schema": schema});
        let required: &[&str] = if required { &["limit"] } else { &[] };
        let body = json!({"type": "object", "required": required, "properties": {"limit": schema}});
        let body = json!({"content": {"application/json": {"schema": body}}});
        let operation = json!({"operationId": "a", "parameters": [parameter], "requestBody": body});
        json!({"openapi": "3.0.3", "paths": {"/a": {"put": operation}}})
    };
    let outcome = |one, two| codes(&changed(Pair { documented: one, served: two }));
    assert!(outcome(contract(1, true), contract(2, true)).is_empty());
    assert!(outcome(contract(1, true), contract(2, false)).is_empty());
    assert_eq!(outcome(contract(1, false), contract(2, false)), ["default", "default"]);
}

#[test]
fn a_request_that_names_nothing_takes_all_members_only_if_it_says_so() {
    let before = json!({"type": "object", "properties": {"a": {}}});
    let any = json!({"type": "object"});
    assert_eq!(places(&before, &any, Effect::Adds), Vec::<String>::new());
    assert_eq!(places(&before, &any, Effect::Breaks), ["a request `.a`", "a 200 `.a`"]);
    let open = json!({"type": "object", "additionalProperties": true});
    assert_eq!(places(&before, &open, Effect::Adds), ["a request"]);
    let before = json!({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]});
    let needed = json!({"type": "object", "required": ["a"]});
    let gone = places(&before, &needed, Effect::Breaks);
    assert_eq!(gone, ["a request `.a`", "a 200 `.a`", "a request `.b`", "a 200 `.b`"]);
}

#[test]
fn prose_is_not_compared_in_what_is_compared_for_equality() {
    let variant = |at: usize, prose: &str| {
        let name = format!("p{at}");
        let property = json!({"type": "string", "description": prose, "x-note": prose});
        json!({"type": "object", "description": prose, "properties": {name: property}})
    };
    let union = |prose: &str| {
        with_body(&json!({"oneOf": (0..8).map(|at| variant(at, prose)).collect::<Vec<_>>()}))
    };
    assert!(codes(&changed(Pair { documented: union("a"), served: union("b") })).is_empty());
    let named = |name: &str| {
        let variants: Vec<_> = (0..8).map(|at| variant(at, "a")).collect();
        let mut union = json!({"oneOf": variants});
        union["oneOf"][0]["properties"] = json!({name: {"type": "string"}});
        with_body(&union)
    };
    // The name of a property is no prose.
    let outcome = changed(Pair { documented: named("description"), served: named("title") });
    assert!(!codes(&outcome).is_empty());
}

#[test]
fn two_schemas_that_no_longer_share_one_are_two_findings() {
    let reference = json!({"$ref": "#/components/schemas/E"});
    let inline = json!({"type": "string", "enum": ["a"]});
    let object = |kind: &Value| {
        let one = json!({"type": "object", "properties": {"kind": kind}});
        let mut document =
            with_body(&json!({"type": "object", "properties": {"x": one, "y": one}}));
        document["components"]["schemas"]["E"] = json!({"type": "string", "enum": ["a", "b"]});
        document
    };
    let apart = changed(Pair { documented: object(&reference), served: object(&inline) });
    assert_eq!(apart.findings.len(), 2);
    let together = changed(Pair { documented: object(&inline), served: object(&reference) });
    assert_eq!(together.findings.len(), 1);
}

#[test]
fn a_branch_of_a_union_that_only_adds_is_compared_with_its_own_counterpart() {
    let branch = |kind: &str, names: &[&str]| {
        let mut properties = json!({"kind": {"type": "string", "enum": [kind]}});
        for name in names {
            properties[name] = json!({});
        }
        json!({"type": "object", "required": ["kind"], "properties": properties})
    };
    // The other branch has the new properties: it differs in one place, and its counterpart in three.
    let names = ["one", "two", "three"];
    let union = |more| json!({"oneOf": [branch("a", more), branch("b", &names)]});
    let (before, now) = (union(&[]), union(&names));
    assert_eq!(places(&before, &now, Effect::Breaks), Vec::<String>::new());
    let added = places(&before, &now, Effect::Adds);
    let is_added = |name| added.contains(&format!("a 200 `.{name}`"));
    assert!(names.into_iter().all(is_added), "{added:?}");
    // So is one without a constant, which nothing but its difference tells.
    let branch = |member: &str, names: &[&str]| {
        let mut properties = json!({"p": {"type": member}});
        for name in names {
            properties[name] = json!({});
        }
        json!({"type": "object", "properties": properties})
    };
    let before = json!({"anyOf": [branch("string", &[]), branch("integer", &names)]});
    let now = json!({"anyOf": [branch("integer", &names), branch("string", &names)]});
    assert_eq!(places(&before, &now, Effect::Breaks), Vec::<String>::new());
}

#[test]
fn a_finding_shows_the_later_version_first() {
    let mut versions = unchanged();
    versions.served["components"]["schemas"]["Book"]["properties"]["subtitle"]["nullable"] =
        json!(true);
    versions.served["components"]["schemas"]["Book"]["properties"]["weight"] = json!({});
    let expected = "error[response-null]: `subtitle` may now be null, and was string
  --> openapi.yaml #/components/schemas/Book/properties/subtitle
  ::: v1:openapi.yaml #/components/schemas/Book/properties/subtitle
   | before: string
   | now:    string or null
   = in: listBooks 200 `.books[].subtitle`, addBook 201 `.book.subtitle`, getBook 200 `.subtitle`, \
updateBook 200 `.subtitle`
   = why: a client that reads the documented type fails on null
   = help: accept all that was allowed and send no more than was promised, or announce the break

added: `weight` is new (in listBooks 200 `.books[].weight`, addBook 201 `.book.weight`, getBook 200 \
`.weight`, updateBook 200 `.weight`)
error: openapi.yaml breaks 1 promise of v1:openapi.yaml
";
    assert_eq!(report(&changed(versions)), expected);
}
