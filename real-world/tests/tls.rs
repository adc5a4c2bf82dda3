//! `rustls`, which knows only `Read` and `Write`, over `corun::net::TcpStream`: client and server are coroutines on stacks of the
//! default size.

use std::io::{self, Read, Write};
use std::sync::Arc;

use corun::net::{TcpListener, TcpStream};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

const SIZE: usize = 8 << 20;

/// The two ends' configurations, with a certificate made for this test.
fn configure() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server.expect("they match")), Arc::new(client))
}

/// Byte `index` of what connection `number` carries.
fn byte(number: usize, index: usize) -> u8 {
    (index * 31 + index / 251 + number) as u8
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    number: usize,
    size: usize,
) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = [0; 4];
    stream.read_exact(&mut request)?;
    assert_eq!(&request, b"send");
    let data: Vec<u8> = (0..size).map(|index| byte(number, index)).collect();
    stream.write_all(&data)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn fetch(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    number: usize,
    size: usize,
) -> io::Result<()> {
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b"send")?;
    let mut data = Vec::new();
    stream.read_to_end(&mut data)?;
    assert_eq!(data.len(), size);
    assert!(
        data.iter()
            .enumerate()
            .all(|(index, &found)| found == byte(number, index))
    );
    Ok(())
}

/// `connections` transfers at once, of `size` bytes each.
fn transfer(connections: usize, size: usize) {
    let (server, client) = configure();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    corun::scope(|scope| {
        for number in 0..connections {
            let (server, client) = (Arc::clone(&server), Arc::clone(&client));
            let far = TcpStream::connect(addr).expect("connect");
            let (near, _) = listener.accept().expect("accept");
            scope.spawn(move || serve(near, server, number, size).expect("server"));
            scope.spawn(move || fetch(far, client, number, size).expect("client"));
        }
    });
}

#[test]
fn a_large_transfer() {
    transfer(1, SIZE);
}

#[test]
fn many_handshakes_at_once() {
    transfer(50, 50_000);
}
