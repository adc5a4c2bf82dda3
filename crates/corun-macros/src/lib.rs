//! The attributes of corun, `#[corun::main]` and `#[corun::test]`, and what its `select!` expands by. Use them through the `corun` crate,
//! which re-exports them.
//!
//! The attributes leave the annotated function as it was written, move it inside a function of the same name, and call it through
//! `corun::__private`; so error messages, backtraces and editors keep seeing the code of the user.

mod expand;
mod function;
mod options;
mod select;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Runs `fn main` as the first coroutine of the default runtime.
///
/// The program ends when `main` returns, whatever else is still running, as with `std`. The return type may be anything that `std`
/// accepts for `main` (`()`, `Result<(), E>`, `ExitCode`, ...) and gives the same exit code; a panic gives 101.
///
/// # Options
/// - `workers = N`: the number of worker threads, instead of one per available processor. `CORUN_WORKERS` overrides it.
/// - `stack_size = N`: the stack size of coroutines in bytes. `CORUN_STACK_SIZE` does not override it: it replaces the default only.
/// - `crate = "path"`: where to find the `corun` crate when it goes by another name.
///
/// # Examples
/// ```
/// #[corun::main(workers = 2)]
/// fn main() -> std::io::Result<()> {
///     let listener = corun::net::TcpListener::bind("127.0.0.1:0")?;
///     println!("listening on {}", listener.local_addr()?);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::main(options.into(), item.into()).into()
}

/// Makes a function a test whose body runs in a coroutine of a runtime of its own.
///
/// Other attributes of a test (`#[should_panic]`, `#[ignore]`, ...) and return types keep their meaning.
///
/// # Options
/// - `workers = N`: the number of worker threads. `workers = [1, 2, 8]` makes one test for each: `NAME_workers_1`, `NAME_workers_2`,
///   `NAME_workers_8`. `CORUN_WORKERS` overrides it.
/// - `stack_size = N`: the stack size of coroutines in bytes.
/// - `start_paused`, or `start_paused = true`: the clock of the runtime stands still, and jumps to the next deadline whenever everything
///   waits, so that a test of hours takes microseconds: see `corun::time::pause`.
/// - `crate = "path"`: where to find the `corun` crate when it goes by another name.
///
/// # Examples
/// ```
/// #[corun::test(workers = [1, 2, 8])]
/// fn answers() {
///     assert_eq!(corun::spawn(|| 42).join().unwrap(), 42);
/// }
///
/// #[corun::test(start_paused)]
/// fn sleeps_for_a_day() {
///     corun::sleep(std::time::Duration::from_secs(24 * 3600));
/// }
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(options.into(), item.into()).into()
}

/// What `corun::select!` and `corun::select_biased!` pass their arms to, behind the path of the `corun` crate and the name of the choice.
#[doc(hidden)]
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    select::select(input.into()).into()
}
