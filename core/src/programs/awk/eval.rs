//! What the expressions of an awk program are worth.

use std::rc::Rc;

use regex_lite::Regex;

use super::{
    ast::Expr,
    run::{Flow, Run},
    value::Value,
};

impl Run<'_> {
    /// The value of an expression; boxed, since expressions are made of expressions.
    pub(super) fn value<'s>(
        &'s mut self,
        expr: &'s Expr,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Value, Flow>> + 's>> {
        Box::pin(async move {
            let flag = |truth: bool| Value::Number(f64::from(u8::from(truth)));
            Ok(match expr {
                Expr::Number(n) => Value::Number(*n),
                Expr::Text(text) => Value::Text(text.clone()),
                Expr::Regex(pattern) => flag(self.regex(pattern)?.is_match(&self.record)),
                Expr::Var(name) => self.var(name),
                Expr::Field(index) => {
                    let index = self.value(index).await?.number();
                    if index < 0.0 {
                        return Err(Flow::Error(format!("attempt to access field {index}")));
                    }
                    match index as usize {
                        0 => Value::Input(self.record.clone()),
                        n => {
                            self.fields.get(n - 1).map_or(Value::Unset, |f| Value::Input(f.clone()))
                        }
                    }
                }
                Expr::Item(array, index) => {
                    let key = self.key(index).await?;
                    self.arrays
                        .entry(array.clone())
                        .or_default()
                        .entry(key)
                        .or_insert(Value::Unset)
                        .clone()
                }
                Expr::In(index, array) => {
                    let key = self.key(index).await?;
                    flag(self.arrays.get(array).is_some_and(|a| a.contains_key(&key)))
                }
                Expr::Assign(to, op, right) => {
                    let right = self.value(right).await?;
                    let value = match op.as_str() {
                        "" => right,
                        op => {
                            let left = self.value(to).await?.number();
                            Value::Number(arithmetic(op, left, right.number())?)
                        }
                    };
                    self.store(to, value.clone()).await?;
                    value
                }
                Expr::Step(to, by, old) => {
                    let before = self.value(to).await?.number();
                    self.store(to, Value::Number(before + by)).await?;
                    Value::Number(if *old { before } else { before + by })
                }
                Expr::Binary("&&", a, b) => {
                    flag(self.value(a).await?.truth() && self.value(b).await?.truth())
                }
                Expr::Binary("||", a, b) => {
                    flag(self.value(a).await?.truth() || self.value(b).await?.truth())
                }
                Expr::Binary(op @ ("<" | "<=" | "==" | "!=" | ">" | ">="), a, b) => {
                    let (a, b) = (self.value(a).await?, self.value(b).await?);
                    let order = match a.looks_numeric() && b.looks_numeric() {
                        true => a.number().total_cmp(&b.number()),
                        false => self.text(&a).cmp(&self.text(&b)),
                    };
                    flag(match *op {
                        "<" => order.is_lt(),
                        "<=" => order.is_le(),
                        "==" => order.is_eq(),
                        "!=" => order.is_ne(),
                        ">" => order.is_gt(),
                        _ => order.is_ge(),
                    })
                }
                Expr::Binary(op, a, b) => {
                    let (a, b) = (self.value(a).await?.number(), self.value(b).await?.number());
                    Value::Number(arithmetic(op, a, b)?)
                }
                Expr::Unary('!', a) => flag(!self.value(a).await?.truth()),
                Expr::Unary('-', a) => Value::Number(-self.value(a).await?.number()),
                Expr::Unary(_, a) => Value::Number(self.value(a).await?.number()),
                Expr::Match(text, pattern, negated) => {
                    let text = self.value(text).await?;
                    let regex = self.pattern(pattern).await?;
                    flag(regex.is_match(&self.text(&text)) != *negated)
                }
                Expr::Choose(condition, yes, no) => match self.value(condition).await?.truth() {
                    true => self.value(yes).await?,
                    false => self.value(no).await?,
                },
                Expr::Join(a, b) => {
                    let (a, b) = (self.value(a).await?, self.value(b).await?);
                    Value::Text(self.text(&a) + &self.text(&b))
                }
                Expr::Call(name, args) => self.call(name, args).await?,
            })
        })
    }

    /// A pattern: `/re/` itself, or the value of an expression.
    pub(super) async fn pattern(&mut self, expr: &Expr) -> Result<Rc<Regex>, Flow> {
        match expr {
            Expr::Regex(pattern) => self.regex(pattern),
            expr => {
                let value = self.value(expr).await?;
                let text = self.text(&value);
                self.regex(&text)
            }
        }
    }
}

fn arithmetic(op: &str, a: f64, b: f64) -> Result<f64, Flow> {
    Ok(match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" | "%" if b == 0.0 => return Err(Flow::Error("division by zero".into())),
        "/" => a / b,
        "%" => a % b,
        _ => a.powf(b),
    })
}
