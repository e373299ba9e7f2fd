//! `$((…))`: integer arithmetic as shells do it.

/// What an expression needs from the shell.
pub trait Variables {
    /// A variable's value, empty if unset.
    fn get(&self, name: &str) -> String;
    /// Assigns a variable.
    fn set(&self, name: &str, value: i64);
}

/// Evaluates an expression; its variables' values may be expressions themselves.
///
/// # Errors
/// What is wrong, in bash's words.
pub fn evaluate(text: &str, variables: &dyn Variables) -> Result<i64, String> {
    evaluate_at(text, variables, 0)
}

fn evaluate_at(text: &str, variables: &dyn Variables, depth: usize) -> Result<i64, String> {
    if depth > 16 {
        return Err("expression recursion level exceeded".into());
    }
    let tokens = tokenize(text)?;
    if tokens.is_empty() {
        return Ok(0);
    }
    let mut parser = Parser { tokens: &tokens, at: 0, variables, depth, live: true, nesting: 0 };
    let value = parser.comma()?;
    match parser.tokens.get(parser.at) {
        None => Ok(value),
        Some(token) => {
            Err(format!("syntax error in expression (error token is \"{}\")", token.text()))
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(i64),
    Name(String),
    Op(&'static str),
}

impl Token {
    fn text(&self) -> String {
        match self {
            Token::Number(n) => n.to_string(),
            Token::Name(name) => name.clone(),
            Token::Op(op) => (*op).to_string(),
        }
    }
}

const OPERATORS: &[&str] = &[
    "<<=", ">>=", "**", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=",
    "*=", "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "<", ">", "=", "!", "~", "&", "|",
    "^", "?", ":", ",", "(", ")",
];

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '#'));
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        if c.is_ascii_digit() {
            tokens.push(Token::Number(number(word)?));
            rest = after.trim_start();
        } else if c.is_ascii_alphabetic() || c == '_' {
            tokens.push(Token::Name(word.to_string()));
            rest = after.trim_start();
        } else if let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) {
            tokens.push(Token::Op(op));
            rest = rest[op.len()..].trim_start();
        } else {
            return Err(format!(
                "syntax error: invalid arithmetic operator (error token is \"{rest}\")"
            ));
        }
    }
    Ok(tokens)
}

fn number(word: &str) -> Result<i64, String> {
    let (digits, base) = if let Some((base, digits)) = word.split_once('#') {
        (digits, base.parse().ok().filter(|b| (2..=36).contains(b)))
    } else if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        (hex, Some(16))
    } else if word.len() > 1 && word.starts_with('0') {
        (&word[1..], Some(8))
    } else {
        (word, Some(10))
    };
    let base =
        base.ok_or_else(|| format!("invalid arithmetic base (error token is \"{word}\")"))?;
    i64::from_str_radix(digits, base)
        .map_err(|_| format!("value too great for base (error token is \"{word}\")"))
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    variables: &'a dyn Variables,
    depth: usize,
    /// Whether this branch counts: assignments in others don't happen.
    live: bool,
    nesting: usize,
}

impl Parser<'_> {
    fn op(&mut self, ops: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Op(op)) = self.tokens.get(self.at) else { return None };
        let op = ops.iter().find(|o| *o == op)?;
        self.at += 1;
        Some(op)
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.assignment()?;
        while self.op(&[","]).is_some() {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Result<i64, String> {
        self.nesting += 1;
        if self.nesting > 200 {
            return Err("expression recursion level exceeded".into());
        }
        let value = self.assignment_inner();
        self.nesting -= 1;
        value
    }

    fn assignment_inner(&mut self) -> Result<i64, String> {
        if let (Some(Token::Name(name)), Some(Token::Op(op))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1))
            && op.ends_with('=')
            && !["==", "!=", "<=", ">="].contains(op)
        {
            self.at += 2;
            let right = self.assignment()?;
            let value = match op.trim_end_matches('=') {
                "" => right,
                op => apply(op, self.value_of(name)?, right, self.live)?,
            };
            if self.live {
                self.variables.set(name, value);
            }
            return Ok(value);
        }
        let condition = self.binary(0)?;
        if self.op(&["?"]).is_none() {
            return Ok(condition);
        }
        let live = self.live;
        self.live = live && condition != 0;
        let yes = self.assignment()?;
        if self.op(&[":"]).is_none() {
            return Err("`:' expected for conditional expression".into());
        }
        self.live = live && condition == 0;
        let no = self.assignment()?;
        self.live = live;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        const LEVELS: &[&[&str]] = &[
            &["||"],
            &["&&"],
            &["|"],
            &["^"],
            &["&"],
            &["==", "!="],
            &["<=", ">=", "<", ">"],
            &["<<", ">>"],
            &["+", "-"],
            &["*", "/", "%"],
        ];
        let Some(ops) = LEVELS.get(level) else { return self.power() };
        let mut left = self.binary(level + 1)?;
        while let Some(op) = self.op(ops) {
            let live = self.live;
            self.live = live && !(op == "||" && left != 0 || op == "&&" && left == 0);
            let right = self.binary(level + 1)?;
            left = match op {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                op => apply(op, left, right, self.live)?,
            };
            self.live = live;
        }
        Ok(left)
    }

    fn power(&mut self) -> Result<i64, String> {
        let base = self.unary()?;
        if self.op(&["**"]).is_none() {
            return Ok(base);
        }
        let exponent = self.power()?;
        match u32::try_from(exponent) {
            Ok(exponent) => Ok(base.wrapping_pow(exponent)),
            Err(_) => Err("exponent less than 0".into()),
        }
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.nesting += 1;
        if self.nesting > 200 {
            return Err("expression recursion level exceeded".into());
        }
        let value = match self.op(&["!", "~", "+", "-", "++", "--"]) {
            Some("!") => Ok(i64::from(self.unary()? == 0)),
            Some("~") => Ok(!self.unary()?),
            Some("+") => self.unary(),
            Some("-") => Ok(self.unary()?.wrapping_neg()),
            Some(op) => {
                let name = match self.tokens.get(self.at) {
                    Some(Token::Name(name)) => name.clone(),
                    _ => return Err("syntax error: operand expected".into()),
                };
                self.at += 1;
                let value = self.value_of(&name)?.wrapping_add(if op == "++" { 1 } else { -1 });
                if self.live {
                    self.variables.set(&name, value);
                }
                Ok(value)
            }
            None => self.primary(),
        };
        self.nesting -= 1;
        value
    }

    fn primary(&mut self) -> Result<i64, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Number(number)) => Ok(number),
            Some(Token::Name(name)) => {
                let value = self.value_of(&name)?;
                if let Some(op) = self.op(&["++", "--"])
                    && self.live
                {
                    let step = if op == "++" { 1 } else { -1 };
                    self.variables.set(&name, value.wrapping_add(step));
                }
                Ok(value)
            }
            Some(Token::Op("(")) => {
                let value = self.comma()?;
                if self.op(&[")"]).is_none() {
                    return Err("missing `)'".into());
                }
                Ok(value)
            }
            Some(token) => {
                Err(format!("syntax error: operand expected (error token is \"{}\")", token.text()))
            }
            None => Err("syntax error: operand expected".into()),
        }
    }

    fn value_of(&self, name: &str) -> Result<i64, String> {
        let text = self.variables.get(name);
        let text = text.trim();
        if text.is_empty() {
            return Ok(0);
        }
        evaluate_at(text, self.variables, self.depth + 1)
    }
}

fn apply(op: &str, a: i64, b: i64, live: bool) -> Result<i64, String> {
    Ok(match op {
        "+" => a.wrapping_add(b),
        "-" => a.wrapping_sub(b),
        "*" => a.wrapping_mul(b),
        "/" | "%" if b == 0 => match live {
            true => return Err("division by 0".into()),
            false => 0,
        },
        "/" => a.wrapping_div(b),
        "%" => a.wrapping_rem(b),
        "<<" => a.wrapping_shl(b as u32),
        ">>" => a.wrapping_shr(b as u32),
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "==" => i64::from(a == b),
        "!=" => i64::from(a != b),
        "<" => i64::from(a < b),
        ">" => i64::from(a > b),
        "<=" => i64::from(a <= b),
        _ => i64::from(a >= b),
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use super::*;

    struct Map(RefCell<BTreeMap<String, String>>);

    impl Variables for Map {
        fn get(&self, name: &str) -> String {
            self.0.borrow().get(name).cloned().unwrap_or_default()
        }

        fn set(&self, name: &str, value: i64) {
            self.0.borrow_mut().insert(name.into(), value.to_string());
        }
    }

    #[test]
    fn expressions() {
        let map = Map(RefCell::new(BTreeMap::from([("x".into(), "5".into())])));
        for (text, want) in [
            ("1 + 2 * 3", Ok(7)),
            ("(1+2)*3", Ok(9)),
            ("-2 ** 2", Ok(4)),
            ("7 / 2 + 7 % 2", Ok(4)),
            ("x++ + x", Ok(11)),
            ("x -= 1", Ok(5)),
            ("1 ? 2 : (x = 9)", Ok(2)),
            ("x", Ok(5)),
            ("0 && 1 / 0", Ok(0)),
            ("0x10 + 010 + 2#101", Ok(29)),
            ("!0 || 0, 1 << 4", Ok(16)),
            ("", Ok(0)),
            ("1 / 0", Err("division by 0")),
            ("1 +", Err("syntax error: operand expected")),
        ] {
            assert_eq!(evaluate(text, &map), want.map_err(str::to_string), "{text}");
        }
        assert!(evaluate(&"(".repeat(100_000), &map).is_err());
    }
}
