//! What the compiler keeps in registers across a switch survives it, however many values there are.
#![cfg(feature = "std")]

use std::hint::black_box;

use corun_context::{Coroutine, Suspender};

/// Keeps twenty integers and twenty floats alive across suspensions, each changed a little in between.
#[inline(never)]
fn churn(suspender: &Suspender<f64, f64, (u64, f64)>, seed: u64, first: f64) -> (u64, f64) {
    let mut whole: [u64; 20] = core::array::from_fn(|n| black_box(seed + n as u64));
    let mut real: [f64; 20] = core::array::from_fn(|n| black_box(first + n as f64));
    for round in 0..100 {
        let sum = real.iter().sum::<f64>() + whole.iter().fold(0, |a, b| a ^ b) as f64;
        let input = suspender.suspend(sum);
        for n in 0..20 {
            whole[n] = whole[n].wrapping_mul(3) ^ round;
            real[n] = real[n] * 0.5 + input;
        }
    }
    (whole.iter().fold(0, |a, b| a ^ b), real.iter().sum())
}

/// The same without a coroutine.
fn expected(seed: u64, first: f64, inputs: impl Iterator<Item = f64>) -> (u64, f64) {
    let mut whole: [u64; 20] = core::array::from_fn(|n| seed + n as u64);
    let mut real: [f64; 20] = core::array::from_fn(|n| first + n as f64);
    for (round, input) in (0..100).zip(inputs) {
        for n in 0..20 {
            whole[n] = whole[n].wrapping_mul(3) ^ round;
            real[n] = real[n] * 0.5 + input;
        }
    }
    (whole.iter().fold(0, |a, b| a ^ b), real.iter().sum())
}

#[test]
fn they_survive() {
    let make = |seed: u64| {
        Coroutine::<f64, f64, _>::new(move |suspender, first| churn(suspender, seed, first))
    };
    let (left, right) = (make(1), make(1000));
    left.resume(0.25).unwrap();
    right.resume(0.75).unwrap();
    let mut last = None;
    for n in 0..100 {
        last = Some((
            left.resume(n as f64).unwrap(),
            right.resume(-n as f64).unwrap(),
        ));
    }
    let (left, right) = last.unwrap();
    assert_eq!(
        left.returned(),
        Some(expected(1, 0.25, (0..100).map(|n| n as f64)))
    );
    assert_eq!(
        right.returned(),
        Some(expected(1000, 0.75, (0..100).map(|n| -n as f64)))
    );
}
