//! What the tests of hooked calls and those of bad days have in common.

use std::net::{TcpListener, TcpStream};

/// Two ends of a connection, of std.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Gives way until every other coroutine of the runtime waits for something.
pub fn let_others_wait() {
    let runtime = corun::runtime::Handle::try_current().expect("a coroutine");
    let me = corun::current().id();
    loop {
        corun::yield_now();
        let dump = runtime.dump();
        let mut others = dump
            .coroutines()
            .iter()
            .filter(|one| one.coroutine().id() != me);
        if others.all(|one| one.state() == corun::State::Suspended) {
            return;
        }
    }
}
