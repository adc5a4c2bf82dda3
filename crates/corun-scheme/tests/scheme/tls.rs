//! HTTPS with an authority of one's own.

use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use corun::net::TcpListener;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Request, Script, answer, command, run};

/// A server for `localhost`. Returns its port, and the certificate of the authority that vouches for it, in PEM.
fn serve() -> (u16, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    corun::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let config = Arc::clone(&config);
            corun::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut reader = BufReader::new(StreamOwned::new(connection, stream));
                while let Ok(request) = Request::read(&mut reader) {
                    let body = format!("secret of {}", request.path);
                    if reader
                        .get_mut()
                        .write_all(&answer("200 OK", "", &body))
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    (port, authority_certificate.pem())
}

struct Certificate(PathBuf);

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn https_with_an_authority_of_ones_own() {
    let (port, pem) = serve();
    let file = Certificate(
        std::env::temp_dir().join(format!("corun-scheme-ca-{}.pem", std::process::id())),
    );
    std::fs::write(&file.0, pem).unwrap();
    let authority = file.0.to_str().unwrap();
    let script = Script::new(&format!(
        r#"
        (for-each
          (lambda (n)
            (g_http-async-get "https://localhost:{port}/page" '()
              (lambda (r) (displayln (if (http-error? r) "not trusted" (http-body r))))))
          (range 0 3))
        "#
    ));
    let path = script.path.to_str().unwrap();
    let trusted = "secret of /page\nsecret of /page\nsecret of /page";
    run(&mut command(&["--ca", authority, path]), "").prints(trusted);
    run(command(&[path]).env("CORUN_SCHEME_CA", authority), "").prints(trusted);
    run(&mut command(&[path]), "").prints("not trusted\nnot trusted\nnot trusted");
}
