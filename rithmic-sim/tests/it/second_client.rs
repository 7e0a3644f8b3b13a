//! The client of the crate `rithmic-rs`, which nobody here wrote, at the order plant and the P&L
//! plant.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use algospace_hft_rithmic::wire::rti::messages::RithmicMessage;
use rithmic_rs::{
    ConnectStrategy, FillHistoryRange, OrderSide, OrderType, RithmicAccount, RithmicBracketOrder,
    RithmicConfig, RithmicEnv, RithmicOrderPlant, RithmicPnlPlant,
};
use rithmic_sim::{Gateway, Market, Server, Settings};

use crate::machine::ticks;

#[test]
fn a_bracket_is_followed_to_its_end() {
    // A millisecond a trade. The prices move by six ticks in seven of them.
    let settings = Settings { speed: 1_000.0, ..Settings::default() };
    let gateway = Gateway::new(settings, Market::of_ticks("ES", ticks(20_000)).unwrap());
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, gateway).unwrap();
    let url = server.url();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let thread = std::thread::spawn(move || server.run(&flag, |_| ()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let patience = Duration::from_secs(60);
    runtime.block_on(async { tokio::time::timeout(patience, trade(&url)).await.unwrap() });
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

async fn trade(url: &str) {
    let config = config(url);
    let account = RithmicAccount::new("SIM", "SIM", "SIM-1");
    let plant = RithmicOrderPlant::connect(&config, ConnectStrategy::Simple).await.unwrap();
    let mut handle = plant.get_handle(&account);
    handle.login().await.unwrap();
    handle.subscribe_order_updates().await.unwrap();
    handle.subscribe_bracket_updates().await.unwrap();
    assert_eq!(handle.trade_route_for("CME").await.unwrap(), "simulator");
    let order = RithmicBracketOrder::new()
        .symbol("ESZ3")
        .exchange("CME")
        .quantity(1)
        .action(OrderSide::Buy)
        .price_type(OrderType::Market)
        .target(2)
        .stop(400)
        .localid("entry")
        .build()
        .unwrap();
    let answers = handle.place_bracket_order(order).await.unwrap();
    let RithmicMessage::ResponseBracketOrder(answer) = &answers[0].message else {
        panic!("not an answer to a bracket: {answers:?}");
    };
    let entry = answer.basket_id.clone().unwrap();

    // Steps of entry, stop and target, and what the exchange filled.
    let (mut steps, mut fills, mut brackets) = ([const { Vec::new() }; 3], Vec::new(), 0);
    while steps.iter().any(|steps: &Vec<i32>| steps.last() != Some(&15)) {
        let update = handle.subscription_receiver.recv().await.unwrap();
        assert!(update.error.is_none(), "{update:?}");
        match update.message {
            RithmicMessage::RithmicOrderNotification(step) => {
                let is_stop = step.trigger_price.is_some();
                let is_entry = step.basket_id() == entry;
                assert!(is_entry || step.original_basket_id() == entry);
                let place = if is_entry { 0 } else { 2 - usize::from(is_stop) };
                steps[place].push(step.notify_type.unwrap());
            }
            RithmicMessage::ExchangeOrderNotification(event) if event.fill_id.is_some() => {
                fills.push((event.fill_id.clone(), event.fill_price()));
            }
            RithmicMessage::BracketUpdates(_) => brackets += 1,
            _ => {}
        }
    }
    assert_eq!(steps, [vec![1, 7, 10, 13, 15], vec![1, 7, 10, 18, 15], vec![1, 7, 10, 13, 15]]);
    assert_eq!((fills.len(), fills[1].1 - fills[0].1, brackets), (2, 0.5, 1));

    let all = FillHistoryRange::ssboe(0, i32::MAX);
    let rows = handle.show_fill_history(all, None).await.unwrap();
    let row = |message: &RithmicMessage| match message {
        RithmicMessage::ResponseShowFillHistory(row) if row.fill_id.is_some() => {
            Some((row.fill_id.clone(), row.fill_price()))
        }
        _ => None,
    };
    assert!(rows.iter().filter_map(|answer| row(&answer.message)).eq(fills));
    check_profit(&config, &account).await;
}

/// One bracket was won, by two ticks.
async fn check_profit(config: &RithmicConfig, account: &RithmicAccount) {
    let plant = RithmicPnlPlant::connect(config, ConnectStrategy::Simple).await.unwrap();
    let mut profit = plant.get_handle(account);
    profit.login().await.unwrap();
    profit.get_pnl_position_snapshot().await.unwrap();
    loop {
        let update = profit.subscription_receiver.recv().await.unwrap();
        if let RithmicMessage::InstrumentPnLPositionUpdate(position) = update.message {
            let closed = position.closed_position_pnl();
            return assert_eq!((position.net_quantity(), closed), (0, "25"));
        }
    }
}

fn config(url: &str) -> RithmicConfig {
    RithmicConfig::builder(RithmicEnv::Test)
        .url(url)
        .beta_url(url)
        .user("paper")
        .password("paper")
        .system_name("Rithmic Simulator")
        .app_name("test")
        .app_version("1")
        .build()
        .unwrap()
}
