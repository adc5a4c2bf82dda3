//! The exported functions as the Rust sources have them, and their types in C.

use std::collections::BTreeMap;
use std::fs;

use quote::ToTokens;
use syn::{FnArg, GenericArgument, Item, PathArguments, ReturnType, Type};

use crate::build::root;

/// For each function: its result, and its parameters, in C.
pub type Functions = BTreeMap<String, (String, Vec<String>)>;

/// What the sources export.
pub fn functions() -> Functions {
    let mut functions = Functions::new();
    each_item(|item| {
        let Item::Fn(function) = item else { return };
        if !function.attrs.iter().any(|attribute| {
            attribute
                .to_token_stream()
                .to_string()
                .contains("no_mangle")
        }) {
            return;
        }
        let signature = &function.sig;
        let abi = signature.abi.as_ref().and_then(|abi| abi.name.as_ref());
        assert_eq!(
            abi.map(syn::LitStr::value).as_deref(),
            Some("C"),
            "{}",
            signature.ident
        );
        let parameters = signature.inputs.iter().map(|input| match input {
            FnArg::Typed(typed) => in_c(&typed.ty),
            FnArg::Receiver(_) => panic!("a method cannot be exported"),
        });
        let result = match &signature.output {
            ReturnType::Default => "void".to_string(),
            ReturnType::Type(_, result) => in_c(result),
        };
        functions.insert(signature.ident.to_string(), (result, parameters.collect()));
    });
    functions
}

/// The types of functions that users hand over, by their names in C.
pub fn callbacks() -> BTreeMap<String, String> {
    let mut callbacks = BTreeMap::new();
    each_item(|item| {
        let Item::Type(alias) = item else { return };
        if let Some(name) = callback(&alias.ident.to_string()) {
            callbacks.insert(name.to_string(), in_c(&alias.ty));
        }
    });
    callbacks
}

fn each_item(mut f: impl FnMut(&Item)) {
    for entry in fs::read_dir(root().join("src")).expect("sources") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a source");
        let file =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        file.items.iter().for_each(&mut f);
    }
}

fn callback(name: &str) -> Option<&'static str> {
    Some(match name {
        "Destructor" => "corun_destructor",
        "Function" => "corun_function",
        "FutureCallback" => "corun_future_callback",
        "ThenFunction" => "corun_future_then_function",
        "ScheduleFunction" => "corun_schedule_function",
        "EventCallback" => "corun_event_callback",
        "Observer" => "corun_observer",
        _ => return None,
    })
}

/// A type in C, so that a name can follow it; functions are pointers without one.
fn in_c(ty: &Type) -> String {
    match ty {
        Type::Ptr(pointer) => {
            let pointee = in_c(&pointer.elem);
            let constant = if pointer.const_token.is_some() {
                " const"
            } else {
                ""
            };
            format!("{pointee}{constant} *")
        }
        Type::BareFn(function) => {
            let parameters: Vec<String> = function
                .inputs
                .iter()
                .map(|input| in_c(&input.ty))
                .collect();
            let result = match &function.output {
                ReturnType::Default => "void".to_string(),
                ReturnType::Type(_, result) => in_c(result),
            };
            format!("{result} (*)({})", parameters.join(", "))
        }
        Type::Path(path) => {
            let last = path.path.segments.last().expect("a path has an end");
            let name = last.ident.to_string();
            if name == "Option"
                && let PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(GenericArgument::Type(inner)) = arguments.args.first()
            {
                return in_c(inner);
            }
            if let Some(name) = callback(&name) {
                return name.to_string();
            }
            match name.as_str() {
                "Status" => "corun_status".into(),
                "Pointer" => "void *".into(),
                "c_void" => "void".into(),
                "c_char" => "char".into(),
                "i32" => "int32_t".into(),
                "u32" => "uint32_t".into(),
                "i64" => "int64_t".into(),
                "u64" => "uint64_t".into(),
                "usize" => "size_t".into(),
                name if name.starts_with("corun_") => name.into(),
                other => panic!("{other} has no counterpart in C"),
            }
        }
        other => panic!("{} has no counterpart in C", other.to_token_stream()),
    }
}
