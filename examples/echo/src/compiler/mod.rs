//! Programs as machine code, by Cranelift.
//!
//! # Conventions
//! - A function of the program takes a word for each parameter, and returns two: its value, and a status that is not 0 if it failed
//!   (`runtime/mod.rs`). A function that is spawned has an *entry* besides, of the form that the ABI asks for, which takes the arguments out of
//!   their block.
//! - Whoever evaluates an expression owns its value; the parameters of a call are the callee's.
//! - The back-edge of every loop is a `corun_checkpoint`, so that no loop keeps its worker from others, and every one can be cancelled.
//! - Nothing in the code belongs to a thread: no thread-local, no lock. So tasks may go on on another worker after each wait.
//!
//! - `function.rs`: statements; `expression.rs`: values; `select.rs`; `call.rs`: calls, built in or not.

mod call;
mod expression;
mod function;
mod imports;
mod select;

use std::collections::HashMap;
use std::sync::Arc;

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Signature};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};

use crate::abi;
use crate::lexer::{Place, Result, error};
use crate::runtime::references::Kind;
use crate::runtime::spawning::MOST_PARAMETERS;
use crate::syntax::{Function, Type};

/// What callers need to know of a function.
struct Declared {
    id: FuncId,
    entry: FuncId,
    is_async: bool,
    parameters: Vec<Type>,
    result: Type,
}

/// A program while it is compiled.
struct Unit {
    module: JITModule,
    functions: HashMap<String, Declared>,
    imports: HashMap<&'static str, FuncId>,
    /// The program's string literals; they live as long as its code.
    literals: Vec<Arc<String>>,
    options: HashMap<u8, *const abi::TaskOptions>,
}

/// A compiled program. Its code stays for as long as the process, as tasks may run it that nobody waits for.
pub struct Program {
    pub main: abi::Function,
}

/// Compiles a program.
///
/// # Errors
/// The first mistake in it, with its place.
///
/// # Panics
/// If Cranelift cannot make code for this machine.
pub fn compile(functions: &[Function]) -> Result<Program> {
    let mut unit = Unit::new();
    for function in functions {
        unit.declare(function)?;
    }
    let Some(main) = functions.iter().find(|function| function.name == "main") else {
        return error(
            Place { line: 1, column: 1 },
            "the program has no function `main`",
        );
    };
    if main.is_async || !main.parameters.is_empty() || main.result != Type::Nothing {
        return error(
            main.place,
            "`main` takes nothing, returns nothing and is not async",
        );
    }
    for function in functions {
        unit.define(function)?;
    }
    Ok(unit.finish())
}

impl Unit {
    fn new() -> Unit {
        let mut flags = settings::builder();
        for (name, value) in [
            ("opt_level", "speed"),
            ("is_pic", "false"),
            ("preserve_frame_pointers", "true"),
            // Frames are small, and the guard below each stack has 64 KiB.
            ("enable_probestack", "false"),
        ] {
            flags.set(name, value).expect("Cranelift knows its flags");
        }
        let isa = cranelift_native::builder()
            .expect("Cranelift makes code for this machine")
            .finish(settings::Flags::new(flags))
            .expect("the flags go together");
        let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
        for import in imports::all() {
            builder.symbol(import.name, import.address);
        }
        let mut module = JITModule::new(builder);
        let mut imports = HashMap::new();
        for import in imports::all() {
            let mut signature = module.make_signature();
            let parameters = import.parameters.iter();
            signature
                .params
                .extend(parameters.map(|&type_| AbiParam::new(type_)));
            signature.returns.extend(import.result.map(AbiParam::new));
            let id = module
                .declare_function(import.name, Linkage::Import, &signature)
                .expect("each import is declared once");
            imports.insert(import.name, id);
        }
        Unit {
            module,
            functions: HashMap::new(),
            imports,
            literals: Vec::new(),
            options: HashMap::new(),
        }
    }

    fn signature(&self, parameters: usize, results: usize) -> Signature {
        let mut signature = self.module.make_signature();
        signature.params.resize(parameters, AbiParam::new(I64));
        signature.returns.resize(results, AbiParam::new(I64));
        signature
    }

    fn declare(&mut self, function: &Function) -> Result<()> {
        let (name, place) = (&function.name, function.place);
        if call::is_built_in(name) || name == "_" {
            return error(place, format!("`{name}` is built in"));
        }
        if function.parameters.len() > MOST_PARAMETERS {
            return error(
                place,
                format!("a function has {MOST_PARAMETERS} parameters at most"),
            );
        }
        if self.functions.contains_key(name) {
            return error(place, format!("there are two functions `{name}`"));
        }
        let mut declare = |name: String, parameters, results| {
            let signature = self.signature(parameters, results);
            let id = self
                .module
                .declare_function(&name, Linkage::Local, &signature);
            id.expect("no name is declared twice")
        };
        let id = declare(format!("function {name}"), function.parameters.len(), 2);
        let entry = declare(format!("entry {name}"), 1, 1);
        let parameters = function.parameters.iter();
        self.functions.insert(
            name.clone(),
            Declared {
                id,
                entry,
                is_async: function.is_async,
                parameters: parameters.map(|(_, type_)| type_.clone()).collect(),
                result: function.result.clone(),
            },
        );
        Ok(())
    }

    fn define(&mut self, function: &Function) -> Result<()> {
        let id = self.functions[&function.name].id;
        let mut context = self.module.make_context();
        context.func.signature = self.signature(function.parameters.len(), 2);
        let mut builder_context = FunctionBuilderContext::new();
        let builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
        function::compile(builder, self, function)?;
        self.module
            .define_function(id, &mut context)
            .expect("what the compiler makes is well-formed");
        self.define_entry(function);
        Ok(())
    }

    /// The form in which a function is spawned: `void *entry(void *arguments)`.
    fn define_entry(&mut self, function: &Function) {
        let declared = &self.functions[&function.name];
        let (id, entry) = (declared.id, declared.entry);
        let mut context = self.module.make_context();
        context.func.signature = self.signature(1, 1);
        let mut builder_context = FunctionBuilderContext::new();
        let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let arguments = builder.block_params(block)[0];
        let count = function.parameters.len() as i32;
        let values: Vec<_> = (1..=count)
            .map(|word| {
                builder
                    .ins()
                    .load(I64, MemFlagsData::trusted(), arguments, 8 * word)
            })
            .collect();
        // `main` is started without a block.
        if function.name != "main" {
            let free = self
                .module
                .declare_func_in_func(self.imports["free_arguments"], builder.func);
            builder.ins().call(free, &[arguments]);
        }
        let callee = self.module.declare_func_in_func(id, builder.func);
        let call = builder.ins().call(callee, &values);
        // 0 if it has failed.
        let value = builder.inst_results(call)[0];
        builder.ins().return_(&[value]);
        builder.finalize(self.module.target_config());
        self.module
            .define_function(entry, &mut context)
            .expect("an entry is well-formed");
    }

    /// A string literal, as an address that stays.
    fn literal(&mut self, text: &str) -> i64 {
        if text.is_empty() {
            return 0;
        }
        let literal = Arc::new(text.to_owned());
        let address = Arc::as_ptr(&literal).expose_provenance();
        self.literals.push(literal);
        address as i64
    }

    fn task_options(&mut self, result: Kind) -> i64 {
        let options = self.options.entry(result as u8);
        let options = *options.or_insert_with(|| crate::runtime::spawning::task_options(result));
        options.expose_provenance() as i64
    }

    fn finish(mut self) -> Program {
        self.module
            .finalize_definitions()
            .expect("there is memory for the code");
        let entry = self.functions["main"].entry;
        let address = self.module.get_finalized_function(entry);
        // The code refers to them.
        std::mem::forget(self.literals);
        std::mem::forget(self.module);
        // SAFETY: this is the code of an entry, which was compiled with that signature.
        let main = unsafe { std::mem::transmute::<*const u8, abi::Function>(address) };
        Program { main }
    }
}
