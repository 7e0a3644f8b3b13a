//! Paper trading: live data through the stages of a backtest, orders filled by the simulated
//! exchange.

mod contracts;
mod login;
mod market;
mod paper;
mod plants;
mod report;
mod seam;
mod series;
mod status;
mod stretches;
pub mod view;
mod warm_up;
mod watch;

pub use contracts::{ContractEvent, Contracts, FrontMonths};
pub use login::{Login, LoginError};
pub use market::{Market, Wish};
pub use paper::{PaperError, run_paper};
pub use plants::NotStarted;
pub use report::{Reporter, SessionReportError, write_session_report};
pub use series::{Names, Opened, Series};
pub use status::{AccountStatus, BarStatus, FeedStatus, LatencyStatus, LinkStatus, Status};
pub use warm_up::{WarmUpError, open_warm_up};
pub use watch::Watch;
