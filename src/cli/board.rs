//! The status of a paper session on its way to the user: redrawn lines on a terminal, else lines
//! of text or JSON.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{say, tell};
use crate::live::Status;
use crate::live::view::{Form, Teller, lines};

/// The most redraws in a second.
const REDRAWS: u8 = 2;

/// The place where a status is shown, and news beside it.
pub(super) enum Board {
    /// Lines of a terminal, on standard error.
    Drawn(MultiProgress),
    /// Lines of text on standard error.
    Told,
    /// Lines of JSON on standard output.
    Said,
}

impl Board {
    /// Creates a board: JSON if it is asked for, a drawing on a terminal that can be redrawn.
    pub(super) fn new(json: bool) -> Board {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if json {
            Board::Said
        } else if std::io::stderr().is_terminal() && !is_dumb {
            let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
            Board::Drawn(MultiProgress::with_draw_target(target))
        } else {
            Board::Told
        }
    }

    /// Prints a line of news above the status: on standard error, also beside JSON.
    pub(super) fn news(&self, line: &str) {
        match self {
            Board::Drawn(all) => all.suspend(|| tell(line)),
            Board::Told | Board::Said => tell(line),
        }
    }

    /// Returns the one that shows statuses on it.
    pub(super) fn painter(&self) -> Painter<'_> {
        let form = if let Board::Said = self { Form::Json } else { Form::Plain };
        let (teller, started) = (Teller::new(form), Instant::now());
        Painter { board: self, teller, drawn: Vec::new(), last: None, started }
    }
}

/// Shows statuses on a board.
pub(super) struct Painter<'a> {
    board: &'a Board,
    teller: Teller,
    drawn: Vec<ProgressBar>,
    /// The time of the last drawing.
    last: Option<Duration>,
    started: Instant,
}

impl Painter<'_> {
    /// Shows a status, or leaves the last one until it is time for another.
    pub(super) fn show(&mut self, status: &Status) {
        let now = self.started.elapsed();
        match self.board {
            Board::Drawn(all) => self.draw(all, status, now),
            Board::Told => self.teller.tell(status, now).into_iter().for_each(tell),
            Board::Said => self.teller.tell(status, now).into_iter().for_each(say),
        }
    }

    fn draw(&mut self, all: &MultiProgress, status: &Status, now: Duration) {
        let pace = Duration::from_secs(1) / u32::from(REDRAWS);
        if self.last.is_some_and(|last| now.saturating_sub(last) < pace) {
            return;
        }
        self.last = Some(now);
        for (place, line) in lines(status).into_iter().enumerate() {
            if self.drawn.len() == place {
                // A line that is too long for the terminal is cut.
                let style = ProgressStyle::with_template("{wide_msg}").expect("it is valid");
                self.drawn.push(all.add(ProgressBar::new_spinner().with_style(style)));
            }
            self.drawn[place].set_message(line);
        }
    }

    /// Leaves the last drawing where it is, with the cursor below it.
    pub(super) fn finish(self) {
        self.drawn.iter().for_each(ProgressBar::abandon);
    }
}
