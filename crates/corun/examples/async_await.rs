//! Two colours on one scheduler: async tasks and coroutines that talk by channels, await and join each other, and time out.
//!
//! ```text
//! cargo run --release --example async_await
//! ```

use std::time::{Duration, Instant};

use corun::channel::{bounded, unbounded};
use corun::time::{sleep_async, timeout_async};
use corun::{block_on, spawn, spawn_async};

/// Async code, as a library might bring it: it knows nothing of coroutines.
async fn price(item: &str) -> u64 {
    sleep_async(Duration::from_millis(20)).await;
    item.len() as u64 * 100
}

/// Blocking code, as one would write it for a thread: it knows nothing of async tasks.
fn ship(item: &str, price: u64) -> String {
    corun::sleep(Duration::from_millis(10));
    format!("{item} for {price}")
}

fn main() {
    let start = Instant::now();
    let (orders, to_price) = bounded::<&str>(4);
    let (shipped, receipts) = unbounded();

    // A coroutine sends to an async task, which starts a task for each order, which ends in a coroutine.
    let customer = spawn(move || {
        for item in ["tea", "biscuits", "marmalade"] {
            orders.send(item).expect("the shop is open");
        }
        "a customer"
    });
    let shop = spawn_async(async move {
        let mut orders = Vec::new();
        while let Ok(item) = to_price.recv_async().await {
            let shipped = shipped.clone();
            orders.push(spawn_async(async move {
                let price = price(item).await;
                // Here something blocks: a coroutine may, and the task awaits it.
                let receipt = spawn(move || ship(item, price)).await.expect("no panic");
                shipped.send(receipt).expect("somebody counts");
            }));
        }
        for order in &mut orders {
            order.await.expect("no panic");
        }
        orders.len()
    });

    // The main thread joins both kinds in the same way.
    println!("{} ordered", customer.join().expect("no panic"));
    println!("{} orders shipped:", shop.join().expect("no panic"));
    receipts.iter().for_each(|receipt| println!("  {receipt}"));
    println!(
        "three sleeps of 20 ms and three of 10 ms took {} ms",
        start.elapsed().as_millis()
    );

    // A future waited for where there is no async at all; and one that takes too long.
    println!("a price, blocking: {}", block_on(price("jam")));
    let late = timeout_async(Duration::from_millis(5), price("caviar"));
    println!("the price of caviar: {:?}", block_on(late));

    // A task takes no stack: a hundred thousand of them wait in a few megabytes.
    let (gate, opened) = bounded::<()>(0);
    let crowd: Vec<_> = (0..100_000_u64)
        .map(|n| {
            let opened = opened.clone();
            spawn_async(async move { opened.recv_async().await.map_or(n, |()| 0) })
        })
        .collect();
    drop(gate);
    let sum: u64 = crowd
        .into_iter()
        .map(|task| task.join().expect("no panic"))
        .sum();
    println!("a crowd of 100,000 tasks counted to {sum}");
}
