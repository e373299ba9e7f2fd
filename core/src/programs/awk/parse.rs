//! From tokens to an awk program.

use super::{
    ast::{Expr, Pattern, Script, Stmt},
    lex::{Token, tokens},
};

type Parse<T> = Result<T, String>;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Whether `in` ends an expression, and whether `>` redirects.
    no_in: bool,
    in_print: bool,
}

/// Parses a program.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Parse<Script> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, no_in: false, in_print: false };
    let mut script = Script::default();
    loop {
        parser.skip_newlines();
        if parser.at >= parser.tokens.len() {
            return Ok(script);
        }
        if parser.word("BEGIN") {
            parser.skip_newlines();
            script.begin.push(parser.block()?);
        } else if parser.word("END") {
            parser.skip_newlines();
            script.end.push(parser.block()?);
        } else if parser.is_word("function") || parser.is_word("func") {
            return Err("functions of one's own are not simulated".into());
        } else {
            let mut pattern = Pattern::Always;
            if !parser.is_op("{") {
                let first = parser.expr()?;
                pattern = match parser.op(",") {
                    true => Pattern::Range(first, parser.expr()?),
                    false => Pattern::If(first),
                };
            }
            let action = if parser.is_op("{") { Some(parser.block()?) } else { None };
            script.rules.push((pattern, action));
        }
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(o)) if *o == op)
    }

    fn op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name, _)) if name == word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn error<T>(&self) -> Parse<T> {
        Err(match self.peek() {
            Some(token) => format!("syntax error near {token:?}"),
            None => "syntax error: unexpected end of program".to_string(),
        })
    }

    fn expect(&mut self, op: &str) -> Parse<()> {
        if self.op(op) { Ok(()) } else { self.error() }
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Some(Token::Newline | Token::Op(";"))) {
            self.at += 1;
        }
    }

    fn newlines(&mut self) {
        while matches!(self.peek(), Some(Token::Newline)) {
            self.at += 1;
        }
    }

    fn block(&mut self) -> Parse<Stmt> {
        self.expect("{")?;
        let mut list = Vec::new();
        loop {
            self.skip_newlines();
            if self.op("}") {
                return Ok(Stmt::Block(list));
            }
            list.push(self.statement()?);
        }
    }

    fn body(&mut self) -> Parse<Stmt> {
        self.newlines();
        if self.op(";") { Ok(Stmt::Block(Vec::new())) } else { self.statement() }
    }

    fn statement(&mut self) -> Parse<Stmt> {
        self.depth += 1;
        if self.depth > 50 {
            return Err("nested too deeply".into());
        }
        let statement = self.statement_inner();
        self.depth -= 1;
        statement
    }

    fn statement_inner(&mut self) -> Parse<Stmt> {
        if self.is_op("{") {
            return self.block();
        }
        if self.word("if") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            let yes = self.body()?;
            let before = self.at;
            self.skip_newlines();
            if self.word("else") {
                return Ok(Stmt::If(condition, Box::new(yes), Some(Box::new(self.body()?))));
            }
            self.at = before;
            return Ok(Stmt::If(condition, Box::new(yes), None));
        }
        if self.word("while") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Stmt::While(condition, Box::new(self.body()?)));
        }
        if self.word("do") {
            let body = self.body()?;
            self.skip_newlines();
            if !self.word("while") {
                return self.error();
            }
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Stmt::Do(Box::new(body), condition));
        }
        if self.word("for") {
            return self.for_statement();
        }
        let statement = self.simple()?;
        match self.peek() {
            None | Some(Token::Newline | Token::Op(";" | "}")) => Ok(statement),
            _ => self.error(),
        }
    }

    fn for_statement(&mut self) -> Parse<Stmt> {
        self.expect("(")?;
        if let (
            Some(Token::Name(var, _)),
            Some(Token::Name(word, _)),
            Some(Token::Name(array, _)),
            Some(Token::Op(")")),
        ) = (
            self.peek(),
            self.tokens.get(self.at + 1),
            self.tokens.get(self.at + 2),
            self.tokens.get(self.at + 3),
        ) && word == "in"
        {
            let (var, array) = (var.clone(), array.clone());
            self.at += 4;
            return Ok(Stmt::ForIn(var, array, Box::new(self.body()?)));
        }
        let empty = || Stmt::Block(Vec::new());
        let first = if self.is_op(";") { empty() } else { self.simple()? };
        self.expect(";")?;
        self.newlines();
        let condition = if self.is_op(";") { None } else { Some(self.expr()?) };
        self.expect(";")?;
        self.newlines();
        let step = if self.is_op(")") { empty() } else { self.simple()? };
        self.expect(")")?;
        Ok(Stmt::For(Box::new(first), condition, Box::new(step), Box::new(self.body()?)))
    }

    fn ends(&self) -> bool {
        matches!(self.peek(), None | Some(Token::Newline | Token::Op(";" | "}" | ">" | ">>" | "|")))
    }

    fn simple(&mut self) -> Parse<Stmt> {
        let Some(Token::Name(name, _)) = self.peek().cloned() else {
            return Ok(Stmt::Expr(self.expr()?));
        };
        self.at += 1;
        match name.as_str() {
            "print" | "printf" => {
                let list = self.print_list()?;
                let to = match self.peek() {
                    Some(Token::Op(op @ (">" | ">>" | "|"))) => {
                        let mark = match *op {
                            ">" => '>',
                            ">>" => 'a',
                            _ => '|',
                        };
                        self.at += 1;
                        Some((mark, self.join_level()?))
                    }
                    _ => None,
                };
                if name == "printf" && list.is_empty() {
                    return self.error();
                }
                Ok(if name == "print" { Stmt::Print(list, to) } else { Stmt::Printf(list, to) })
            }
            "next" | "nextfile" => Ok(Stmt::Next),
            "break" => Ok(Stmt::Break),
            "continue" => Ok(Stmt::Continue),
            "exit" => Ok(Stmt::Exit(if self.ends() { None } else { Some(self.expr()?) })),
            "delete" => {
                let Some(Token::Name(array, _)) = self.peek().cloned() else { return self.error() };
                self.at += 1;
                if !self.op("[") {
                    return Ok(Stmt::Delete(array, None));
                }
                let index = self.list("]")?;
                Ok(Stmt::Delete(array, Some(index)))
            }
            "getline" | "return" | "function" => Err(format!("{name} is not simulated")),
            _ => {
                self.at -= 1;
                Ok(Stmt::Expr(self.expr()?))
            }
        }
    }

    /// Expressions up to a closing `end`, which is taken.
    fn list(&mut self, end: &str) -> Parse<Vec<Expr>> {
        let (no_in, in_print) = (self.no_in, self.in_print);
        (self.no_in, self.in_print) = (false, false);
        let mut list = Vec::new();
        self.newlines();
        while !self.op(end) {
            list.push(self.expr()?);
            self.newlines();
            if !self.op(",") {
                self.expect(end)?;
                break;
            }
            self.newlines();
        }
        (self.no_in, self.in_print) = (no_in, in_print);
        Ok(list)
    }

    fn print_list(&mut self) -> Parse<Vec<Expr>> {
        let mut list = Vec::new();
        if self.ends() {
            return Ok(list);
        }
        if self.is_op("(") {
            // `print (a, b) > "f"`: the parentheses are print's own if nothing goes on after them.
            let before = self.at;
            self.at += 1;
            if let Ok(inner) = self.list(")")
                && self.ends()
                && !inner.is_empty()
            {
                return Ok(inner);
            }
            self.at = before;
        }
        self.in_print = true;
        loop {
            match self.expr() {
                Ok(expr) => list.push(expr),
                Err(error) => {
                    self.in_print = false;
                    return Err(error);
                }
            }
            if !self.op(",") {
                break;
            }
            self.newlines();
        }
        self.in_print = false;
        Ok(list)
    }

    fn expr(&mut self) -> Parse<Expr> {
        self.depth += 1;
        if self.depth > 50 {
            return Err("nested too deeply".into());
        }
        let expr = self.assignment();
        self.depth -= 1;
        expr
    }

    fn assignment(&mut self) -> Parse<Expr> {
        let left = self.choose()?;
        let assignable = matches!(left, Expr::Var(_) | Expr::Field(_) | Expr::Item(..));
        if let Some(Token::Op(op @ ("=" | "+=" | "-=" | "*=" | "/=" | "%=" | "^=" | "**="))) =
            self.peek()
            && assignable
        {
            let op = op.trim_end_matches('=').replace("**", "^");
            self.at += 1;
            self.newlines();
            return Ok(Expr::Assign(Box::new(left), op, Box::new(self.expr()?)));
        }
        Ok(left)
    }

    fn choose(&mut self) -> Parse<Expr> {
        let condition = self.or()?;
        if !self.op("?") {
            return Ok(condition);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        Ok(Expr::Choose(Box::new(condition), Box::new(yes), Box::new(self.expr()?)))
    }

    fn or(&mut self) -> Parse<Expr> {
        let mut left = self.and()?;
        while self.op("||") {
            self.newlines();
            left = Expr::Binary("||", Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parse<Expr> {
        let mut left = self.membership()?;
        while self.op("&&") {
            self.newlines();
            left = Expr::Binary("&&", Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parse<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.word("in") {
            let Some(Token::Name(array, _)) = self.peek().cloned() else { return self.error() };
            self.at += 1;
            left = Expr::In(vec![left], array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parse<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = match self.peek() {
                Some(Token::Op("~")) => false,
                Some(Token::Op("!~")) => true,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Match(Box::new(left), Box::new(self.comparison()?), negated);
        }
    }

    fn comparison(&mut self) -> Parse<Expr> {
        let left = self.join_level()?;
        let op = match self.peek() {
            Some(Token::Op(op @ ("<" | "<=" | "==" | "!=" | ">="))) => *op,
            Some(Token::Op(">")) if !self.in_print => ">",
            _ => return Ok(left),
        };
        self.at += 1;
        Ok(Expr::Binary(op, Box::new(left), Box::new(self.join_level()?)))
    }

    fn join_level(&mut self) -> Parse<Expr> {
        let mut left = self.sum()?;
        loop {
            let begins = match self.peek() {
                Some(Token::Number(_) | Token::Text(_)) => true,
                Some(Token::Name(name, _)) => name != "in",
                Some(Token::Op(op)) => ["$", "!", "(", "-", "+", "++", "--"].contains(op),
                _ => false,
            };
            if !begins {
                return Ok(left);
            }
            left = Expr::Join(Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parse<Expr> {
        let mut left = self.product()?;
        while let Some(Token::Op(op @ ("+" | "-"))) = self.peek() {
            let op = *op;
            self.at += 1;
            left = Expr::Binary(op, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Parse<Expr> {
        let mut left = self.unary()?;
        while let Some(Token::Op(op @ ("*" | "/" | "%"))) = self.peek() {
            let op = *op;
            self.at += 1;
            left = Expr::Binary(op, Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parse<Expr> {
        if let Some(Token::Op(op @ ("!" | "-" | "+"))) = self.peek() {
            let op = op.chars().next().unwrap_or('+');
            self.at += 1;
            self.depth += 1;
            if self.depth > 50 {
                return Err("nested too deeply".into());
            }
            let operand = self.unary()?;
            self.depth -= 1;
            return Ok(Expr::Unary(op, Box::new(operand)));
        }
        self.power()
    }

    fn power(&mut self) -> Parse<Expr> {
        let base = self.postfix()?;
        if self.op("^") || self.op("**") {
            return Ok(Expr::Binary("^", Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parse<Expr> {
        for (op, by) in [("++", 1.0), ("--", -1.0)] {
            if self.op(op) {
                return Ok(Expr::Step(Box::new(self.primary()?), by, false));
            }
        }
        let value = self.primary()?;
        if matches!(value, Expr::Var(_) | Expr::Field(_) | Expr::Item(..)) {
            for (op, by) in [("++", 1.0), ("--", -1.0)] {
                if self.op(op) {
                    return Ok(Expr::Step(Box::new(value), by, true));
                }
            }
        }
        Ok(value)
    }

    fn primary(&mut self) -> Parse<Expr> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Number(n)) => Ok(Expr::Number(n)),
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Regex(text)) => Ok(Expr::Regex(text)),
            Some(Token::Op("$")) => {
                self.depth += 1;
                if self.depth > 50 {
                    return Err("nested too deeply".into());
                }
                let index = match self.peek() {
                    Some(Token::Op(op @ ("++" | "--"))) => {
                        let by = if *op == "++" { 1.0 } else { -1.0 };
                        self.at += 1;
                        Expr::Step(Box::new(self.primary()?), by, false)
                    }
                    Some(Token::Op("-")) => {
                        self.at += 1;
                        Expr::Unary('-', Box::new(self.primary()?))
                    }
                    _ => self.primary()?,
                };
                self.depth -= 1;
                Ok(Expr::Field(Box::new(index)))
            }
            Some(Token::Op("(")) => {
                let mut list = self.list(")")?;
                if list.len() > 1 {
                    if self.word("in")
                        && let Some(Token::Name(array, _)) = self.peek().cloned()
                    {
                        self.at += 1;
                        return Ok(Expr::In(list, array));
                    }
                    return self.error();
                }
                match list.pop() {
                    Some(inner) => Ok(inner),
                    None => self.error(),
                }
            }
            Some(Token::Name(name, called)) => {
                if called && super::functions::FUNCTIONS.contains(&name.as_str()) {
                    self.at += 1;
                    return Ok(Expr::Call(name, self.list(")")?));
                }
                if name == "length" {
                    return Ok(Expr::Call(name, Vec::new()));
                }
                if name == "getline" || called {
                    return Err(format!("{name}: not simulated"));
                }
                if self.op("[") {
                    return Ok(Expr::Item(name, self.list("]")?));
                }
                Ok(Expr::Var(name))
            }
            _ => {
                self.at -= 1;
                self.error()
            }
        }
    }
}
