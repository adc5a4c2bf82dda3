//! Iterators written as straight-line code: a generator suspends itself with each item, from any depth of its calls.
//!
//! ```text
//! cargo run --release --example generators
//! ```
//!
//! Generators need no runtime: they are of `corun-context`, and run on the thread of whoever asks them for items.

use corun_context::{Generator, Suspender};

/// A sequence without end. Whoever takes from it decides when to stop.
fn fibonacci() -> Generator<u64> {
    Generator::new(|to| {
        let (mut a, mut b) = (0, 1);
        loop {
            to.suspend(a);
            (a, b) = (b, a + b);
        }
    })
}

/// A binary tree.
enum Tree {
    Leaf,
    Node(Box<Tree>, i32, Box<Tree>),
}

impl Tree {
    fn insert(self, new: i32) -> Tree {
        let node = |left, value, right| Tree::Node(Box::new(left), value, Box::new(right));
        match self {
            Tree::Leaf => node(Tree::Leaf, new, Tree::Leaf),
            Tree::Node(left, value, right) if new < value => node(left.insert(new), value, *right),
            Tree::Node(left, value, right) => node(*left, value, right.insert(new)),
        }
    }

    /// In order. As an iterator by hand, this recursion would have to be turned inside out, with a stack of its own.
    fn visit(&self, to: &Suspender<(), i32, ()>) {
        if let Tree::Node(left, value, right) = self {
            left.visit(to);
            to.suspend(*value);
            right.visit(to);
        }
    }

    fn values(self) -> Generator<i32> {
        Generator::new(move |to| self.visit(to))
    }
}

fn tree(values: &[i32]) -> Tree {
    values
        .iter()
        .fold(Tree::Leaf, |tree, value| tree.insert(*value))
}

/// The primes: each one found becomes a generator that lets through what it does not divide.
fn primes() -> Generator<u32> {
    Generator::new(|to| {
        let mut numbers: Box<dyn Iterator<Item = u32>> = Box::new(2..);
        while let Some(prime) = numbers.next() {
            to.suspend(prime);
            numbers = Box::new(Generator::new(move |to| {
                for number in numbers {
                    if number % prime != 0 {
                        to.suspend(number);
                    }
                }
            }));
        }
    })
}

/// Says when it is dropped.
struct Resource(&'static str);

impl Drop for Resource {
    fn drop(&mut self) {
        println!("{} is closed", self.0);
    }
}

fn main() {
    let first: Vec<_> = fibonacci().take(15).collect();
    println!("Fibonacci: {first:?}");

    // Several at once, each at its own pace.
    let (mut slow, mut fast) = (fibonacci(), fibonacci().step_by(2));
    for _ in 0..3 {
        println!("slow {:?}, fast {:?}", slow.next(), fast.next());
    }

    // Two trees of different shape with the same values, compared without flattening either.
    let (one, other) = (tree(&[4, 2, 6, 1, 3, 5, 7]), tree(&[1, 2, 3, 4, 5, 6, 7]));
    println!(
        "the trees have the same values: {}",
        one.values().eq(other.values())
    );

    let first: Vec<_> = primes().take(20).collect();
    println!("primes: {first:?}");

    // A generator that is dropped early is unwound: its destructors run.
    let mut lines = Generator::new(|to| {
        let _file = Resource("the file");
        for line in ["first line", "second line", "third line"] {
            to.suspend(line);
        }
    });
    println!("read {:?}, and that is enough", lines.next());
    drop(lines);
    println!("the end");
}
