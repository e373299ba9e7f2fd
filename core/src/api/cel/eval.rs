//! Working an expression out.
//!
//! Errors are texts. `&&` and `||` forgive an error on one side where the other side decides.

use std::collections::BTreeMap;

use super::{
    functions, methods,
    parse::{DEEPEST, Each, Expr, Literal, is_namespace},
    types,
    value::{Val, unescape},
};

/// The result, or why there is none.
pub type Run = Result<Val, String>;

/// What a run has used.
struct Runner<'a> {
    variables: &'a BTreeMap<String, Val>,
    /// Variables of macros, the innermost last.
    locals: Vec<(String, Val)>,
    left: u64,
    depth: usize,
}

/// Said where a run takes too long.
pub const TOO_MUCH: &str = "operation cancelled: actual cost limit exceeded";

/// Works an expression out with variables, in at most so many steps.
pub fn run(expr: &Expr, variables: &BTreeMap<String, Val>, steps: u64) -> Run {
    Runner { variables, locals: Vec::new(), left: steps, depth: 0 }.eval(expr)
}

/// How much a value costs to look through.
fn weight(value: &Val) -> u64 {
    match value {
        Val::Str(text) => text.len() as u64 / 10,
        Val::Bytes(bytes) => bytes.len() as u64 / 10,
        Val::List(items) => items.len() as u64,
        Val::Map(entries) | Val::Sparse(entries) => entries.len() as u64,
        _ => 0,
    }
}

impl Runner<'_> {
    fn spend(&mut self, steps: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(steps + 1).ok_or(TOO_MUCH)?;
        Ok(())
    }

    fn eval(&mut self, expr: &Expr) -> Run {
        self.spend(0)?;
        self.depth += 1;
        if self.depth > 8 * DEEPEST {
            return Err("expression is nested too deep".into());
        }
        let result = self.one(expr);
        self.depth -= 1;
        result
    }

    fn one(&mut self, expr: &Expr) -> Run {
        match expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Name(_, name) => self.name(name),
            Expr::Select(of, field, optional) => {
                let of = self.eval(of)?;
                select(&of, field, *optional)
            }
            Expr::Index(of, index, optional) => {
                let (of, index) = (self.eval(of)?, self.eval(index)?);
                methods::index(&of, &index, *optional)
            }
            Expr::Has(of, field) => match self.eval(of)? {
                Val::Optional(None) => Ok(false.into()),
                Val::Optional(Some(inner)) => Ok(inner.field(field).is_some().into()),
                Val::Sparse(_) => Ok(true.into()),
                of @ Val::Map(_) => Ok(of.field(field).is_some().into()),
                other => Err(format!("no such field: {field} in {}", other.type_name())),
            },
            Expr::And(a, b) => self.logic(a, b, false),
            Expr::Or(a, b) => self.logic(a, b, true),
            Expr::If(condition, yes, no) => match self.eval(condition)? {
                Val::Bool(true) => self.eval(yes),
                Val::Bool(false) => self.eval(no),
                _ => Err("no such overload".into()),
            },
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::New(_, _, fields) => {
                let mut out: Vec<(Val, Val)> = Vec::with_capacity(fields.len());
                for (name, value, optional) in fields {
                    let key = Val::from(unescape(name));
                    match (self.eval(value)?, optional) {
                        (Val::Optional(inner), true) => {
                            out.extend(inner.map(|v| (key, (*v).clone())));
                        }
                        (_, true) => return Err("cannot initialize optional entry".into()),
                        (value, false) => out.push((key, value)),
                    }
                }
                Ok(Val::Map(out.into()))
            }
            Expr::Call(of, name, args) => self.call(of.as_deref(), name, args),
            Expr::Each(each) => self.each(each),
            Expr::Bind(name, value, inner) => {
                let value = self.eval(value)?;
                self.locals.push((name.clone(), value));
                let result = self.eval(inner);
                self.locals.pop();
                result
            }
        }
    }

    fn name(&self, name: &str) -> Run {
        let local = self.locals.iter().rev().find(|(own, _)| own == name).map(|(_, v)| v);
        let found = local.or_else(|| self.variables.get(name)).cloned();
        found
            .or_else(|| types::named(name).map(Val::Type))
            .ok_or_else(|| format!("no such attribute: {name}"))
    }

    /// `decides`: the side that settles the matter alone.
    fn logic(&mut self, a: &Expr, b: &Expr, decides: bool) -> Run {
        let left = self.eval(a);
        if matches!(&left, Err(why) if why == TOO_MUCH) {
            return left;
        }
        if matches!(left, Ok(Val::Bool(is)) if is == decides) {
            return left;
        }
        let right = self.eval(b);
        match (left, right) {
            (_, Ok(Val::Bool(is))) if is == decides => Ok(is.into()),
            (Err(why), _) | (Ok(Val::Bool(_)), Err(why)) => Err(why),
            (Ok(Val::Bool(_)), Ok(Val::Bool(is))) => Ok(is.into()),
            _ => Err("no such overload".into()),
        }
    }

    fn list(&mut self, items: &[(Expr, bool)]) -> Run {
        let mut out = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.eval(item)?, optional) {
                (Val::Optional(inner), true) => out.extend(inner.map(|v| (*v).clone())),
                (_, true) => return Err("cannot initialize optional list element".into()),
                (value, false) => out.push(value),
            }
        }
        Ok(out.into())
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> Run {
        let mut out: Vec<(Val, Val)> = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let (key, value) = (self.eval(key)?, self.eval(value)?);
            if out.iter().any(|(own, _)| own.same(&key)) {
                return Err(format!("Failed with repeated key: {}", key.text()));
            }
            match (value, optional) {
                (Val::Optional(inner), true) => out.extend(inner.map(|v| (key, (*v).clone()))),
                (_, true) => return Err("cannot initialize optional entry".into()),
                (value, false) => out.push((key, value)),
            }
        }
        Ok(Val::Map(out.into()))
    }

    fn call(&mut self, of: Option<&Expr>, name: &str, args: &[Expr]) -> Run {
        let space = of.filter(|of| is_namespace(of) && !self.is_variable(of));
        let target = match (of, space) {
            (Some(of), None) => Some(self.eval(of)?),
            _ => None,
        };
        // `a.or(b)` and `a.orValue(b)` look at `b` only where they need it.
        if let (Some(Val::Optional(inner)), "or" | "orValue", [other]) = (&target, name, args) {
            return match (inner, name) {
                (Some(inner), "orValue") => Ok((**inner).clone()),
                (Some(_), _) => Ok(target.unwrap_or(Val::Null)),
                (None, _) => self.eval(other),
            };
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(self.eval(arg)?);
        }
        let cost: u64 = values.iter().chain(&target).map(weight).sum();
        self.spend(cost)?;
        let space = match space {
            Some(Expr::Name(_, space)) => space.as_str(),
            _ => "",
        };
        match target {
            Some(target) => methods::call(&target, name, &values),
            None => functions::call(space, name, &values),
        }
    }

    fn is_variable(&self, expr: &Expr) -> bool {
        let Expr::Name(_, name) = expr else { return false };
        self.variables.contains_key(name) || self.locals.iter().any(|(own, _)| own == name)
    }

    fn each(&mut self, each: &Each) -> Run {
        let over = self.eval(&each.over)?;
        let two = each.names.1.is_some();
        let pairs: Vec<(Val, Val)> = match &over {
            Val::List(items) if two => {
                items.iter().enumerate().map(|(i, v)| (Val::Int(i as i64), v.clone())).collect()
            }
            Val::List(items) => items.iter().map(|v| (v.clone(), Val::Null)).collect(),
            Val::Map(entries) | Val::Sparse(entries) => entries.iter().cloned().collect(),
            _ => return Err("no such overload".into()),
        };
        let before = self.locals.len();
        let result = self.go_through(each, &over, pairs);
        self.locals.truncate(before);
        result
    }

    fn go_through(&mut self, each: &Each, over: &Val, pairs: Vec<(Val, Val)>) -> Run {
        let before = self.locals.len();
        let (mut kept, mut entries, mut count) = (Vec::new(), Vec::new(), 0);
        let mut failed = None;
        for (first, second) in pairs {
            self.spend(1)?;
            self.locals.truncate(before);
            self.locals.push((each.names.0.clone(), first.clone()));
            if let Some(name) = &each.names.1 {
                self.locals.push((name.clone(), second.clone()));
            }
            let fits = match &each.test {
                None => true,
                Some(test) => match self.eval(test) {
                    Ok(Val::Bool(is)) => is,
                    Ok(_) => return Err("no such overload".into()),
                    // A later item may decide, unless there is no time left to look.
                    Err(why) if why != TOO_MUCH && matches!(each.what, "all" | "exists") => {
                        failed = Some(why);
                        continue;
                    }
                    Err(why) => return Err(why),
                },
            };
            match (each.what, fits) {
                ("all", false) => return Ok(false.into()),
                ("exists", true) => return Ok(true.into()),
                ("filter", true) if matches!(over, Val::Map(_)) && each.names.1.is_some() => {
                    entries.push((first, second));
                }
                ("filter", true) => kept.push(first),
                ("exists_one" | "existsOne", true) => count += 1,
                ("map" | "transformList", true) => {
                    if let Some(then) = &each.then {
                        kept.push(self.eval(then)?);
                    }
                }
                ("transformMap", true) => {
                    if let Some(then) = &each.then {
                        entries.push((first, self.eval(then)?));
                    }
                }
                _ => {}
            }
        }
        if let Some(why) = failed {
            return Err(why);
        }
        Ok(match each.what {
            "all" => true.into(),
            "exists" => false.into(),
            "exists_one" | "existsOne" => (count == 1).into(),
            "transformMap" => Val::Map(entries.into()),
            "filter" if !entries.is_empty() => Val::Map(entries.into()),
            _ => kept.into(),
        })
    }
}

fn of_literal(literal: &Literal) -> Val {
    match literal {
        Literal::Null => Val::Null,
        Literal::Bool(is) => Val::Bool(*is),
        Literal::Int(n) => Val::Int(*n),
        Literal::Uint(n) => Val::Uint(*n),
        Literal::Double(n) => Val::Double(*n),
        Literal::Str(text) => text.as_str().into(),
        Literal::Bytes(bytes) => Val::Bytes(bytes.as_slice().into()),
    }
}

fn select(of: &Val, field: &str, optional: bool) -> Run {
    let found = match of {
        Val::Map(_) => of.field(field).cloned(),
        Val::Sparse(_) => Some(of.field(field).cloned().unwrap_or_else(Val::empty_map)),
        Val::Optional(None) => return Ok(Val::Optional(None)),
        Val::Optional(Some(inner)) => {
            let found = inner.field(field).cloned();
            return Ok(Val::Optional(found.map(Into::into)));
        }
        other => return Err(format!("no such overload: {}.{field}", other.type_name())),
    };
    match (found, optional) {
        (found, true) => Ok(Val::Optional(found.map(Into::into))),
        (Some(found), false) => Ok(found),
        (None, false) => Err(format!("no such key: {field}")),
    }
}
