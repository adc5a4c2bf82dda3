//! A list that lies in itself as long as it is short: of the arms of a select, which would else take a block of memory each time.

use std::fmt;
use std::mem::{self, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::slice;

/// Up to `N` elements lie here; if there are more, all lie in a vector.
///
/// # Invariants
/// The first `near` of `here` are there. If that is not 0, `elsewhere` is empty.
pub struct Few<T, const N: usize> {
    near: usize,
    here: [MaybeUninit<T>; N],
    elsewhere: Vec<T>,
}

impl<T, const N: usize> Few<T, N> {
    /// An empty list.
    #[inline]
    pub fn new() -> Few<T, N> {
        Few {
            near: 0,
            here: [const { MaybeUninit::uninit() }; N],
            elsewhere: Vec::new(),
        }
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push(&mut self, element: T) {
        if self.near < N && self.elsewhere.is_empty() {
            self.here[self.near].write(element);
            self.near += 1;
        } else {
            self.push_elsewhere(element);
        }
    }

    #[cold]
    fn push_elsewhere(&mut self, element: T) {
        let near = mem::take(&mut self.near);
        self.elsewhere.reserve(near + 1);
        for place in &self.here[..near] {
            // SAFETY: it is there, and nobody asks for it here any more.
            self.elsewhere.push(unsafe { place.assume_init_read() });
        }
        self.elsewhere.push(element);
    }

    /// Takes an element out; those after it move up.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn remove(&mut self, index: usize) -> T {
        if self.near == 0 {
            return self.elsewhere.remove(index);
        }
        self[index..].rotate_left(1);
        self.near -= 1;
        // SAFETY: it was the last that was there.
        unsafe { self.here[self.near].assume_init_read() }
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        if self.near == 0 {
            return &self.elsewhere;
        }
        // SAFETY: so many are there.
        unsafe { slice::from_raw_parts(self.here.as_ptr().cast(), self.near) }
    }
}

impl<T, const N: usize> DerefMut for Few<T, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        if self.near == 0 {
            return &mut self.elsewhere;
        }
        // SAFETY: so many are there.
        unsafe { slice::from_raw_parts_mut(self.here.as_mut_ptr().cast(), self.near) }
    }
}

impl<T, const N: usize> Drop for Few<T, N> {
    #[inline]
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.near != 0 {
            let here: *mut [T] = &raw mut **self;
            // SAFETY: they are there, and this is the end.
            unsafe { here.drop_in_place() };
        }
    }
}

impl<T: Copy, const N: usize> Clone for Few<T, N> {
    fn clone(&self) -> Few<T, N> {
        Few {
            near: self.near,
            here: self.here,
            elsewhere: self.elsewhere.clone(),
        }
    }
}

impl<T, const N: usize> Default for Few<T, N> {
    fn default() -> Few<T, N> {
        Few::new()
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for Few<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn short_and_long_lists_are_lists() {
        for count in 0..8 {
            let mut list: Few<String, 3> = Few::new();
            for n in 0..count {
                assert_eq!(list.len(), n);
                list.push(n.to_string());
            }
            list.iter_mut().for_each(|text| text.push('!'));
            let all: Vec<String> = (0..count).map(|n| format!("{n}!")).collect();
            assert_eq!(*list, *all);
            for at in 0..count {
                let mut list: Few<usize, 3> = Few::new();
                (0..count).for_each(|n| list.push(n));
                assert_eq!(list.remove(at), at);
                assert_eq!(list.len(), count - 1);
                assert!(list.iter().copied().eq((0..count).filter(|n| *n != at)));
                list.push(9);
                assert_eq!(list.clone().last(), Some(&9));
                assert_eq!(list.len(), count);
            }
        }
    }

    #[test]
    fn what_lies_in_it_is_dropped_once() {
        let counted = Rc::new(());
        for count in 0..8 {
            let mut list: Few<Rc<()>, 3> = Few::new();
            for _ in 0..count {
                list.push(Rc::clone(&counted));
            }
            assert_eq!(Rc::strong_count(&counted), count + 1);
            if count > 2 {
                drop(list.remove(1));
                assert_eq!(Rc::strong_count(&counted), count);
            }
            drop(list);
            assert_eq!(Rc::strong_count(&counted), 1);
        }
    }
}
