//! Four links under random faults, for hours of virtual time.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::link::{Backoff, Link, LinkSettings, Logins, Plant, State, Why};
use algospace_hft_rithmic::wire::rti;

use crate::links::{World, subscription};
use crate::random::Random;

const STEP: Duration = Duration::from_millis(50);

/// One link with its gateway.
struct One {
    link: Link,
    world: World,
}

impl One {
    /// Does something to it, or mends what was done.
    fn disturb(&mut self, random: &mut Random, logins: &mut Logins) {
        let (now, mut out) = (self.world.now, Vec::new());
        let gateway = &mut self.world.gateway;
        match random.below(10) {
            0 => gateway.listens = false,
            1 => gateway.is_mute = true,
            2 => gateway.answers = false,
            3 => self.link.on_closed(now, logins, &mut out),
            4 => self.link.on_suspended(now, logins, &mut out),
            5 => self.link.ask_again(now, &mut out),
            6 if random.once_in(4) => {
                let logout = rti::ForcedLogout::default();
                self.world.tell(&logout, &mut self.link, logins, &mut out);
            }
            7 => drop(self.link.request(&subscription(), Duration::from_secs(3), now, &mut out)),
            8 => self.link.release(now, &mut out),
            _ => self.mend(),
        }
        self.world.answer(&mut self.link, logins, out);
    }

    fn mend(&mut self) {
        let gateway = &mut self.world.gateway;
        (gateway.listens, gateway.is_mute, gateway.answers) = (true, false, true);
    }

    fn is_logging_in(&self) -> bool {
        matches!(self.link.state(), State::Connecting | State::LoggingIn)
    }

    /// Tries that did not lead to a link that works, and their times.
    fn failed_tries(&self) -> Vec<Monotonic> {
        let (mut failed, mut tried) = (Vec::new(), None);
        for (at, change) in &self.world.changes {
            match change.to {
                State::Connecting => tried = Some(*at),
                State::Live => tried = None,
                State::Down { .. } if change.why != Why::ForcedLogout => {
                    failed.extend(tried.take())
                }
                _ => {}
            }
        }
        failed
    }
}

#[test]
fn random_faults_break_no_rule_and_no_link_for_good() {
    let plants = [Plant::Ticker, Plant::Orders, Plant::History, Plant::Pnl];
    let mut drops = 0;
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut logins = Logins::new(Logins::SPACING);
        let mut links = plants.map(|plant| {
            let mut link = Link::new(plant, LinkSettings::default(), seed ^ plant as u64);
            link.keep(subscription(), Monotonic::default(), &mut Vec::new());
            One { link, world: World::new(Monotonic(1_000_000_000)) }
        });
        for step in 0..12_000 {
            let is_over = step > 9_000;
            for one in &mut links {
                if is_over {
                    one.mend();
                    one.link.release(one.world.now, &mut Vec::new());
                } else if random.once_in(150) {
                    one.disturb(&mut random, &mut logins);
                }
                one.world.run(&mut one.link, &mut logins, STEP);
            }
            let busy = links.iter().filter(|one| one.is_logging_in()).count();
            assert!(busy <= 1, "seed {seed}: {busy} links log in at once");
        }
        let mut tries: Vec<Monotonic> =
            links.iter().flat_map(|one| one.world.tries.iter().copied()).collect();
        tries.sort_unstable();
        assert!(tries.windows(2).all(|pair| pair[1].since(pair[0]) >= Logins::SPACING));
        for one in &links {
            assert!(one.link.is_up(), "seed {seed}: {:?}", one.link.state());
            for tries in one.failed_tries().windows(7) {
                assert!(tries[6].since(tries[0]) >= Backoff::WINDOW, "seed {seed}: a storm");
            }
            drops += one.link.generation();
        }
    }
    assert!(drops > 400, "{drops} connections: nothing was tried");
}
