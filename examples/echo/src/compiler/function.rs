//! Statements.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};
use cranelift_frontend::{FunctionBuilder, Variable};
use cranelift_module::Module;

use super::Unit;
use crate::abi;
use crate::lexer::{Place, Result, error};
use crate::runtime::failing::Mistake;
use crate::runtime::references::Kind;
use crate::syntax::{self, Expression, ExpressionKind, Function, Statement, StatementKind, Type};

/// A function while its code is made.
pub(super) struct Body<'a> {
    pub(super) builder: FunctionBuilder<'a>,
    pub(super) unit: &'a mut Unit,
    result: &'a Type,
    scopes: Vec<HashMap<String, Local>>,
    /// All variables that own a reference, of all scopes: they are released where the function ends. Those of a scope that has not been entered are null.
    references: Vec<(Variable, Kind)>,
    /// Values that are owned by an expression that is not finished: to be released if the rest of it fails.
    pub(super) pending: Vec<(Value, Kind)>,
    loops: Vec<Loop>,
    /// Where the function ends: with a value and a status.
    exit: Block,
    /// Where calls of the ABI leave one word.
    pub(super) slot: StackSlot,
}

#[derive(Clone)]
struct Local {
    variable: Variable,
    type_: Type,
}

struct Loop {
    next: Block,
    after: Block,
}

/// A value, owned, and its type.
pub(super) struct Typed {
    pub(super) value: Value,
    pub(super) type_: Type,
}

/// What notes the reason of a failure.
pub(super) enum Reason {
    /// A call that has noted it itself.
    Noted,
    Mistake(Mistake),
    /// A call of the ABI, by its status.
    Status(Value),
    /// An await: its status, and the future.
    Await(Value, Value),
}

pub(super) fn compile(
    builder: FunctionBuilder<'_>,
    unit: &mut Unit,
    function: &Function,
) -> Result<()> {
    let mut builder = builder;
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let exit = builder.create_block();
    builder.append_block_param(exit, I64);
    builder.append_block_param(exit, I64);
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3);
    let slot = builder.create_sized_stack_slot(slot);
    let mut body = Body {
        builder,
        unit,
        result: &function.result,
        scopes: vec![HashMap::new()],
        references: Vec::new(),
        pending: Vec::new(),
        loops: Vec::new(),
        exit,
        slot,
    };
    let arguments = body.builder.block_params(entry).to_vec();
    for ((name, type_), argument) in function.parameters.iter().zip(arguments) {
        if body.scopes[0].contains_key(name) {
            return error(function.place, format!("there are two parameters `{name}`"));
        }
        body.declare(name, type_, argument);
    }
    body.block(&function.body)?;
    if function.result != Type::Nothing && !returns(&function.body) {
        let result = &function.result;
        return error(
            function.place,
            format!("`{}` may end without a {result}", function.name),
        );
    }
    body.finish();
    Ok(())
}

/// Is the end of this block never reached?
fn returns(block: &syntax::Block) -> bool {
    block.last().is_some_and(|last| match &last.kind {
        StatementKind::Return(_) => true,
        StatementKind::If(_, then, otherwise) => returns(then) && returns(otherwise),
        StatementKind::Block(inner) => returns(inner),
        StatementKind::While(condition, body) => {
            matches!(condition.kind, ExpressionKind::Bool(true)) && !breaks(body)
        }
        StatementKind::Select(select) => {
            let arms = select.arms.iter().map(|arm| &arm.body);
            let after = select.after.as_ref().map(|(_, body)| body);
            arms.chain(&select.default).chain(after).all(returns)
        }
        StatementKind::Expression(expression) => {
            matches!(&expression.kind, ExpressionKind::Call(name, _) if name == "panic")
        }
        _ => false,
    })
}

/// Is there a `break` in it for the loop around it?
fn breaks(block: &syntax::Block) -> bool {
    block.iter().any(|statement| match &statement.kind {
        StatementKind::Break => true,
        StatementKind::If(_, then, otherwise) => breaks(then) || breaks(otherwise),
        StatementKind::Block(inner) => breaks(inner),
        StatementKind::Select(select) => {
            let arms = select.arms.iter().map(|arm| &arm.body);
            let after = select.after.as_ref().map(|(_, body)| body);
            arms.chain(&select.default).chain(after).any(breaks)
        }
        _ => false,
    })
}

impl<'a> Body<'a> {
    fn finish(mut self) {
        let zero = self.int(0);
        self.leave(zero, zero);
        self.builder.switch_to_block(self.exit);
        let [value, status] = *self.builder.block_params(self.exit) else {
            unreachable!("it was made with two parameters");
        };
        for (variable, kind) in std::mem::take(&mut self.references) {
            let reference = self.builder.use_var(variable);
            self.release(reference, kind);
        }
        self.builder.ins().return_(&[value, status]);
        self.builder.seal_all_blocks();
        let config = self.unit.module.target_config();
        self.builder.finalize(config);
    }

    pub(super) fn int(&mut self, number: i64) -> Value {
        self.builder.ins().iconst(I64, number)
    }

    /// Calls an import; returns its result, if it has one.
    pub(super) fn call(&mut self, name: &str, arguments: &[Value]) -> Option<Value> {
        let id = self.unit.imports[name];
        let callee = self.unit.module.declare_func_in_func(id, self.builder.func);
        let call = self.builder.ins().call(callee, arguments);
        self.builder.inst_results(call).first().copied()
    }

    /// Calls an import that returns a value, or a status.
    pub(super) fn ask(&mut self, name: &str, arguments: &[Value]) -> Value {
        self.call(name, arguments)
            .expect("this import has a result")
    }

    pub(super) fn retain(&mut self, value: Value, kind: Kind) {
        if let Some(name) = counting(kind, ["retain_text", "retain_channel", "retain_future"]) {
            self.call(name, &[value]);
        }
    }

    pub(super) fn release(&mut self, value: Value, kind: Kind) {
        if let Some(name) = counting(kind, ["release_text", "release_channel", "release_future"]) {
            self.call(name, &[value]);
        }
    }

    /// Puts a value under the care of the expression that is being evaluated.
    pub(super) fn hold(&mut self, typed: &Typed) {
        self.pending.push((typed.value, Kind::of(&typed.type_)));
    }

    /// Goes on if the status is 0; fails for this reason if not.
    pub(super) fn check(&mut self, status: Value, reason: Reason) {
        let (failed, good) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(failed);
        self.builder.ins().brif(status, failed, &[], good, &[]);
        self.builder.switch_to_block(failed);
        self.fail(reason);
        self.builder.switch_to_block(good);
    }

    /// Ends the function as one that has failed. What follows is not reached.
    pub(super) fn fail(&mut self, reason: Reason) {
        match reason {
            Reason::Noted => {}
            Reason::Mistake(mistake) => {
                let mistake = self.int(mistake as i64);
                self.call("fail_by_mistake", &[mistake]);
            }
            Reason::Status(status) => {
                let status = self.builder.ins().sextend(I64, status);
                self.call("fail_by_status", &[status]);
            }
            Reason::Await(status, future) => {
                let status = self.builder.ins().sextend(I64, status);
                self.call("fail_by_await", &[status, future]);
            }
        }
        for (value, kind) in self.pending.clone() {
            self.release(value, kind);
        }
        let (zero, one) = (self.int(0), self.int(1));
        self.leave(zero, one);
    }

    fn leave(&mut self, value: Value, status: Value) {
        let exit = self.exit;
        self.builder
            .ins()
            .jump(exit, &[value.into(), status.into()]);
    }

    /// A new variable of the innermost scope, which takes the value.
    pub(super) fn declare(&mut self, name: &str, type_: &Type, value: Value) {
        let kind = Kind::of(type_);
        if name == "_" {
            return self.release(value, kind);
        }
        let variable = self.builder.declare_var(I64);
        if kind != Kind::Plain {
            // The statement may be in a loop: there may be a value of the time before. The first time, Cranelift gives a zero.
            let before = self.builder.use_var(variable);
            self.release(before, kind);
            self.references.push((variable, kind));
        }
        self.builder.def_var(variable, value);
        let local = Local {
            variable,
            type_: type_.clone(),
        };
        let scope = self.scopes.last_mut().expect("there is always a scope");
        scope.insert(name.to_owned(), local);
    }

    fn local(&self, name: &str, place: Place) -> Result<Local> {
        match self.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            Some(local) => Ok(local.clone()),
            None => error(place, format!("there is no variable `{name}`")),
        }
    }

    /// The value of a variable, as a reference of the caller's own.
    pub(super) fn read(&mut self, name: &str, place: Place) -> Result<Typed> {
        let local = self.local(name, place)?;
        let value = self.builder.use_var(local.variable);
        self.retain(value, Kind::of(&local.type_));
        Ok(Typed {
            value,
            type_: local.type_,
        })
    }

    pub(super) fn block(&mut self, block: &syntax::Block) -> Result<()> {
        self.scopes.push(HashMap::new());
        block
            .iter()
            .try_for_each(|statement| self.statement(statement))?;
        self.scopes.pop();
        Ok(())
    }

    /// A block, in which a variable is declared first.
    pub(super) fn block_with(
        &mut self,
        variables: &[(&str, &Type, Value)],
        block: &syntax::Block,
    ) -> Result<()> {
        self.scopes.push(HashMap::new());
        for (name, type_, value) in variables {
            self.declare(name, type_, *value);
        }
        self.block(block)?;
        self.scopes.pop();
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<()> {
        let place = statement.place;
        match &statement.kind {
            StatementKind::Let(name, declared, value) => {
                let typed = match declared {
                    Some(wanted) => self.value_of(value, wanted)?,
                    None => self.expression(value)?,
                };
                if typed.type_ == Type::Nothing {
                    return error(value.place, "this has no value");
                }
                self.declare(name, &typed.type_, typed.value);
                Ok(())
            }
            StatementKind::LetReceived(name, ok, channel) => {
                let (value, received) = self.receive_if_open(channel)?;
                self.declare(name, &value.type_, value.value);
                self.declare(ok, &Type::Bool, received);
                Ok(())
            }
            StatementKind::Assign(name, value) => {
                let local = self.local(name, place)?;
                let typed = self.value_of(value, &local.type_)?;
                let before = self.builder.use_var(local.variable);
                self.release(before, Kind::of(&local.type_));
                self.builder.def_var(local.variable, typed.value);
                Ok(())
            }
            StatementKind::Send(channel, value) => self.send(channel, value),
            StatementKind::If(condition, then, otherwise) => self.if_(condition, then, otherwise),
            StatementKind::While(condition, body) => self.while_(condition, body),
            StatementKind::ForReceived(name, channel, body) => {
                self.for_received(name, channel, body)
            }
            StatementKind::ForRange(name, from, to, body) => self.for_range(name, from, to, body),
            StatementKind::Select(select) => self.select(select),
            StatementKind::Return(value) => self.return_(place, value.as_ref()),
            StatementKind::Break => self.jump_out(place, "break", |around| around.after),
            StatementKind::Continue => self.jump_out(place, "continue", |around| around.next),
            StatementKind::Block(block) => self.block(block),
            StatementKind::Expression(expression) => {
                let typed = self.expression(expression)?;
                self.release(typed.value, Kind::of(&typed.type_));
                Ok(())
            }
        }
    }

    fn return_(&mut self, place: Place, value: Option<&Expression>) -> Result<()> {
        let result = self.result;
        let value = match value {
            Some(value) if *result == Type::Nothing => {
                return error(value.place, "this function returns nothing");
            }
            Some(value) => self.value_of(value, result)?.value,
            None if *result != Type::Nothing => {
                return error(place, format!("this function returns a {result}"));
            }
            None => self.int(0),
        };
        let zero = self.int(0);
        self.leave(value, zero);
        self.unreachable();
        Ok(())
    }

    fn jump_out(&mut self, place: Place, word: &str, to: impl Fn(&Loop) -> Block) -> Result<()> {
        let Some(target) = self.loops.last().map(to) else {
            return error(place, format!("`{word}` outside of a loop"));
        };
        self.builder.ins().jump(target, &[]);
        self.unreachable();
        Ok(())
    }

    /// Code that follows is never reached, but still has to go somewhere.
    pub(super) fn unreachable(&mut self) {
        let nowhere = self.builder.create_block();
        self.builder.switch_to_block(nowhere);
    }

    fn if_(
        &mut self,
        condition: &Expression,
        then: &syntax::Block,
        otherwise: &syntax::Block,
    ) -> Result<()> {
        let condition = self.value_of(condition, &Type::Bool)?.value;
        let [yes, no, after] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition, yes, &[], no, &[]);
        for (block, body) in [(yes, then), (no, otherwise)] {
            self.builder.switch_to_block(block);
            self.block(body)?;
            self.builder.ins().jump(after, &[]);
        }
        self.builder.switch_to_block(after);
        Ok(())
    }

    /// The body of a loop; `next` is where its rounds begin.
    fn round(
        &mut self,
        next: Block,
        after: Block,
        body: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.loops.push(Loop { next, after });
        body(self)?;
        self.loops.pop();
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(after);
        Ok(())
    }

    fn checkpoint(&mut self) {
        let status = self.ask("checkpoint", &[]);
        self.check(status, Reason::Status(status));
    }

    fn while_(&mut self, condition: &Expression, body: &syntax::Block) -> Result<()> {
        let [next, inside, after] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(next);
        self.checkpoint();
        let condition = self.value_of(condition, &Type::Bool)?.value;
        self.builder.ins().brif(condition, inside, &[], after, &[]);
        self.builder.switch_to_block(inside);
        self.round(next, after, |this| this.block(body))
    }

    fn for_received(
        &mut self,
        name: &str,
        channel: &Expression,
        body: &syntax::Block,
    ) -> Result<()> {
        let (channel, element) = self.channel(channel)?;
        // A variable without a name, so that it is released where the function ends, or when the loop is entered anew.
        self.declare("for", &channel.type_, channel.value);
        let [next, inside, after] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(next);
        let address = self.slot_address();
        let status = self.ask("receive", &[channel.value, address]);
        let closed = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::Equal, status, i64::from(abi::CLOSED));
        let open = self.builder.create_block();
        self.builder.ins().brif(closed, after, &[], open, &[]);
        self.builder.switch_to_block(open);
        self.check(status, Reason::Status(status));
        self.builder.ins().jump(inside, &[]);
        self.builder.switch_to_block(inside);
        let value = self.slot_value();
        self.round(next, after, |this| {
            this.block_with(&[(name, &element, value)], body)
        })
    }

    fn for_range(
        &mut self,
        name: &str,
        from: &Expression,
        to: &Expression,
        body: &syntax::Block,
    ) -> Result<()> {
        let from = self.value_of(from, &Type::Int)?.value;
        let to = self.value_of(to, &Type::Int)?.value;
        let counter = self.builder.declare_var(I64);
        self.builder.def_var(counter, from);
        let [head, next, inside, after] = [(); 4].map(|()| self.builder.create_block());
        self.builder.ins().jump(head, &[]);
        self.builder.switch_to_block(head);
        self.checkpoint();
        let now = self.builder.use_var(counter);
        let goes_on = self.builder.ins().icmp(IntCC::SignedLessThan, now, to);
        self.builder.ins().brif(goes_on, inside, &[], after, &[]);
        self.builder.switch_to_block(next);
        let now = self.builder.use_var(counter);
        let following = self.builder.ins().iadd_imm_s(now, 1);
        self.builder.def_var(counter, following);
        self.builder.ins().jump(head, &[]);
        self.builder.switch_to_block(inside);
        let now = self.builder.use_var(counter);
        self.round(next, after, |this| {
            this.block_with(&[(name, &Type::Int, now)], body)
        })
    }

    pub(super) fn slot_address(&mut self) -> Value {
        self.builder.ins().stack_addr(I64, self.slot, 0)
    }

    pub(super) fn slot_value(&mut self) -> Value {
        self.builder.ins().stack_load(I64, I64, self.slot, 0)
    }
}

fn counting(kind: Kind, names: [&'static str; 3]) -> Option<&'static str> {
    match kind {
        Kind::Plain => None,
        Kind::Text => Some(names[0]),
        Kind::Channel => Some(names[1]),
        Kind::Future => Some(names[2]),
    }
}
