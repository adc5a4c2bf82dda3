//! What the hooks do, in one program.

mod common;
mod locks;
mod sleeping;
mod sockets;
