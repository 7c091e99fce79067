//! The time that is kept, compared and logged.

use chrono::{DateTime, Utc};
use std::time::SystemTime;

/// Returns the time of the system. A clock before 1970 is no reason to fail.
pub fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
