//! What a `select!` becomes. Names that the macro makes up itself are invisible to the arms (`mixed_site`).
//!
//! ```text
//! match (&(channel), ...) {                       // temporaries in the channels live to the end of the whole
//!     (arm0, ...) => {
//!         let arm0 = internal::receiver(arm0);    // anything that dereferences to one becomes one
//!         let mut got0 = internal::nothing(arm0);
//!         let mut chosen = internal::first::<2>(BIASED, |arm| match arm {
//!             0 => internal::attempt(arm0, &mut got0),
//!             _ => ...
//!         });
//!         if chosen == 2 {
//!             let operation = internal::wait(&mut [(arm0, 0), ...], room for the largest message, BIASED);
//!             chosen = operation.index();
//!             match chosen { 0 => internal::take(arm0, operation, &mut got0), _ => ... }
//!         }
//!         match chosen {
//!             0 => { let pattern = internal::got(got0); body }
//!             _ => { let pattern = { let promise = internal::promise(got1, arm1); promise.send(message) }; body }
//!         }
//!     }
//! }
//! ```
//! The first pass over the arms knows all their types. Only when none is ready are they brought into one shape, to wait. Nothing that borrows
//! from the channels is left to be dropped when a body begins, so that bodies may move them away. A lone `recv` is a plain call.

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
    let named = |prefix: &str| -> Vec<Ident> {
        let name = |index| format_ident!("{prefix}{index}", span = site);
        (0..arms.len()).map(name).collect()
    };
    let (names, gots) = (named("arm"), named("got"));
    let count = Literal::usize_suffixed(arms.len());
    // The last arm is any number, where the compiler wants to see all cases met.
    let numbers: Vec<TokenStream> = (0..arms.len())
        .map(|index| match index + 1 == arms.len() {
            true => quote_spanned!(site=> _),
            false => Literal::usize_suffixed(index).into_token_stream(),
        })
        .collect();
    let made = names.iter().zip(arms).map(|(name, arm)| {
        let plain = plain(&internal, arm, name);
        quote_spanned!(site=> let #name = #plain;)
    });
    let timeout = default.and_then(|default| default.timeout.as_ref());
    let timeout = timeout.map(|timeout| quote_spanned!(site=> let timeout = #timeout;));
    let indices = (0..arms.len()).map(Literal::usize_suffixed);
    let set = quote_spanned!(site=> &mut [#((#names, #indices),)*]);
    let receives: Vec<&Ident> = names
        .iter()
        .zip(arms)
        .filter(|(_, arm)| matches!(arm.operation, Operation::Recv))
        .map(|(name, _)| name)
        .collect();
    let room = room(&internal, &receives);
    let wait = match default.map(|default| &default.timeout) {
        None => quote_spanned!(site=> #internal::wait(#set, &mut room, #biased)),
        Some(None) => quote_spanned!(site=> #internal::give_up(#set, &mut room, #biased)),
        Some(Some(_)) => {
            quote_spanned!(site=> #internal::wait_timeout(#set, &mut room, #biased, timeout))
        }
    };
    let branches = arms.iter().enumerate().map(|(index, arm)| {
        let (pattern, body, name, got) = (&arm.pattern, &arm.body.0, &names[index], &gots[index]);
        let result = match &arm.operation {
            Operation::Recv => quote_spanned!(site=> #internal::got(#got)),
            Operation::Send { message } => quote_spanned!(site=> {
                let promise = #internal::promise(#got, #name);
                promise.send(#message)
            }),
        };
        let number = match default {
            Some(_) => Literal::usize_suffixed(index).into_token_stream(),
            None => numbers[index].clone(),
        };
        quote_spanned!(site=> #number => {
            let #pattern = #result;
            #body
        })
    });
    let otherwise = default.map(|default| {
        let body = &default.body.0;
        quote_spanned!(site=> _ => #body)
    });
    quote_spanned!(site=> match (#(&(#channels),)*) {
        (#(#names,)*) => {
            #(#made)*
            #timeout
            #internal::begin();
            #(let mut #gots = #internal::nothing(#names);)*
            let mut chosen = #internal::first::<#count>(#biased, |arm| match arm {
                #(#numbers => #internal::attempt(#names, &mut #gots),)*
            });
            if chosen == #count {
                let mut room = #room;
                if let ::core::option::Option::Some(operation) = #wait {
                    chosen = operation.index();
                    match chosen {
                        #(#numbers => #internal::take(#names, operation, &mut #gots),)*
                    }
                }
            }
            match chosen {
                #(#branches)*
                #otherwise
            }
        }
    })
}

/// Room for a message of any of the receivers: a tree of unions, not a list, as the compiler limits how deep types may be.
fn room(internal: &TokenStream, receivers: &[&Ident]) -> TokenStream {
    let site = Span::mixed_site();
    match receivers {
        [] => quote_spanned!(site=> #internal::no_room()),
        [receiver] => quote_spanned!(site=> #internal::room(#receiver)),
        receivers => {
            let (left, right) = receivers.split_at(receivers.len() / 2);
            let (left, right) = (room(internal, left), room(internal, right));
            quote_spanned!(site=> #internal::either(#left, #right))
        }
    }
}
