//! What stands in the parentheses of an attribute: `workers = 4, stack_size = 64 * 1024, crate = "path"`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Path, Token};

/// The parsed options.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) workers: Workers,
    pub(crate) stack_size: Option<Expr>,
    pub(crate) krate: Option<Path>,
    /// Whether the clock stands still from the beginning.
    pub(crate) start_paused: Option<Expr>,
}

/// How many workers, if the attribute says so.
#[derive(Default)]
pub(crate) enum Workers {
    #[default]
    Default,
    One(Expr),
    /// One test for each of these. Literals, because they become part of the names.
    Each(Vec<LitInt>),
}

struct Assignment {
    name: Ident,
    value: Expr,
}

impl Parse for Assignment {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if name == "start_paused" && !input.peek(Token![=]) {
            let value = syn::parse_quote!(true);
            return Ok(Assignment { name, value });
        }
        input.parse::<Token![=]>()?;
        Ok(Assignment {
            name,
            value: input.parse()?,
        })
    }
}

impl Options {
    /// Parses the options. `attribute` is the name for the messages; `several` is for tests: it allows `workers = [..]` and `start_paused`.
    pub(crate) fn parse(
        tokens: proc_macro2::TokenStream,
        attribute: &str,
        several: bool,
    ) -> syn::Result<Options> {
        let mut options = Options::default();
        let mut seen: Vec<Ident> = Vec::new();
        for Assignment { name, value } in
            Punctuated::<Assignment, Token![,]>::parse_terminated.parse2(tokens)?
        {
            if seen.contains(&name) {
                return Err(Error::new(
                    name.span(),
                    format!("#[{attribute}]: the option `{name}` is given twice"),
                ));
            }
            match name.to_string().as_str() {
                "workers" => options.workers = workers(value, attribute, several)?,
                "stack_size" => {
                    if integer(&value)
                        .is_some_and(|size| size.base10_parse::<usize>().ok() == Some(0))
                    {
                        return Err(Error::new_spanned(
                            value,
                            "a coroutine cannot run on a stack of 0 bytes",
                        ));
                    }
                    options.stack_size = Some(value);
                }
                "crate" => options.krate = Some(path(value)?),
                "start_paused" if several => options.start_paused = Some(value),
                "start_paused" => {
                    return Err(Error::new(
                        name.span(),
                        format!(
                            "#[{attribute}] has no option `start_paused`: a program goes by real time"
                        ),
                    ));
                }
                "flavor" | "worker_threads" => {
                    return Err(Error::new(
                        name.span(),
                        format!(
                            "#[{attribute}] has no option `{name}`; the number of worker threads is `workers = N`"
                        ),
                    ));
                }
                _ => {
                    return Err(Error::new(
                        name.span(),
                        format!(
                            "#[{attribute}] has no option `{name}`; it knows `workers`, `stack_size`{} and `crate`",
                            if several { ", `start_paused`" } else { "" }
                        ),
                    ));
                }
            }
            seen.push(name);
        }
        Ok(options)
    }

    /// The path of the `corun` crate.
    pub(crate) fn krate(&self) -> Path {
        self.krate
            .clone()
            .unwrap_or_else(|| syn::parse_quote!(::corun))
    }
}

fn integer(value: &Expr) -> Option<&LitInt> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal),
            ..
        }) => Some(literal),
        _ => None,
    }
}

fn positive(literal: &LitInt) -> syn::Result<()> {
    match literal.base10_parse::<usize>()? {
        0 => Err(Error::new(
            literal.span(),
            "a runtime needs at least one worker",
        )),
        _ => Ok(()),
    }
}

fn workers(value: Expr, attribute: &str, several: bool) -> syn::Result<Workers> {
    if let Expr::Array(array) = &value {
        if !several {
            return Err(Error::new_spanned(
                array,
                format!("#[{attribute}] takes one number of workers"),
            ));
        }
        let mut counts: Vec<LitInt> = Vec::new();
        for element in &array.elems {
            let Some(count) = integer(element) else {
                return Err(Error::new_spanned(
                    element,
                    "expected an integer literal: it becomes part of the test's name",
                ));
            };
            positive(count)?;
            if counts
                .iter()
                .any(|seen| seen.base10_digits() == count.base10_digits())
            {
                return Err(Error::new(
                    count.span(),
                    format!("{count} workers are asked for twice"),
                ));
            }
            counts.push(count.clone());
        }
        if counts.is_empty() {
            return Err(Error::new_spanned(
                array,
                "no number of workers is given, so there would be no test",
            ));
        }
        return Ok(Workers::Each(counts));
    }
    match &value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(count),
            ..
        }) => positive(count)?,
        Expr::Lit(other) => {
            return Err(Error::new_spanned(
                other,
                "expected a number of workers, as in `workers = 4`",
            ));
        }
        _ => {}
    }
    Ok(Workers::One(value))
}

/// `crate = "path"` as serde and tokio write it, or a bare path.
fn path(value: Expr) -> syn::Result<Path> {
    let complain = |span: Span| {
        Error::new(
            span,
            "expected the path of the corun crate, as in `crate = \"path::to::corun\"`",
        )
    };
    match value {
        Expr::Path(path) => Ok(path.path),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => LitStr::parse_with(&text, Path::parse_mod_style).map_err(|_| complain(text.span())),
        other => Err(complain(syn::spanned::Spanned::span(&other))),
    }
}
