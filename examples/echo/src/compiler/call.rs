//! Calls: of the program's functions, in place or as tasks, and of what is built in.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};
use cranelift_module::Module;

use super::function::{Body, Reason, Typed};
use crate::lexer::{Place, Result, error};
use crate::runtime::failing::Mistake;
use crate::runtime::references::Kind;
use crate::runtime::spawning::describe;
use crate::syntax::{Expression, Type};

const BUILT_IN: [&str; 10] = [
    "print", "string", "len", "close", "cancel", "sleep", "yield", "now", "panic", "assert",
];

pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// Nanoseconds in a millisecond, the unit of the language.
const MILLISECOND: i64 = 1_000_000;

impl Body<'_> {
    pub(super) fn call_of(
        &mut self,
        place: Place,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Typed> {
        if is_built_in(name) {
            return self.built_in(place, name, arguments);
        }
        let Some(declared) = self.unit.functions.get(name) else {
            return error(place, format!("there is no function `{name}`"));
        };
        if declared.is_async {
            return self.spawn(place, name, arguments);
        }
        let (id, result) = (declared.id, declared.result.clone());
        let values = self.arguments(place, name, arguments)?;
        let callee = self.unit.module.declare_func_in_func(id, self.builder.func);
        let call = self.builder.ins().call(callee, &values);
        let [value, status] = *self.builder.inst_results(call) else {
            unreachable!("functions of the program have two results");
        };
        self.check(status, Reason::Noted);
        Ok(Typed {
            value,
            type_: result,
        })
    }

    /// Evaluates the arguments of a call, which takes them over.
    fn arguments(
        &mut self,
        place: Place,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Vec<Value>> {
        let parameters = self.unit.functions[name].parameters.clone();
        let (wanted, found) = (parameters.len(), arguments.len());
        if wanted != found {
            return error(
                place,
                format!("`{name}` takes {wanted} arguments, and here are {found}"),
            );
        }
        let before = self.pending.len();
        let mut values = Vec::new();
        for (argument, parameter) in arguments.iter().zip(&parameters) {
            let value = self.value_of(argument, parameter)?;
            self.hold(&value);
            values.push(value.value);
        }
        self.pending.truncate(before);
        Ok(values)
    }

    /// Starts a function as a task; its future is the value.
    pub(super) fn spawn(
        &mut self,
        place: Place,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Typed> {
        let Some(declared) = self.unit.functions.get(name) else {
            return error(
                place,
                format!("there is no function `{name}` to be started"),
            );
        };
        if name == "main" {
            return error(place, "`main` is started once, by the system");
        }
        let (entry, result) = (declared.entry, declared.result.clone());
        let kinds: Vec<_> = declared.parameters.iter().map(Kind::of).collect();
        let values = self.arguments(place, name, arguments)?;
        let description = self.int(describe(kinds.into_iter()));
        let block = self.ask("make_arguments", &[description]);
        for (value, word) in values.into_iter().zip(1..) {
            self.builder
                .ins()
                .store(MemFlagsData::trusted(), value, block, 8 * word);
        }
        let entry = self
            .unit
            .module
            .declare_func_in_func(entry, self.builder.func);
        let entry = self.builder.ins().func_addr(I64, entry);
        let options = self.unit.task_options(Kind::of(&result));
        let options = self.int(options);
        let address = self.slot_address();
        // If that fails, the block has gone to its destructor.
        let status = self.ask("spawn_async", &[entry, block, options, address]);
        self.check(status, Reason::Status(status));
        let value = self.slot_value();
        Ok(Typed {
            value,
            type_: Type::Future(Box::new(result)),
        })
    }

    fn built_in(&mut self, place: Place, name: &str, arguments: &[Expression]) -> Result<Typed> {
        match (name, arguments) {
            ("print", arguments) => self.print(arguments),
            ("string", [value]) => self.text_of(value),
            ("len", [value]) => self.length(value),
            ("close", [channel]) => {
                let (channel, _) = self.channel(channel)?;
                self.hold(&channel);
                let status = self.ask("close", &[channel.value]);
                let closed = self.is_closed(status);
                self.check(closed, Reason::Mistake(Mistake::ClosedTwice));
                self.check(status, Reason::Status(status));
                self.pending.pop();
                self.release(channel.value, Kind::Channel);
                Ok(self.nothing())
            }
            ("cancel", [future]) => {
                let typed = self.expression(future)?;
                if !matches!(typed.type_, Type::Future(_)) {
                    let found = typed.type_;
                    return error(future.place, format!("expected a future, found a {found}"));
                }
                self.hold(&typed);
                let status = self.ask("cancel", &[typed.value]);
                self.check(status, Reason::Status(status));
                self.pending.pop();
                self.release(typed.value, Kind::Future);
                Ok(self.nothing())
            }
            ("sleep", [time]) => {
                let time = self.nanoseconds(time)?;
                let status = self.ask("sleep", &[time]);
                self.check(status, Reason::Status(status));
                Ok(self.nothing())
            }
            ("yield", []) => {
                let status = self.ask("yield", &[]);
                self.check(status, Reason::Status(status));
                Ok(self.nothing())
            }
            ("now", []) => {
                let now = self.ask("now", &[]);
                let value = self.builder.ins().sdiv_imm_s(now, MILLISECOND);
                Ok(Typed {
                    value,
                    type_: Type::Int,
                })
            }
            ("panic", [message]) => {
                let message = self.value_of(message, &Type::String)?.value;
                self.call("fail", &[message]);
                self.fail(Reason::Noted);
                self.unreachable();
                Ok(self.nothing())
            }
            ("assert", [condition]) => {
                let holds = self.value_of(condition, &Type::Bool)?.value;
                let fails = self.builder.ins().bxor_imm_s(holds, 1);
                self.check(fails, Reason::Mistake(Mistake::AssertionFailed));
                Ok(self.nothing())
            }
            _ => error(
                place,
                format!("`{name}` does not take {} arguments", arguments.len()),
            ),
        }
    }

    pub(super) fn nothing(&mut self) -> Typed {
        Typed {
            value: self.int(0),
            type_: Type::Nothing,
        }
    }

    /// A time that the program gives in milliseconds, never below 0.
    pub(super) fn nanoseconds(&mut self, time: &Expression) -> Result<Value> {
        let time = self.value_of(time, &Type::Int)?.value;
        let zero = self.int(0);
        let most = self.int(i64::MAX / MILLISECOND);
        let time = self.builder.ins().smax(time, zero);
        let time = self.builder.ins().smin(time, most);
        Ok(self.builder.ins().imul_imm_s(time, MILLISECOND))
    }

    fn length(&mut self, expression: &Expression) -> Result<Typed> {
        let typed = self.expression(expression)?;
        let value = match &typed.type_ {
            Type::String => self.ask("text_length", &[typed.value]),
            Type::Chan(_) => {
                self.hold(&typed);
                let address = self.slot_address();
                let status = self.ask("channel_length", &[typed.value, address]);
                self.check(status, Reason::Status(status));
                self.pending.pop();
                self.release(typed.value, Kind::Channel);
                self.slot_value()
            }
            other => return error(expression.place, format!("a {other} has no length")),
        };
        Ok(Typed {
            value,
            type_: Type::Int,
        })
    }

    fn text_of(&mut self, expression: &Expression) -> Result<Typed> {
        let typed = self.expression(expression)?;
        let value = match &typed.type_ {
            Type::String => typed.value,
            Type::Int => self.ask("text_of_int", &[typed.value]),
            Type::Bool => self.ask("text_of_bool", &[typed.value]),
            other => {
                return error(
                    expression.place,
                    format!("a {other} cannot be made a string"),
                );
            }
        };
        Ok(Typed {
            value,
            type_: Type::String,
        })
    }

    /// Prints one line: the arguments with blanks between them.
    fn print(&mut self, arguments: &[Expression]) -> Result<Typed> {
        let mut line = self.int(0);
        for (index, argument) in arguments.iter().enumerate() {
            if index != 0 {
                let blank = self.unit.literal(" ");
                let blank = self.int(blank);
                self.retain(blank, Kind::Text);
                line = self.ask("join_text", &[line, blank]);
            }
            self.pending.push((line, Kind::Text));
            let text = self.text_of(argument)?.value;
            self.pending.pop();
            line = self.ask("join_text", &[line, text]);
        }
        self.call("print", &[line]);
        Ok(self.nothing())
    }

    /// Compares a status with one that is expected.
    pub(super) fn is_status(&mut self, status: Value, expected: i32) -> Value {
        let expected = i64::from(expected);
        self.builder
            .ins()
            .icmp_imm_s(IntCC::Equal, status, expected)
    }
}
