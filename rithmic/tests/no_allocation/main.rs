//! Allocations a message, under an allocator that counts: none, from the socket to the event.

#[path = "../../../tests/no_allocation/counting_allocator/mod.rs"]
mod counting_allocator;
#[path = "../server.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod server;

use algospace_hft_rithmic::edge::{Event, now};
use algospace_hft_rithmic::link::Logins;
use algospace_hft_rithmic::wire::{Incoming, decode, messages};
use counting_allocator::allocations;
use server::{Client, Server, admit, connection, request, trade};
use tungstenite::Message;

#[global_allocator]
static ALLOCATOR: counting_allocator::Counting =
    counting_allocator::Counting(counting_allocator::count);

#[test]
fn decoding_allocates_nothing() {
    let frame = trade(7);
    let before = allocations();
    for _ in 0..1_000 {
        for message in messages(&frame) {
            let Ok(Incoming::Trade(trade)) = message.and_then(decode) else { panic!() };
            assert_eq!(trade.volume(), Some(7));
        }
    }
    assert_eq!(allocations(), before);
}

/// One message in each record of TLS, for each of which rustls alone would allocate.
#[test]
fn receiving_allocates_nothing_with_and_without_tls() {
    const MESSAGES: u64 = 1_500;
    for tls in [false, true] {
        let server = Server::start(tls, |mut client: Client| {
            admit(&mut client);
            for volume in 1..=MESSAGES {
                client.send(Message::Binary(trade(volume).into())).unwrap();
            }
            while request(&mut client).is_some() {}
        });
        let mut connection = connection(&server);
        let mut logins = Logins::new(Logins::SPACING);
        let mut seen = 0;
        let mut since = None;
        while seen < MESSAGES {
            let on = &mut |event: Event<'_>| seen += u64::from(matches!(event, Event::Trade(_)));
            if connection.poll(now(), &mut logins, on) == 0 {
                std::thread::yield_now();
            }
            if seen > 0 && since.is_none() {
                since = Some((seen, allocations()));
            }
        }
        let (warm, before) = since.expect("some have come");
        let (counted, allocated) = (MESSAGES - warm, allocations() - before);
        assert!(counted > 500, "all came at once");
        // A socket's buffer of 128 KiB is replaced when it is used up.
        assert!(allocated <= 5, "tls {tls}: {allocated} for {counted} messages");
        drop(connection);
        server.thread.join().unwrap();
    }
}
