//! One context switch, with no scheduler: `switches PEER ROUNDS`. A main context and a coroutine alternate, so each round
//! is two switches. Both sides of each are inlined into this file, as their users would have it.

use std::hint::black_box;
use std::time::Instant;

use corosensei::{Coroutine, CoroutineResult};
use corun_bench::{Args, report_per_operation};
use corun_context::raw::{self, Context};

fn main() {
    let (peer, mut args) = Args::parse();
    let rounds = args.next();
    let run = match peer.as_str() {
        "corun" => corun,
        "corosensei" => corosensei,
        "generator" => generator,
        other => panic!("no such peer: {other}"),
    };
    run(rounds / 10);
    let start = Instant::now();
    run(rounds);
    report_per_operation(start.elapsed(), rounds * 2);
}

/// The two contexts of the bare switch.
struct Pair {
    main: Context,
    coroutine: Context,
}

extern "C" fn alternate(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    let mut value = 0;
    loop {
        // SAFETY: `pair` outlives this context, and `main` is suspended whenever this runs.
        value = unsafe { raw::switch(&raw mut (*pair).coroutine, (*pair).main, value + 1) };
    }
}

fn corun(rounds: u64) {
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast::<u8>();
    // SAFETY: 64 KiB below `top` are writable, aligned, and live to the end of this function.
    let coroutine = unsafe { raw::prepare(top, alternate) };
    let mut pair = Pair {
        main: Context::NONE,
        coroutine,
    };
    let pair = &raw mut pair;
    // SAFETY: the coroutine is suspended whenever this runs; it was never started here.
    let mut value = unsafe { raw::switch(&raw mut (*pair).main, (*pair).coroutine, pair as usize) };
    for _ in 0..rounds {
        // SAFETY: as above, and suspended since.
        value = unsafe { raw::switch(&raw mut (*pair).main, (*pair).coroutine, value + 1) };
    }
    black_box(value);
}

fn corosensei(rounds: u64) {
    let mut coroutine = Coroutine::new(|yielder, mut value: usize| -> () {
        while value != usize::MAX {
            value = yielder.suspend(value + 1);
        }
    });
    let mut value = 0;
    for _ in 0..rounds {
        let CoroutineResult::Yield(next) = coroutine.resume(value + 1) else {
            unreachable!()
        };
        value = next;
    }
    black_box(value);
    coroutine.resume(usize::MAX);
}

fn generator(rounds: u64) {
    let mut generator = generator::Gn::new_scoped(|mut scope| {
        let mut value: usize = 0;
        while value != usize::MAX {
            value = scope.yield_(value + 1).unwrap_or(usize::MAX);
        }
        generator::done!()
    });
    generator.resume();
    let mut value = 0;
    for _ in 0..rounds {
        value = generator.send(value + 1);
    }
    black_box(value);
}
