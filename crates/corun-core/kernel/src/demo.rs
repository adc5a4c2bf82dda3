//! What the coroutines do. Nothing here knows the machine.

use core::time::Duration;

use alloc::vec::Vec;
use corun_core::{Event, Executor, HeapStack, JoinHandle, RecvTimeoutError, channel};

use crate::machine::{self, Clock};
use crate::{heap, println};

const STACK: usize = 32 * 1024;

pub fn run() {
    let before = heap::in_use();
    let executor = Executor::new(Clock);
    alternate(&executor);
    timers(&executor);
    channels(&executor);
    interrupts(&executor);
    numbers(&executor);
    storm(&executor);
    many(&executor);
    deadlock(&executor);
    drop(executor);
    println!("heap: {} bytes left behind", heap::in_use() - before);
}

fn spawn<T: 'static>(executor: &Executor, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    // SAFETY: what runs here calls nothing deep, and interrupts have a stack of their own.
    let stack = unsafe { HeapStack::new(STACK) }.expect("the heap has room for a stack");
    executor.spawn(stack, f)
}

fn finish(executor: &Executor) {
    executor.run().expect("no coroutine waits for ever");
}

fn alternate(executor: &Executor) {
    for name in ["ping", "pong"] {
        let own = executor.clone();
        spawn(executor, move || {
            for turn in 1..=3 {
                println!("{name} {turn}");
                own.yield_now();
            }
        });
    }
    finish(executor);
}

fn timers(executor: &Executor) {
    let start = executor.now();
    for milliseconds in [30, 10, 20] {
        let own = executor.clone();
        spawn(executor, move || {
            own.sleep_until(start + Duration::from_millis(milliseconds));
            let early = own.now() - start < Duration::from_millis(milliseconds);
            let when = if early { "too early" } else { "on time" };
            println!("the timer of {milliseconds} ms fired {when}");
        });
    }
    let before = machine::timer_interrupts();
    finish(executor);
    let slept = machine::timer_interrupts() - before >= 3;
    println!("timer: the processor slept in between: {slept}");
}

fn channels(executor: &Executor) {
    let (sender, receiver) = channel(executor, 0);
    spawn(executor, move || {
        for number in 1..=3 {
            println!("send {number}");
            sender.send(number).expect("somebody receives");
        }
    });
    spawn(executor, move || {
        receiver
            .iter()
            .for_each(|number| println!("received {number}"));
        println!("closed");
    });
    finish(executor);

    let (_sender, receiver) = channel::<u32>(executor, 1);
    let late = spawn(executor, move || {
        receiver.recv_timeout(Duration::from_millis(5))
    });
    finish(executor);
    assert_eq!(late.join(), Err(RecvTimeoutError::Timeout));
    println!("nobody sends: timeout");
}

/// The handler of the interrupt wakes a coroutine.
fn interrupts(executor: &Executor) {
    let event = Event::new(executor);
    machine::set_notifier(event.notifier());
    let own = executor.clone();
    let waiter = spawn(executor, move || {
        for _ in 0..3 {
            let count = event.wait();
            println!("interrupt: the handler woke this coroutine ({count})");
        }
    });
    spawn(executor, move || {
        for _ in 0..2 {
            machine::raise_interrupt();
            own.sleep(Duration::from_millis(2));
        }
        // Two before the waiter runs again are counted together.
        machine::raise_interrupt();
        machine::raise_interrupt();
    });
    finish(executor);
    waiter.join();
    machine::take_notifier();
}

/// Floating-point registers survive switches, and so does what is in them half-way through a sum.
fn numbers(executor: &Executor) {
    let own = executor.clone();
    let right = spawn(executor, move || sums_are_right(&own, 100));
    finish(executor);
    let right = right.join();
    println!("sums of floating-point numbers across switches are right: {right}");
}

/// Hundreds of interrupts, wherever they come in switches and queues, break nothing, and none is lost.
fn storm(executor: &Executor) {
    let event = Event::new(executor);
    machine::set_notifier(event.notifier());
    machine::begin_storm();
    let own = executor.clone();
    let storm = spawn(executor, move || {
        let right = sums_are_right(&own, 2_000);
        (right, machine::end_storm())
    });
    let counting = spawn(executor, move || {
        let mut count = 0;
        while !storm.is_finished() {
            count += event.wait_timeout(Duration::from_millis(1));
        }
        (storm.join(), count + event.try_wait())
    });
    finish(executor);
    let ((right, interrupts), counted) = counting.join();
    machine::take_notifier();
    let (many, all) = (interrupts >= 100, interrupts == counted);
    println!(
        "in a storm of interrupts (hundreds: {many}) sums are right: {right}; all were counted: {all}"
    );
}

/// To be called in a coroutine.
fn sums_are_right(executor: &Executor, length: u32) -> bool {
    let sums = [1.0, 2.0, 3.0].map(|step: f64| {
        let own = executor.clone();
        let sum = spawn(executor, move || series(step, length, || own.yield_now()));
        (step, sum)
    });
    sums.into_iter()
        .all(|(step, sum)| sum.join() == series(step, length, || ()))
}

#[inline(never)]
fn series(step: f64, length: u32, between: impl Fn()) -> f64 {
    let (mut sum, mut at, mut sign) = (0.0, 1.0, 1.0);
    for _ in 0..length {
        sum += sign / at;
        between();
        at += step;
        sign = -sign;
        between();
    }
    sum
}

/// A few hundred coroutines at once, each with a timer.
fn many(executor: &Executor) {
    const COUNT: u64 = 300;
    let start = executor.now();
    let waiting: Vec<_> = (0..COUNT)
        .map(|number| {
            let own = executor.clone();
            spawn(executor, move || {
                own.sleep_until(start + Duration::from_micros(number * 37 % COUNT * 100));
                number
            })
        })
        .collect();
    finish(executor);
    let sum: u64 = waiting.into_iter().map(JoinHandle::join).sum();
    println!("{COUNT} coroutines slept and ended, sum {sum}");
}

fn deadlock(executor: &Executor) {
    let (sender, receiver) = channel::<()>(executor, 0);
    spawn(executor, move || receiver.recv());
    let error = executor.run().expect_err("nobody sends");
    println!("{error}");
    drop(sender);
    finish(executor);
}
