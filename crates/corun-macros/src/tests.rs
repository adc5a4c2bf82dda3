//! The expansions and the error messages, without a compiler run.

use crate::expand::{main, test};
use proc_macro2::TokenStream;
use quote::quote;

/// The text of the error that the expansion carries.
fn error(expanded: TokenStream) -> String {
    let file: syn::File = syn::parse2(expanded).expect("the expansion is a list of items");
    let Some(syn::Item::Macro(item)) = file.items.first() else {
        panic!("no error in the expansion")
    };
    assert_eq!(
        item.mac.path.segments.last().unwrap().ident,
        "compile_error"
    );
    assert!(
        file.items.len() > 1,
        "the function is kept beside the error"
    );
    let text: syn::LitStr = syn::parse2(item.mac.tokens.clone()).unwrap();
    text.value()
}

fn functions(expanded: TokenStream) -> Vec<syn::ItemFn> {
    let file: syn::File = syn::parse2(expanded).expect("the expansion is a list of items");
    let all = file.items.into_iter().map(|item| match item {
        syn::Item::Fn(function) => function,
        other => panic!("not a function: {}", quote!(#other)),
    });
    all.collect()
}

#[track_caller]
fn main_error(options: TokenStream, item: TokenStream, expected: &str) {
    let text = error(main(options, item));
    assert!(
        text.contains(expected),
        "{text:?} does not contain {expected:?}"
    );
}

#[track_caller]
fn test_error(options: TokenStream, item: TokenStream, expected: &str) {
    let text = error(test(options, item));
    assert!(
        text.contains(expected),
        "{text:?} does not contain {expected:?}"
    );
}

#[test]
fn wrong_functions_are_refused_with_a_reason() {
    main_error(
        quote!(),
        quote!(
            async fn main() {}
        ),
        "remove `async`",
    );
    main_error(
        quote!(),
        quote!(
            fn main(arguments: Vec<String>) {}
        ),
        "without arguments",
    );
    main_error(
        quote!(),
        quote!(
            fn main<T>() {}
        ),
        "generic",
    );
    main_error(
        quote!(),
        quote!(
            const fn main() {}
        ),
        "const",
    );
    main_error(
        quote!(),
        quote!(
            unsafe fn main() {}
        ),
        "unsafe",
    );
    main_error(
        quote!(),
        quote!(
            extern "C" fn main() {}
        ),
        "extern",
    );
    main_error(
        quote!(),
        quote!(
            fn start() {}
        ),
        "belongs on `fn main`",
    );
    main_error(
        quote!(),
        quote!(
            struct Main;
        ),
        "expected `fn`",
    );
    test_error(
        quote!(),
        quote!(
            async fn reads() {}
        ),
        "#[corun::test] takes an ordinary fn",
    );
    test_error(
        quote!(),
        quote!(
            fn reads(&self) {}
        ),
        "without arguments",
    );
    test_error(
        quote!(),
        quote!(
            #[test]
            fn reads() {}
        ),
        "remove `#[test]`",
    );
}

#[test]
fn wrong_options_are_refused_with_a_reason() {
    let item = quote!(
        fn main() {}
    );
    main_error(quote!(workers = 0), item.clone(), "at least one worker");
    main_error(
        quote!(workers = "four"),
        item.clone(),
        "expected a number of workers",
    );
    main_error(
        quote!(workers = [1, 2]),
        item.clone(),
        "one number of workers",
    );
    main_error(
        quote!(workers = 1, workers = 2),
        item.clone(),
        "given twice",
    );
    main_error(quote!(worker_threads = 2), item.clone(), "`workers = N`");
    main_error(
        quote!(threads = 2),
        item.clone(),
        "it knows `workers`, `stack_size` and `crate`",
    );
    main_error(quote!(stack_size = 0), item.clone(), "0 bytes");
    main_error(quote!(crate = 5), item.clone(), "expected the path");
    main_error(
        quote!(crate = "not a path"),
        item.clone(),
        "expected the path",
    );
    main_error(quote!(start_paused), item.clone(), "goes by real time");
    main_error(quote!(workers), item, "expected `=`");
    let item = quote!(
        fn adds() {}
    );
    test_error(quote!(workers = []), item.clone(), "there would be no test");
    test_error(
        quote!(workers = [1, 0]),
        item.clone(),
        "at least one worker",
    );
    test_error(quote!(workers = [2, 2]), item.clone(), "twice");
    test_error(
        quote!(threads = 2),
        item.clone(),
        "it knows `workers`, `stack_size`, `start_paused` and `crate`",
    );
    test_error(quote!(workers = [N]), item, "integer literal");
}

#[test]
fn main_keeps_its_body_and_gives_an_exit_code() {
    let expanded = main(
        quote!(workers = 4, stack_size = 64 * 1024),
        quote!(
            #[inline]
            fn main() -> Result<(), Error> {
                work()
            }
        ),
    );
    let [outer] = &functions(expanded)[..] else {
        panic!("one function")
    };
    assert_eq!(outer.attrs.len(), 1);
    let output = &outer.sig.output;
    assert_eq!(
        quote!(#output).to_string(),
        quote!(-> ::std::process::ExitCode).to_string()
    );
    let body = &outer.block;
    let expected = quote!({
        fn main() -> Result<(), Error> {
            work()
        }
        ::corun::__private::main(
            ::corun::__private::Config {
                workers: ::core::option::Option::Some(4),
                stack_size: ::core::option::Option::Some(64 * 1024),
                start_paused: false,
            },
            main,
        )
    });
    // rustfmt sees to trailing commas in the tokens above.
    let text = |tokens: TokenStream| {
        tokens
            .to_string()
            .replace(" ,", ",")
            .replace(", }", " }")
            .replace(",)", ")")
    };
    assert_eq!(text(quote!(#body)), text(expected));
}

#[test]
fn a_test_may_start_with_a_paused_clock() {
    for (options, expected) in [
        (quote!(), "start_paused : false"),
        (quote!(start_paused), "start_paused : true"),
        (quote!(workers = 2, start_paused), "start_paused : true"),
        (quote!(start_paused, workers = 2), "start_paused : true"),
        (quote!(start_paused = PAUSED), "start_paused : PAUSED"),
    ] {
        let expanded = test(
            options,
            quote!(
                fn waits() {}
            ),
        );
        assert!(expanded.to_string().contains(expected), "{expanded}");
    }
}

#[test]
fn a_body_that_does_not_parse_is_left_to_the_compiler() {
    let expanded = main(quote!(), quote!(fn main() { let = ; }));
    assert!(expanded.to_string().contains("let = ;"));
    assert!(!expanded.to_string().contains("compile_error"));
}

#[test]
fn the_crate_may_go_by_another_name() {
    let by_text = main(
        quote!(crate = "some::rt"),
        quote!(
            fn main() {}
        ),
    )
    .to_string();
    let by_path = main(
        quote!(crate = some::rt),
        quote!(
            fn main() {}
        ),
    )
    .to_string();
    assert_eq!(by_text, by_path);
    assert!(
        by_text.contains("some :: rt :: __private :: main"),
        "{by_text}"
    );
}

#[test]
fn one_test_for_each_number_of_workers() {
    let item = quote!(
        #[should_panic(expected = "no")]
        #[cfg(unix)]
        fn adds() {
            panic!("no")
        }
    );
    let functions = functions(test(quote!(workers = [1, 2, 8]), item));
    let names: Vec<String> = functions
        .iter()
        .map(|function| function.sig.ident.to_string())
        .collect();
    assert_eq!(
        names,
        ["adds", "adds_workers_1", "adds_workers_2", "adds_workers_8"]
    );
    let has = |function: &syn::ItemFn, name: &str| {
        function
            .attrs
            .iter()
            .any(|attribute| attribute.path().segments.last().unwrap().ident == name)
    };
    assert!(
        !has(&functions[0], "should_panic")
            && !has(&functions[0], "test")
            && has(&functions[0], "cfg")
    );
    for test in &functions[1..] {
        assert!(has(test, "should_panic") && has(test, "test") && has(test, "cfg"));
    }
}

#[test]
fn tests_that_return_unit_still_do() {
    let unit = functions(test(
        quote!(),
        quote!(
            fn adds() -> () {}
        ),
    ));
    assert!(matches!(unit[0].sig.output, syn::ReturnType::Default));
    let result = functions(test(
        quote!(),
        quote!(
            fn adds() -> Result<(), Error> {
                Ok(())
            }
        ),
    ));
    assert!(!matches!(result[0].sig.output, syn::ReturnType::Default));
}

#[test]
fn options_may_end_with_a_comma() {
    let expanded = main(
        quote!(workers = 2,),
        quote!(
            fn main() {}
        ),
    );
    assert_eq!(functions(expanded).len(), 1);
}
