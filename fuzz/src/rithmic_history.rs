use std::cell::Cell;
use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{Answer, Contract, History, Query, Rows, What};
use algospace_hft_rithmic::link::NotNow;
use algospace_hft_rithmic::wire::{Incoming, Nanoseconds, decode, messages};

/// Reads the bytes as frames of the history plant, each as an answer to the last request: no row
/// comes out of order, twice, or from nowhere.
pub fn rithmic_history(bytes: &[u8]) {
    for (what, template) in [(What::Trades, 207), (What::Minutes, 203)] {
        let mut history = History::default();
        let contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };
        history.query(Query {
            key: 1,
            what,
            symbol: "ESZ6".to_owned(),
            exchange: "CME".to_owned(),
            contract,
            from: 0,
            to: i64::MAX,
            deadline: Monotonic::NEVER,
            is_urgent: false,
        });
        let asked = Cell::new(0);
        let mut ask = |_: &[u8], _: Duration| -> Result<u32, NotNow> {
            asked.set(asked.get() + 1);
            Ok(asked.get())
        };
        let (mut answers, mut came) = (Vec::new(), 0);
        history.on_time(Monotonic::default(), &mut ask, &mut answers);
        for part in messages(bytes).flatten() {
            let part = addressed(part, asked.get(), template);
            let Ok(Incoming::Other(envelope, whole)) = decode(&part) else { continue };
            came += 1;
            let now = Monotonic(came);
            history.on_message(&envelope, whole, now, &mut ask, &mut answers);
        }
        answers.iter().for_each(|answer| check(answer, came));
        assert!(answers.len() <= 1, "two answers to one query");
    }
}

/// Returns a message as the answer to that request: `user_msg` before it, the template behind it.
fn addressed(message: &[u8], request: u32, template: u8) -> Vec<u8> {
    let request = request.to_string();
    let mut part = vec![0xc2, 0xe9, 0x40, request.len() as u8];
    part.extend(request.as_bytes());
    part.extend(message);
    part.extend([0x98, 0xb6, 0x4b, template, 0x01]);
    part
}

fn check(answer: &Answer, came: u64) {
    let (rows, sorted) = match &answer.rows {
        Rows::Trades(trades) => {
            assert!(trades.iter().all(|trade| trade.size > 0 && trade.time >= 0));
            (trades.len(), trades.is_sorted_by_key(|trade| trade.time))
        }
        Rows::Minutes(minutes) => {
            assert!(minutes.iter().all(|minute| minute.start % 60_000_000_000 == 0));
            (minutes.len(), minutes.is_sorted_by_key(|minute| minute.start))
        }
    };
    assert!(rows as u64 <= came && sorted && answer.key == 1);
}
