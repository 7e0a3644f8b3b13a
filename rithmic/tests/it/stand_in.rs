//! rithmic-rs's own client over TLS, which it reaches through our stand-in for `native-tls`.

use std::process::Command;

use rithmic_rs::rti::messages::RithmicMessage;
use rithmic_rs::{ConnectStrategy, RithmicConfig, RithmicEnv, RithmicTickerPlant};
use tungstenite::Message;

use crate::server::{Client, Server, admit, request, trade};

/// The gateway's address, for the child.
const GATEWAY: &str = "STAND_IN_GATEWAY";

#[test]
fn rithmic_rs_logs_in_and_receives_over_the_stand_in() {
    let server = Server::start(true, |mut client: Client| {
        admit(&mut client);
        client.send(Message::Binary(trade(7).into())).unwrap();
        while request(&mut client).is_some() {}
    });
    // The stand-in trusts the file of an environment variable, which belongs to a process.
    let child = |authorities| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stand_in::client", "--ignored"])
            .env(GATEWAY, &server.url)
            .env("SSL_CERT_FILE", authorities)
            .output()
            .unwrap()
    };
    let output = child(server.authorities.as_deref().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    server.thread.join().unwrap();
}

#[test]
#[ignore = "the test above runs it"]
fn client() {
    let Ok(gateway) = std::env::var(GATEWAY) else { return };
    let config = RithmicConfig::builder(RithmicEnv::Test)
        .url(&gateway)
        .beta_url(&gateway)
        .user("somebody")
        .password("hunter2")
        .system_name("Rithmic Test")
        .app_name("test")
        .app_version("1")
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let plant = RithmicTickerPlant::connect(&config, ConnectStrategy::Simple).await.unwrap();
        let mut handle = plant.get_handle();
        handle.login().await.unwrap();
        handle.subscribe("ESZ6", "CME").await.unwrap();
        loop {
            let update = handle.subscription_receiver.recv().await.unwrap();
            if let RithmicMessage::LastTrade(trade) = update.message {
                return assert_eq!(trade.volume, Some(7));
            }
        }
    });
}
