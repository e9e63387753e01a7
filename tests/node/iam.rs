//! The fake of IAM as pods reach it: by https, under an authority of the test's own. The controller sends nothing to an address that is
//! neither https nor its own loopback.

use std::{io, net::TcpListener, path::Path, sync::Arc, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use test_support::iam::FakeIam;
use tokio::{io::copy_bidirectional, net::TcpStream, runtime};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::node::{ADDRESS, write};

/// Serves an account at `https://ADDRESS:PORT` as long as this process runs, and writes the authority's certificate into a file. Returns
/// the endpoint.
pub fn serve(iam: &FakeIam, authority: &Path) -> String {
    let (certificate, key) = keys(authority);
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let settings = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate for the key");
    let acceptor = TlsAcceptor::from(Arc::new(settings));
    let listener = TcpListener::bind((ADDRESS, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let behind = iam.endpoint().replace("http://", "");
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                // Who leaves in the middle of a call is a part of the story.
                tokio::spawn(async move { pass_on(stream, &acceptor, &behind).await.unwrap_or_default() });
            }
        });
    });
    endpoint
}

async fn pass_on(stream: TcpStream, acceptor: &TlsAcceptor, behind: &str) -> io::Result<()> {
    let mut outside = acceptor.accept(stream).await?;
    let mut inside = TcpStream::connect(behind).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}

/// A certificate for [`ADDRESS`] and its key; that of the authority goes into a file.
fn keys(authority: &Path) -> (rcgen::Certificate, KeyPair) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    write(authority, &ca.self_signed(&ca_key).expect("a certificate").pem());
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new([ADDRESS.to_owned()]).expect("a name");
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).expect("a certificate");
    (certificate, key)
}
