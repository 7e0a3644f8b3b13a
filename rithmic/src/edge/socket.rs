//! A WebSocket that never waits, once it is open.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, HandshakeError, Message, WebSocket};

use super::tls::{self, TlsStream};
use crate::wire::LONGEST;

/// The reason that there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("{0}: ws://host:port or wss://host:port is expected")]
    Address(String),
    /// The certificate authorities cannot be read.
    #[error("certificate authorities{}: {error}", path.as_ref().map_or_else(String::new, |path| format!(" of {}", path.display())))]
    Authorities {
        /// Their file; `None` for the machine's own.
        path: Option<PathBuf>,
        /// The reason.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The connection failed.
    #[error(transparent)]
    Stream(#[from] io::Error),
    /// The other side speaks no WebSocket.
    #[error(transparent)]
    Handshake(Box<tungstenite::Error>),
}

/// Opens sockets to one address.
#[derive(Debug)]
pub struct Connector {
    url: String,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// Creates a connector to `ws://` or `wss://`. With the latter the server is verified: by the
    /// authorities of the file (PEM), or else by the machine's.
    ///
    /// # Errors
    /// If the address is invalid or there are no authorities.
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Connector, ConnectError> {
        let invalid = || ConnectError::Address(url.to_owned());
        let request = url.into_client_request().map_err(|_| invalid())?;
        let host = request.uri().host().ok_or_else(invalid)?;
        let (tls, port) = match request.uri().scheme_str() {
            Some("ws") => (None, 80),
            Some("wss") => (Some(tls::client(roots(authorities)?)?), 443),
            _ => return Err(invalid()),
        };
        let port = request.uri().port_u16().unwrap_or(port);
        // An IPv6 address is in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Connector { url: url.to_owned(), host, port, tls })
    }

    /// Opens a socket. This waits, for some multiple of that time at most; the socket then does
    /// not.
    ///
    /// # Errors
    /// If nobody listens, or is who the certificate should name, or speaks WebSocket.
    pub fn open(&self, patience: Duration) -> Result<Socket, ConnectError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
        let mut reached = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(stream) => {
                    reached = Some(stream);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = reached.ok_or(last)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let stream = match &self.tls {
            Some(config) => {
                let stream = TlsStream::open(Arc::clone(config), &self.host, stream)?;
                Stream::Tls(Box::new(stream))
            }
            None => Stream::Plain(stream),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST + 4))
            .max_frame_size(Some(LONGEST + 4));
        let opened = tungstenite::client::client_with_config(&self.url, stream, Some(config));
        let (socket, _) = opened.map_err(|error| match error {
            HandshakeError::Failure(error) => ConnectError::Handshake(Box::new(error)),
            HandshakeError::Interrupted(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
        })?;
        socket.get_ref().tcp().set_nonblocking(true)?;
        Ok(Socket { socket })
    }
}

fn roots(path: Option<&Path>) -> Result<RootCertStore, ConnectError> {
    let failed = |error| ConnectError::Authorities { path: path.map(Path::to_owned), error };
    let Some(file) = path else { return native_tls::trusted_roots().map_err(failed) };
    let certificates = CertificateDer::pem_file_iter(file).map_err(io::Error::other);
    let mut roots = RootCertStore::empty();
    for certificate in certificates.map_err(failed)? {
        let certificate = certificate.map_err(|error| failed(io::Error::other(error)))?;
        roots.add(certificate).map_err(|error| failed(io::Error::other(error)))?;
    }
    if roots.is_empty() {
        return Err(failed(io::Error::other("there is no certificate in it")));
    }
    Ok(roots)
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<Stream>,
}

/// A message or sign that came.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A binary message.
    Frame(Bytes),
    /// A text, which no gateway sends.
    Text,
    /// A ping, which is answered, or a pong.
    Sign,
}

impl Socket {
    /// Returns what came next; `None` if nothing is there.
    ///
    /// # Errors
    /// If the socket is closed or broken. It is of no further use then.
    #[inline]
    pub fn receive(&mut self) -> Result<Option<Received>, Box<tungstenite::Error>> {
        match self.socket.read() {
            Ok(Message::Binary(frame)) => Ok(Some(Received::Frame(frame))),
            Ok(Message::Text(_)) => Ok(Some(Received::Text)),
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(Some(Received::Sign)),
            Ok(Message::Close(_) | Message::Frame(_)) => {
                Err(Box::new(tungstenite::Error::ConnectionClosed))
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(None)
            }
            Err(error) => Err(Box::new(error)),
        }
    }

    /// Sends a frame, as far as the kernel takes it now; the rest goes with what is sent or flushed
    /// later.
    ///
    /// # Errors
    /// If the socket is closed or broken.
    pub fn send(&mut self, frame: impl Into<Bytes>) -> Result<(), Box<tungstenite::Error>> {
        self.message(Message::Binary(frame.into()))
    }

    /// Sends a ping, as a frame is sent.
    ///
    /// # Errors
    /// If the socket is closed or broken.
    pub fn ping(&mut self) -> Result<(), Box<tungstenite::Error>> {
        self.message(Message::Ping(Bytes::new()))
    }

    /// Says that it closes, and does not wait for an answer.
    pub fn close(mut self) {
        _ = self.socket.close(None);
        _ = self.socket.flush();
    }

    /// Sends what is left of earlier sending.
    ///
    /// # Errors
    /// If the socket is closed or broken.
    pub fn flush(&mut self) -> Result<(), Box<tungstenite::Error>> {
        unless_waiting(self.socket.flush())
    }

    fn message(&mut self, message: Message) -> Result<(), Box<tungstenite::Error>> {
        unless_waiting(self.socket.send(message))
    }
}

fn unless_waiting(done: tungstenite::Result<()>) -> Result<(), Box<tungstenite::Error>> {
    match done {
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        done => done.map_err(Box::new),
    }
}

/// A stream with or without TLS.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.socket(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
