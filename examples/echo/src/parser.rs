//! Tokens as a tree, by recursive descent.

use crate::lexer::{Place, Result, Token, error, tokens};
use crate::syntax::{
    Arm, Block, Expression, ExpressionKind, Function, Operation, Select, Statement, StatementKind,
    Type,
};

struct Parser {
    tokens: Vec<(Token, Place)>,
    at: usize,
    depth: u32,
}

/// Deeper nesting than this is refused, rather than to overflow the stack.
const DEEPEST: u32 = 200;

/// Binary operators by how closely they bind, the loosest first.
const LEVELS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["==", "!=", "<", "<=", ">", ">="],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Reads a whole program.
///
/// # Errors
/// The first mistake, with its place.
pub fn parse(source: &str) -> Result<Vec<Function>> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        depth: 0,
    };
    let mut functions = Vec::new();
    while *parser.token() != Token::End {
        functions.push(parser.function()?);
    }
    Ok(functions)
}

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn place(&self) -> Place {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token {
        let token = self.token().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn takes_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.token(), Token::Symbol(found) if *found == symbol);
        self.at += usize::from(found);
        found
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.token(), Token::Keyword(found) if *found == keyword);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.takes_symbol(symbol) {
            return Ok(());
        }
        error(
            self.place(),
            format!("expected `{symbol}`, found {}", self.token()),
        )
    }

    fn name(&mut self) -> Result<String> {
        let place = self.place();
        match self.next() {
            Token::Name(name) => Ok(name),
            Token::Keyword("_") => Ok("_".to_owned()),
            other => error(place, format!("expected a name, found {other}")),
        }
    }

    /// Goes one level deeper, but not without end.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return error(self.place(), "this is nested too deeply");
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn function(&mut self) -> Result<Function> {
        let place = self.place();
        let is_async = self.takes_keyword("async");
        if !self.takes_keyword("fn") {
            return error(
                place,
                format!("expected a function, found {}", self.token()),
            );
        }
        let name = self.name()?;
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.takes_symbol(")") {
            let name = self.name()?;
            self.expect(":")?;
            parameters.push((name, self.type_()?));
            if !self.takes_symbol(",") {
                self.expect(")")?;
                break;
            }
        }
        let result = if self.takes_symbol("->") {
            self.type_()?
        } else {
            Type::Nothing
        };
        Ok(Function {
            name,
            place,
            is_async,
            parameters,
            result,
            body: self.block()?,
        })
    }

    fn type_(&mut self) -> Result<Type> {
        let place = self.place();
        self.nested(|parser| match parser.next() {
            Token::Keyword("int") => Ok(Type::Int),
            Token::Keyword("bool") => Ok(Type::Bool),
            Token::Keyword("string") => Ok(Type::String),
            Token::Keyword("chan") => Ok(Type::Chan(Box::new(parser.type_()?))),
            Token::Keyword("future") => Ok(Type::Future(Box::new(parser.future_of()?))),
            other => error(place, format!("expected a type, found {other}")),
        })
    }

    /// `future ()` is that of a function that returns nothing.
    fn future_of(&mut self) -> Result<Type> {
        if self.takes_symbol("(") {
            self.expect(")")?;
            return Ok(Type::Nothing);
        }
        self.type_()
    }

    fn block(&mut self) -> Result<Block> {
        self.expect("{")?;
        self.nested(|parser| {
            let mut statements = Vec::new();
            while !parser.takes_symbol("}") {
                statements.push(parser.statement()?);
            }
            Ok(statements)
        })
    }

    fn statement(&mut self) -> Result<Statement> {
        let place = self.place();
        let kind = match self.token() {
            Token::Keyword("let") => self.let_()?,
            Token::Keyword("if") => self.if_()?,
            Token::Keyword("while") => {
                self.next();
                StatementKind::While(self.expression()?, self.block()?)
            }
            Token::Keyword("for") => self.for_()?,
            Token::Keyword("select") => self.select()?,
            Token::Keyword("return") => {
                self.next();
                let value = match self.token() {
                    Token::Symbol(";") => None,
                    _ => Some(self.expression()?),
                };
                self.expect(";")?;
                StatementKind::Return(value)
            }
            Token::Keyword("break") => {
                self.next();
                self.expect(";")?;
                StatementKind::Break
            }
            Token::Keyword("continue") => {
                self.next();
                self.expect(";")?;
                StatementKind::Continue
            }
            Token::Symbol("{") => StatementKind::Block(self.block()?),
            _ => self.assignment_or_expression()?,
        };
        Ok(Statement { place, kind })
    }

    fn let_(&mut self) -> Result<StatementKind> {
        self.next();
        let name = self.name()?;
        if self.takes_symbol(",") {
            let ok = self.name()?;
            self.expect("=")?;
            self.expect("<-")?;
            let channel = self.unary()?;
            self.expect(";")?;
            return Ok(StatementKind::LetReceived(name, ok, channel));
        }
        let declared = if self.takes_symbol(":") {
            Some(self.type_()?)
        } else {
            None
        };
        self.expect("=")?;
        let value = self.expression()?;
        self.expect(";")?;
        Ok(StatementKind::Let(name, declared, value))
    }

    fn if_(&mut self) -> Result<StatementKind> {
        self.next();
        let condition = self.expression()?;
        let then = self.block()?;
        let mut otherwise = Vec::new();
        if self.takes_keyword("else") {
            if matches!(self.token(), Token::Keyword("if")) {
                let place = self.place();
                let kind = self.nested(Parser::if_)?;
                otherwise.push(Statement { place, kind });
            } else {
                otherwise = self.block()?;
            }
        }
        Ok(StatementKind::If(condition, then, otherwise))
    }

    fn for_(&mut self) -> Result<StatementKind> {
        self.next();
        let name = self.name()?;
        if !self.takes_keyword("in") {
            return error(
                self.place(),
                format!("expected `in`, found {}", self.token()),
            );
        }
        let from = self.expression()?;
        if self.takes_symbol("..") {
            let to = self.expression()?;
            return Ok(StatementKind::ForRange(name, from, to, self.block()?));
        }
        Ok(StatementKind::ForReceived(name, from, self.block()?))
    }

    fn assignment_or_expression(&mut self) -> Result<StatementKind> {
        let place = self.place();
        let expression = self.expression()?;
        let kind = if self.takes_symbol("=") {
            let ExpressionKind::Name(name) = expression.kind else {
                return error(place, "only a variable can be assigned to");
            };
            StatementKind::Assign(name, self.expression()?)
        } else if self.takes_symbol("<-") {
            StatementKind::Send(expression, self.expression()?)
        } else {
            StatementKind::Expression(expression)
        };
        self.expect(";")?;
        Ok(kind)
    }

    fn select(&mut self) -> Result<StatementKind> {
        self.next();
        self.expect("{")?;
        let mut select = Select {
            arms: Vec::new(),
            default: None,
            after: None,
        };
        while !self.takes_symbol("}") {
            let place = self.place();
            if self.takes_keyword("default") {
                if select.default.replace(self.block()?).is_some() {
                    return error(place, "a select has one `default` at most");
                }
            } else if self.takes_keyword("after") {
                let time = self.expression()?;
                if select.after.replace((time, self.block()?)).is_some() {
                    return error(place, "a select has one `after` at most");
                }
            } else {
                select.arms.push(self.arm()?);
            }
            if select.default.is_some() && select.after.is_some() {
                return error(
                    place,
                    "with `default` a select never waits, so `after` would be in vain",
                );
            }
        }
        Ok(StatementKind::Select(select))
    }

    fn arm(&mut self) -> Result<Arm> {
        let place = self.place();
        if self.takes_symbol("<-") {
            let channel = self.unary()?;
            return self.arm_body(channel, Operation::Receive(None, None));
        }
        let first = self.expression()?;
        if self.takes_symbol("<-") {
            let value = self.expression()?;
            return self.arm_body(first, Operation::Send(value));
        }
        let ExpressionKind::Name(value) = first.kind else {
            return error(
                place,
                "expected `value = <-channel`, `<-channel` or `channel <- value`",
            );
        };
        let ok = if self.takes_symbol(",") {
            Some(self.name()?)
        } else {
            None
        };
        self.expect("=")?;
        self.expect("<-")?;
        let channel = self.unary()?;
        self.arm_body(channel, Operation::Receive(Some(value), ok))
    }

    fn arm_body(&mut self, channel: Expression, operation: Operation) -> Result<Arm> {
        Ok(Arm {
            channel,
            operation,
            body: self.block()?,
        })
    }

    fn expression(&mut self) -> Result<Expression> {
        self.nested(|parser| parser.binary(0))
    }

    fn binary(&mut self, level: usize) -> Result<Expression> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let place = self.place();
            let Some(operator) = operators
                .iter()
                .find(|operator| self.takes_symbol(operator))
            else {
                return Ok(left);
            };
            let right = self.binary(level + 1)?;
            left = Expression {
                place,
                kind: ExpressionKind::Binary(operator, Box::new(left), Box::new(right)),
            };
        }
    }

    fn unary(&mut self) -> Result<Expression> {
        let place = self.place();
        let kind = if self.takes_symbol("-") {
            ExpressionKind::Unary("-", self.operand()?)
        } else if self.takes_symbol("!") {
            ExpressionKind::Unary("!", self.operand()?)
        } else if self.takes_symbol("<-") {
            ExpressionKind::Receive(self.operand()?)
        } else if self.takes_keyword("await") {
            ExpressionKind::Await(self.operand()?)
        } else {
            return self.primary();
        };
        Ok(Expression { place, kind })
    }

    fn operand(&mut self) -> Result<Box<Expression>> {
        Ok(Box::new(self.nested(Parser::unary)?))
    }

    fn primary(&mut self) -> Result<Expression> {
        let place = self.place();
        let kind = match self.next() {
            Token::Number(number) => ExpressionKind::Int(number),
            Token::Text(text) => ExpressionKind::Text(text),
            Token::Keyword("true") => ExpressionKind::Bool(true),
            Token::Keyword("false") => ExpressionKind::Bool(false),
            Token::Keyword("chan") => {
                let element = self.type_()?;
                self.expect("(")?;
                let capacity = match self.token() {
                    Token::Symbol(")") => None,
                    _ => Some(Box::new(self.expression()?)),
                };
                self.expect(")")?;
                ExpressionKind::Channel(element, capacity)
            }
            Token::Keyword("spawn") => {
                let name = self.name()?;
                ExpressionKind::Spawn(name, self.arguments()?)
            }
            // The type's name converts: `string(7)`.
            Token::Keyword("string") => {
                ExpressionKind::Call("string".to_owned(), self.arguments()?)
            }
            Token::Name(name) if matches!(self.token(), Token::Symbol("(")) => {
                ExpressionKind::Call(name, self.arguments()?)
            }
            Token::Name(name) => ExpressionKind::Name(name),
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            other => return error(place, format!("expected an expression, found {other}")),
        };
        Ok(Expression { place, kind })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.takes_symbol(")") {
            arguments.push(self.expression()?);
            if !self.takes_symbol(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(arguments)
    }
}
