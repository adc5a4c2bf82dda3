//! `select`: an array of `corun_select_case` on the stack, one call, and a branch to the arm that was chosen.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Block, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};

use super::function::{Body, Reason, Typed};
use crate::abi::{self, select_case};
use crate::lexer::Result;
use crate::runtime::failing::Mistake;
use crate::runtime::references::Kind;
use crate::syntax::{self, Arm, Operation, Select, Type};

/// An arm whose channel, and value to be sent, were evaluated.
struct Ready<'a> {
    arm: &'a Arm,
    channel: Value,
    element: Type,
    value: Option<Typed>,
}

/// Where the call finds the arms, and leaves what it has done.
struct Slots {
    cases: StackSlot,
    elements: StackSlot,
    chosen: StackSlot,
}

impl Body<'_> {
    pub(super) fn select(&mut self, select: &Select) -> Result<()> {
        let before = self.pending.len();
        let count = select.arms.len() as u32;
        let mut slot = |words: u32| {
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 8 * words.max(1), 3);
            self.builder.create_sized_stack_slot(data)
        };
        let slots = Slots {
            cases: slot(count * select_case::SIZE / 8),
            elements: slot(count),
            chosen: slot(1),
        };
        let mut arms = Vec::new();
        for arm in &select.arms {
            arms.push(self.prepare(arm)?);
        }
        let timeout = match &select.after {
            Some((time, _)) => self.nanoseconds(time)?,
            None if select.default.is_some() => self.int(0),
            None => self.int(abi::FOREVER),
        };
        for (index, arm) in arms.iter().enumerate() {
            self.store_case(&slots, index, arm);
        }
        let cases = self.builder.ins().stack_addr(I64, slots.cases, 0);
        let count = self.int(arms.len() as i64);
        let chosen = self.builder.ins().stack_addr(I64, slots.chosen, 0);
        let status = self.ask("select", &[cases, count, timeout, chosen]);

        let held = self.pending.clone();
        let after = self.builder.create_block();
        // An `after` of no time is a default, by another name.
        if let Some(body) = select
            .default
            .as_ref()
            .or(select.after.as_ref().map(|(_, body)| body))
        {
            for nothing_done in [abi::WOULD_BLOCK, abi::TIMEDOUT] {
                let none = self.is_status(status, nothing_done);
                let (here, more) = (self.builder.create_block(), self.builder.create_block());
                self.builder.ins().brif(none, here, &[], more, &[]);
                self.builder.switch_to_block(here);
                self.release_held(before, |_| true);
                self.arm_body(&[], body, after)?;
                self.pending.clone_from(&held);
                self.builder.switch_to_block(more);
            }
        }
        self.check(status, Reason::Status(status));
        let chosen = self.builder.ins().stack_load(I64, I64, slots.chosen, 0);
        for (index, arm) in arms.iter().enumerate() {
            let (here, more) = (self.builder.create_block(), self.builder.create_block());
            let is_it = self
                .builder
                .ins()
                .icmp_imm_s(IntCC::Equal, chosen, index as i64);
            self.builder.ins().brif(is_it, here, &[], more, &[]);
            self.builder.switch_to_block(here);
            self.done(&slots, index, arm, before, after)?;
            self.pending.clone_from(&held);
            self.builder.switch_to_block(more);
        }
        // Not reached: one of them was chosen.
        self.builder.ins().jump(after, &[]);
        self.pending.truncate(before);
        self.builder.switch_to_block(after);
        Ok(())
    }

    fn prepare<'a>(&mut self, arm: &'a Arm) -> Result<Ready<'a>> {
        let (channel, element) = self.channel(&arm.channel)?;
        self.hold(&channel);
        let value = match &arm.operation {
            Operation::Receive(..) => None,
            Operation::Send(value) => {
                let value = self.value_of(value, &element)?;
                self.hold(&value);
                Some(value)
            }
        };
        Ok(Ready {
            arm,
            channel: channel.value,
            element,
            value,
        })
    }

    fn store_case(&mut self, slots: &Slots, index: usize, arm: &Ready<'_>) {
        let (case, element) = (index as i32 * select_case::SIZE as i32, index as i32 * 8);
        let place = self.builder.ins().stack_addr(I64, slots.elements, element);
        let value = match &arm.value {
            Some(value) => value.value,
            None => self.int(0),
        };
        let operation = if arm.value.is_some() {
            select_case::SEND
        } else {
            select_case::RECEIVE
        };
        let operation = self.builder.ins().iconst(I32, operation);
        let mut store = |value, slot, offset| {
            self.builder.ins().stack_store(I64, value, slot, offset);
        };
        store(value, slots.elements, element);
        store(arm.channel, slots.cases, case + select_case::CHANNEL);
        store(place, slots.cases, case + select_case::ELEMENT);
        store(operation, slots.cases, case + select_case::OPERATION);
    }

    /// Releases what the select holds, from `before` on, as far as it is wanted; nothing of it is held any more.
    fn release_held(&mut self, before: usize, wanted: impl Fn(Value) -> bool) {
        for (value, kind) in self.pending.split_off(before) {
            if wanted(value) {
                self.release(value, kind);
            }
        }
    }

    fn arm_body(
        &mut self,
        variables: &[(&str, &Type, Value)],
        body: &syntax::Block,
        after: Block,
    ) -> Result<()> {
        self.block_with(variables, body)?;
        self.builder.ins().jump(after, &[]);
        Ok(())
    }

    /// The arm that was chosen.
    fn done(
        &mut self,
        slots: &Slots,
        index: usize,
        arm: &Ready<'_>,
        before: usize,
        after: Block,
    ) -> Result<()> {
        let offset = index as i32 * select_case::SIZE as i32 + select_case::STATUS;
        let status = self.builder.ins().stack_load(I64, I32, slots.cases, offset);
        let closed = self.is_closed(status);
        match &arm.arm.operation {
            Operation::Send(_) => {
                self.check(closed, Reason::Mistake(Mistake::ClosedSend));
                let sent = arm.value.as_ref().map(|value| value.value);
                // What was sent is the channel's now.
                self.release_held(before, |value| Some(value) != sent);
                self.arm_body(&[], &arm.arm.body, after)
            }
            Operation::Receive(name, ok) => {
                if ok.is_none() {
                    self.check(closed, Reason::Mistake(Mistake::ClosedReceive));
                }
                self.release_held(before, |_| true);
                let value =
                    self.builder
                        .ins()
                        .stack_load(I64, I64, slots.elements, index as i32 * 8);
                let Some(name) = name else {
                    self.release(value, Kind::of(&arm.element));
                    return self.arm_body(&[], &arm.arm.body, after);
                };
                let received = self.builder.ins().bxor_imm_s(closed, 1);
                let received = self.builder.ins().uextend(I64, received);
                let mut variables = vec![(name.as_str(), &arm.element, value)];
                if let Some(ok) = ok {
                    variables.push((ok, &Type::Bool, received));
                }
                self.arm_body(&variables, &arm.arm.body, after)
            }
        }
    }
}
