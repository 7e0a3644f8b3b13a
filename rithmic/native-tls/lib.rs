//! Stands in for the crate `native-tls`: the part of its interface that `tokio-tungstenite` and
//! `tokio-native-tls` call, over rustls.
//!
//! `rithmic-rs` knows no other way to TLS. With the crate of that name it would need OpenSSL's
//! headers on every machine that builds it, and every program would hold two TLS libraries.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

/// Returns the roots that this machine trusts, or those of the file that `SSL_CERT_FILE` names.
///
/// # Errors
/// If none can be read.
pub fn trusted_roots() -> io::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(io::Error::other(format!(
            "the machine has no trusted certificate authorities (install ca-certificates, or name \
             a file in SSL_CERT_FILE){why}"
        )));
    }
    Ok(roots)
}

/// An error of TLS or of the stream below it.
#[derive(Debug)]
pub struct Error(io::Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error(error)
    }
}

/// The reason that a handshake is not done.
#[derive(Debug)]
pub enum HandshakeError<S> {
    /// It failed.
    Failure(Error),
    /// The stream below has nothing to read, or takes nothing, at the moment.
    WouldBlock(MidHandshakeTlsStream<S>),
}

impl<S> From<io::Error> for HandshakeError<S> {
    fn from(error: io::Error) -> HandshakeError<S> {
        HandshakeError::Failure(error.into())
    }
}

/// A handshake under way.
pub struct MidHandshakeTlsStream<S>(TlsStream<S>);

impl<S> fmt::Debug for MidHandshakeTlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MidHandshakeTlsStream").finish_non_exhaustive()
    }
}

impl<S: Read + Write> MidHandshakeTlsStream<S> {
    /// Continues the handshake.
    ///
    /// # Errors
    /// If it fails, or must wait again.
    pub fn handshake(mut self) -> Result<TlsStream<S>, HandshakeError<S>> {
        while self.0.connection.is_handshaking() {
            match self.0.connection.complete_io(&mut self.0.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(HandshakeError::WouldBlock(self));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.0)
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// The stream below.
    pub fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }
}

/// Opens TLS on streams.
#[derive(Clone, Debug)]
pub struct TlsConnector(Arc<ClientConfig>);

impl TlsConnector {
    /// Creates a connector that verifies the server by the machine's trusted roots.
    ///
    /// # Errors
    /// If there are no roots.
    pub fn new() -> Result<TlsConnector, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(trusted_roots()?)
            .with_no_client_auth();
        Ok(TlsConnector(Arc::new(config)))
    }

    /// Opens TLS to the server of that name.
    ///
    /// # Errors
    /// If the handshake fails, or must wait.
    pub fn connect<S: Read + Write>(
        &self,
        domain: &str,
        stream: S,
    ) -> Result<TlsStream<S>, HandshakeError<S>> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let connection = Box::new(connection);
        MidHandshakeTlsStream(TlsStream { connection, stream }).handshake()
    }
}

/// A stream under TLS.
pub struct TlsStream<S> {
    connection: Box<ClientConnection>, // large, and moved with each step of a handshake
    stream: S,
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}

impl<S> TlsStream<S> {
    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream below.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: Read + Write> TlsStream<S> {
    /// Tells the other side that nothing more comes.
    ///
    /// # Errors
    /// Of the stream below.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()
    }
}

impl<S: Read + Write> TlsStream<S> {
    fn open(&mut self) -> Stream<'_, ClientConnection, S> {
        Stream::new(&mut self.connection, &mut self.stream)
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.open().read(buffer)
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open().flush()
    }
}

/// A server's side, which nothing here has.
#[derive(Clone, Debug)]
pub enum TlsAcceptor {}

impl TlsAcceptor {
    /// Never called: there is no acceptor.
    ///
    /// # Errors
    /// None.
    pub fn accept<S>(&self, _stream: S) -> Result<TlsStream<S>, HandshakeError<S>> {
        match *self {}
    }
}
