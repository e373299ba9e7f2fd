//! Values to YAML text, with the choices of quotes, block scalars and line folds of
//! `go.yaml.in/yaml/v2` (`encode.go`, `emitterc.go`).

use serde_json::Value;

use super::resolve::{self, Scalar};
use crate::api::gofmt;

/// Plain and quoted scalars are folded at the first blank past this column.
const WIDTH: usize = 80;

pub(super) fn document(value: &Value) -> String {
    let mut e = Emitter { out: String::new(), column: 0 };
    match value {
        Value::Object(map) if !map.is_empty() => e.mapping(map, 0, true),
        Value::Array(items) if !items.is_empty() => e.sequence(items, 0, true),
        other => e.leaf(other, 2, false),
    }
    if !e.out.ends_with('\n') {
        e.out.push('\n');
    }
    e.out
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

struct Emitter {
    out: String,
    column: usize,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }

    fn text(&mut self, s: &str) {
        for c in s.chars() {
            self.put(c);
        }
    }

    /// A new line (unless already on one) that begins with `indent` blanks.
    fn indent(&mut self, indent: usize) {
        if self.column > 0 {
            self.put('\n');
        }
        for _ in 0..indent {
            self.put(' ');
        }
    }

    /// A block mapping; `here` if its first key goes where the cursor is.
    fn mapping(&mut self, map: &serde_json::Map<String, Value>, indent: usize, mut here: bool) {
        let mut keys: Vec<(&String, &Value)> = map.iter().collect();
        keys.sort_by(|a, b| natural(a.0, b.0));
        for (key, value) in keys {
            if !here {
                self.indent(indent);
            }
            here = false;
            let simple = key.len() <= 128 && !key.contains(is_break);
            if simple {
                self.string(key, indent + 2, true);
            } else {
                self.text("? ");
                self.string(key, indent + 2, false);
                self.indent(indent);
            }
            self.put(':');
            match value {
                Value::Object(m) if !m.is_empty() => {
                    if simple {
                        self.mapping(m, indent + 2, false);
                    } else {
                        self.put(' ');
                        self.mapping(m, indent + 2, true);
                    }
                }
                Value::Array(items) if !items.is_empty() => {
                    if simple {
                        self.sequence(items, indent, false);
                    } else {
                        self.put(' ');
                        self.sequence(items, indent + 2, true);
                    }
                }
                leaf => self.leaf(leaf, indent + 2, true),
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, mut here: bool) {
        for item in items {
            if !here {
                self.indent(indent);
            }
            here = false;
            self.put('-');
            match item {
                Value::Object(m) if !m.is_empty() => {
                    self.put(' ');
                    self.mapping(m, indent + 2, true);
                }
                Value::Array(inner) if !inner.is_empty() => {
                    self.put(' ');
                    self.sequence(inner, indent + 2, true);
                }
                leaf => self.leaf(leaf, indent + 2, true),
            }
        }
    }

    fn leaf(&mut self, value: &Value, indent: usize, blank: bool) {
        // An empty plain scalar still gets its blank in front, as upstream.
        if blank {
            self.put(' ');
        }
        match value {
            Value::Null => self.text("null"),
            Value::Bool(b) => self.text(if *b { "true" } else { "false" }),
            Value::Number(n) => {
                let whole = n.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15);
                match (n.is_f64(), whole) {
                    (true, Some(f)) => self.text(&format!("{f:.0}")),
                    _ => self.text(&gofmt::number(n)),
                }
            }
            Value::String(s) => self.string(s, indent, false),
            Value::Array(_) => self.text("[]"),
            Value::Object(_) => self.text("{}"),
        }
    }

    fn string(&mut self, s: &str, indent: usize, key: bool) {
        let wanted = if s.contains('\n') {
            Style::Literal
        } else if resolve::plain(s) == Scalar::Str && !resolve::base60(s) {
            Style::Plain
        } else {
            Style::Double
        };
        let chars: Vec<char> = s.chars().collect();
        match choose(&chars, wanted, key) {
            Style::Plain => self.folded(&chars, indent, !key, None),
            Style::Single => self.folded(&chars, indent, !key, Some('\'')),
            Style::Double => self.double(&chars, indent, !key),
            Style::Literal => self.literal(&chars, indent),
        }
    }

    /// Plain and single quoted scalars.
    fn folded(&mut self, chars: &[char], indent: usize, may_break: bool, quote: Option<char>) {
        if let Some(q) = quote {
            self.put(q);
        }
        let (mut spaces, mut breaks) = (false, false);
        for (i, &c) in chars.iter().enumerate() {
            let next_blank = chars.get(i + 1) == Some(&' ');
            let inside = quote.is_none() || (i > 0 && i + 1 < chars.len());
            if c == ' ' {
                if may_break && !spaces && self.column > WIDTH && !next_blank && inside {
                    self.indent(indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put('\n');
                }
                self.put(c);
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                if Some(c) == quote {
                    self.put(c);
                }
                self.put(c);
                (spaces, breaks) = (false, false);
            }
        }
        if let Some(q) = quote {
            self.put(q);
        }
    }

    fn double(&mut self, chars: &[char], indent: usize, may_break: bool) {
        self.put('"');
        let mut spaces = false;
        for (i, &c) in chars.iter().enumerate() {
            if !printable(c) || is_break(c) || c == '"' || c == '\\' {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                let inside = i > 0 && i + 1 < chars.len();
                if may_break && !spaces && self.column > WIDTH && inside {
                    self.indent(indent);
                    if chars.get(i + 1) == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.put('"');
    }

    fn escape(&mut self, c: char) {
        self.put('\\');
        let short = match c as u32 {
            0 => '0',
            7 => 'a',
            8 => 'b',
            9 => 't',
            10 => 'n',
            11 => 'v',
            12 => 'f',
            13 => 'r',
            0x1b => 'e',
            0x22 => '"',
            0x5c => '\\',
            0x85 => 'N',
            0xa0 => '_',
            0x2028 => 'L',
            0x2029 => 'P',
            n @ ..=0xff => return self.text(&format!("x{n:02X}")),
            n @ ..=0xffff => return self.text(&format!("u{n:04X}")),
            n => return self.text(&format!("U{n:08X}")),
        };
        self.put(short);
    }

    fn literal(&mut self, chars: &[char], indent: usize) {
        self.put('|');
        if chars.first().is_some_and(|&c| c == ' ' || is_break(c)) {
            self.put('2');
        }
        match chars {
            [.., last] if !is_break(*last) => self.put('-'),
            [_] => self.put('+'),
            [.., a, _] if is_break(*a) => self.put('+'),
            _ => {}
        }
        self.put('\n');
        let mut breaks = true;
        for &c in chars {
            if is_break(c) {
                self.put(c);
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                self.put(c);
                breaks = false;
            }
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What may stand in the text as it is. Beyond the first plane nothing may, as in the Go emitter.
fn printable(c: char) -> bool {
    matches!(c as u32, 0x0a | 0x20..=0x7e | 0xa0..=0xd7ff | 0xe000..=0xfefe | 0xff00..=0xfffd)
}

/// The style a string can really have. Models `yaml_emitter_analyze_scalar` and
/// `yaml_emitter_select_scalar_style`.
fn choose(chars: &[char], wanted: Style, key: bool) -> Style {
    let a = Analysis::of(chars);
    let mut style = wanted;
    if key && a.multiline {
        style = Style::Double;
    }
    if style == Style::Plain && (!a.plain || (chars.is_empty() && key)) {
        style = Style::Single;
    }
    if style == Style::Single && !a.single {
        style = Style::Double;
    }
    if style == Style::Literal && (!a.block || key) {
        style = Style::Double;
    }
    style
}

struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Analysis {
    fn of(chars: &[char]) -> Analysis {
        let (Some(&first), Some(&last)) = (chars.first(), chars.last()) else {
            return Analysis { multiline: false, plain: true, single: true, block: false };
        };
        let mut indicator = matches!(chars, ['-', '-', '-', ..] | ['.', '.', '.', ..]);
        let (mut breaks, mut special) = (false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut after_space, mut after_break, mut after_blank) = (false, false, true);
        for (i, &c) in chars.iter().enumerate() {
            let before_blank = chars.get(i + 1).is_none_or(|&n| n == ' ' || n == '\t');
            indicator |= match c {
                '#' => i == 0 || after_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => i == 0,
                ':' => before_blank,
                '?' | '-' => i == 0 && before_blank,
                _ => false,
            };
            special |= !printable(c);
            if c == ' ' {
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(c) {
                breaks = true;
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            after_blank = c == ' ' || c == '\t' || is_break(c) || c == '\0';
        }
        let edge = |c: char| c == ' ' || is_break(c);
        Analysis {
            multiline: breaks,
            plain: !(edge(first)
                || edge(last)
                || break_space
                || space_break
                || special
                || breaks
                || indicator),
            single: !(break_space || space_break || special),
            block: !(last == ' ' || space_break || special),
        }
    }
}

/// Keys sort with their numbers as numbers and letters last. Models `yaml.v2` `keyList.Less`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    for i in 0..x.len().min(y.len()) {
        if x[i] == y[i] {
            continue;
        }
        let (al, bl) = (x[i].is_alphabetic(), y[i].is_alphabetic());
        if al && bl {
            return x[i].cmp(&y[i]);
        }
        if al || bl {
            return if bl { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        }
        let mut start = 0u64;
        if x[i] == '0' || y[i] == '0' {
            let digits = x[..i].iter().rev().take_while(|c| c.is_ascii_digit());
            start = u64::from(digits.clone().any(|&c| c != '0'));
        }
        let number = |s: &[char]| {
            let digits = s[i..].iter().take_while(|c| c.is_ascii_digit());
            digits.fold((start, 0), |(n, len), &c| {
                (n.wrapping_mul(10).wrapping_add(c as u64 - 48), len + 1)
            })
        };
        return number(&x).cmp(&number(&y)).then(x[i].cmp(&y[i]));
    }
    x.len().cmp(&y.len())
}
