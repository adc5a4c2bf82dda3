//! What a `select!` becomes. Names that the macro makes up itself are invisible to the arms (`mixed_site`).
//!
//! ```text
//! match (&(channel), ...) {                       // temporaries in the channels live to the end of the whole
//!     (arm0, ...) => {
//!         let arm0 = internal::receiver(arm0);    // anything that dereferences to one becomes one
//!         let choice = internal::select(&mut [(arm0, 0), ...], BIASED);
//!         match internal::index(&choice) {
//!             0 => { let pattern = internal::chosen(choice).recv(arm0); body }
//!             1 => { let pattern = { let promise = internal::promise(choice); promise.send(arm1, message) }; body }
//!             _ => { drop(choice); default }
//!         }
//!     }
//! }
//! ```
//! Nothing that borrows from the channels is left to be dropped when a body begins, so that bodies may move them away. A lone `recv` is a plain call.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::parse::{Arm, Default, Input, Operation};

pub(super) fn expand(input: &Input) -> TokenStream {
    match (&input.arms[..], &input.default) {
        ([], default) => only_default(input, default.as_ref().expect("an arm")),
        ([arm], default) if matches!(arm.operation, Operation::Recv) => {
            lone_recv(input, arm, default.as_ref())
        }
        (arms, default) => several(input, arms, default.as_ref()),
    }
}

/// The internals that expansions call.
fn internal(input: &Input) -> TokenStream {
    let krate = &input.krate;
    quote_spanned!(Span::mixed_site()=> #krate::channel::internal)
}

fn only_default(input: &Input, default: &Default) -> TokenStream {
    let (body, internal) = (&default.body.0, internal(input));
    match &default.timeout {
        None => body.clone(),
        Some(timeout) => quote_spanned!(Span::mixed_site()=> {
            #internal::sleep(#timeout);
            #body
        }),
    }
}

/// The call that makes a plain reference out of what stands for a channel. A wrong type is reported where the channel is named.
fn plain(internal: &TokenStream, arm: &Arm, name: &Ident) -> TokenStream {
    let there = arm.channel.span().resolved_at(Span::mixed_site());
    match arm.operation {
        Operation::Recv => quote_spanned!(there=> #internal::receiver(#name)),
        Operation::Send { .. } => quote_spanned!(there=> #internal::sender(#name)),
    }
}

fn lone_recv(input: &Input, arm: &Arm, default: Option<&Default>) -> TokenStream {
    let (internal, site) = (internal(input), Span::mixed_site());
    let name = Ident::new("receiver", site);
    let (channel, pattern, body) = (&arm.channel, &arm.pattern, &arm.body.0);
    let plain = plain(&internal, arm, &name);
    let chosen = match default {
        None => quote_spanned!(site=> {
            let #pattern = #plain.recv();
            #body
        }),
        Some(default) => {
            let otherwise = &default.body.0;
            let attempt = match &default.timeout {
                None => quote_spanned!(site=> #internal::try_recv(#plain)),
                Some(timeout) => quote_spanned!(site=> #internal::recv_timeout(#plain, #timeout)),
            };
            // A body may get rid of the channel, so nothing of the result is left when it begins.
            quote_spanned!(site=> {
                let attempt = #attempt;
                match attempt {
                    ::core::option::Option::Some(result) => {
                        let #pattern = result;
                        #body
                    }
                    ::core::option::Option::None => #otherwise
                }
            })
        }
    };
    quote_spanned!(site=> match &(#channel) { #name => #chosen })
}

fn several(input: &Input, arms: &[Arm], default: Option<&Default>) -> TokenStream {
    let (internal, site, biased) = (internal(input), Span::mixed_site(), input.biased);
    let channels = arms.iter().map(|arm| &arm.channel);
    let names: Vec<Ident> = (0..arms.len())
        .map(|index| format_ident!("arm{index}", span = site))
        .collect();
    let numbers: Vec<Literal> = (0..arms.len()).map(Literal::usize_suffixed).collect();
    let made = names.iter().zip(arms).map(|(name, arm)| {
        let plain = plain(&internal, arm, name);
        quote_spanned!(site=> let #name = #plain;)
    });
    let set = quote_spanned!(site=> &mut [#((#names, #numbers),)*]);
    let branches = names
        .iter()
        .zip(arms)
        .enumerate()
        .map(|(index, (name, arm))| {
            let (pattern, body) = (&arm.pattern, &arm.body.0);
            let result = match &arm.operation {
                Operation::Recv => quote_spanned!(site=> #internal::chosen(choice).recv(#name)),
                Operation::Send { message } => quote_spanned!(site=> {
                    let promise = #internal::promise(choice);
                    promise.send(#name, #message)
                }),
            };
            // The last one takes what is left, so that the compiler sees that all cases are met.
            let number = match default.is_none() && index + 1 == arms.len() {
                true => quote_spanned!(site=> _),
                false => numbers[index].to_token_stream(),
            };
            quote_spanned!(site=> #number => {
                let #pattern = #result;
                #body
            })
        });
    let choice = match default.map(|default| &default.timeout) {
        None => quote_spanned!(site=> #internal::select(#set, #biased)),
        Some(None) => quote_spanned!(site=> #internal::try_select(#set, #biased)),
        Some(Some(timeout)) => {
            quote_spanned!(site=> #internal::select_timeout(#set, #timeout, #biased))
        }
    };
    let otherwise = default.map(|default| {
        let body = &default.body.0;
        quote_spanned!(site=> _ => {
            #internal::drop(choice);
            #body
        })
    });
    quote_spanned!(site=> match (#(&(#channels),)*) {
        (#(#names,)*) => {
            #(#made)*
            let choice = #choice;
            match #internal::index(&choice) {
                #(#branches)*
                #otherwise
            }
        }
    })
}
