//! The server that is asked: it answers each request after a while. It prints its port, and ends when its standard input does.

use corun_bench_blocking::{ANSWER, DELAY, raise_descriptor_limit};
use std::io::Read;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

fn main() {
    raise_descriptor_limit();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        let bound = socket.bind("127.0.0.1:0".parse().expect("an address"));
        bound.expect("a port");
        let listener = socket.listen(16_384).expect("a listener");
        println!("{}", listener.local_addr().expect("it is bound").port());
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream));
        }
    });
}

async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; 1024];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(count) if count > 0 => filled += count,
            _ => return,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            tokio::time::sleep(DELAY).await;
            if stream.write_all(ANSWER.as_bytes()).await.is_err() {
                return;
            }
            filled = 0;
        }
    }
}
