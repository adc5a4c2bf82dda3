//! The grammar of `select!`:
//! ```text
//! arm  = ("recv" "(" channel ","? ")" "->" pattern | "send" "(" channel "," message ","? ")" "->" pattern
//!         | "default" ("(" (timeout ","?)? ")")?) "=>" body
//! body = a block, after which the comma may be missing, or an expression
//! ```

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Result, Token, token};

/// What the wrapper in the `corun` crate passes on: the path of that crate, `biased` or `unbiased`, and the arms.
pub(super) struct Input {
    pub(super) krate: TokenTree,
    pub(super) biased: bool,
    pub(super) arms: Vec<Arm>,
    pub(super) default: Option<Default>,
}

pub(super) enum Operation {
    Recv,
    Send { message: Expr },
}

pub(super) struct Arm {
    pub(super) operation: Operation,
    pub(super) channel: Expr,
    pub(super) pattern: TokenStream,
    pub(super) body: Body,
}

pub(super) struct Default {
    pub(super) timeout: Option<Expr>,
    pub(super) body: Body,
}

/// An expression that can stand anywhere, as a block can.
pub(super) struct Body(pub(super) TokenStream);

impl Parse for Input {
    fn parse(input: ParseStream) -> Result<Input> {
        let krate = input.parse()?;
        let biased = input.parse::<Ident>()? == "biased";
        if input.is_empty() {
            return Err(Error::new(Span::call_site(), "`select!` without an arm"));
        }
        let mut parsed = Input {
            krate,
            biased,
            arms: Vec::new(),
            default: None,
        };
        while !input.is_empty() {
            parsed.arm(input)?;
        }
        Ok(parsed)
    }
}

impl Input {
    fn arm(&mut self, input: ParseStream) -> Result<()> {
        let name: Ident = match input.parse() {
            Ok(name) if name == "recv" || name == "send" || name == "default" => name,
            Ok(other) => return Err(unknown(other)),
            Err(_) => return Err(unknown(input.parse::<TokenTree>()?)),
        };
        let arguments = arguments(&name, input)?;
        if name == "default" {
            return self.default_arm(&name, arguments, input);
        }
        let mut arguments = arguments.into_iter();
        // `arguments` has checked how many there are.
        let mut argument = || arguments.next().expect("an argument");
        let channel = argument();
        let operation = match name == "recv" {
            true => Operation::Recv,
            false => Operation::Send {
                message: argument(),
            },
        };
        if input.peek(Token![=>]) {
            let text = format!(
                "expected `->` and a pattern for the result after `{name}(..)`, found `=>`"
            );
            return Err(input.error(text));
        }
        if !input.peek(Token![->]) {
            let text = format!("expected `->` and a pattern for the result after `{name}(..)`");
            return Err(here(input, text));
        }
        input.parse::<Token![->]>()?;
        let pattern = pattern(input)?;
        let body = body(input)?;
        self.arms.push(Arm {
            operation,
            channel,
            pattern,
            body,
        });
        Ok(())
    }

    fn default_arm(
        &mut self,
        name: &Ident,
        arguments: Vec<Expr>,
        input: ParseStream,
    ) -> Result<()> {
        if self.default.is_some() {
            let text = "there can be only one `default` arm in a `select!`";
            return Err(Error::new(name.span(), text));
        }
        if input.peek(Token![->]) {
            return Err(
                input.error("expected `=>` after `default`, which has no result, found `->`")
            );
        }
        if !input.peek(Token![=>]) {
            return Err(here(
                input,
                "expected an argument list or `=>` after `default`".into(),
            ));
        }
        input.parse::<Token![=>]>()?;
        self.default = Some(Default {
            timeout: arguments.into_iter().next(),
            body: body(input)?,
        });
        Ok(())
    }
}

fn unknown(found: impl ToTokens) -> Error {
    let text = format!(
        "expected one of `recv`, `send`, or `default`, found `{}`",
        found.to_token_stream()
    );
    Error::new_spanned(found, text)
}

/// An error at the next token, or at the end.
fn here(input: ParseStream, text: String) -> Error {
    match input.fork().parse::<TokenTree>() {
        Ok(found) => Error::new(found.span(), format!("{text}, found `{found}`")),
        Err(_) => input.error(text),
    }
}

fn arguments(name: &Ident, input: ParseStream) -> Result<Vec<Expr>> {
    if !input.peek(token::Paren) {
        if name == "default" {
            return Ok(Vec::new());
        }
        let text = format!("missing argument list after `{name}`");
        return Err(Error::new(name.span(), text));
    }
    let group: Group = input.parse()?;
    let (expected, least, most) = match name {
        name if name == "recv" => ("recv(receiver)", 1, 1),
        name if name == "send" => ("send(sender, message)", 2, 2),
        _ => ("default(timeout)", 0, 1),
    };
    let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(group.stream())?;
    if !(least..=most).contains(&list.len()) {
        let text = format!("expected `{expected}`, found {} arguments", list.len());
        return Err(Error::new(group.span(), text));
    }
    Ok(list.into_iter().collect())
}

/// All up to the `=>`. What is wrong inside is the compiler's to say.
fn pattern(input: ParseStream) -> Result<TokenStream> {
    let mut pattern = TokenStream::new();
    let mut alternatives = false;
    while !input.peek(Token![=>]) {
        if input.is_empty() || input.peek(Token![,]) || input.peek(Token![->]) {
            return Err(here(
                input,
                "expected `=>` and what to do after the pattern".into(),
            ));
        }
        alternatives |= input.peek(Token![|]);
        input.parse::<TokenTree>()?.to_tokens(&mut pattern);
    }
    if pattern.is_empty() {
        return Err(input.error("missing pattern after `->`"));
    }
    input.parse::<Token![=>]>()?;
    if alternatives {
        // As `let` wants it.
        pattern = enclosed(Delimiter::Parenthesis, pattern);
    }
    Ok(pattern)
}

fn enclosed(delimiter: Delimiter, tokens: TokenStream) -> TokenStream {
    let mut group = Group::new(delimiter, tokens);
    group.set_span(Span::mixed_site());
    group.into_token_stream()
}

fn body(input: ParseStream) -> Result<Body> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(input.error("expected an expression after `=>`"));
    }
    if let Some(block) = block(input)? {
        return Ok(block);
    }
    let begins_as_statement = begins_as_statement(input);
    let expression: Expr = input.parse()?;
    let mut tokens = expression.to_token_stream();
    if begins_as_statement && !ends_by_itself(&expression) {
        // In a block, `match a {} + b` would be two statements.
        tokens = enclosed(Delimiter::Parenthesis, tokens);
    }
    let body = Body(enclosed(Delimiter::Brace, tokens));
    if input.peek(Token![;]) {
        return Err(input.error("expected a comma after the arm, found `;`"));
    }
    let needs_comma = !ends_by_itself(&expression);
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    } else if needs_comma && !input.is_empty() {
        return Err(here(input, "expected a comma after the arm".into()));
    }
    Ok(body)
}

/// A block that is the whole body, and not the beginning of an expression as in `{ a } + b`.
fn block(input: ParseStream) -> Result<Option<Body>> {
    if !input.peek(token::Brace) {
        return Ok(None);
    }
    let ahead = input.fork();
    ahead.parse::<Group>()?;
    if ahead.peek(Token![;]) {
        return Err(ahead.error("expected a comma or nothing after the block, found `;`"));
    }
    if !ahead.is_empty() && !ahead.peek(Token![,]) && !ahead.peek(syn::Ident) {
        return Ok(None);
    }
    let block: Group = input.parse()?;
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    }
    Ok(Some(Body(block.into_token_stream())))
}

fn begins_as_statement(input: ParseStream) -> bool {
    input.peek(token::Brace)
        || input.peek(Token![for])
        || input.peek(Token![if])
        || input.peek(Token![loop])
        || input.peek(Token![match])
        || input.peek(Token![unsafe])
        || input.peek(Token![while])
}

/// As in a `match`, what ends with its block needs no comma.
fn ends_by_itself(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Block(_)
            | Expr::ForLoop(_)
            | Expr::If(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::Unsafe(_)
            | Expr::While(_)
    )
}
