//! TLS whose received data are decrypted in place.
//!
//! rustls gives each record that it received a `Vec` of its own: an allocation a message, since a
//! gateway sends one message a record in quiet markets. So rustls does the handshake, verifies the
//! server, and hands over the keys ([`rustls::kernel`], which is made for that). Each record is
//! still decrypted, checked and unpadded by rustls's own cipher; this module finds the records in
//! the stream and counts them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::{fmt, mem};

use rustls::client::{ClientConnectionData, Resumption, UnbufferedClientConnection};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::crypto::ring;
use rustls::kernel::KernelConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError};
use rustls::{
    ClientConfig, ConnectionTrafficSecrets, ContentType, ProtocolVersion, RootCertStore,
    SupportedCipherSuite,
};

/// The bytes of a record's head: kind, version, length.
const HEAD: usize = 5;
/// The most data of a record, and the most that a cipher adds.
const RECORD: usize = 16_384;
const ADDED: usize = 2_048;
/// Room for some records.
const ROOM: usize = 4 * (HEAD + RECORD + ADDED);
/// The kinds of messages that come after a handshake.
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// Returns the configuration of a client that trusts those roots.
pub(super) fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    // Tickets are not read, since a link connects a few times a day.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// A TCP stream under TLS.
pub(super) struct TlsStream {
    socket: TcpStream,
    keys: KernelConnection<ClientConnectionData>,
    decrypter: Box<dyn MessageDecrypter>,
    received: u64,
    encrypter: Box<dyn MessageEncrypter>,
    sent: u64,
    /// Bytes of the socket; those in `records` are not decrypted yet.
    buffer: Vec<u8>,
    records: Range<usize>,
    /// The data of the last record, as far as they are not read: in `buffer`.
    data: Range<usize>,
    /// The beginning of a message of TLS itself, whose end has not come.
    handshake: Vec<u8>,
    /// Records that the socket has not taken yet.
    unsent: Vec<u8>,
    is_closed: bool,
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl TlsStream {
    /// Opens TLS to the server of that name, on a socket that waits.
    pub(super) fn open(
        config: Arc<ClientConfig>,
        name: &str,
        mut socket: TcpStream,
    ) -> io::Result<TlsStream> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut connection =
            UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut buffer = vec![0; ROOM];
        let used = shake_hands(&mut connection, &mut socket, &mut buffer)?;
        let (secrets, keys) =
            connection.dangerous_into_kernel_connection().map_err(io::Error::other)?;
        let suite = keys.negotiated_cipher_suite();
        let ((sent, sending), (received, receiving)) = (secrets.tx, secrets.rx);
        Ok(TlsStream {
            socket,
            keys,
            decrypter: decrypter(suite, receiving)?,
            received,
            encrypter: encrypter(suite, sending)?,
            sent,
            buffer,
            records: 0..used,
            data: 0..0,
            handshake: Vec::new(),
            unsent: Vec::new(),
            is_closed: false,
        })
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Returns the place of the next record's content and its kind, if all of it is there.
    fn next_record(&mut self) -> io::Result<Option<(ContentType, Range<usize>)>> {
        let waiting = &self.buffer[self.records.clone()];
        let Some((&[kind, _, _, high, low], rest)) = waiting.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > RECORD + ADDED {
            return Err(invalid("a record that is too long"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let begin = self.records.start + HEAD;
        self.records.start = begin + length;
        Ok(Some((ContentType::from(kind), begin..begin + length)))
    }

    /// Decrypts a record where it is, and keeps the place of its data or does what it says.
    fn take_record(&mut self, kind: ContentType, place: Range<usize>) -> io::Result<()> {
        let origin = self.buffer.as_ptr() as usize;
        let content = &mut self.buffer[place];
        let record = InboundOpaqueMessage::new(kind, ProtocolVersion::TLSv1_2, content);
        let plain = self.decrypter.decrypt(record, self.received).map_err(invalid)?;
        self.received += 1;
        match plain.typ {
            ContentType::ApplicationData => {
                let begin = plain.payload.as_ptr() as usize - origin;
                self.data = begin..begin + plain.payload.len();
                Ok(())
            }
            ContentType::Handshake => {
                self.handshake.extend_from_slice(plain.payload);
                self.take_handshake()
            }
            // Kind 0 is the good end; any other alert is one of an error.
            ContentType::Alert if plain.payload.get(1) == Some(&0) => {
                self.is_closed = true;
                Ok(())
            }
            _ => Err(invalid("an alert, or a record that does not belong there")),
        }
    }

    /// Takes the messages of TLS itself that have come whole.
    fn take_handshake(&mut self) -> io::Result<()> {
        while let Some((&[kind, a, b, c], rest)) = self.handshake.split_first_chunk::<4>() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            let Some(body) = rest.get(..length) else { break };
            let asks = match (kind, body) {
                (NEW_SESSION_TICKET, _) => None,
                (KEY_UPDATE, &[asks @ (0 | 1)]) if rest.len() == length => Some(asks == 1),
                _ => return Err(invalid("a handshake that does not belong there")),
            };
            self.handshake.drain(..4 + length);
            if let Some(asks) = asks {
                self.update_keys(asks)?;
            }
        }
        if self.handshake.len() > RECORD {
            return Err(invalid("a handshake that is too long"));
        }
        Ok(())
    }

    /// Takes the server's next key, and the next of ours if it asks for that.
    fn update_keys(&mut self, asks: bool) -> io::Result<()> {
        let suite = self.keys.negotiated_cipher_suite();
        let (received, secrets) = self.keys.update_rx_secret().map_err(invalid)?;
        (self.decrypter, self.received) = (decrypter(suite, secrets)?, received);
        if asks {
            self.encrypt(ContentType::Handshake, &[KEY_UPDATE, 0, 0, 1, 0])?;
            let (sent, secrets) = self.keys.update_tx_secret().map_err(invalid)?;
            (self.encrypter, self.sent) = (encrypter(suite, secrets)?, sent);
        }
        Ok(())
    }

    fn encrypt(&mut self, typ: ContentType, data: &[u8]) -> io::Result<()> {
        for data in data.chunks(RECORD) {
            let payload = OutboundChunks::Single(data);
            let plain = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
            let record = self.encrypter.encrypt(plain, self.sent).map_err(invalid)?;
            self.sent += 1;
            self.unsent.extend(record.encode());
        }
        Ok(())
    }

    /// Makes room behind what is not decrypted, and reads the socket once.
    fn receive(&mut self) -> io::Result<usize> {
        let waiting = self.records.len();
        self.buffer.copy_within(self.records.clone(), 0);
        self.records = 0..waiting;
        let read = self.socket.read(&mut self.buffer[waiting..])?;
        self.records.end += read;
        Ok(read)
    }
}

impl Read for TlsStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.data.is_empty() && !self.is_closed {
            if let Some((kind, place)) = self.next_record()? {
                self.take_record(kind, place)?;
            } else if self.receive()? == 0 {
                return Ok(0);
            }
        }
        let length = self.data.len().min(into.len());
        let (begin, end) = (self.data.start, self.data.start + length);
        into[..length].copy_from_slice(&self.buffer[begin..end]);
        self.data.start = end;
        Ok(length)
    }
}

impl Write for TlsStream {
    /// Takes all or nothing: nothing while the socket has not taken what came before.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        self.encrypt(ContentType::ApplicationData, bytes)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => drop(self.unsent.drain(..written)),
            }
        }
        Ok(())
    }
}

/// Does the handshake. Returns how many bytes of the buffer came behind it.
fn shake_hands(
    connection: &mut UnbufferedClientConnection,
    socket: &mut TcpStream,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let (mut used, mut out) = (0, Vec::new());
    loop {
        let status = connection.process_tls_records(&mut buffer[..used]);
        let (discard, mut is_done, mut is_waiting) = (status.discard, false, false);
        match status.state.map_err(invalid)? {
            ConnectionState::EncodeTlsData(mut data) => {
                let begin = out.len();
                if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                    out.resize(begin + size.required_size, 0);
                    data.encode(&mut out[begin..]).map_err(io::Error::other)?;
                }
            }
            ConnectionState::TransmitTlsData(data) => {
                socket.write_all(&mem::take(&mut out))?;
                data.done();
            }
            ConnectionState::BlockedHandshake => is_waiting = true,
            ConnectionState::WriteTraffic(_) => is_done = true,
            ConnectionState::PeerClosed | ConnectionState::Closed => {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            _ => return Err(invalid("data before the handshake is done")),
        }
        buffer.copy_within(discard..used, 0);
        used -= discard;
        if is_done {
            return Ok(used);
        }
        if is_waiting {
            match socket.read(&mut buffer[used..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => used += read,
            }
        }
    }
}

fn parts(secrets: ConnectionTrafficSecrets) -> io::Result<(AeadKey, Iv)> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => Ok((key, iv)),
        _ => Err(io::Error::other("a cipher that is not known")),
    }
}

fn decrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> io::Result<Box<dyn MessageDecrypter>> {
    let (key, iv) = parts(secrets)?;
    Ok(match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let fixed = suite.aead_alg.key_block_shape().fixed_iv_len;
            suite.aead_alg.decrypter(key, &iv.as_ref()[..fixed])
        }
    })
}

fn encrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> io::Result<Box<dyn MessageEncrypter>> {
    let (key, iv) = parts(secrets)?;
    Ok(match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let fixed = suite.aead_alg.key_block_shape().fixed_iv_len;
            let (fixed, explicit) = iv.as_ref().split_at(fixed);
            suite.aead_alg.encrypter(key, fixed, explicit)
        }
    })
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use rustls::crypto::CryptoProvider;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    type Server = StreamOwned<ServerConnection, TcpStream>;

    /// Starts a server with one cipher suite, and opens a stream to it.
    fn open(
        suite: SupportedCipherSuite,
        serve: impl FnOnce(Server) + Send + 'static,
    ) -> (TlsStream, JoinHandle<()>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            serve(StreamOwned::new(connection, listener.accept().unwrap().0));
        });
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let socket = TcpStream::connect(address).unwrap();
        (TlsStream::open(client(roots).unwrap(), "localhost", socket).unwrap(), server)
    }

    /// The suites for which a certificate of elliptic curves is good.
    fn suites() -> impl Iterator<Item = SupportedCipherSuite> {
        let all = ring::ALL_CIPHER_SUITES.iter().copied();
        all.filter(|suite| !format!("{suite:?}").contains("RSA"))
    }

    #[test]
    fn data_go_both_ways_in_every_suite_and_over_new_keys() {
        const BLOCK: usize = 3 * RECORD + 77;
        assert_eq!(suites().count(), 6);
        for suite in suites() {
            let (mut stream, server) = open(suite, move |mut server: Server| {
                let mut block = vec![0; BLOCK];
                for _ in 0..3 {
                    server.read_exact(&mut block).unwrap();
                    server.write_all(&block).unwrap();
                    if suite.tls13().is_some() {
                        // It asks for a new key of ours as well.
                        server.conn.refresh_traffic_keys().unwrap();
                    }
                }
                server.conn.send_close_notify();
                server.flush().unwrap();
                assert_eq!(server.sock.read(&mut [0; 1]).unwrap_or(0), 0);
            });
            for round in 0..3_u8 {
                let block: Vec<u8> = (0..BLOCK).map(|place| place as u8 ^ round).collect();
                stream.write_all(&block).unwrap();
                stream.flush().unwrap();
                let mut back = vec![0; BLOCK];
                stream.read_exact(&mut back).unwrap();
                assert!(back == block, "{suite:?}, round {round}");
            }
            assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0, "it has said that it closes");
            drop(stream);
            server.join().unwrap();
        }
    }

    #[test]
    fn a_record_that_nobody_encrypted_ends_the_stream() {
        let forged: [&[u8]; 4] = [
            &[23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
            &[21, 3, 3, 0, 2, 1, 0], // a close notification in plain
            &[20, 3, 3, 0, 1, 1],
            &[23, 3, 3, 0xff, 0xff],
        ];
        for suite in suites() {
            for forged in forged {
                let (mut stream, server) = open(suite, move |mut server: Server| {
                    server.write_all(b"good").unwrap();
                    server.sock.write_all(forged).unwrap();
                    server.sock.write_all(&[0; 64]).unwrap();
                    _ = server.sock.read(&mut [0; 1]);
                });
                let mut good = [0; 4];
                stream.read_exact(&mut good).unwrap();
                let error = stream.read(&mut good).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{suite:?}: {error}");
                drop(stream);
                server.join().unwrap();
            }
        }
    }
}
