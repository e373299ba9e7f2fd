//! Templates and what they print.

use serde_json::json;

use super::*;

fn data() -> Value {
    json!({"kind": "List", "items": [
        {"metadata": {"name": "alpha", "labels": {"tier": "front", "a.b/c": "x"}}, "n": 1, "ok": true,
         "l": [1, 2, 3, 4]},
        {"metadata": {"name": "beta", "labels": {"tier": "back"}}, "n": 2, "l": []},
    ], "empty": [], "none": null, "f": 1.5})
}

fn run(text: &str) -> Result<String, String> {
    JsonPath::new(text, true)?.execute(&data())
}

#[test]
fn templates_print() {
    let table = [
        ("{.kind}", "List"),
        ("{$.kind} and {@.kind}", "List and List"),
        ("{.items[*].metadata.name}", "alpha beta"),
        ("{.items[0].l[1:3]}", "2 3"),
        ("{.items[0].l[::2]}", "1 3"),
        ("{.items[0].l[-1]}", "4"),
        ("{.items[0].l[-2:]}", "3 4"),
        ("{.items[0]['n','ok']}", "1 true"),
        ("{.items[0].metadata['name']}", "alpha"),
        ("{.items[0].metadata.labels.a\\.b/c}", "x"),
        ("{range .items[*]}{.metadata.name}{\"\\t\"}{.n}{\"\\n\"}{end}", "alpha\t1\nbeta\t2\n"),
        ("{range .items[*]}{.n}{range .l[*]}-{@}{end};{end}!", "1-1-2-3-4;2;!"),
        ("{range .empty[*]}{.x}{end}done", "done"),
        ("{..name}", "alpha beta"),
        ("{.items[?(@.metadata.labels.tier==\"back\")].metadata.name}", "beta"),
        ("{.items[?(@.n>1)].metadata.name}", "beta"),
        ("{.items[?(@.ok)].metadata.name}", "alpha"),
        ("{.items[?(@.metadata.name!='beta')].n}", "1"),
        ("{.items[1].metadata.labels}", "{\"tier\":\"back\"}"),
        ("{.none}", "null"),
        ("{.f}", "1.5"),
        ("{.nope}", ""),
        ("plain", "plain"),
    ];
    for (text, want) in table {
        assert_eq!(run(text), Ok(want.to_owned()), "{text}");
    }
}

#[test]
fn errors_are_upstreams() {
    let table = [
        ("{.metadata.name", "unclosed action"),
        ("{.items[0}", "unterminated array"),
        ("{.items[x]}", "invalid array index x"),
        ("{.items[9]}", "array index out of bounds: index 9, length 2"),
        ("{.kind[0]}", "string is not array or slice"),
        ("{.items[?(@.n=='x')]}", "incompatible types for comparison"),
        ("{end}", "not in range, nothing to end"),
        ("{foo}", "unrecognized identifier foo"),
        ("{.a....b}", "invalid multiple recursive descent"),
        ("{%}", "unrecognized character in action: U+0025 '%'"),
        ("{\"x}", "unterminated quoted string"),
    ];
    for (text, want) in table {
        assert_eq!(run(text), Err(want.to_owned()), "{text}");
    }
    let strict = JsonPath::new("{.nope}", false).and_then(|p| p.execute(&data()));
    assert_eq!(strict, Err("nope is not found".into()));
}

#[test]
fn relaxed_forms_are_one() {
    for text in ["metadata.name", ".metadata.name", "{metadata.name}", "{.metadata.name}"] {
        assert_eq!(relaxed(text), Ok("{.metadata.name}".into()));
    }
    assert!(relaxed("{a}{b}").is_err());
}

#[test]
fn nonsense_never_stops_the_program() {
    let pieces = [
        "{", "}", "[", "]", "?(", ")", ".", "..", "*", ":", "-", "1", ",", "'", "\"", "\\",
        "range", "end", " ", "@", "$", "a", "==", "é", "\n", "true",
    ];
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..30_000 {
        let text: String =
            (0..rng.usize(1..12)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
        let _ = run(&text);
    }
}
