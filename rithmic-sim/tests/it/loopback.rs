//! The gateway on sockets, with the client of this repository.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use algospace_hft_rithmic::credentials::Credentials;
use algospace_hft_rithmic::edge::{Connection, Connector, Event, now};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Plant};
use algospace_hft_rithmic::wire::body;
use rithmic_sim::{Gateway, Market, Server, Settings, certificates};

use crate::machine::{subscription, ticks};

#[test]
fn a_client_sees_each_trade_of_the_file_with_and_without_tls() {
    for has_tls in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        let tls = has_tls.then(|| certificates::create(&authority).unwrap());
        let settings = Settings { speed: f64::INFINITY, ..Settings::default() };
        let market = Market::of_ticks("ES", ticks(3_000)).unwrap();
        let gateway = Gateway::new(settings, market);
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), tls, gateway).unwrap();
        let url = server.url();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || server.run(&flag, |_| ()).unwrap());
        let connector = Connector::new(&url, has_tls.then_some(authority.as_path())).unwrap();
        let credentials = Credentials {
            user: "paper".to_owned(),
            password: "paper".to_owned().into(),
            system: "Rithmic Simulator".to_owned(),
            application: "test".to_owned(),
            version: "1".to_owned(),
        };
        let link = Link::new(Plant::Ticker, LinkSettings::default(), 1);
        let mut connection = Connection::new(link, Arc::new(connector), credentials);
        connection.keep(body(&subscription("ESZ3", true)), now());
        let mut logins = Logins::new(Duration::ZERO);
        let mut seen = Vec::new();
        let begun = now();
        while seen.len() < 3_000 {
            connection.poll(now(), &mut logins, &mut |event| match event {
                Event::Trade(trade) => seen.push((
                    trade.trade_price().unwrap(),
                    trade.trade_size().unwrap() as u32,
                    trade.exchange_time(Default::default()).unwrap(),
                )),
                Event::Quote(_) | Event::Changed(_) => {}
                other => panic!("{other:?}"),
            });
            assert!(now().since(begun) < Duration::from_secs(60));
        }
        let expected = ticks(3_000).into_iter();
        let expected = expected.map(|tick| (tick.price.as_f64(), tick.size, tick.time.nanos()));
        assert!(seen.into_iter().eq(expected), "tls {has_tls}");
        stop.store(true, Ordering::Relaxed);
        assert_eq!(thread.join().unwrap().market().position(), 3_000);
    }
}
