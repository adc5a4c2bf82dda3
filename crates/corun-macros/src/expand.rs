//! From the annotated function to what the compiler sees instead.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, Path};

use crate::function::Function;
use crate::options::{Options, Workers};

/// On a mistake the function itself is kept beside the error, so that the uses of its name bring no second error.
fn or_error(item: TokenStream, expanded: syn::Result<TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

pub(crate) fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    or_error(item.clone(), try_main(options, item))
}

pub(crate) fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    or_error(item.clone(), try_test(options, item))
}

fn try_main(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const ATTRIBUTE: &str = "corun::main";
    let function: Function = syn::parse2(item)?;
    function.check(ATTRIBUTE)?;
    if function.signature.ident != "main" {
        return Err(Error::new(
            function.signature.ident.span(),
            "#[corun::main] belongs on `fn main`: it turns the return value into the exit code of the program",
        ));
    }
    let options = Options::parse(options, ATTRIBUTE, false)?;
    let krate = options.krate();
    let config = match &options.workers {
        Workers::One(count) => config(&krate, &options, Some(quote!(#count))),
        _ => config(&krate, &options, None),
    };
    let Function {
        attributes,
        visibility,
        ..
    } = &function;
    let bare = function.bare();
    Ok(quote! {
        #(#attributes)*
        #visibility fn main() -> ::std::process::ExitCode {
            #bare
            #krate::__private::main(#config, main)
        }
    })
}

fn try_test(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const ATTRIBUTE: &str = "corun::test";
    let function: Function = syn::parse2(item)?;
    function.check(ATTRIBUTE)?;
    if let Some(second) = function
        .attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("test"))
    {
        return Err(Error::new_spanned(
            second,
            "#[corun::test] makes the function a test already: remove `#[test]`",
        ));
    }
    let options = Options::parse(options, ATTRIBUTE, true)?;
    let krate = options.krate();
    let Function {
        attributes,
        visibility,
        signature,
        ..
    } = &function;
    let name = &signature.ident;
    let bare = function.bare();
    // `#[should_panic]` insists on `()`; anything else reaches the harness as the exit code that its value stands for.
    let (output, run) = if function.returns_unit() {
        (quote!(), quote!(test_unit))
    } else {
        (quote!(-> ::std::process::ExitCode), quote!(test))
    };
    let test_name = name.to_string();
    let single = |config: TokenStream| {
        quote! {
            #[::core::prelude::v1::test]
            #(#attributes)*
            #visibility fn #name() #output {
                #bare
                #krate::__private::#run(#config, #test_name, #name)
            }
        }
    };
    Ok(match &options.workers {
        Workers::Default => single(config(&krate, &options, None)),
        Workers::One(count) => single(config(&krate, &options, Some(quote!(#count)))),
        Workers::Each(counts) => {
            let shared = attributes
                .iter()
                .filter(|attribute| !for_the_harness(attribute));
            let tests = counts.iter().map(|count| {
                let test = format_ident!(
                    "{name}_workers_{}",
                    count.base10_digits(),
                    span = name.span()
                );
                let test_name = test.to_string();
                let config = config(&krate, &options, Some(quote!(#count)));
                quote! {
                    #[::core::prelude::v1::test]
                    #(#attributes)*
                    fn #test() #output {
                        #krate::__private::#run(#config, #test_name, #name)
                    }
                }
            });
            quote! {
                #[cfg(test)]
                #[allow(dead_code)]
                #(#shared)*
                #visibility #bare
                #(#tests)*
            }
        }
    })
}

/// Attributes that only make sense on the function that the harness calls.
fn for_the_harness(attribute: &Attribute) -> bool {
    ["should_panic", "ignore", "bench"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

fn config(krate: &Path, options: &Options, workers: Option<TokenStream>) -> TokenStream {
    let some = |value: Option<TokenStream>| match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let workers = some(workers);
    let stack_size = some(options.stack_size.as_ref().map(|size| quote!(#size)));
    let start_paused = match &options.start_paused {
        Some(paused) => quote!(#paused),
        None => quote!(false),
    };
    quote!(#krate::__private::Config { workers: #workers, stack_size: #stack_size, start_paused: #start_paused })
}
