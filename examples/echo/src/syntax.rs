//! Programs as trees: as they were written, with the types that the parser has read. Those of expressions are found by the compiler.

use std::fmt;

use crate::lexer::Place;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Int,
    Bool,
    String,
    /// Of a function that returns nothing.
    Nothing,
    Chan(Box<Type>),
    Future(Box<Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("int"),
            Type::Bool => f.write_str("bool"),
            Type::String => f.write_str("string"),
            Type::Nothing => f.write_str("nothing"),
            Type::Chan(element) => write!(f, "chan {element}"),
            Type::Future(value) => write!(f, "future {value}"),
        }
    }
}

pub struct Function {
    pub name: String,
    pub place: Place,
    pub is_async: bool,
    pub parameters: Vec<(String, Type)>,
    pub result: Type,
    pub body: Block,
}

pub type Block = Vec<Statement>;

pub struct Statement {
    pub place: Place,
    pub kind: StatementKind,
}

pub enum StatementKind {
    /// `let name: type = value;`
    Let(String, Option<Type>, Expression),
    /// `let value, ok = <-channel;`
    LetReceived(String, String, Expression),
    Assign(String, Expression),
    /// `channel <- value;`
    Send(Expression, Expression),
    If(Expression, Block, Block),
    While(Expression, Block),
    /// `for name in channel { }`: until it is closed and drained.
    ForReceived(String, Expression, Block),
    /// `for name in from..to { }`
    ForRange(String, Expression, Expression, Block),
    Select(Select),
    Return(Option<Expression>),
    Break,
    Continue,
    Block(Block),
    Expression(Expression),
}

pub struct Select {
    pub arms: Vec<Arm>,
    pub default: Option<Block>,
    /// `after milliseconds { }`
    pub after: Option<(Expression, Block)>,
}

pub struct Arm {
    pub channel: Expression,
    pub operation: Operation,
    pub body: Block,
}

pub enum Operation {
    Send(Expression),
    /// With the names of the value and of whether there was one.
    Receive(Option<String>, Option<String>),
}

pub struct Expression {
    pub place: Place,
    pub kind: ExpressionKind,
}

pub enum ExpressionKind {
    Int(i64),
    Bool(bool),
    Text(String),
    Name(String),
    /// Built in, or of the program. An async function is started by this.
    Call(String, Vec<Expression>),
    /// `spawn f(...)`: a future of what `f` returns.
    Spawn(String, Vec<Expression>),
    Await(Box<Expression>),
    /// `<-channel`
    Receive(Box<Expression>),
    /// `chan int(capacity)`
    Channel(Type, Option<Box<Expression>>),
    Unary(&'static str, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}
