//! Tables of texts and values, and the errors that real clusters' tools gave.

use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn scalars_mean_what_go_reads() {
    let table = [
        ("yes", json!(true)),
        ("off", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("0777", json!(511)),
        ("0x1F", json!(31)),
        ("1_000", json!(1000)),
        ("1e3", json!(1000.0)),
        ("1.5", json!(1.5)),
        ("2026-11-21", json!("2026-11-21")),
        ("1.25.0", json!("1.25.0")),
        ("'1'", json!("1")),
        ("!!str 1", json!("1")),
        ("!!binary aGk=", json!("hi")),
        ("100m", json!("100m")),
        ("|\n  x", json!("x")),
        ("|\n  x\n# c", json!("x\n")),
        ("|-\n  x", json!("x")),
    ];
    for (text, want) in table {
        assert_eq!(parse(text), Ok(want), "{text}");
    }
}

#[test]
fn structure_anchors_and_merges() {
    let text = "base: &b {a: 1, c: 2}\nx:\n  <<: *b\n  a: 3\nl: [*b, {1: y}]\nx2: |\n  t\n\n";
    let want = json!({"base": {"a": 1, "c": 2}, "x": {"a": 3, "c": 2},
        "l": [{"a": 1, "c": 2}, {"1": true}], "x2": "t\n"});
    assert_eq!(parse(text), Ok(want));
    assert_eq!(parse("a: 1\na: 2\n"), Ok(json!({"a": 2})));
}

#[test]
fn errors_read_as_go_words_them() {
    let table = [
        ("a: 1\nb:\n\tc: 2\n", "yaml: line 3: found character that cannot start any token"),
        ("a: 1\nb: c: d\n", "yaml: line 2: mapping values are not allowed in this context"),
        ("a: 1\nb\n", "yaml: line 3: could not find expected ':'"),
        ("a: *x", "yaml: unknown anchor 'x' referenced"),
        ("a: [1, 2", "yaml: line 1: did not find expected ',' or ']'"),
        ("[!a, b]", "yaml: line 1: did not find expected whitespace or line break"),
        ("a: .nan", "json: unsupported value: NaN"),
        ("<<: 1", "yaml: map merge requires map or sequence of maps as the value"),
    ];
    for (text, want) in table {
        assert_eq!(parse(text).map_err(|e| e.0), Err(want.to_owned()), "{text}");
    }
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for i in 1..9 {
        let item = format!("*a{},", i - 1).repeat(9);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", item.trim_end_matches(',')));
    }
    assert_eq!(parse(&bomb).unwrap_err().0, "yaml: document contains excessive aliasing");
    assert!(parse(&"[".repeat(5_000)).is_err());
    assert!(parse(&"- ".repeat(5_000)).is_err());
}

#[test]
fn nonsense_never_stops_the_program() {
    let pieces = [
        "a", ": ", "- ", "\n", "  ", "\t", "\"", "'", "\\", "[", "]", "{", "}", "!", ",", "&a ",
        "*a", "|", ">", "%", "#", "?", "---", "...", "\u{feff}", "é", "!!str ", "!<x>", "%41",
        "\\x4", "\\u12", "@", "`", "<<", "~", "0x", "\0", "\r",
    ];
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let text: String =
            (0..rng.usize(1..12)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
        let _ = documents(&text);
    }
}

#[test]
fn documents_are_cut_at_lines_of_dashes() {
    let (values, error) = documents("a: 1\n--- # two\nb: 2\n---\n");
    assert_eq!((values, error), (vec![json!({"a": 1}), json!({"b": 2})], None));
    let (values, error) = documents("{\"a\": 1}\n{\"b\": 2}");
    assert_eq!((values.len(), error), (2, None));
    let (_, error) = documents("a: 1\n--- x\n");
    assert_eq!(error.map(|e| e.0), Some("invalid Yaml document separator: x".into()));
}

#[test]
fn printing_quotes_what_would_read_differently() {
    let strings = [
        "",
        "yes",
        "1",
        "1e3",
        "null",
        "~",
        "0x1",
        "a: b",
        "a:b",
        "a #b",
        "a#b",
        "- x",
        "-x",
        "-",
        "#c",
        "*",
        "@x",
        "'q'",
        "\"q\"",
        "it's",
        " lead",
        "trail ",
        "tab\there",
        "2026-11-21",
        "12:30",
        "nginx:1.25",
        "*/5 * * * *",
        "{}",
        "[x]",
        "é",
        "😀",
        "true",
        "a, b",
        "!x",
        "100m",
        ".",
    ];
    let v = Value::Array(strings.iter().map(|s| json!(s)).collect());
    expect![[r##"
        - ""
        - "yes"
        - "1"
        - "1e3"
        - "null"
        - "~"
        - "0x1"
        - 'a: b'
        - a:b
        - 'a #b'
        - a#b
        - '- x'
        - -x
        - '-'
        - '#c'
        - '*'
        - '@x'
        - '''q'''
        - '"q"'
        - it's
        - ' lead'
        - 'trail '
        - "tab\there"
        - "2026-11-21"
        - "12:30"
        - nginx:1.25
        - '*/5 * * * *'
        - '{}'
        - '[x]'
        - é
        - "\U0001F600"
        - "true"
        - a, b
        - '!x'
        - 100m
        - .
    "##]]
    .assert_eq(&to_string(&v));
    assert_eq!(parse(&to_string(&v)), Ok(v));
}

#[test]
fn printing_blocks_lists_and_folds() {
    let v = json!({
        "empty": {}, "list": [], "items": [{"a": 1, "b": ["x", ["y", "z"]]}, null, 2.5, 3.0],
        "text": "one\ntwo\n", "strip": "one\n  two", "keep": "one\n\n", "lead": " x\ny\n",
        "a10": 1, "a2": 2, "A": 3, "_x": 4,
        "long": "Deployment does not have minimum availability since forever and this sentence goes on and on",
        "quoted": "it says: Deployment does not have minimum availability since forever and it goes on and on",
    });
    expect![[r#"
        _x: 4
        A: 3
        a2: 2
        a10: 1
        empty: {}
        items:
        - a: 1
          b:
          - x
          - - "y"
            - z
        - null
        - 2.5
        - 3
        keep: |+
          one

        lead: |2
           x
          y
        list: []
        long: Deployment does not have minimum availability since forever and this sentence
          goes on and on
        quoted: 'it says: Deployment does not have minimum availability since forever and
          it goes on and on'
        strip: |-
          one
            two
        text: |
          one
          two
    "#]]
    .assert_eq(&to_string(&v));
}

#[test]
fn kyaml_is_explicit() {
    let v = json!({"a": [{"b": 1}], "c": ["x"], "no": "y", "t": "one\n  two\n", "k/x": {}});
    expect![[r#"
        ---
        {
          a: [{
            b: 1,
          }],
          c: [
            "x",
          ],
          k/x: {},
          "no": "y",
          "t": "\
             one\n\
            \  two\n\
            ",
        }
    "#]]
    .assert_eq(&to_kyaml(&v));
}
