//! The gateway on sockets.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use algospace_hft_rithmic::edge::now;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use crate::{ClientId, Gateway, Input, Output};

/// Anything that a WebSocket goes over.
trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// The longest that one step of opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that the loop waits, so that it sees new connections and the flag that stops it.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// Bytes that a client may leave unread before its connection is given up.
const UNREAD: usize = 64 << 20;

/// The reason that a server ends on its own.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("{address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        error: io::Error,
    },
    /// Sockets cannot be waited for.
    #[error(transparent)]
    Wait(#[from] rustix::io::Errno),
}

struct Client {
    socket: WebSocket<Box<dyn Stream>>,
    /// The same socket, to wait for.
    file: OwnedFd,
    /// `true` if the kernel has not taken all that was sent.
    has_unsent: bool,
    /// `true` if the gateway has been deaf to it, so that what has come is not heard.
    was_mute: bool,
}

type Opened = (WebSocket<Box<dyn Stream>>, OwnedFd);

/// A gateway that listens on an address.
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    gateway: Gateway,
    clients: BTreeMap<ClientId, Client>,
    opened: (Sender<Opened>, Receiver<Opened>),
    last: ClientId,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on an address, of which port 0 means any; with that certificate if there is one.
    ///
    /// # Errors
    /// If the address is taken, or is not of this machine.
    pub fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        gateway: Gateway,
    ) -> Result<Server, ServerError> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = listen().map_err(|error| ServerError::Listen { address, error })?;
        Ok(Server { listener, tls, gateway, clients: BTreeMap::new(), opened: channel(), last: 0 })
    }

    /// Returns the address as clients write it: `wss://localhost:1234`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let port = self.listener.local_addr().map_or(0, |address| address.port());
        format!("{scheme}://localhost:{port}")
    }

    /// Serves until the flag is set, and then closes all connections in order. `on_event` is told
    /// who connects, who leaves, and the faults that happen.
    ///
    /// # Errors
    /// If sockets cannot be waited for.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        mut on_event: impl FnMut(&str),
    ) -> Result<Gateway, ServerError> {
        while !stop.load(Ordering::Relaxed) {
            self.wait()?;
            self.accept();
            while let Ok((socket, file)) = self.opened.1.try_recv() {
                self.last += 1;
                on_event(&format!("client {} connected", self.last));
                self.clients
                    .insert(self.last, Client { socket, file, has_unsent: false, was_mute: false });
                self.gateway.on(Input::Connect(self.last), now());
            }
            for id in self.read() {
                on_event(&format!("client {id} left"));
                self.forget(id);
            }
            self.gateway.on(Input::Time, now());
            for (time, action) in self.gateway.happened() {
                on_event(&format!("fault at {time}: {action:?}"));
            }
            self.act();
        }
        for client in self.clients.values_mut() {
            // The client may be gone.
            _ = client.socket.close(None);
            _ = client.socket.flush();
        }
        Ok(self.gateway)
    }

    /// Waits until a socket has something, the market moves, or a while is over.
    fn wait(&self) -> Result<(), ServerError> {
        let now = now();
        let until = self.gateway.due().map_or(LONGEST_WAIT, |due| due.since(now));
        let until = until.min(LONGEST_WAIT);
        let mut files = vec![PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN)];
        let heard = self.clients.iter().filter(|(id, _)| !self.gateway.is_mute(**id, now));
        files.extend(heard.map(|(_, client)| {
            let unsent = if client.has_unsent { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(client.file.as_fd(), PollFlags::IN | unsent)
        }));
        let until = Timespec { tv_sec: 0, tv_nsec: i64::from(until.subsec_nanos()) };
        match poll(&mut files, Some(&until)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens connections, each on a thread of its own, since a client may be slow.
    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if !self.gateway.admits(now()) {
                continue;
            }
            let (tls, sender) = (self.tls.clone(), self.opened.0.clone());
            std::thread::spawn(move || {
                // A client that speaks no TLS or no WebSocket is dropped, which it notices.
                if let Some(opened) = open(stream, tls) {
                    _ = sender.send(opened);
                }
            });
        }
    }

    /// Reads what has come. Returns the clients that are gone.
    fn read(&mut self) -> Vec<ClientId> {
        let mut gone = Vec::new();
        for (&id, client) in &mut self.clients {
            let is_mute = self.gateway.is_mute(id, now());
            let was_mute = std::mem::replace(&mut client.was_mute, is_mute);
            if is_mute {
                continue;
            }
            loop {
                match client.socket.read() {
                    Ok(Message::Binary(_)) if was_mute => {}
                    Ok(Message::Binary(frame)) => {
                        self.gateway.on(Input::Frame(id, &frame), now());
                    }
                    // Pings and closes are answered below us.
                    Ok(_) => {}
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        gone.push(id);
                        break;
                    }
                }
            }
        }
        gone
    }

    fn forget(&mut self, id: ClientId) {
        self.clients.remove(&id);
        self.gateway.on(Input::Closed(id), now());
    }

    /// Does what the gateway asks for.
    fn act(&mut self) {
        let (mut failed, mut broken) = (Vec::new(), Vec::new());
        for output in self.gateway.outputs() {
            let (id, message) = match output {
                Output::Send(id, frame) => (id, Some(Message::Binary(frame.into()))),
                Output::Text(id, text) => (id, Some(Message::Text(text.into()))),
                Output::Close(id) => (id, None),
                Output::Reset(id) => {
                    broken.push(id);
                    continue;
                }
            };
            let result = self.clients.get_mut(&id).map(|client| match message {
                Some(message) => client.socket.write(message),
                None => client.socket.close(None),
            });
            if result.is_some_and(|result| result.is_err_and(|error| !would_block(&error))) {
                failed.push(id);
            }
        }
        for (&id, client) in &mut self.clients {
            let flushed = client.socket.flush();
            client.has_unsent = flushed.as_ref().is_err_and(would_block);
            if flushed.is_err() && !client.has_unsent {
                failed.push(id);
            }
        }
        for id in failed.into_iter().chain(broken) {
            self.forget(id);
        }
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Opens a connection; `None` if the client does not want it.
fn open(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Option<Opened> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let same = stream.try_clone().ok()?;
    let stream: Box<dyn Stream> = match tls {
        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).ok()?, stream)),
        None => Box::new(stream),
    };
    let config = WebSocketConfig::default().max_write_buffer_size(UNREAD);
    let socket = tungstenite::accept_with_config(stream, Some(config)).ok()?;
    same.set_nonblocking(true).ok()?;
    Some((socket, same.into()))
}
