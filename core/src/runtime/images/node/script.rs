//! The JavaScript of small web servers: what an Express application of an exercise does, and
//! nothing else. A script that holds more is refused, line by line, instead of half understood.

use std::collections::BTreeMap;

/// A value made of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// `os.hostname()`
    Hostname,
    /// `process.env.NAME`
    Env(String),
    /// A constant of the script.
    Name(String),
    /// `req.url`
    Url,
    /// `new Date()…`
    Date,
}

/// Alternatives (`a || b`), each a concatenation.
pub type Expression = Vec<Vec<Part>>;

/// What a handler does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `res.send(…)`, with a status if one was set.
    Send(u16, Expression),
    /// `console.log(…)`; the descriptor.
    Log(u8, Expression),
    /// `process.exit(n)`
    Exit(i32),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`, or `*`.
    pub method: String,
    /// The path, or `*`.
    pub path: String,
    /// What it does.
    pub steps: Vec<Step>,
}

/// A script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Constants.
    pub names: BTreeMap<String, Expression>,
    /// Routes, in order.
    pub routes: Vec<Route>,
    /// The port, if it listens.
    pub port: Option<Expression>,
    /// What it does at the start, and once it listens.
    pub start: Vec<Step>,
}

/// Reads a script. Errors name the line and what is there.
pub fn parse(text: &str) -> Result<Script, (usize, String)> {
    let mut script = Script::default();
    for (line, statement) in statements(text) {
        let wrong = || (line, statement.lines().next().unwrap_or_default().to_string());
        top_level(&mut script, &statement).ok_or_else(wrong)?;
    }
    Ok(script)
}

fn top_level(script: &mut Script, statement: &str) -> Option<()> {
    let s = statement.trim();
    if s.is_empty() || s.contains("require(") || s.starts_with("import ") || s == "'use strict'" {
        return Some(());
    }
    for keyword in ["const ", "let ", "var "] {
        if let Some(rest) = s.strip_prefix(keyword) {
            let (name, value) = rest.split_once('=')?;
            let value = value.trim();
            if value != "express()" {
                script.names.insert(name.trim().to_string(), expression(value)?);
            }
            return Some(());
        }
    }
    if let Some(step) = step(s) {
        script.start.push(step);
        return Some(());
    }
    let (_, call) = s.split_once('.')?;
    let (method, arguments) = call.split_once('(')?;
    let arguments = split(arguments.strip_suffix(')')?, ',');
    match method {
        "get" | "post" | "put" | "delete" | "all" | "use" => {
            let (path, handler) = match arguments.as_slice() {
                [path, handler] => (literal(path)?, handler),
                [handler] if method == "use" && handler.contains("=>") => {
                    ("*".to_string(), handler)
                }
                [_] if method == "use" => return Some(()), // middleware
                _ => return None,
            };
            let any = matches!(method, "all" | "use");
            let method = if any { "*".to_string() } else { method.to_ascii_uppercase() };
            script.routes.push(Route { method, path, steps: body(handler)? });
        }
        "listen" => {
            script.port = Some(expression(arguments.first()?)?);
            if let Some(then) =
                arguments.last().filter(|a| a.contains("=>") || a.contains("function"))
            {
                script.start.extend(body(then)?);
            }
        }
        _ => return None,
    }
    Some(())
}

/// The steps of `(req, res) => { … }`.
fn body(function: &str) -> Option<Vec<Step>> {
    let body = match function.split_once("=>") {
        Some((_, body)) => body.trim(),
        None => &function[function.find('{')?..],
    };
    match body.strip_prefix('{') {
        Some(inner) => {
            let inner = inner.strip_suffix('}')?;
            let list = statements(inner);
            list.iter().filter(|(_, s)| !s.trim().is_empty()).map(|(_, s)| step(s.trim())).collect()
        }
        None => Some(vec![step(body)?]),
    }
}

fn step(s: &str) -> Option<Step> {
    let s = s.strip_prefix("return ").unwrap_or(s);
    let call = |prefix: &str| s.strip_prefix(prefix)?.strip_suffix(')').map(str::trim);
    if let Some(code) = call("process.exit(") {
        return Some(Step::Exit(if code.is_empty() { 0 } else { code.parse().ok()? }));
    }
    for (prefix, fd) in [("console.log(", 1), ("console.error(", 2)] {
        if let Some(text) = call(prefix) {
            let mut all = Vec::new();
            for (n, argument) in split(text, ',').iter().enumerate() {
                if n > 0 {
                    all.push(Part::Text(" ".into()));
                }
                all.extend(expression(argument)?.into_iter().next()?);
            }
            return Some(Step::Log(fd, vec![all]));
        }
    }
    let (status, rest) = match call("res.status(") {
        Some(rest) => {
            let (status, rest) = rest.split_once(')')?;
            (status.trim().parse().ok()?, rest.to_string())
        }
        None => (200, s.strip_prefix("res")?.strip_suffix(')')?.to_string()),
    };
    for name in [".send(", ".end(", ".json("] {
        if let Some(value) = rest.trim().strip_prefix(name) {
            return Some(Step::Send(status, expression(value)?));
        }
    }
    None
}

fn literal(text: &str) -> Option<String> {
    match expression(text)?.first()?.as_slice() {
        [Part::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

fn expression(text: &str) -> Option<Expression> {
    let alternatives = text.replace("||", "\u{1}");
    split(&alternatives, '\u{1}').iter().map(|a| concatenation(a)).collect()
}

fn concatenation(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for term in split(text, '+') {
        let term = term.trim();
        let quote = term.chars().next()?;
        if !matches!(quote, '\'' | '"' | '`') {
            parts.push(value(term)?);
            continue;
        }
        let mut inner = term.strip_prefix(quote)?.strip_suffix(quote)?;
        while let Some((before, rest)) = inner.split_once("${").filter(|_| quote == '`') {
            let (name, after) = rest.split_once('}')?;
            parts.push(Part::Text(unescape(before)));
            parts.push(value(name.trim())?);
            inner = after;
        }
        parts.push(Part::Text(unescape(inner)));
    }
    Some(parts)
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\'", "'").replace("\\\"", "\"").replace("\\`", "`")
}

fn value(term: &str) -> Option<Part> {
    if term.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Part::Text(term.to_string()));
    }
    if let Some(name) = term.strip_prefix("process.env.") {
        return Some(Part::Env(name.to_string()));
    }
    if term.starts_with("new Date()") {
        return Some(Part::Date);
    }
    match term {
        "os.hostname()" => Some(Part::Hostname),
        "req.url" | "req.path" | "req.originalUrl" => Some(Part::Url),
        name if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            Some(Part::Name(name.to_string()))
        }
        _ => None,
    }
}

/// Splits at a character outside of quotes and brackets.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut out, mut current) = (Vec::new(), String::new());
    let (mut depth, mut quote) = (0_i32, None);
    for c in text.chars() {
        match (quote, c) {
            (None, c) if c == at && depth == 0 => {
                out.push(std::mem::take(&mut current));
                continue;
            }
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | '}' | ']') => depth -= 1,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
        current.push(c);
    }
    if !current.trim().is_empty() {
        out.push(current);
    }
    out.into_iter().map(|part| part.trim().to_string()).collect()
}

/// The statements of a block with the lines they begin at, comments left out.
fn statements(text: &str) -> Vec<(usize, String)> {
    let (mut out, mut current, mut line, mut begin) = (Vec::new(), String::new(), 1, 1);
    let (mut depth, mut quote) = (0_i32, None::<char>);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        match (quote, c) {
            (None, '/') if chars.peek() == Some(&'/') => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | '}' | ']') => depth -= 1,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
        let ends = quote.is_none() && depth == 0 && (c == ';' || (c == '\n' && whole(&current)));
        if ends {
            out.push((begin, std::mem::take(&mut current)));
            begin = line + usize::from(c == ';');
            continue;
        }
        if current.trim().is_empty() {
            (current, begin) = (String::new(), line);
        }
        current.push(c);
    }
    out.push((begin, current));
    out.into_iter().map(|(l, s)| (l, s.trim().to_string())).filter(|(_, s)| !s.is_empty()).collect()
}

/// Whether a statement can end where its line does.
fn whole(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !text.ends_with(['=', '+', ',', '.', '|', '&', '(', '>'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_understood_and_anything_more_refused() {
        let text = "
            const express = require('express');
            const os = require('os')
            const app = express();
            const port = process.env.PORT || 8080; // where
            app.get('/', (req, res) => {
              console.log('asked', req.url);
              res.send(`<h1>Hello from ${os.hostname()}; \\n</h1>` + 'x');
            });
            app.get('/error', (req, res) => { process.exit(1); });
            app.get('/gone', (req, res) => res.status(410).send('gone'));
            app.listen(port, () => console.log(`on ${port}`));
        ";
        let script = parse(text).unwrap();
        assert_eq!(script.routes.len(), 3);
        assert_eq!(script.routes[0].steps.len(), 2);
        assert_eq!(script.routes[1].steps, [Step::Exit(1)]);
        assert_eq!(
            script.routes[2].steps,
            [Step::Send(410, vec![vec![Part::Text("gone".into())]])]
        );
        assert_eq!(script.port, Some(vec![vec![Part::Name("port".into())]]));
        assert_eq!(script.names["port"].len(), 2);
        assert_eq!(script.start.len(), 1);
        let error = parse("const a = 1;\nfor (const x of y) { run(x); }\n").unwrap_err();
        assert_eq!(error, (2, "for (const x of y) { run(x); }".to_string()));
    }
}
