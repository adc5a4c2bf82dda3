//! Values.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::function::{Body, Reason, Typed};
use crate::abi;
use crate::lexer::{Place, Result, error};
use crate::runtime::failing::Mistake;
use crate::runtime::references::Kind;
use crate::syntax::{Expression, ExpressionKind, Type};

impl Body<'_> {
    /// Evaluates an expression that has to be of this type.
    pub(super) fn value_of(&mut self, expression: &Expression, wanted: &Type) -> Result<Typed> {
        let typed = self.expression(expression)?;
        if typed.type_ != *wanted {
            let found = typed.type_;
            return error(
                expression.place,
                format!("expected a {wanted}, found a {found}"),
            );
        }
        Ok(typed)
    }

    pub(super) fn expression(&mut self, expression: &Expression) -> Result<Typed> {
        let place = expression.place;
        match &expression.kind {
            ExpressionKind::Int(number) => Ok(self.typed_int(*number, Type::Int)),
            ExpressionKind::Bool(value) => Ok(self.typed_int(i64::from(*value), Type::Bool)),
            ExpressionKind::Text(text) => {
                let address = self.unit.literal(text);
                let typed = self.typed_int(address, Type::String);
                self.retain(typed.value, Kind::Text);
                Ok(typed)
            }
            ExpressionKind::Name(name) => self.read(name, place),
            ExpressionKind::Call(name, arguments) => self.call_of(place, name, arguments),
            ExpressionKind::Spawn(name, arguments) => self.spawn(place, name, arguments),
            ExpressionKind::Await(future) => self.await_(future),
            ExpressionKind::Receive(channel) => self.receive(channel),
            ExpressionKind::Channel(element, capacity) => {
                self.make_channel(element, capacity.as_deref())
            }
            ExpressionKind::Unary(operator, operand) => self.unary(operator, operand),
            ExpressionKind::Binary(operator @ ("&&" | "||"), left, right) => {
                self.short_cut(operator, left, right)
            }
            ExpressionKind::Binary(operator, left, right) => {
                self.binary(place, operator, left, right)
            }
        }
    }

    fn typed_int(&mut self, number: i64, type_: Type) -> Typed {
        Typed {
            value: self.int(number),
            type_,
        }
    }

    fn unary(&mut self, operator: &str, operand: &Expression) -> Result<Typed> {
        if operator == "-" {
            let typed = self.value_of(operand, &Type::Int)?;
            let value = self.builder.ins().ineg(typed.value);
            return Ok(Typed { value, ..typed });
        }
        let typed = self.value_of(operand, &Type::Bool)?;
        let value = self.builder.ins().bxor_imm_s(typed.value, 1);
        Ok(Typed { value, ..typed })
    }

    /// `&&` and `||`: the right side is evaluated only if the left one does not decide.
    fn short_cut(
        &mut self,
        operator: &str,
        left: &Expression,
        right: &Expression,
    ) -> Result<Typed> {
        let left = self.value_of(left, &Type::Bool)?.value;
        let (more, after) = (self.builder.create_block(), self.builder.create_block());
        self.builder.append_block_param(after, I64);
        let decided = [left.into()];
        if operator == "&&" {
            self.builder.ins().brif(left, more, &[], after, &decided);
        } else {
            self.builder.ins().brif(left, after, &decided, more, &[]);
        }
        self.builder.switch_to_block(more);
        let right = self.value_of(right, &Type::Bool)?.value;
        self.builder.ins().jump(after, &[right.into()]);
        self.builder.switch_to_block(after);
        let value = self.builder.block_params(after)[0];
        Ok(Typed {
            value,
            type_: Type::Bool,
        })
    }

    fn binary(
        &mut self,
        place: Place,
        operator: &str,
        left: &Expression,
        right: &Expression,
    ) -> Result<Typed> {
        let left = self.expression(left)?;
        self.hold(&left);
        let right = self.value_of(right, &left.type_)?;
        self.pending.pop();
        let (type_, left, right) = (left.type_, left.value, right.value);
        let comparison = match operator {
            "==" => Some(IntCC::Equal),
            "!=" => Some(IntCC::NotEqual),
            "<" => Some(IntCC::SignedLessThan),
            "<=" => Some(IntCC::SignedLessThanOrEqual),
            ">" => Some(IntCC::SignedGreaterThan),
            ">=" => Some(IntCC::SignedGreaterThanOrEqual),
            _ => None,
        };
        let value = match (comparison, &type_) {
            (Some(condition), Type::String) => {
                let order = self.ask("compare_text", &[left, right]);
                self.builder.ins().icmp_imm_s(condition, order, 0)
            }
            (Some(condition), Type::Int) => self.builder.ins().icmp(condition, left, right),
            (Some(condition @ (IntCC::Equal | IntCC::NotEqual)), Type::Bool) => {
                self.builder.ins().icmp(condition, left, right)
            }
            (None, Type::String) if operator == "+" => {
                let value = self.ask("join_text", &[left, right]);
                return Ok(Typed { value, type_ });
            }
            (None, Type::Int) => {
                let value = self.arithmetic(operator, left, right);
                return Ok(Typed { value, type_ });
            }
            _ => return error(place, format!("there is no `{operator}` for a {type_}")),
        };
        Ok(Typed {
            value: self.builder.ins().uextend(I64, value),
            type_: Type::Bool,
        })
    }

    /// Sums and products wrap around; quotients are checked, as the processor would trap.
    fn arithmetic(&mut self, operator: &str, left: Value, right: Value) -> Value {
        match operator {
            "+" => return self.builder.ins().iadd(left, right),
            "-" => return self.builder.ins().isub(left, right),
            "*" => return self.builder.ins().imul(left, right),
            _ => {}
        }
        let by_zero = self.builder.ins().icmp_imm_s(IntCC::Equal, right, 0);
        self.check(by_zero, Reason::Mistake(Mistake::DivisionByZero));
        let by_minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, right, -1);
        let smallest = self.builder.ins().icmp_imm_s(IntCC::Equal, left, i64::MIN);
        let overflows = self.builder.ins().band(by_minus_one, smallest);
        self.check(overflows, Reason::Mistake(Mistake::DivisionOverflow));
        if operator == "/" {
            self.builder.ins().sdiv(left, right)
        } else {
            self.builder.ins().srem(left, right)
        }
    }

    fn make_channel(&mut self, element: &Type, capacity: Option<&Expression>) -> Result<Typed> {
        let capacity = match capacity {
            Some(capacity) => self.value_of(capacity, &Type::Int)?.value,
            None => self.int(0),
        };
        let kind = self.int(Kind::of(element) as i64);
        let value = self.ask("make_channel", &[kind, capacity]);
        let failed = self.builder.ins().icmp_imm_s(IntCC::Equal, value, 0);
        self.check(failed, Reason::Noted);
        Ok(Typed {
            value,
            type_: Type::Chan(Box::new(element.clone())),
        })
    }

    /// A channel, owned, and the type of its elements.
    pub(super) fn channel(&mut self, expression: &Expression) -> Result<(Typed, Type)> {
        let channel = self.expression(expression)?;
        match &channel.type_ {
            Type::Chan(element) => {
                let element = (**element).clone();
                Ok((channel, element))
            }
            other => error(
                expression.place,
                format!("expected a channel, found a {other}"),
            ),
        }
    }

    fn receive(&mut self, channel: &Expression) -> Result<Typed> {
        let (channel, element) = self.channel(channel)?;
        self.hold(&channel);
        let address = self.slot_address();
        let status = self.ask("receive", &[channel.value, address]);
        let closed = self.is_closed(status);
        self.check(closed, Reason::Mistake(Mistake::ClosedReceive));
        self.check(status, Reason::Status(status));
        self.pending.pop();
        let value = self.slot_value();
        self.release(channel.value, Kind::Channel);
        Ok(Typed {
            value,
            type_: element,
        })
    }

    pub(super) fn is_closed(&mut self, status: Value) -> Value {
        let closed = i64::from(abi::CLOSED);
        self.builder.ins().icmp_imm_s(IntCC::Equal, status, closed)
    }

    /// The value and whether there was one: if not, the channel is closed and drained.
    pub(super) fn receive_if_open(&mut self, channel: &Expression) -> Result<(Typed, Value)> {
        let (channel, element) = self.channel(channel)?;
        self.hold(&channel);
        let zero = self.int(0);
        let slot = self.slot;
        self.builder.ins().stack_store(I64, zero, slot, 0);
        let address = self.slot_address();
        let status = self.ask("receive", &[channel.value, address]);
        let closed = self.is_closed(status);
        let (done, open) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(closed, done, &[], open, &[]);
        self.builder.switch_to_block(open);
        self.check(status, Reason::Status(status));
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(done);
        self.pending.pop();
        let value = self.slot_value();
        self.release(channel.value, Kind::Channel);
        let received = self.builder.ins().bxor_imm_s(closed, 1);
        let received = self.builder.ins().uextend(I64, received);
        let value = Typed {
            value,
            type_: element,
        };
        Ok((value, received))
    }

    pub(super) fn send(&mut self, channel: &Expression, value: &Expression) -> Result<()> {
        let (channel, element) = self.channel(channel)?;
        self.hold(&channel);
        let value = self.value_of(value, &element)?;
        self.hold(&value);
        let status = self.ask("send", &[channel.value, value.value]);
        self.check(status, Reason::Status(status));
        // The value is the channel's now.
        self.pending.truncate(self.pending.len() - 2);
        self.release(channel.value, Kind::Channel);
        Ok(())
    }

    fn await_(&mut self, expression: &Expression) -> Result<Typed> {
        let future = self.expression(expression)?;
        let Type::Future(type_) = &future.type_ else {
            let found = &future.type_;
            return error(
                expression.place,
                format!("expected a future, found a {found}"),
            );
        };
        let type_ = (**type_).clone();
        self.hold(&future);
        let address = self.slot_address();
        let status = self.ask("await", &[future.value, address]);
        self.check(status, Reason::Await(status, future.value));
        self.pending.pop();
        let value = self.slot_value();
        // The future keeps its own reference, for others who await it.
        self.retain(value, Kind::of(&type_));
        self.release(future.value, Kind::Future);
        Ok(Typed { value, type_ })
    }
}
