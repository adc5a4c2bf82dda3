//! What is on a stack is as it was when its coroutine goes on.

use std::ptr;

use corun_context::{Resumed, Status, running};

use super::{at_depth, coroutine, stack};

#[test]
fn thousands_interleave() {
    let stack = stack();
    let coroutines: Vec<_> = (0..5000u64)
        .map(|n| {
            coroutine(&stack, move |suspender, first| {
                let mut mine = [n; 16];
                let mut sum = first;
                for place in &mut mine[..10] {
                    *place += sum;
                    sum += suspender.suspend(*place);
                }
                let text = format!("{n}: {sum}");
                assert_eq!(mine[10..], [n; 6]);
                text
            })
        })
        .collect();
    for round in 0..10u64 {
        // In another order each time; 3 and 5000 have no common divisor, nor have its powers.
        for i in 0..5000 {
            let n = i * 3u64.pow(round as u32) % 5000;
            // Inputs so far: n in each round.
            let expected = n + n * (round + 1);
            assert_eq!(
                coroutines[n as usize].resume(n).unwrap(),
                Resumed::Yield(expected)
            );
        }
    }
    for (n, co) in coroutines.iter().enumerate() {
        let expected = format!("{n}: {}", n * 11);
        assert_eq!(
            co.resume(n as u64).unwrap().returned().as_ref(),
            Some(&expected)
        );
        assert_eq!(co.status(), Status::Dead);
    }
}

#[test]
fn they_suspend_at_any_depth() {
    let stack = stack();
    let coroutines: Vec<_> = (0..200u64)
        .map(|n| {
            coroutine(&stack, move |suspender, _| {
                for round in 0..5 {
                    let depth = (n * 7 + round * 31) % 150;
                    let got = at_depth(depth, &mut || suspender.suspend(depth));
                    assert_eq!(got, n + round + 1);
                }
                n
            })
        })
        .collect();
    for round in 0..=5 {
        for (n, co) in coroutines.iter().enumerate() {
            let n = n as u64;
            let expected = match round {
                5 => Resumed::Return(n),
                _ => Resumed::Yield((n * 7 + round * 31) % 150),
            };
            assert_eq!(co.resume(n + round).unwrap(), expected);
        }
    }
}

/// A list through the frames of a recursion, which is walked from its innermost end.
struct Link<'a> {
    value: u64,
    outer: Option<&'a Link<'a>>,
}

fn chain(depth: u64, outer: Option<&Link<'_>>, end: &mut dyn FnMut(&Link<'_>) -> u64) -> u64 {
    let link = Link {
        value: depth,
        outer,
    };
    let address = ptr::from_ref(&link).addr();
    let result = if depth == 0 {
        end(&link)
    } else {
        chain(depth - 1, Some(&link), end)
    };
    assert_eq!(ptr::from_ref(&link).addr(), address);
    result
}

#[test]
fn addresses_of_locals_stay() {
    let stack = stack();
    let coroutines: Vec<_> = (1..50u64)
        .map(|depth| {
            coroutine(&stack, move |suspender, _| {
                chain(depth, None, &mut |innermost| {
                    let addresses = |mut link: &Link<'_>| {
                        let mut all = vec![(ptr::from_ref(link).addr(), link.value)];
                        while let Some(outer) = link.outer {
                            link = outer;
                            all.push((ptr::from_ref(link).addr(), link.value));
                        }
                        all
                    };
                    let before = addresses(innermost);
                    assert_eq!(before.len() as u64, depth + 1);
                    for _ in 0..3 {
                        suspender.suspend(innermost.value);
                        assert_eq!(addresses(innermost), before);
                    }
                    before[0].0 as u64
                })
            })
        })
        .collect();
    for _ in 0..3 {
        for co in &coroutines {
            assert_eq!(co.resume(0).unwrap(), Resumed::Yield(0));
        }
    }
    let ends: Vec<u64> = coroutines
        .iter()
        .map(|co| co.resume(0).unwrap().returned().unwrap())
        .collect();
    // All on the same memory: one frame deeper each, from the same top.
    assert!(ends.windows(2).all(|pair| pair[0] > pair[1]), "{ends:x?}");
    assert!(ends[0] - ends[48] < super::SIZE as u64);
}

#[test]
fn one_in_a_row_and_running() {
    let stack = stack();
    let co = coroutine(&stack, |suspender, mut n| {
        loop {
            n = suspender.suspend(n + running().unwrap().get());
        }
        #[allow(unreachable_code, reason = "it names the type")]
        ()
    });
    for n in 0..1000 {
        assert_eq!(co.resume(n).unwrap(), Resumed::Yield(n + co.id().get()));
    }
    assert_eq!(running(), None);
}

#[test]
fn on_several_stacks() {
    let stacks: Vec<_> = (0..8).map(|_| stack()).collect();
    let coroutines: Vec<_> = (0..800u64)
        .map(|n| {
            coroutine(&stacks[n as usize % 8], move |suspender, mut sum| {
                for depth in 0..4 {
                    sum += at_depth(n % 13 + depth, &mut || suspender.suspend(sum));
                }
                sum
            })
        })
        .collect();
    for round in 1..=4 {
        for co in &coroutines {
            assert_eq!(co.resume(1).unwrap(), Resumed::Yield(round));
        }
    }
    for co in coroutines.iter().rev() {
        assert_eq!(co.resume(1).unwrap(), Resumed::Return(5));
    }
}

#[test]
fn vectors_and_large_values_travel() {
    let stack = stack();
    let make = |seed: u8| {
        // SAFETY: nothing outside knows of the closure's stack.
        unsafe {
            stack.coroutine(move |suspender, mut block: [u8; 3000]| {
                let mut text = String::new();
                loop {
                    text.push(char::from(b'a' + seed));
                    let reply = (text.clone(), block.map(|byte| byte ^ seed));
                    if text.len() == 4 {
                        return reply;
                    }
                    block = suspender.suspend(reply);
                }
            })
        }
    };
    let (a, b) = (make(1), make(2));
    for round in 1..=4u8 {
        for (co, seed) in [(&a, 1), (&b, 2)] {
            let (text, block) = co.resume([round; 3000]).unwrap().into_inner();
            assert_eq!(
                text,
                char::from(b'a' + seed).to_string().repeat(round.into())
            );
            assert_eq!(block, [round ^ seed; 3000]);
        }
    }
}
