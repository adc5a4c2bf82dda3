//! What the real code asks the platform for.

pub mod fork {
    pub fn generation() -> u32 {
        0
    }
}

/// What the system promises of the pair.
pub mod fences {
    use crate::primitive::atomic::{Ordering, fence};

    pub fn are_cheap() -> bool {
        true
    }

    pub fn light() {
        fence(Ordering::SeqCst);
    }

    pub fn heavy() {
        fence(Ordering::SeqCst);
    }
}

/// Loom's threads keep nothing in thread locals of ours.
pub mod own {
    pub fn will_migrate() {}
}
