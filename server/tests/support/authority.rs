//! A certificate authority of the tests, and the pairs that it issues for this machine.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, which clients trust.
    pub der: Vec<u8>,
}

/// The files of a certificate and its key.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// Writes a pair into the folder, in place of the one that may be there.
    pub fn issue(&self, folder: &Path, serial: u64) -> Pair {
        self.issue_with(folder, serial, |_| {})
    }

    /// Like `issue`, with these changes.
    pub fn issue_with(
        &self,
        folder: &Path,
        serial: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        let own_key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&own_key, &self.issuer).unwrap();
        let pair = Pair { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        fs::write(&pair.certificate, certificate.pem()).unwrap();
        fs::write(&pair.key, own_key.serialize_pem()).unwrap();
        pair
    }
}
