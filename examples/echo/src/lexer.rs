//! Source text as tokens.

use std::fmt;

/// A place in the source: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// What is wrong with a program, and where.
#[derive(Debug)]
pub struct Error {
    pub place: Place,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}",
            self.place.line, self.place.column, self.message
        )
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

pub fn error<T>(place: Place, message: impl Into<String>) -> Result<T> {
    Err(Error {
        place,
        message: message.into(),
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Name(String),
    Keyword(&'static str),
    Number(i64),
    Text(String),
    Symbol(&'static str),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Name(name) => write!(f, "`{name}`"),
            Token::Keyword(text) | Token::Symbol(text) => write!(f, "`{text}`"),
            Token::Number(number) => write!(f, "`{number}`"),
            Token::Text(_) => f.write_str("a string"),
            Token::End => f.write_str("the end of the program"),
        }
    }
}

const KEYWORDS: [&str; 24] = [
    "after", "async", "await", "bool", "break", "chan", "continue", "default", "else", "false",
    "fn", "for", "future", "if", "in", "int", "let", "return", "select", "spawn", "string", "true",
    "while", "_",
];

/// Longest first, so that the first that fits is the right one.
const SYMBOLS: [&str; 25] = [
    "<-", "->", "==", "!=", "<=", ">=", "&&", "||", "..", "(", ")", "{", "}", ",", ";", ":", "=",
    "+", "-", "*", "/", "%", "<", ">", "!",
];

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

/// All tokens with their places; the last one is `End`.
pub fn tokens(source: &str) -> Result<Vec<(Token, Place)>> {
    let mut lexer = Lexer {
        rest: source,
        place: Place { line: 1, column: 1 },
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let place = lexer.place;
        let token = lexer.next()?;
        let is_last = token == Token::End;
        tokens.push((token, place));
        if is_last {
            return Ok(tokens);
        }
    }
}

impl Lexer<'_> {
    fn advance(&mut self, bytes: usize) -> &str {
        let (taken, rest) = self.rest.split_at(bytes);
        for character in taken.chars() {
            if character == '\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.advance(blanks);
            if !self.rest.starts_with("//") {
                return;
            }
            self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn length_while(&self, accepts: impl Fn(char) -> bool) -> usize {
        let end = self.rest.find(|character| !accepts(character));
        end.unwrap_or(self.rest.len())
    }

    fn next(&mut self) -> Result<Token> {
        let place = self.place;
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        if first.is_ascii_digit() {
            let length =
                self.length_while(|character| character.is_ascii_digit() || character == '_');
            let digits = self.advance(length).replace('_', "");
            return match digits.parse() {
                Ok(number) => Ok(Token::Number(number)),
                Err(_) => error(place, format!("{digits} does not fit an int")),
            };
        }
        if first.is_alphabetic() || first == '_' {
            let length =
                self.length_while(|character| character.is_alphanumeric() || character == '_');
            let name = self.advance(length);
            return Ok(match KEYWORDS.iter().find(|keyword| **keyword == name) {
                Some(keyword) => Token::Keyword(keyword),
                None => Token::Name(name.to_owned()),
            });
        }
        if first == '"' {
            return self.text();
        }
        match SYMBOLS
            .iter()
            .find(|symbol| self.rest.starts_with(**symbol))
        {
            Some(symbol) => {
                self.advance(symbol.len());
                Ok(Token::Symbol(symbol))
            }
            None => error(place, format!("unexpected character {first:?}")),
        }
    }

    fn text(&mut self) -> Result<Token> {
        let begin = self.place;
        self.advance(1);
        let mut text = String::new();
        loop {
            let place = self.place;
            let Some(character) = self.rest.chars().next().filter(|&next| next != '\n') else {
                return error(begin, "this string does not end on its line");
            };
            self.advance(character.len_utf8());
            match character {
                '"' => return Ok(Token::Text(text)),
                '\\' => {
                    let escaped = self.rest.chars().next();
                    text.push(match escaped {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('"') => '"',
                        Some('\\') => '\\',
                        _ => {
                            return error(
                                place,
                                "unknown escape: there are \\n, \\t, \\\" and \\\\",
                            );
                        }
                    });
                    self.advance(1);
                }
                other => text.push(other),
            }
        }
    }
}
