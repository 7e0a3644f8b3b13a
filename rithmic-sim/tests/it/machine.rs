//! The gateway as a machine, in virtual time.

use algospace_hft::market::{Price, Side, Tick, Timestamp};
use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::wire::prost::Message;
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode, rti};
use rithmic_sim::{ClientId, Gateway, Input, Market, Output, Settings};

pub const SECOND: u64 = 1_000_000_000;
/// 2023-11-15, 14:30 UTC, in the regular session of a day on which ESZ3 is in front.
pub const OPEN: i64 = 1_700_058_600 * SECOND as i64;

/// Trades of ES, each a second after the one before.
pub fn ticks(count: i64) -> Vec<Tick> {
    let tick = |place: i64| {
        let time = Timestamp::from_nanos(OPEN + place * SECOND as i64 + 123_456_789);
        let price = Price::from_units((18_000 + place % 7) * Price::SCALE / 4);
        let side = if place % 2 == 0 { Side::Buy } else { Side::Sell };
        Tick::new(time, price, 1 + (place % 3) as u32).with_aggressor(Some(side))
    };
    (0..count).map(tick).collect()
}

/// The request for trades and quotes of a contract.
pub fn subscription(symbol: &str, subscribe: bool) -> rti::RequestMarketDataUpdate {
    let mut request = rti::RequestMarketDataUpdate::default();
    (request.symbol, request.exchange) = (Some(symbol.to_owned()), Some("CME".to_owned()));
    request.request = Some(if subscribe { 1 } else { 2 });
    request.update_bits = Some(1 | 2);
    request
}

fn gateway(settings: Settings, count: i64, past: i64) -> Gateway {
    let mut market = Market::of_ticks("ES", ticks(count)).unwrap();
    market.start_at(Timestamp::from_nanos(OPEN + past * SECOND as i64));
    Gateway::new(settings, market)
}

/// Lets a client send a message, and returns what the gateway does: templates, codes, and bytes.
fn ask<M: Template>(
    gateway: &mut Gateway,
    client: ClientId,
    message: &M,
    now: u64,
) -> Vec<(ClientId, i32, String, Vec<u8>)> {
    gateway.on(Input::Frame(client, &encode(message, Some(7))), Monotonic(now));
    told(gateway)
}

fn told(gateway: &mut Gateway) -> Vec<(ClientId, i32, String, Vec<u8>)> {
    let tell = |output| match output {
        Output::Close(client) => (client, 0, "close".to_owned(), Vec::new()),
        Output::Reset(client) => (client, 0, "reset".to_owned(), Vec::new()),
        Output::Text(client, text) => (client, 0, text, Vec::new()),
        Output::Send(client, frame) => {
            let (template, code) = match decode(&frame[4..]).unwrap() {
                Incoming::Trade(_) => (150, String::new()),
                Incoming::Quote(_) => (151, String::new()),
                Incoming::Other(envelope, _) => {
                    (envelope.template, envelope.code.unwrap_or("").to_owned())
                }
            };
            (client, template, code, frame[4..].to_vec())
        }
    };
    gateway.outputs().map(tell).collect()
}

/// The right login to a plant.
pub fn login(plant: i32) -> rti::RequestLogin {
    let mut login = rti::RequestLogin::default();
    (login.user, login.password) = (Some("paper".to_owned()), Some("paper".to_owned()));
    (login.system_name, login.infra_type) = (Some("Rithmic Simulator".to_owned()), Some(plant));
    login
}

/// Connects a client and logs it in.
pub fn connected(gateway: &mut Gateway, client: ClientId, plant: i32) {
    gateway.on(Input::Connect(client), Monotonic(0));
    let answer = ask(gateway, client, &login(plant), 0);
    assert_eq!((answer.last().unwrap().1, answer.last().unwrap().2.as_str()), (11, "0"));
}

#[test]
fn nothing_is_answered_before_the_right_login_and_a_second_one_ends_the_first() {
    let mut gateway = gateway(Settings::default(), 10, 0);
    gateway.on(Input::Connect(1), Monotonic(0));
    let told = ask(&mut gateway, 1, &subscription("ESZ3", true), 0);
    assert_eq!((told[0].1, told[0].2.as_str()), (75, "13"));
    for wrong in 0..3 {
        let mut login = login(1);
        let field = [&mut login.user, &mut login.password, &mut login.system_name];
        *field.into_iter().nth(wrong).unwrap() = Some("wrong".to_owned());
        let told = ask(&mut gateway, 1, &login, 0);
        assert_eq!((told.len(), told[0].1, told[0].2.as_str()), (1, 11, "13"));
    }
    connected(&mut gateway, 1, 1);
    connected(&mut gateway, 2, 3);
    gateway.on(Input::Connect(3), Monotonic(0));
    let told = ask(&mut gateway, 3, &login(1), 0);
    let told: Vec<_> = told.iter().map(|(client, template, ..)| (*client, *template)).collect();
    assert_eq!(told, [(1, 77), (1, 0), (3, 11)]);
}

#[test]
fn the_market_begins_with_a_subscription_and_keeps_its_times() {
    let mut gateway = gateway(Settings { speed: 2.0, ..Settings::default() }, 10, 4);
    connected(&mut gateway, 1, 1);
    gateway.on(Input::Time, Monotonic(1_000 * SECOND));
    assert!(told(&mut gateway).is_empty() && gateway.due().is_none());
    let begun = 2_000 * SECOND;
    let answer = ask(&mut gateway, 1, &subscription("ESZ3", true), begun);
    let templates: Vec<_> = answer.iter().map(|told| told.1).collect();
    // The answer, the last trade of the past as a snapshot, and the first that is due.
    assert_eq!(templates, [101, 150, 150]);
    let volume = |bytes: &[u8]| rti::LastTrade::decode(bytes).unwrap().volume.unwrap();
    let sizes: Vec<u64> = ticks(10).iter().map(|tick| u64::from(tick.size)).collect();
    assert_eq!(volume(&answer[1].3), sizes[..4].iter().sum::<u64>());
    assert_eq!(volume(&answer[2].3), sizes[..5].iter().sum::<u64>());
    // The second after comes half a second later.
    assert_eq!(gateway.due(), Some(Monotonic(begun + SECOND / 2)));
    gateway.on(Input::Time, Monotonic(begun + SECOND / 2 - 1));
    assert!(told(&mut gateway).is_empty());
    gateway.on(Input::Time, Monotonic(begun + SECOND / 2));
    let next = told(&mut gateway);
    assert_eq!((next.len(), volume(&next[0].3)), (1, sizes[..6].iter().sum::<u64>()));
    assert_eq!(ask(&mut gateway, 1, &subscription("ESZ3", false), begun + SECOND / 2).len(), 1);
    gateway.on(Input::Time, Monotonic(begun + SECOND));
    assert!(told(&mut gateway).is_empty());
    assert_eq!(gateway.market().position(), 7);
}

#[test]
fn the_front_month_is_a_contract_that_can_be_subscribed_to() {
    let mut gateway = gateway(Settings::default(), 10, 0);
    connected(&mut gateway, 1, 1);
    let mut request = rti::RequestFrontMonthContract::default();
    (request.symbol, request.exchange) = (Some("ES".to_owned()), Some("CME".to_owned()));
    let told = ask(&mut gateway, 1, &request, 0);
    let answer = rti::ResponseFrontMonthContract::decode(&told[0].3[..]).unwrap();
    assert_eq!((answer.user_msg, answer.trading_symbol), (vec!["7".into()], Some("ESZ3".into())));
    assert_eq!(ask(&mut gateway, 1, &subscription("ESH4", true), 0)[0].2, "7");
}

#[test]
fn history_has_the_past_alone_and_is_cut_and_continued() {
    let mut settings = Settings::default();
    settings.script.quirks.history_rows = 10;
    let mut gateway = gateway(settings, 60, 25);
    connected(&mut gateway, 1, 3);
    let mut request = rti::RequestTickBarReplay::default();
    (request.symbol, request.exchange) = (Some("ESZ3".to_owned()), Some("CME".to_owned()));
    (request.bar_type, request.bar_type_specifier) = (Some(1), Some("1".to_owned()));
    request.resume_bars = Some(true);
    let mut prices = Vec::new();
    let mut pages = 0;
    let mut rows = ask(&mut gateway, 1, &request, 0);
    loop {
        pages += 1;
        let (_, template, code, end) = rows.pop().unwrap();
        assert_eq!(template, 207);
        let row = |bytes: &[u8]| rti::ResponseTickBarReplay::decode(bytes).unwrap();
        let is_row = |told: &&(ClientId, i32, String, Vec<u8>)| told.1 == 207;
        prices.extend(rows.iter().filter(is_row).map(|told| row(&told.3).close_price.unwrap()));
        if code == "0" {
            break;
        }
        let mut resume = rti::RequestResumeBars::default();
        resume.request_key = row(&end).request_key;
        rows = ask(&mut gateway, 1, &resume, 0);
    }
    assert_eq!(pages, 3);
    assert!(prices.into_iter().eq(ticks(25).iter().map(|tick| tick.price.as_f64())));
}

#[test]
fn minutes_are_the_sums_of_their_trades() {
    let mut gateway = gateway(Settings::default(), 200, 150);
    connected(&mut gateway, 1, 3);
    let mut request = rti::RequestTimeBarReplay::default();
    (request.symbol, request.exchange) = (Some("ESZ3".to_owned()), Some("CME".to_owned()));
    (request.bar_type, request.bar_type_period) = (Some(2), Some(1));
    let rows = ask(&mut gateway, 1, &request, 0);
    let open = (OPEN / SECOND as i64) as i32;
    let minutes = rows[..rows.len() - 1].iter().map(|told| {
        let minute = rti::ResponseTimeBarReplay::decode(&told.3[..]).unwrap();
        ((minute.marker.unwrap() - open) / 60, minute.volume.unwrap())
    });
    let volume = |from, to| ticks(200)[from..to].iter().map(|tick| u64::from(tick.size)).sum();
    let expected = [(1, volume(0, 60)), (2, volume(60, 120)), (3, volume(120, 150))];
    assert!(minutes.eq(expected));
    assert_eq!(rows.last().unwrap().2, "0");
}
