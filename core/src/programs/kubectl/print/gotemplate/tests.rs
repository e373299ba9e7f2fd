//! Templates and what they print.

use serde_json::json;

use super::*;

fn run(text: &str) -> Result<String, String> {
    let data = json!({"kind": "List", "n": 3, "big": 1_000_000, "f": 1.5, "ok": true, "none": null,
        "s": "aGk=", "items": [
            {"metadata": {"name": "alpha", "labels": {"a": "1", "b": "2"}}, "l": [1, 2]},
            {"metadata": {"name": "beta"}, "l": []}]});
    Template::new(text, true)?.execute(&data)
}

#[test]
fn templates_print() {
    let table = [
        ("{{.kind}}", "List"),
        ("{{range .items}}{{.metadata.name}} {{len .l}}{{\"\\n\"}}{{end}}", "alpha 2\nbeta 0\n"),
        ("{{range $i, $x := .items}}{{$i}}={{$x.metadata.name}};{{end}}", "0=alpha;1=beta;"),
        ("{{(index .items 1).metadata.name}}", "beta"),
        ("{{if .ok}}yes{{else}}no{{end}}", "yes"),
        ("{{if eq .kind \"Pod\"}}p{{else if eq .n 3}}three{{else}}x{{end}}", "three"),
        ("{{with .nope}}a{{else}}b{{end}}", "b"),
        ("{{with $x := .kind}}{{$x}}{{.}}{{end}}", "ListList"),
        ("{{.nope}}", "<no value>"),
        ("{{.big}} {{.f}} {{.n}}", "1e+06 1.5 3"),
        ("{{printf \"%-6s|%q|%v|%03d\" .kind .kind .n 7}}", "List  |\"List\"|3|007"),
        ("{{.s | base64decode}}", "hi"),
        ("{{- \"a\" -}}  b {{- \"c\"}}", "abc"),
        ("{{/* note */}}x", "x"),
        ("{{define \"T\"}}<{{.}}>{{end}}{{template \"T\" .kind}}", "<List>"),
        (
            "{{range .items}}{{range $k, $v := .metadata.labels}}{{$k}}{{$v}} {{end}}{{end}}",
            "a1 b2 ",
        ),
        (
            "{{range .items}}{{if eq .metadata.name \"beta\"}}{{break}}{{end}}{{.metadata.name}}{{end}}",
            "alpha",
        ),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{not true}} {{and 1 0}} {{or \"\" \"z\"}}", "false 0 z"),
        ("{{(index .items 0).metadata.labels}}", "map[a:1 b:2]"),
        ("{{exists . \"items\" 0}} {{exists . \"x\"}}", "true false"),
    ];
    for (text, want) in table {
        assert_eq!(run(text), Ok(want.to_owned()), "{text}");
    }
}

#[test]
fn errors() {
    for (text, want) in [
        ("{{.a", "template: output:1: unclosed action"),
        ("{{foo}}", "template: output:1: function \"foo\" not defined"),
        ("{{if .a}}", "template: output:unexpected EOF"),
        ("{{end}}", "template: output:1: unexpected {{end}}"),
        (
            "{{.kind.x}}",
            "template: output: executing \"output\": can't evaluate field x in type string",
        ),
    ] {
        assert_eq!(run(text), Err(want.to_owned()), "{text}");
    }
}

#[test]
fn nonsense_never_stops_the_program() {
    let pieces = [
        "{{", "}}", "range", "end", "if", "else", ".", "$x", ":=", "|", "(", ")", " ", "\"", "`",
        "define", "template", "\"T\"", "index", "1", "-", ".a", ",", "é", "with", "/*", "*/",
    ];
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let text: String =
            (0..rng.usize(1..14)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
        let _ = run(&text);
    }
}
