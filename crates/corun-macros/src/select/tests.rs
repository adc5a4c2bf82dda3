//! What is accepted, and what wrong arms are told, without a compiler run.

use proc_macro2::TokenStream;
use quote::quote;

use super::parse::Input;
use super::select;

fn parse(arms: TokenStream) -> syn::Result<Input> {
    syn::parse2(quote!(krate unbiased #arms))
}

#[track_caller]
fn accepts(arms: TokenStream, count: usize, default: bool) {
    let text = arms.to_string();
    let input = parse(arms.clone()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(
        (input.arms.len(), input.default.is_some()),
        (count, default),
        "{text}"
    );
    let expanded = select(quote!(krate unbiased #arms));
    syn::parse2::<syn::Block>(quote!({ #expanded }))
        .unwrap_or_else(|error| panic!("{text}: {error}"));
}

#[track_caller]
fn refuses(arms: TokenStream, expected: &str) {
    let text = arms.to_string();
    let error = match parse(arms) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    };
    assert!(
        error.contains(expected),
        "{text}: {error:?} does not contain {expected:?}"
    );
}

#[test]
fn arms_end_with_a_comma_or_a_block() {
    accepts(quote!(recv(r) -> x => x), 1, false);
    accepts(quote!(recv(r) -> x => x,), 1, false);
    accepts(quote!(recv(r) -> x => {} send(s, 1) -> _ => {}), 2, false);
    accepts(quote!(recv(r) -> x => {}, send(s, 1) -> _ => {},), 2, false);
    accepts(
        quote!(recv(r) -> x => if y { 1 } else { 2 } send(s, 1) -> _ => z),
        2,
        false,
    );
    accepts(
        quote!(recv(r) -> x => { x }.len(), send(s, 1) -> _ => { 1 } + 1),
        2,
        false,
    );
}

#[test]
fn default_has_no_empty_or_one_argument() {
    accepts(quote!(default => {}), 0, true);
    accepts(quote!(default() => {}), 0, true);
    accepts(quote!(default(time) => {}), 0, true);
    accepts(quote!(default(time,) => {} recv(r) -> _ => {}), 1, true);
}

#[test]
fn arguments_are_any_expressions() {
    accepts(quote!(recv(&*self.inputs[i as usize],) -> x => x), 1, false);
    accepts(
        quote!(send(get::<A, B>(|a, b| a)?, (1, 2),) -> x => x),
        1,
        false,
    );
    accepts(quote!(recv(if a { b } else { c }) -> x => x), 1, false);
}

#[test]
fn patterns_are_any_patterns() {
    accepts(
        quote!(recv(r) -> Ok(Some((a, b))) | Err(_) => return),
        1,
        false,
    );
    accepts(
        quote!(recv(r) -> Point { x, .. } => break 'outer x),
        1,
        false,
    );
    accepts(quote!(recv(r) -> mut x => x?), 1, false);
}

#[test]
fn arms_are_as_many_as_you_like() {
    let arms = (0..100).map(|i: i32| quote!(recv(r) -> _ => #i,));
    accepts(quote!(#(#arms)*), 100, false);
}

#[test]
fn wrong_names_are_named() {
    refuses(quote!(), "without an arm");
    refuses(
        quote!(receive(r) -> x => x),
        "expected one of `recv`, `send`, or `default`, found `receive`",
    );
    refuses(quote!(recv(r) -> x => x, 7), "found `7`");
    refuses(quote!(default => {} default => {}), "only one `default`");
}

#[test]
fn wrong_arguments_are_told_the_right_ones() {
    refuses(quote!(recv -> x => x), "missing argument list after `recv`");
    refuses(quote!(send => x), "missing argument list after `send`");
    refuses(
        quote!(recv() -> x => x),
        "expected `recv(receiver)`, found 0 arguments",
    );
    refuses(
        quote!(recv(a, b) -> x => x),
        "expected `recv(receiver)`, found 2 arguments",
    );
    refuses(
        quote!(send(s) -> x => x),
        "expected `send(sender, message)`, found 1 argument",
    );
    refuses(
        quote!(default(a, b) => x),
        "expected `default(timeout)`, found 2 arguments",
    );
}

#[test]
fn missing_arrows_are_asked_for() {
    refuses(
        quote!(recv(r) => x),
        "expected `->` and a pattern for the result after `recv(..)`, found `=>`",
    );
    refuses(quote!(send(s, 1) => x), "after `send(..)`, found `=>`");
    refuses(quote!(recv(r) x => x), "after `recv(..)`, found `x`");
    refuses(quote!(recv(r) -> => x), "missing pattern after `->`");
    refuses(
        quote!(recv(r) -> x -> y => x),
        "expected `=>` and what to do after the pattern",
    );
    refuses(
        quote!(recv(r) -> x),
        "expected `=>` and what to do after the pattern",
    );
    refuses(quote!(default -> x => x), "which has no result");
    refuses(
        quote!(default x),
        "expected an argument list or `=>` after `default`, found `x`",
    );
}

#[test]
fn missing_bodies_and_commas_are_asked_for() {
    refuses(quote!(recv(r) -> x =>), "expected an expression after `=>`");
    refuses(
        quote!(recv(r) -> x => , default => {}),
        "expected an expression after `=>`",
    );
    refuses(
        quote!(recv(r) -> x => x; default => {}),
        "expected a comma after the arm, found `;`",
    );
    refuses(
        quote!(recv(r) -> x => {}; default => {}),
        "expected a comma or nothing after the block",
    );
    refuses(
        quote!(recv(r) -> x => f() default => {}),
        "expected a comma after the arm, found `default`",
    );
}
