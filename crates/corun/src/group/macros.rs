//! `join!`, `try_join!` and `race!`: expressions at a time, each in a coroutine that may borrow.

/// Evaluates expressions at a time, each in a coroutine of its own, and returns all values in a tuple.
///
/// The expressions may borrow from what is around, and may wait and call anything. They are the bodies of closures: `return`, `break` and `?` do
/// not leave them. What they name is borrowed, as closures do it, and has to be `Send` as a reference.
///
/// # Panics
/// With the first panic of one of them; the others are cancelled then, and have ended.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let (start, pause) = (Instant::now(), Duration::from_millis(50));
/// let names = vec!["a", "b"];
/// let (first, count, ()) = corun::join!(
///     {
///         corun::sleep(pause);
///         names[0]
///     },
///     names.len(),
///     corun::sleep(pause),
/// );
/// assert_eq!((first, count), ("a", 2));
/// assert!(start.elapsed() < 2 * pause);
/// ```
#[macro_export]
macro_rules! join {
    // Each step names its variable anew: they are different ones, as each is that of its step.
    (@parts [$($parts:tt)*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::join!(@parts [$($parts)* (part $next)] $($($rest)*)?)
    };
    (@parts [$(($part:ident $expression:expr))+]) => {{
        $(let mut $part = ::core::option::Option::None;)+
        $crate::task_group::<(), _, ()>(|group| {
            $(group.spawn(|| $part = ::core::option::Option::Some($expression));)+
        });
        ($($crate::__private::part($part),)+)
    }};
    ($($expressions:expr),+ $(,)?) => {
        $crate::join!(@parts [] $($expressions),+)
    };
}

/// As [`join!`], for expressions of type `Result`, all with the same error: returns a tuple of the values; or the first error, in order of
/// time, for which the others are cancelled and have ended.
///
/// # Errors
/// The first.
///
/// # Panics
/// As [`join!`].
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let both = corun::try_join!("1".parse::<u8>(), "2".parse::<u8>());
/// assert_eq!(both, Ok((1, 2)));
/// let neither = corun::try_join!(
///     {
///         corun::sleep(Duration::from_secs(3600));
///         "1".parse::<u8>()
///     },
///     "two".parse::<u8>(),
/// );
/// assert!(neither.is_err());
/// ```
#[macro_export]
macro_rules! try_join {
    (@parts [$($parts:tt)*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::try_join!(@parts [$($parts)* (part $next)] $($($rest)*)?)
    };
    (@parts [$(($part:ident $expression:expr))+]) => {{
        $(let mut $part = ::core::option::Option::None;)+
        let ended = $crate::try_task_group::<(), _, _, ()>(|group| {
            $(group.try_spawn(|| $crate::__private::keep(&mut $part, $expression));)+
            ::core::result::Result::Ok(())
        });
        match ended {
            ::core::result::Result::Ok(()) => {
                ::core::result::Result::Ok(($($crate::__private::part($part),)+))
            }
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    }};
    ($($expressions:expr),+ $(,)?) => {
        $crate::try_join!(@parts [] $($expressions),+)
    };
}

/// Evaluates expressions of one type at a time, each in a coroutine of its own, and returns the value of the first that has one. The others are
/// cancelled: each is left at the wait that it is in, or at the next one, and has ended when the value is returned. Nothing that they have not done is
/// lost, as a wait that is left has taken nothing.
///
/// As with [`join!`] they may borrow, and are the bodies of closures.
///
/// # Panics
/// With the first panic of one of them, be it a loser's.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let winner = corun::race!(
///     {
///         corun::sleep(Duration::from_secs(3600));
///         "the tortoise"
///     },
///     {
///         corun::sleep(Duration::from_millis(1));
///         "the hare"
///     },
/// );
/// assert_eq!(winner, "the hare");
/// ```
#[macro_export]
macro_rules! race {
    ($($expression:expr),+ $(,)?) => {
        $crate::__private::part($crate::task_group(|group| {
            $(group.spawn(|| $expression);)+
            let first = group.next();
            group.cancel();
            first
        }))
    };
}
