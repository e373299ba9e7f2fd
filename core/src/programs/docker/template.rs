//! Templates of `--format`: fields, pipes, `range`, `if`, `with` and docker's functions.
//!
//! Models as much of Go's `text/template` as `docker --format` is used with.

use super::doc::Doc;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template(Vec<Node>);

#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Print(Vec<Call>),
    If(Vec<Call>, Vec<Node>, Vec<Node>),
    Range(Vec<Call>, Vec<Node>, Vec<Node>),
    With(Vec<Call>, Vec<Node>, Vec<Node>),
}

/// A stage of a pipe: a function (or a value) and its arguments.
type Call = Vec<Term>;

#[derive(Clone, Debug)]
enum Term {
    Field(Vec<String>),
    Root(Vec<String>),
    Text(String),
    Number(i64),
    Bool(bool),
    Name(String),
    Group(Vec<Call>),
}

impl Template {
    /// Parses a template. Errors are worded after Go's.
    pub fn parse(text: &str) -> Result<Template, String> {
        let pieces = split(text)?;
        let mut at = 0;
        let nodes = block(&pieces, &mut at, 0)?;
        Ok(Template(nodes))
    }

    /// Fills a template in.
    pub fn fill(&self, with: &Doc) -> Result<String, String> {
        let mut out = String::new();
        fill(&self.0, with, with, &mut out)?;
        Ok(out)
    }

    /// The names of the fields that it prints, for a table's heading.
    pub fn headings(&self) -> Vec<String> {
        let mut names = Vec::new();
        for node in &self.0 {
            if let Node::Print(calls) = node {
                for term in calls.iter().flatten() {
                    if let Term::Field(path) = term {
                        names.extend(path.last().cloned());
                    }
                }
            }
        }
        names
    }
}

enum Piece {
    Text(String),
    Action(String),
}

fn split(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let mut before = rest[..at].to_string();
        let inner = &rest[at + 2..];
        let end =
            inner.find("}}").ok_or("template parsing error: template: :1: unclosed action")?;
        let mut action = &inner[..end];
        rest = &inner[end + 2..];
        if let Some(trimmed) = action.strip_prefix("- ") {
            before.truncate(before.trim_end().len());
            action = trimmed;
        }
        if let Some(trimmed) = action.strip_suffix(" -") {
            rest = rest.trim_start();
            action = trimmed;
        }
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Action(action.trim().to_string()));
    }
    pieces.push(Piece::Text(rest.to_string()));
    Ok(pieces)
}

/// How deep blocks may be.
const DEPTH: usize = 32;

fn block(pieces: &[Piece], at: &mut usize, depth: usize) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    if depth > DEPTH {
        return Err("template parsing error: too deep".into());
    }
    while let Some(piece) = pieces.get(*at) {
        let action = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text.clone()));
                *at += 1;
                continue;
            }
            Piece::Action(action) => action.as_str(),
        };
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        match word {
            "end" | "else" if depth > 0 => return Ok(nodes),
            "end" | "else" => {
                return Err(format!(
                    "template parsing error: template: :1: unexpected {{{{{word}}}}}"
                ));
            }
            "if" | "range" | "with" => {
                let pipe = pipe(rest)?;
                *at += 1;
                let yes = block(pieces, at, depth + 1)?;
                let mut no = Vec::new();
                if matches!(pieces.get(*at), Some(Piece::Action(a)) if a == "else") {
                    *at += 1;
                    no = block(pieces, at, depth + 1)?;
                }
                if !matches!(pieces.get(*at), Some(Piece::Action(a)) if a == "end") {
                    return Err("template parsing error: template: :1: unexpected EOF".into());
                }
                nodes.push(match word {
                    "if" => Node::If(pipe, yes, no),
                    "range" => Node::Range(pipe, yes, no),
                    _ => Node::With(pipe, yes, no),
                });
            }
            _ if action.starts_with("/*") => {}
            _ => nodes.push(Node::Print(pipe(action)?)),
        }
        *at += 1;
    }
    match depth {
        0 => Ok(nodes),
        _ => Err("template parsing error: template: :1: unexpected EOF".into()),
    }
}

fn pipe(text: &str) -> Result<Vec<Call>, String> {
    let mut chars = text.chars().peekable();
    let calls = calls(&mut chars, 0)?;
    match chars.next() {
        None => Ok(calls),
        Some(c) => {
            Err(format!("template parsing error: template: :1: unexpected {c:?} in command"))
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn calls(chars: &mut Chars, depth: usize) -> Result<Vec<Call>, String> {
    if depth > DEPTH {
        return Err("template parsing error: too deep".into());
    }
    let mut all = vec![Vec::new()];
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(c) = chars.peek().copied() else { break };
        if c == ')' {
            break;
        }
        if c == '|' {
            chars.next();
            all.push(Vec::new());
            continue;
        }
        let term = term(chars, c, depth)?;
        if let Some(last) = all.last_mut() {
            last.push(term);
        }
    }
    if all.iter().any(Vec::is_empty) {
        return Err("template parsing error: template: :1: missing value for command".into());
    }
    Ok(all)
}

fn term(chars: &mut Chars, c: char, depth: usize) -> Result<Term, String> {
    let path =
        |word: &str| word.split('.').filter(|part| !part.is_empty()).map(str::to_string).collect();
    match c {
        '(' => {
            chars.next();
            let inner = calls(chars, depth + 1)?;
            match chars.next() {
                Some(')') => Ok(Term::Group(inner)),
                _ => Err("template parsing error: template: :1: unclosed left paren".into()),
            }
        }
        '"' | '`' => {
            chars.next();
            let mut text = String::new();
            loop {
                match chars.next() {
                    Some(end) if end == c => return Ok(Term::Text(text)),
                    Some('\\') if c == '"' => match chars.next() {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some(other) => text.push(other),
                        None => break,
                    },
                    Some(other) => text.push(other),
                    None => break,
                }
            }
            Err("template parsing error: template: :1: unterminated quoted string".into())
        }
        _ => {
            let mut word = String::new();
            while let Some(c) =
                chars.next_if(|c| !c.is_whitespace() && !matches!(c, '|' | ')' | '('))
            {
                word.push(c);
            }
            Ok(match word.as_str() {
                "true" => Term::Bool(true),
                "false" => Term::Bool(false),
                _ if word.starts_with('.') => Term::Field(path(&word)),
                _ if word.starts_with('$') => Term::Root(path(&word[1..])),
                _ => match word.parse() {
                    Ok(number) => Term::Number(number),
                    Err(_) => Term::Name(word),
                },
            })
        }
    }
}

fn fill(nodes: &[Node], root: &Doc, dot: &Doc, out: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(pipe) => out.push_str(&run(pipe, root, dot)?.text()),
            Node::If(pipe, yes, no) => {
                let branch = if run(pipe, root, dot)?.truth() { yes } else { no };
                fill(branch, root, dot, out)?;
            }
            Node::With(pipe, yes, no) => {
                let value = run(pipe, root, dot)?;
                match value.truth() {
                    true => fill(yes, root, &value, out)?,
                    false => fill(no, root, dot, out)?,
                }
            }
            Node::Range(pipe, yes, no) => {
                let items = match run(pipe, root, dot)? {
                    Doc::List(list) => list,
                    Doc::Map(fields) => fields.into_iter().map(|(_, v)| v).collect(),
                    Doc::Null => Vec::new(),
                    other => return Err(format!("range can't iterate over {}", other.text())),
                };
                if items.is_empty() {
                    fill(no, root, dot, out)?;
                }
                for item in &items {
                    fill(yes, root, item, out)?;
                }
            }
        }
    }
    Ok(())
}

fn run(pipe: &[Call], root: &Doc, dot: &Doc) -> Result<Doc, String> {
    let mut last: Option<Doc> = None;
    for call in pipe {
        let mut args = Vec::new();
        let name = match call.first() {
            Some(Term::Name(name)) => Some(name.as_str()),
            Some(term) => {
                args.push(value(term, root, dot)?);
                None
            }
            None => None,
        };
        for term in call.iter().skip(1) {
            args.push(value(term, root, dot)?);
        }
        args.extend(last.take());
        last = Some(match name {
            Some(name) => function(name, args)?,
            None => args.into_iter().next().unwrap_or(Doc::Null),
        });
    }
    Ok(last.unwrap_or(Doc::Null))
}

fn value(term: &Term, root: &Doc, dot: &Doc) -> Result<Doc, String> {
    let walk = |from: &Doc, path: &[String]| {
        let mut at = from.clone();
        for name in path {
            at = match (at.get(name).cloned(), &at) {
                (Some(found), _) => found,
                // A key that a map of texts does not have is nothing; a field must be there.
                (None, Doc::Map(fields))
                    if fields.first().is_none_or(|(k, _)| !k.starts_with(char::is_uppercase)) =>
                {
                    Doc::Null
                }
                _ => {
                    return Err(format!(
                        "template: :1:2: executing \"\" at <.{}>: map has no entry for key \
                         \"{name}\"",
                        path.join(".")
                    ));
                }
            };
        }
        Ok(at)
    };
    match term {
        Term::Field(path) => walk(dot, path),
        Term::Root(path) => walk(root, path),
        Term::Text(text) => Ok(Doc::Text(text.clone())),
        Term::Number(number) => Ok(Doc::Number(*number)),
        Term::Bool(value) => Ok(Doc::Bool(*value)),
        Term::Group(pipe) => run(pipe, root, dot),
        Term::Name(name) => function(name, Vec::new()),
    }
}

fn function(name: &str, args: Vec<Doc>) -> Result<Doc, String> {
    let text = |index: usize| args.get(index).map(Doc::text).unwrap_or_default();
    let first = args.first().cloned().unwrap_or(Doc::Null);
    Ok(match name {
        "json" => Doc::Text(first.json()),
        "lower" => Doc::Text(text(0).to_lowercase()),
        "upper" => Doc::Text(text(0).to_uppercase()),
        "title" => {
            let text = text(0);
            let mut chars = text.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            Doc::Text(first + chars.as_str())
        }
        "len" => Doc::from(match &first {
            Doc::List(list) => list.len() as u64,
            Doc::Map(fields) => fields.len() as u64,
            other => other.text().len() as u64,
        }),
        "index" => {
            let mut at = first;
            for key in args.iter().skip(1) {
                let found = match (&at, key) {
                    (Doc::List(list), Doc::Number(n)) => {
                        usize::try_from(*n).ok().and_then(|n| list.get(n)).cloned()
                    }
                    (_, key) => at.get(&key.text()).cloned(),
                };
                at = found.unwrap_or(Doc::Text(String::new()));
            }
            at
        }
        "join" => match &first {
            Doc::List(list) => {
                let parts: Vec<_> = list.iter().map(Doc::text).collect();
                Doc::Text(parts.join(&text(1)))
            }
            other => Doc::Text(other.text()),
        },
        "split" => {
            let (all, by) = (text(0), text(1));
            Doc::from(all.split(&by).map(str::to_string).collect::<Vec<_>>())
        }
        "truncate" => {
            let length = usize::try_from(match args.get(1) {
                Some(Doc::Number(n)) => *n,
                _ => 0,
            })
            .unwrap_or(0);
            Doc::Text(text(0).chars().take(length).collect())
        }
        "println" => Doc::Text(format!("{}\n", text(0))),
        "print" | "html" | "urlquery" => Doc::Text(text(0)),
        "printf" => Doc::Text(printf(&text(0), &args[1.min(args.len())..])),
        "eq" => Doc::Bool(args.iter().skip(1).any(|a| *a == first)),
        "ne" => Doc::Bool(args.get(1) != Some(&first)),
        "not" => Doc::Bool(!first.truth()),
        "and" => args.iter().find(|a| !a.truth()).or(args.last()).cloned().unwrap_or(Doc::Null),
        "or" => args.iter().find(|a| a.truth()).or(args.last()).cloned().unwrap_or(Doc::Null),
        _ => {
            return Err(format!(
                "template parsing error: template: :1: function \"{name}\" not defined"
            ));
        }
    })
}

fn printf(format: &str, args: &[Doc]) -> String {
    let (mut out, mut next) = (String::new(), args.iter());
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('q') => {
                let text = next.next().map(Doc::text).unwrap_or_default();
                out.push_str(&format!("{text:?}"));
            }
            Some(_) => out.push_str(&next.next().map(Doc::text).unwrap_or_default()),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::doc::{fields, map},
        *,
    };

    #[test]
    fn templates_are_filled_in_as_gos() {
        let doc = fields! {
            "Name": "/web",
            "State": fields! { "Running": true, "ExitCode": 3_i64 },
            "Names": vec!["a", "b"],
            "Config": fields! { "Labels": map([("com.x/y", "z")]) },
            "Networks": fields! { "bridge": fields! { "IPAddress": "172.17.0.2" } },
        };
        for (template, want) in [
            ("{{.Name}}", "/web"),
            ("{{.State.ExitCode}} {{ .State.Running }}", "3 true"),
            ("{{json .Names}}", "[\"a\",\"b\"]"),
            ("{{.Names}}", "[a b]"),
            ("{{range .Names}}<{{.}}>{{end}}", "<a><b>"),
            ("{{range .Networks}}{{.IPAddress}}{{end}}", "172.17.0.2"),
            ("{{index .Config.Labels \"com.x/y\"}}", "z"),
            ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            ("{{if eq .State.ExitCode 0}}ok{{else}}bad{{end}}", "bad"),
            ("{{with .Name}}{{.}}{{end}}", "/web"),
            ("{{.Name | upper}} {{len .Names}}", "/WEB 2"),
            ("{{join .Names \",\"}}{{- /* c */ -}} x", "a,bx"),
            ("{{printf \"%s=%d\" .Name .State.ExitCode}}", "/web=3"),
        ] {
            let got = Template::parse(template).and_then(|t| t.fill(&doc));
            assert_eq!(got.as_deref(), Ok(want), "{template}");
        }
        assert!(Template::parse("{{.A").is_err());
        assert!(Template::parse("{{if .A}}").is_err());
        assert!(Template::parse("{{nope .A}}").and_then(|t| t.fill(&doc)).is_err());
        assert!(Template::parse("{{.Nope}}").and_then(|t| t.fill(&doc)).is_err());
    }
}
