//! The line of a finding is the one that changed: the keyword or the new value, in the definition if both
//! sides have the same. Every format shows that line.

use openapi_drift::{Document, Outcome, Pair, Question, compare};

const CONTRACT: &str = "openapi: 3.0.3
paths:
  /books:
    put:
      operationId: putBook
      parameters:
        - name: order
          description: How to sort.
          in: query
          schema: {$ref: '#/components/schemas/Order'}
        - name: limit
          in: query
          required: false
          explode: false
          allowReserved: true
          schema:
            description: How many.
            type: array
            items: {type: integer}
            maxItems: 7
      requestBody:
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Book'}
      responses:
        '200':
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Book'}
components:
  schemas:
    Order:
      description: The key.
      type: string
      enum:
        - title
        - author
    Color:
      type: string
      enum:
        - red
        - blue
    Book:
      description: A book.
      type: object
      properties:
        title:
          description: Its title.
          type: string
          maxLength: 80
          pattern: '^[A-Z]'
        pages:
          description: How many.
          type: integer
          minimum: 1
          multipleOf: 2
        cover:
          allOf:
            - $ref: '#/components/schemas/Color'
        spine:
          $ref: '#/components/schemas/Color'
        what:
          description: Anything.
          oneOf:
            - type: string
              enum: [a, b]
            - type: integer
        year:
          description: When.
          type: integer
          format: int32
          nullable: false
        weight:
          description: In kilograms.
          type: number
          minimum: 0
          exclusiveMinimum: true
          maximum: 9
          exclusiveMaximum: true
        code:
          description: What it is called.
          type: string
          minLength: 2
          format: uuid
          not: {enum: [bb]}
        tags:
          description: All.
          type: array
          uniqueItems: true
          items: {type: string}
        notes:
          description: By their name.
          type: object
          minProperties: 1
          maxProperties: 9
          additionalProperties: {type: string}
";

fn changed(before: &str, now: &str) -> Outcome {
    let [documented, served] =
        [before, now].map(|text| Document::parse("openapi.yaml", text).unwrap());
    compare(Question::Change, &Pair { documented, served })
}

/// Returns the lines of both versions that the findings are at, without their indentation.
fn lines(outcome: &Outcome, now: &str) -> Vec<String> {
    let at = |line: usize| now.lines().nth(line - 1).unwrap().trim().to_owned();
    outcome.findings.iter().map(|it| at(it.served.position.unwrap().0)).collect()
}

#[test]
fn a_finding_is_at_the_keyword_or_at_the_value_that_changed() {
    for (before, now, expected) in [
        ("        - author\n", "        - year\n", "- year"),
        ("        - author\n", "", "enum:"),
        ("        - blue\n", "        - green\n        - blue\n", "- green"),
        ("maxLength: 80", "maxLength: 70", "maxLength: 70"),
        ("maxLength: 80", "maxLength: 90", "maxLength: 90"),
        ("pattern: '^[A-Z]'", "pattern: '^[A-Y]'", "pattern: '^[A-Y]'"),
        ("minimum: 1", "minimum: 2", "minimum: 2"),
        ("minimum: 1", "minimum: 0", "minimum: 0"),
        ("multipleOf: 2", "multipleOf: 3", "multipleOf: 3"),
        ("multipleOf: 2", "x-note: a", "pages:"),
        ("type: integer\n          minimum", "type: number\n          minimum", "type: number"),
        ("maxItems: 7", "maxItems: 6", "maxItems: 6"),
        ("explode: false", "explode: true", "explode: true"),
        ("required: false", "required: true", "required: true"),
        ("enum: [a, b]", "enum: [a, b, c]", "enum: [a, b, c]"),
        ("format: int32", "format: int64", "format: int64"),
        ("nullable: false", "nullable: true", "nullable: true"),
        ("exclusiveMinimum: true", "exclusiveMinimum: false", "exclusiveMinimum: false"),
        ("exclusiveMaximum: true", "exclusiveMaximum: false", "exclusiveMaximum: false"),
        ("minLength: 2", "minLength: 3", "minLength: 3"),
        ("format: uuid", "format: date", "format: date"),
        ("not: {enum: [bb]}", "not: {enum: [cc]}", "not: {enum: [cc]}"),
        ("uniqueItems: true", "uniqueItems: false", "uniqueItems: false"),
        ("minProperties: 1", "minProperties: 2", "minProperties: 2"),
        ("maxProperties: 9", "maxProperties: 8", "maxProperties: 8"),
        ("allowReserved: true", "allowReserved: false", "allowReserved: false"),
        (
            "            - type: integer\n",
            "            - type: integer\n            - type: boolean\n",
            "- type: boolean",
        ),
    ] {
        assert!(CONTRACT.contains(before), "{before}");
        let now = CONTRACT.replacen(before, now, 1);
        let outcome = changed(CONTRACT, &now);
        let lines = lines(&outcome, &now);
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line == expected),
            "{expected}: {lines:?}"
        );
    }
}

#[test]
fn what_a_component_no_longer_has_is_found_in_it() {
    let now = CONTRACT.replacen("          minimum: 1\n          multipleOf: 2\n", "", 1);
    let now = now.replacen(
        "        pages:\n          description: How many.\n          type: integer\n",
        "",
        1,
    );
    let outcome = changed(CONTRACT, &now);
    assert_eq!(lines(&outcome, &now), ["Book:"]);
    let now = CONTRACT.replacen("      description: A book.", "      required: [cover, spine]", 1);
    let outcome = changed(CONTRACT, &now);
    assert_eq!(lines(&outcome, &now), ["cover:", "spine:"]);
    // What a property requires itself is not what changed.
    let before = CONTRACT.replacen("          minProperties: 1", "          required: [a]", 1);
    let now = before.replacen("      description: A book.", "      required: [notes]", 1);
    assert_eq!(lines(&changed(&before, &now), &now), ["notes:"]);
}

#[test]
fn a_component_that_two_properties_use_is_one_finding() {
    let now = CONTRACT.replacen("        - blue\n", "        - green\n        - blue\n", 1);
    let outcome = changed(CONTRACT, &now);
    let [finding] = &outcome.findings[..] else { panic!("{:#?}", outcome.findings) };
    assert_eq!(finding.places, ["putBook 200 `.cover`", "putBook 200 `.spine`"]);
    assert_eq!(finding.title, "`Color` may now be `green`, and was `red`, `blue`");
    let nullable = "        spine:\n          nullable: true\n          allOf:\n            - ";
    let [before, now] = [CONTRACT, &now]
        .map(|text| text.replacen("        spine:\n          $ref", &format!("{nullable}$ref"), 1));
    assert_eq!(changed(&before, &now).findings.len(), 1);
    // Each property that is gone is a cause of its own.
    let now =
        CONTRACT.replace("        spine:\n          $ref: '#/components/schemas/Color'\n", "");
    let now = now.replace(
        "        cover:\n          allOf:\n            - $ref: '#/components/schemas/Color'\n",
        "",
    );
    assert_eq!(changed(CONTRACT, &now).findings.len(), 2);
}
