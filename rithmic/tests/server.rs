//! A gateway over loopback, small: it takes a login and a subscription, and then sends what it is
//! told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use algospace_hft_rithmic::credentials::Credentials;
use algospace_hft_rithmic::edge::{Connection, Connector, now};
use algospace_hft_rithmic::link::{Link, LinkSettings, Plant};
use algospace_hft_rithmic::wire::{Incoming, Template, body, decode, encode, rti};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempPath;
use tungstenite::{Message, WebSocket};

/// Anything that a WebSocket goes over.
pub trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// The gateway's side of one connection.
pub type Client = WebSocket<Box<dyn Stream>>;

/// A gateway that takes one connection.
pub struct Server {
    /// Its address.
    pub url: String,
    /// The file of its certificate authority, if it has TLS.
    pub authorities: Option<TempPath>,
    /// Its thread.
    pub thread: JoinHandle<()>,
}

impl Server {
    /// Starts a gateway that takes one connection, its login and its subscription, and then does
    /// that.
    pub fn start(tls: bool, serve: impl FnOnce(Client) + Send + 'static) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, authorities) = if tls {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            std::fs::write(&path, made.cert.pem()).unwrap();
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
            (Some(Arc::new(config)), Some(path))
        } else {
            (None, None)
        };
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            if let Some(client) = accept(stream, config) {
                serve(client);
            }
        });
        let scheme = if tls { "wss" } else { "ws" };
        let url = format!("{scheme}://localhost:{port}");
        Server { url, authorities, thread }
    }
}

/// Takes a connection; `None` if the client does not want it.
fn accept(stream: TcpStream, config: Option<Arc<ServerConfig>>) -> Option<Client> {
    stream.set_nodelay(true).unwrap();
    let stream: Box<dyn Stream> = match config {
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
        None => Box::new(stream),
    };
    tungstenite::accept(stream).ok()
}

/// Returns a connection to a gateway's ticker plant, which has a subscription to ask for.
pub fn connection(server: &Server) -> Connection {
    let mut connection = connection_to(server, Plant::Ticker);
    connection.keep(body(&rti::RequestMarketDataUpdate::default()), now());
    connection
}

/// Returns a connection to a plant of a gateway.
pub fn connection_to(server: &Server, plant: Plant) -> Connection {
    let connector = Connector::new(&server.url, server.authorities.as_deref()).unwrap();
    let credentials = Credentials {
        user: "somebody".to_owned(),
        password: "hunter2".to_owned().into(),
        system: "Rithmic Test".to_owned(),
        application: "test".to_owned(),
        version: "1".to_owned(),
    };
    let link = Link::new(plant, LinkSettings::default(), plant as u64);
    Connection::new(link, Arc::new(connector), credentials)
}

/// Answers login and subscription.
pub fn admit(client: &mut Client) {
    for expected in [10, 100] {
        let (template, number) = request(client).expect("a request");
        assert_eq!(template, expected);
        if template == 10 {
            answer_login(client, number, &["0"]);
        } else {
            let mut answer = rti::ResponseMarketDataUpdate::default();
            (answer.user_msg, answer.rp_code) = (vec![number], vec!["0".to_owned()]);
            send(client, &answer);
        }
    }
}

/// Answers a login with that code and text.
pub fn answer_login(client: &mut Client, number: String, code: &[&str]) {
    let mut answer = rti::ResponseLogin::default();
    answer.heartbeat_interval = Some(30.0);
    (answer.user_msg, answer.rp_code) =
        (vec![number], code.iter().map(|it| it.to_string()).collect());
    send(client, &answer);
}

/// Returns template and number of the next message; `None` when the client is gone.
pub fn request(client: &mut Client) -> Option<(i32, String)> {
    loop {
        match client.read() {
            Ok(Message::Binary(frame)) => {
                let Ok(Incoming::Other(envelope, _)) = decode(&frame[4..]) else { panic!() };
                let number = envelope.request.map_or_else(String::new, |number| number.to_string());
                return Some((envelope.template, number));
            }
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Sends a message.
pub fn send<M: Template>(client: &mut Client, message: &M) {
    client.send(Message::Binary(encode(message, None).into())).unwrap();
}

/// Returns the frame of a trade of one contract that brings the volume to that.
pub fn trade(volume: u64) -> Vec<u8> {
    let mut trade = rti::LastTrade::default();
    (trade.symbol, trade.exchange) = (Some("ESZ6".to_owned()), Some("CME".to_owned()));
    trade.presence_bits = Some(1 | 8);
    (trade.trade_price, trade.trade_size) = (Some(4_700.25), Some(1));
    trade.volume = Some(volume);
    (trade.ssboe, trade.usecs) = (Some(1_700_000_000), Some(1));
    encode(&trade, None)
}
