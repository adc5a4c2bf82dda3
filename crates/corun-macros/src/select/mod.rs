//! `select!` and `select_biased!`: from arms to calls of `corun::channel::internal`.
//!
//! A procedural macro, and not `macro_rules!`, since it can point at the very token that is wrong, has no limit on the number of arms,
//! and takes time in proportion to what it reads: `macro_rules!` would match the whole rest again for each arm.

mod expand;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

pub(crate) fn select(input: TokenStream) -> TokenStream {
    match syn::parse2::<parse::Input>(input) {
        Ok(input) => expand::expand(&input),
        Err(error) => error.into_compile_error(),
    }
}
