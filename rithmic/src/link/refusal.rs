//! Refused logins, and what to do about them.

/// The reason that a login was refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The password, or the user, is wrong.
    Password,
    /// There is no such system.
    System,
    /// An agreement is not signed.
    Agreement,
    /// Permission denied, which may be any of the above.
    Permission,
    /// For a reason that is not known, several times in a row.
    Repeated,
}

impl Refusal {
    /// Returns the reason that code and text of a refusal tell; `None` if they tell none that is
    /// known, which may pass.
    pub fn of(code: &str, text: &str) -> Option<Refusal> {
        let text = text.to_ascii_lowercase();
        let says = |word| text.contains(word);
        if says("agreement") {
            Some(Refusal::Agreement)
        } else if says("password") {
            Some(Refusal::Password)
        } else if says("system") && (says("unknown") || says("invalid") || says("not found")) {
            Some(Refusal::System)
        } else if code == "13" || says("permission") {
            Some(Refusal::Permission)
        } else {
            None
        }
    }

    /// Returns what its user can do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Refusal::Password => "check user and password",
            Refusal::System => {
                "check the name of the system; the gateway lists them to template 16"
            }
            Refusal::Agreement => {
                "sign the market data agreements: log in once with R Trader Pro, or answer them there"
            }
            Refusal::Permission => {
                "check user, password and system (a wrong system is told so too), the name of the \
                 application with its prefix, and whether the login may use this plant"
            }
            Refusal::Repeated => "the gateway's text says why; it was asked three times",
        }
    }
}
