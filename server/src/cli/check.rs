//! `check`: whether everything that is kept is as it should be, told to a
//! person. It judges nothing itself, and mends nothing: the store says what is
//! a fault.

use super::{audit, print};
use anyhow::bail;
use orgtokens_server::service::{Operator, Service};

/// Prints what was found, and fails where anything is wrong.
pub async fn check(service: &Service) -> anyhow::Result<()> {
    let found = Operator(service).check().await?;
    let log = Operator(service).verify_audit().await?;
    for sentence in found.sound.iter().chain(&found.faults) {
        print(sentence)?;
    }
    print(&format!("audit log: {}", audit::describe(&log)))?;
    match found.faults.len() + log.faults.len() {
        0 => Ok(()),
        count => bail!("{count} faults were found: restore a backup"),
    }
}
