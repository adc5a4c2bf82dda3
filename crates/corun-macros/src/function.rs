//! The annotated function: attributes and signature parsed, the body left as the tokens that were written, so that a mistake in the
//! body is reported by the compiler at its place and not by us.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, ReturnType, Signature, Type, Visibility};

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        if !input.peek(syn::token::Brace) {
            return Err(input.error("expected the body of a function"));
        }
        Ok(Function {
            attributes,
            visibility,
            signature,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// Refuses what cannot be the body of a coroutine. `attribute` is the name for the messages.
    pub(crate) fn check(&self, attribute: &str) -> syn::Result<()> {
        let Signature {
            constness,
            asyncness,
            unsafety,
            abi,
            generics,
            inputs,
            variadic,
            ..
        } = &self.signature;
        let refuse = |tokens: &dyn ToTokens, why: &str| {
            Err(Error::new_spanned(
                tokens.to_token_stream(),
                format!("#[{attribute}] {why}"),
            ))
        };
        if asyncness.is_some() {
            return refuse(
                asyncness,
                "takes an ordinary fn: remove `async`. A coroutine waits by calling; futures run with corun's `block_on`",
            );
        }
        if constness.is_some() {
            return refuse(constness, "cannot be used on a `const fn`");
        }
        if unsafety.is_some() {
            return refuse(
                unsafety,
                "cannot be used on an `unsafe fn`: nobody could promise what it asks for",
            );
        }
        if abi.is_some() {
            return refuse(abi, "cannot be used on an `extern` function");
        }
        if !generics.params.is_empty() || generics.where_clause.is_some() {
            return refuse(generics, "cannot be used on a generic function");
        }
        if !inputs.is_empty() || variadic.is_some() {
            return refuse(
                inputs,
                "takes a function without arguments: nothing would supply them",
            );
        }
        Ok(())
    }

    /// The function as written, without attributes and visibility.
    pub(crate) fn bare(&self) -> TokenStream {
        let Function {
            signature, body, ..
        } = self;
        quote!(#signature #body)
    }

    /// Does the function return `()`, as far as the signature shows?
    pub(crate) fn returns_unit(&self) -> bool {
        match &self.signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => {
                matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty())
            }
        }
    }
}
