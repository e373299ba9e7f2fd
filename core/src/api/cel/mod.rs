//! The Common Expression Language, as far as Kubernetes lets its users write it: rules of custom
//! resources (`x-kubernetes-validations`) and of admission policies.
//!
//! Reading order: [`lex`], [`parse`] (text → [`parse::Expr`]), [`value`], [`eval`], [`functions`] and
//! its neighbours. A program is compiled once and run with variables; a run is bounded by
//! [`MOST_STEPS`], a program's nesting by [`parse::DEEPEST`].
//!
//! Not here: types. Upstream checks them when a rule is stored, here a wrong type is an error of the
//! run; names that nothing declares are found when a rule is compiled.
//!
//! Models `cel-go` with the libraries of `apiserver/pkg/cel/library`.

pub mod eval;
mod functions;
mod lex;
mod methods;
pub mod parse;
mod types;
pub mod value;

use std::{collections::BTreeMap, rc::Rc};

pub use value::Val;

/// Steps that a run may take (`PerCallLimit`).
pub const MOST_STEPS: u64 = 1_000_000;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Program {
    root: Rc<parse::Expr>,
    names: Vec<String>,
}

impl Program {
    /// Compiles an expression over these variables. Errors read as the compiler's: place, reason,
    /// and the line with a mark below.
    pub fn compile(text: &str, declared: &[&str]) -> Result<Self, String> {
        let failed = |(at, why): (usize, String)| located(text, at, &why);
        let root = parse::parse(text).map_err(failed)?;
        let mut names = Vec::new();
        parse::free_names(&root, &mut Vec::new(), &mut names);
        for (at, name) in &names {
            if !declared.contains(&name.as_str()) && !types::is_type(name) {
                let why = format!("undeclared reference to '{name}' (in container '')");
                return Err(failed((*at, why)));
            }
        }
        Ok(Program { root: Rc::new(root), names: names.into_iter().map(|(_, n)| n).collect() })
    }

    /// Why an object that the expression makes can't be laid over another: a part has the name of
    /// another part. Models `CheckTypeNamesMatchFieldPathNames`.
    pub fn mismatch(&self) -> Option<String> {
        fn look(expr: &parse::Expr, path: Option<&str>) -> Option<String> {
            use parse::Expr;
            match (expr, path) {
                (Expr::New(_, name, fields), path) => {
                    let wanted = match path {
                        None if name == "JSONPatch" => None,
                        None if !name.contains('.') => Some("Object"),
                        path => path,
                    };
                    if let Some(wanted) = wanted.filter(|wanted| name != wanted) {
                        return Some(format!(
                            "unexpected type name {name:?}, expected {wanted:?}, which matches \
                             field name path from root Object type"
                        ));
                    }
                    fields.iter().find_map(|(field, value, _)| {
                        let below = wanted.map(|own| format!("{own}.{field}"));
                        look(value, below.as_deref())
                    })
                }
                (Expr::List(items), path) => items.iter().find_map(|(item, _)| look(item, path)),
                (Expr::If(_, a, b), path) => look(a, path).or_else(|| look(b, path)),
                (Expr::Bind(_, _, inner), path) => look(inner, path),
                (Expr::Each(each), path) => each.then.as_ref().and_then(|then| look(then, path)),
                _ => None,
            }
        }
        look(&self.root, None)
    }

    /// Whether the expression speaks of a variable.
    pub fn uses(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    /// Works the expression out. Errors are the runtime's words.
    pub fn run(&self, variables: &BTreeMap<String, Val>) -> Result<Val, String> {
        eval::run(&self.root, variables, MOST_STEPS)
    }
}

/// `ERROR: <input>:1:5: why`, and the line with a mark.
fn located(text: &str, at: usize, why: &str) -> String {
    let before = text.get(..at).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let column = before.get(start..).unwrap_or_default().chars().count();
    let line = text.get(start..).and_then(|t| t.lines().next()).unwrap_or_default();
    let mark = format!("{}^", ".".repeat(column));
    format!("ERROR: <input>:{number}:{}: {why}\n | {line}\n | {mark}", column + 1)
}

#[cfg(test)]
mod tests;
