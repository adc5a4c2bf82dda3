//! Doing the same with many things at a time: [`map_concurrent`].

use std::convert::Infallible;

use super::task_group::try_task_group;

/// Applies `f` to each item, to at most `limit` of them at a time, each in a coroutine of its own. Returns the results in the order of the items,
/// when all are there.
///
/// `f` may borrow. Items are taken from the iterator as there is room for them.
///
/// # Panics
/// If `limit` is zero; and with the first panic of `f`, when the others, which are cancelled, have ended.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let squares = corun::map_concurrent(1..=100u64, 50, |n| {
///     corun::sleep(Duration::from_millis(10));
///     n * n
/// });
/// assert_eq!(squares.iter().sum::<u64>(), 338_350);
/// assert!(start.elapsed() < Duration::from_secs(1), "50 sleep at a time");
/// ```
#[track_caller]
pub fn map_concurrent<I, F, U>(items: I, limit: usize, f: F) -> Vec<U>
where
    I: IntoIterator,
    I::Item: Send,
    F: Fn(I::Item) -> U + Sync,
    U: Send,
{
    match try_map_concurrent(items, limit, |item| Ok::<U, Infallible>(f(item))) {
        Ok(results) => results,
        Err(never) => match never {},
    }
}

/// As [`map_concurrent`], for work that may fail: the first error, in order of time, cancels the others, and is returned when they have ended.
///
/// # Errors
/// The first error.
///
/// # Panics
/// As [`map_concurrent`].
///
/// # Examples
/// ```
/// let words = ["1", "2", "three"];
/// assert!(corun::try_map_concurrent(words, 2, |word| word.parse::<u8>()).is_err());
/// assert_eq!(corun::try_map_concurrent(&words[..2], 2, |word| word.parse::<u8>()), Ok(vec![1, 2]));
/// ```
#[track_caller]
pub fn try_map_concurrent<I, F, U, E>(items: I, limit: usize, f: F) -> Result<Vec<U>, E>
where
    I: IntoIterator,
    I::Item: Send,
    F: Fn(I::Item) -> Result<U, E> + Sync,
    U: Send,
    E: Send,
{
    let f = &f;
    let results = try_task_group(|group| {
        group.set_limit(limit);
        let mut results = Vec::new();
        let keep = |results: &mut Vec<Option<U>>, (index, result): (usize, U)| {
            results[index] = Some(result);
        };
        for (index, item) in items.into_iter().enumerate() {
            results.push(None);
            group.try_spawn(move || Ok((index, f(item)?)));
            while let Some(result) = group.try_next() {
                keep(&mut results, result);
            }
        }
        while let Some(result) = group.next() {
            keep(&mut results, result);
        }
        Ok(results)
    })?;
    Ok(results.into_iter().flatten().collect())
}
