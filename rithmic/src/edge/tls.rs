//! TLS by rustls, over a socket that waits until the handshake is done.
//!
//! rustls gives each record that it received a `Vec` of its own: with one message a record, which
//! is what a gateway sends in quiet markets, that is the one allocation a message.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A TCP stream under TLS.
pub(super) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Returns the configuration of a client that trusts those roots.
pub(super) fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens TLS to the server of that name.
pub(super) fn open(
    config: Arc<ClientConfig>,
    name: &str,
    socket: TcpStream,
) -> io::Result<TlsStream> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}
