//! Contract codes and expiry.
