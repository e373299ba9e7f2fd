//! Expressions and what comes of them.

use serde_json::json;

use super::*;

fn run(text: &str) -> Result<Val, String> {
    let own = json!({"replicas": 3, "min": 1, "name": "web", "list": [1, 2, 3], "a-b": true,
        "map": {"x": 1, "y": 2}, "items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]});
    let names = ["self", "oldSelf"];
    let program = Program::compile(text, &names)?;
    let variables = [("self".to_owned(), Val::of(&own)), ("oldSelf".to_owned(), Val::Null)];
    program.run(&variables.into_iter().collect())
}

#[test]
fn expressions_are_worked_out() {
    for text in [
        "self.min <= self.replicas && self.replicas < 10",
        "self.list.all(x, x > 0) && !self.list.exists(x, x > 3)",
        "self.list.exists_one(x, x == 2) && self.list.map(x, x * 2) == [2, 4, 6]",
        "self.list.filter(x, x % 2 == 1).size() == 2",
        "self.items.map(i, i.n > 1, i.name) == ['b']",
        "self.map.all(k, self.map[k] > 0) && 'x' in self.map && 2 in self.list",
        "self.map.all(k, v, v > 0) && self.list.all(i, v, i == v - 1)",
        "self.map.transformMap(k, v, v + 1) == {'x': 2, 'y': 3}",
        "has(self.name) && !has(self.nope) && self.__a__dash__b || has(self.a__dash__b)",
        "has(self.nope) ? false : true",
        "false && self.nope == 1 || true",
        "self.nope == 1 || true",
        "self.?nope.orValue(7) == 7 && self.?name.hasValue() && self[?'nope'].orValue(1) == 1",
        "self.name.startsWith('w') && self.name.matches('^[a-z]+$') && size(self.name) == 3",
        "'a,b,c'.split(',').join('-') == 'a-b-c' && ' x '.trim() == 'x'",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.indexOf('c') == 2 && 'abc'.charAt(1) == 'b'",
        "'%s has %d of %.2f'.format(['x', 3, 1.5]) == 'x has 3 of 1.50'",
        "quantity('1Gi').isGreaterThan(quantity('500Mi')) && quantity('50k').add(20).sub(quantity('99')).asInteger() == 49921",
        "!isQuantity('10x') && quantity('200M').compareTo(quantity('0.2G')) == 0",
        "duration('1h30m') > duration('60m') && duration('90s').getMinutes() == 1",
        "timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026 && timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "url('https://a.example:80/p?q=1').getHost() == 'a.example:80' && !isURL('a b')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && ip('::1').isLoopback() && isIP('1.2.3.4')",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && math.greatest(1, 3, 2) == 3",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].sum() == 3 && [1, 2].isSorted() && ['a', 'b'].max() == 'b'",
        "int('3') + 1 == 4 && string(1.5) == '1.5' && type(1) == int && double(1) == 1.0 && 1u + 2u == 3u",
        "cel.bind(x, self.replicas, x * x) == 9",
        "format.dns1123Label().validate('a_b').hasValue() && !format.named('uuid').value().validate('6f1d9b1c-0000-0000-0000-000000000000').hasValue()",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc').compareTo(semver('1.0.0')) == -1",
        "r'\\d' == '\\\\d' && b'abc' == bytes('abc') && \"\"\"a\nb\"\"\".contains('\\n')",
        "oldSelf == null && [1, ?optional.none()].size() == 1",
        "1 == 1.0 && dyn(1) == 1u && {'a': 1} == {'a': 1}",
    ] {
        match run(text) {
            Ok(Val::Bool(true)) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_goes_wrong_is_told() {
    for (text, want) in [
        ("self.nope == 1", "no such key: nope"),
        ("1 / 0 == 1", "division by zero"),
        ("self.list[7] == 1", "index out of bounds: 7"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("self.name + 1 == ''", "no such overload: _+_(string, int)"),
        (
            "nope == 1",
            "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope == 1\n | ^",
        ),
        (
            "self.name ==",
            "ERROR: <input>:1:13: Syntax error: mismatched input '<EOF>'\n | self.name ==\n | ............^",
        ),
        ("self.list.map(x, self.list.map(y, self.list.map(z, [x, y, z]))).size() > 9", ""),
    ] {
        let got = run(text).map(|v| v.to_json().to_string());
        let got = got.map_or_else(|why| why, |_| String::new());
        assert!(got == want || want.is_empty(), "{text}: {got}");
    }
}

#[test]
fn nothing_runs_for_ever_or_nests_without_end() {
    let bomb = "[0,1,2,3,4,5,6,7,8,9]";
    let mut text = "true".to_owned();
    for i in 0..9 {
        text = format!("{bomb}.all(x{i}, {text})");
    }
    assert_eq!(run(&text).unwrap_err(), eval::TOO_MUCH);
    for text in [
        "(".repeat(100_000),
        "!".repeat(100_000),
        format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("self{}", ".a".repeat(100_000)),
        format!("1{}", "+1".repeat(50_000)),
        "'".to_owned(),
        "\u{0}".to_owned(),
        "a.b.".to_owned(),
    ] {
        assert!(run(&text).is_err(), "{}", &text[..text.len().min(20)]);
    }
    let long =
        "'x'.replace('', 'yyyyyyyyyy')".to_owned() + &".replace('y', 'yyyyyyyyyy')".repeat(12);
    assert_eq!(run(&long).unwrap_err(), eval::TOO_MUCH);
}
