//! What an awk program is.

/// A program.
#[derive(Debug, Default)]
pub struct Script {
    /// `BEGIN` blocks.
    pub begin: Vec<Stmt>,
    /// Patterns and actions.
    pub rules: Vec<(Pattern, Option<Stmt>)>,
    /// `END` blocks.
    pub end: Vec<Stmt>,
}

/// Which records.
#[derive(Debug)]
pub enum Pattern {
    /// All.
    Always,
    /// Those for which it holds.
    If(Expr),
    /// From one to another.
    Range(Expr, Expr),
}

/// A statement.
#[derive(Debug)]
pub enum Stmt {
    /// Several.
    Block(Vec<Stmt>),
    /// An expression.
    Expr(Expr),
    /// `print`: what, and where to (operator and file or command).
    Print(Vec<Expr>, Option<(char, Expr)>),
    /// `printf`
    Printf(Vec<Expr>, Option<(char, Expr)>),
    /// `if`
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    /// `while`
    While(Expr, Box<Stmt>),
    /// `do … while`
    Do(Box<Stmt>, Expr),
    /// `for (;;)`
    For(Box<Stmt>, Option<Expr>, Box<Stmt>, Box<Stmt>),
    /// `for (x in a)`
    ForIn(String, String, Box<Stmt>),
    /// `next`
    Next,
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `exit`
    Exit(Option<Expr>),
    /// `delete a[i]`, `delete a`
    Delete(String, Option<Vec<Expr>>),
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// `/re/`: against the record.
    Regex(String),
    /// A variable.
    Var(String),
    /// `$n`
    Field(Box<Expr>),
    /// `a[i, j]`
    Item(String, Vec<Expr>),
    /// `(i, j) in a`
    In(Vec<Expr>, String),
    /// Assignment; the operator without its `=`.
    Assign(Box<Expr>, String, Box<Expr>),
    /// `++`, `--`: by how much, and whether the old value counts.
    Step(Box<Expr>, f64, bool),
    /// Two operands.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `!`, `-`, `+`
    Unary(char, Box<Expr>),
    /// `~`, `!~`
    Match(Box<Expr>, Box<Expr>, bool),
    /// `a ? b : c`
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Two strings one after another.
    Join(Box<Expr>, Box<Expr>),
    /// A function that comes with awk.
    Call(String, Vec<Expr>),
}
