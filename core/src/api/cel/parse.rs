//! From words to a tree, macros included.

use super::lex::{Token, lex};

/// Expressions may be nested so deep.
pub const DEEPEST: usize = 64;
/// So many operators and steps an expression may have, so that no tree is deeper.
const MOST_LINKS: usize = 300;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `null`, `true`, numbers, texts.
    Literal(Literal),
    /// A variable, and where it stands.
    Name(usize, String),
    /// `a.b`; optional: `a.?b`.
    Select(Box<Expr>, String, bool),
    /// `a[b]`; optional: `a[?b]`.
    Index(Box<Expr>, Box<Expr>, bool),
    /// `f(a)`, `a.f(b)`.
    Call(Option<Box<Expr>>, String, Vec<Expr>),
    /// `[a, b]`; items that may be left out are marked.
    List(Vec<(Expr, bool)>),
    /// `{a: b}`; entries that may be left out are marked.
    Map(Vec<(Expr, Expr, bool)>),
    /// `Object.spec{a: b}`: the type's name, where it stands, and fields; those that may be left out
    /// are marked.
    New(usize, String, Vec<(String, Expr, bool)>),
    /// `has(a.b)`
    Has(Box<Expr>, String),
    /// `a.all(x, p)` and its kin.
    Each(Box<Each>),
    /// `cel.bind(x, a, b)`
    Bind(String, Box<Expr>, Box<Expr>),
    /// `a ? b : c`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a && b`
    And(Box<Expr>, Box<Expr>),
    /// `a || b`
    Or(Box<Expr>, Box<Expr>),
}

/// A value that is written down.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
}

/// A macro over a list or map.
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    /// `all`, `exists` …
    pub what: &'static str,
    /// What is gone through.
    pub over: Expr,
    /// The variable; of two the first is the index or key.
    pub names: (String, Option<String>),
    /// The condition, if there is one.
    pub test: Option<Expr>,
    /// What becomes of each, for `map`.
    pub then: Option<Expr>,
}

const MACROS: &[&str] =
    &["all", "exists", "existsOne", "exists_one", "filter", "map", "transformList", "transformMap"];

type Parsed<T> = Result<T, (usize, String)>;

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    links: usize,
    end: usize,
}

/// Parses a whole text. Errors say where and why.
pub fn parse(text: &str) -> Parsed<Expr> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0, links: 0, end: text.len() };
    let expr = parser.expr()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected()),
    }
}

/// The variables that an expression needs, each where it first stands.
pub fn free_names(expr: &Expr, bound: &mut Vec<String>, out: &mut Vec<(usize, String)>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Name(at, name) => {
            if !bound.contains(name) && !out.iter().any(|(_, known)| known == name) {
                out.push((*at, name.clone()));
            }
        }
        Expr::Select(of, ..) | Expr::Has(of, _) => free_names(of, bound, out),
        Expr::Index(a, b, _) | Expr::And(a, b) | Expr::Or(a, b) => {
            free_names(a, bound, out);
            free_names(b, bound, out);
        }
        Expr::Call(of, _, args) => {
            // `math.greatest(…)`: the first word is no variable.
            if let Some(of) = of.as_deref().filter(|of| !is_namespace(of)) {
                free_names(of, bound, out);
            }
            args.iter().for_each(|arg| free_names(arg, bound, out));
        }
        Expr::List(items) => items.iter().for_each(|(item, _)| free_names(item, bound, out)),
        Expr::Map(entries) => entries.iter().for_each(|(key, value, _)| {
            free_names(key, bound, out);
            free_names(value, bound, out);
        }),
        Expr::New(at, name, fields) => {
            // A type is declared by the first word of its name.
            let root = name.split('.').next().unwrap_or(name);
            if !out.iter().any(|(_, known)| known == root) {
                out.push((*at, root.to_owned()));
            }
            fields.iter().for_each(|(_, value, _)| free_names(value, bound, out));
        }
        Expr::If(a, b, c) => [a, b, c].into_iter().for_each(|e| free_names(e, bound, out)),
        Expr::Each(each) => {
            free_names(&each.over, bound, out);
            let before = bound.len();
            bound.push(each.names.0.clone());
            bound.extend(each.names.1.clone());
            each.test.iter().chain(&each.then).for_each(|e| free_names(e, bound, out));
            bound.truncate(before);
        }
        Expr::Bind(name, value, inner) => {
            free_names(value, bound, out);
            bound.push(name.clone());
            free_names(inner, bound, out);
            bound.pop();
        }
    }
}

/// Whether an expression is the name of a family of functions.
pub fn is_namespace(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(_, name)
        if matches!(name.as_str(), "math" | "sets" | "optional" | "strings" | "format" | "base64" | "cel" | "ip" | "lists" | "jsonpatch"))
}

/// `Object.spec` as a type's name, and where it stands.
fn type_name(expr: &Expr) -> Option<(usize, String)> {
    match expr {
        Expr::Name(at, name) => Some((*at, name.clone())),
        Expr::Select(of, field, false) => {
            let (at, of) = type_name(of)?;
            Some((at, format!("{of}.{field}")))
        }
        _ => None,
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(at, _)| *at)
    }

    fn unexpected(&self) -> (usize, String) {
        let shown = match self.peek() {
            None => "<EOF>".to_owned(),
            Some(Token::Mark(mark)) => (*mark).to_owned(),
            Some(Token::Ident(name)) => name.clone(),
            Some(Token::Int(n)) => n.to_string(),
            Some(Token::Str(text)) => format!("'{text}'"),
            Some(_) => "literal".to_owned(),
        };
        (self.place(), format!("Syntax error: mismatched input '{shown}'"))
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(own)) if *own == mark)
    }

    fn take(&mut self, mark: &str) -> bool {
        let is = self.is(mark);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.take(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn ident(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(Token::Ident(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// One operator or step more.
    fn link(&mut self) -> Parsed<()> {
        self.links += 1;
        match self.links > MOST_LINKS {
            true => Err((self.place(), "expression is too long".into())),
            false => Ok(()),
        }
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let why = format!("expression recursion limit exceeded: {DEEPEST}");
            return Err((self.place(), why));
        }
        let condition = self.or()?;
        let result = if self.take("?") {
            let yes = self.or()?;
            self.expect(":")?;
            let no = self.expr()?;
            Expr::If(Box::new(condition), Box::new(yes), Box::new(no))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(result)
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            self.link()?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.binary(0)?;
        while self.take("&&") {
            self.link()?;
            left = Expr::And(Box::new(left), Box::new(self.binary(0)?));
        }
        Ok(left)
    }

    /// Relations, sums, products: the looser first.
    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        const LEVELS: &[&[&str]] =
            &[&["<=", ">=", "==", "!=", "<", ">", "in"], &["+", "-"], &["*", "/", "%"]];
        let Some(marks) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = marks.iter().find(|mark| match **mark {
                "in" => matches!(self.peek(), Some(Token::Ident(name)) if name == "in"),
                mark => self.is(mark),
            });
            let Some(mark) = found else { return Ok(left) };
            self.at += 1;
            self.link()?;
            let right = self.binary(level + 1)?;
            left = Expr::Call(None, format!("_{mark}_"), vec![left, right]);
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let mut signs = Vec::new();
        while let Some(Token::Mark(mark @ ("!" | "-"))) = self.peek() {
            signs.push(*mark);
            self.at += 1;
            self.link()?;
        }
        let mut expr = self.member()?;
        for sign in signs.into_iter().rev() {
            expr = match (sign, expr) {
                ("-", Expr::Literal(Literal::Int(n))) => Expr::Literal(Literal::Int(-n)),
                ("-", Expr::Literal(Literal::Double(n))) => Expr::Literal(Literal::Double(-n)),
                (sign, expr) => Expr::Call(None, format!("{sign}_"), vec![expr]),
            };
        }
        Ok(expr)
    }

    fn member(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.is(".") || self.is(".?") || self.is("[") || self.is("[?") {
                self.link()?;
            }
            if self.take(".?") {
                expr = Expr::Select(Box::new(expr), self.ident()?, true);
            } else if self.take(".") {
                let name = self.ident()?;
                expr = match self.take("(") {
                    true => {
                        let args = self.args(")")?;
                        self.call(Some(expr), name, args)?
                    }
                    false => Expr::Select(Box::new(expr), name, false),
                };
            } else if self.is("[") || self.is("[?") {
                let optional = self.take("[?");
                if !optional {
                    self.expect("[")?;
                }
                let index = self.expr()?;
                self.expect("]")?;
                expr = Expr::Index(Box::new(expr), Box::new(index), optional);
            } else if let Some((at, name)) =
                type_name(&expr).filter(|_| self.is("{") || self.is("{?"))
            {
                self.link()?;
                expr = Expr::New(at, name, self.fields()?);
            } else {
                return Ok(expr);
            }
        }
    }

    fn args(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut args = Vec::new();
        while !self.take(end) {
            if !args.is_empty() {
                self.expect(",")?;
                if self.take(end) {
                    break;
                }
            }
            args.push(self.expr()?);
        }
        Ok(args)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let Some((at, token)) = self.tokens.get(self.at).cloned() else {
            return Err(self.unexpected());
        };
        self.at += 1;
        Ok(match token {
            Token::Int(n) => Expr::Literal(Literal::Int(n)),
            Token::Uint(n) => Expr::Literal(Literal::Uint(n)),
            Token::Double(n) => Expr::Literal(Literal::Double(n)),
            Token::Str(text) => Expr::Literal(Literal::Str(text)),
            Token::Bytes(bytes) => Expr::Literal(Literal::Bytes(bytes)),
            Token::Ident(name) => match name.as_str() {
                "true" => Expr::Literal(Literal::Bool(true)),
                "false" => Expr::Literal(Literal::Bool(false)),
                "null" => Expr::Literal(Literal::Null),
                _ if self.take("(") => {
                    let args = self.args(")")?;
                    self.call(None, name, args)?
                }
                _ => Expr::Name(at, name),
            },
            Token::Mark("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                inner
            }
            Token::Mark("[") => self.list()?,
            Token::Mark("[?") => {
                // `[?a, …]`: the first item is optional.
                let first = self.expr()?;
                self.list_from(vec![(first, true)])?
            }
            Token::Mark("{") => self.map(false)?,
            Token::Mark("{?") => self.map(true)?,
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }

    /// `{a: b, ?c: d}` after a type's name.
    fn fields(&mut self) -> Parsed<Vec<(String, Expr, bool)>> {
        let mut fields = Vec::new();
        let mut first = self.take("{?");
        if !first {
            self.expect("{")?;
        }
        while first || !self.take("}") {
            if !fields.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let optional = std::mem::take(&mut first) || self.take("?");
            let name = self.ident()?;
            self.expect(":")?;
            fields.push((name, self.expr()?, optional));
        }
        Ok(fields)
    }

    fn list(&mut self) -> Parsed<Expr> {
        if self.take("]") {
            return Ok(Expr::List(Vec::new()));
        }
        let optional = self.take("?");
        let first = self.expr()?;
        self.list_from(vec![(first, optional)])
    }

    fn list_from(&mut self, mut items: Vec<(Expr, bool)>) -> Parsed<Expr> {
        loop {
            if self.take("]") {
                return Ok(Expr::List(items));
            }
            self.expect(",")?;
            if self.take("]") {
                return Ok(Expr::List(items));
            }
            let optional = self.take("?");
            items.push((self.expr()?, optional));
        }
    }

    fn map(&mut self, mut optional: bool) -> Parsed<Expr> {
        let mut entries = Vec::new();
        loop {
            if !optional && self.take("}") {
                return Ok(Expr::Map(entries));
            }
            if !entries.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    return Ok(Expr::Map(entries));
                }
            }
            optional |= self.take("?");
            let key = self.expr()?;
            self.expect(":")?;
            entries.push((key, self.expr()?, optional));
            optional = false;
        }
    }

    /// A call, or a macro.
    fn call(&mut self, of: Option<Expr>, name: String, mut args: Vec<Expr>) -> Parsed<Expr> {
        let bad = |at: usize, why: &str| Err((at, why.to_owned()));
        match (&of, name.as_str(), args.len()) {
            (None, "has", 1) => {
                return match args.pop() {
                    Some(Expr::Select(inner, field, _)) => Ok(Expr::Has(inner, field)),
                    _ => bad(self.place(), "invalid argument to has() macro"),
                };
            }
            (Some(Expr::Name(_, space)), "bind", 3) if space == "cel" => {
                let (inner, value, name) = (args.pop(), args.pop(), args.pop());
                let (Some(inner), Some(value), Some(Expr::Name(_, name))) = (inner, value, name)
                else {
                    return bad(
                        self.place(),
                        "cel.bind() variable names must be simple identifiers",
                    );
                };
                return Ok(Expr::Bind(name, Box::new(value), Box::new(inner)));
            }
            _ => {}
        }
        let found = MACROS.iter().find(|own| **own == name);
        let (Some(over), Some(what), 2..=4) = (&of, found, args.len()) else {
            return Ok(Expr::Call(of.map(Box::new), name, args));
        };
        if is_namespace(over) {
            return Ok(Expr::Call(of.map(Box::new), name, args));
        }
        let place = self.place();
        let mut args = args.into_iter();
        let Some(Expr::Name(_, first)) = args.next() else {
            return bad(place, "argument must be a simple name");
        };
        let mut rest: Vec<Expr> = args.collect();
        let two = matches!(rest.first(), Some(Expr::Name(..))) && rest.len() > 1 && *what != "map";
        let second = match two.then(|| rest.remove(0)) {
            Some(Expr::Name(_, name)) => Some(name),
            _ => None,
        };
        let makes = matches!(*what, "map" | "transformList" | "transformMap");
        let then = if makes { rest.pop() } else { None };
        let test = rest.pop();
        if !rest.is_empty() || (!makes && test.is_none()) {
            return bad(place, "wrong number of arguments to a macro");
        }
        let over = over.clone();
        Ok(Expr::Each(Box::new(Each { what, over, names: (first, second), test, then })))
    }
}
