//! TLS: the certificate and the key that the server proves its name with, and their replacement
//! while it runs. dropshot makes the handshakes; `context::connections` closes stalled ones.

use crate::metrics::Metrics;
use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use clap::Args;
use dropshot::ConfigTls;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use slog::{Logger, error, info, warn};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use x509_cert::certificate::Certificate;
use x509_cert::der::Decode;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// How long a file may be, in bytes.
const MAX_LENGTH: u64 = 1024 * 1024;

/// The only protocol to offer in the handshake: HTTP/2 is refused.
const PROTOCOL: &[u8] = b"http/1.1";

/// Where the certificate and its key are.
#[derive(Clone, Debug, Default, Args)]
pub struct Files {
    /// Serve HTTPS with this certificate and its chain (PEM); read again when it changes, and on SIGHUP
    #[arg(long = "tls-cert", value_name = "FILE", env = "ORGTOKENS_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM, without a passphrase)
    #[arg(long = "tls-key", value_name = "FILE", env = "ORGTOKENS_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
}

/// The certificate that is served, and the files that it came from.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the files were like before they were read first.
    first: Stamp,
}

/// What changes if a file is replaced or written.
type Stamp = [Option<(u64, u64, SystemTime)>; 2];

impl Identity {
    /// Reads the pair. Returns `None` if there are no files.
    pub fn load(files: &Files) -> Result<Option<Arc<Self>>> {
        let (certificate, key) = match (&files.tls_cert, &files.tls_key) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (None, None) => return Ok(None),
            _ => bail!("TLS needs a certificate and its key: set both --tls-cert and --tls-key"),
        };
        let first = stamp([&certificate, &key]);
        let current = RwLock::new(Arc::new(read(&certificate, &key)?));
        Ok(Some(Arc::new(Self { certificate, key, current, first })))
    }

    /// Returns what dropshot makes TLS with.
    pub fn config(self: Arc<Self>) -> Result<ConfigTls> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(ConfigTls::Dynamic(config))
    }

    /// Starts to load the pair again when its files have changed, and on SIGHUP.
    pub fn watch(
        self: Arc<Self>,
        tasks: &mut JoinSet<()>,
        metrics: Arc<Metrics>,
        log: Logger,
    ) -> Result<()> {
        let mut demand = signal(SignalKind::hangup()).context("cannot handle signals")?;
        let (mut loaded, mut latest) = (self.first, self.first);
        self.report(&metrics, &log);
        tasks.spawn(async move {
            loop {
                let is_demanded = tokio::time::timeout(PERIOD, demand.recv()).await.is_ok();
                let now = stamp([&self.certificate, &self.key]);
                // Files that still change may not be a pair yet.
                if is_demanded || now != loaded && now == latest {
                    loaded = now;
                    let this = Arc::clone(&self);
                    let reload = move || read(&this.certificate, &this.key);
                    let pair = spawn_blocking(reload).await.map_err(Error::from).flatten();
                    match pair {
                        Ok(pair) => {
                            *self.current.write() = Arc::new(pair);
                            self.report(&metrics, &log);
                            info!(log, "loaded the TLS certificate");
                        }
                        Err(error) => {
                            error!(log, "kept the old TLS certificate"; "reason" => %error);
                        }
                    }
                }
                latest = now;
            }
        });
        Ok(())
    }

    /// Tells when the certificate that is served expires, and warns of a key that others can read.
    fn report(&self, metrics: &Metrics, log: &Logger) {
        if let Ok(certificate) = Certificate::from_der(&self.current.read().cert[0]) {
            let end = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
            metrics.certificate_expires.store(end, Ordering::Relaxed);
        }
        if fs::metadata(&self.key).is_ok_and(|key| key.mode() & 0o004 != 0) {
            let advice = format!("run `chmod 600 {}`", self.key.display());
            warn!(log, "others can read the TLS key"; "reason" => advice);
        }
    }
}

fn stamp(files: [&PathBuf; 2]) -> Stamp {
    files.map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.modified().ok()?))
    })
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let chain = read_chain(certificate)?;
    check_dates(&chain[0], certificate)?;
    let provider = aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(chain, read_key(key)?, &provider);
    let (key, certificate) = (key.display(), certificate.display());
    pair.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => anyhow!(
            "the key in {key} does not belong to the certificate in {certificate}: name one pair"
        ),
        error => anyhow!(
            "the key in {key} cannot be used with the certificate in {certificate} ({error}): \
             issue a certificate of X.509 version 3 for an RSA, ECDSA or Ed25519 key"
        ),
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read_file(path, "--tls-cert")?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let shown = path.display();
    let chain = chain.map_err(|error| anyhow!("{shown} is damaged ({error}): copy it again"))?;
    let advice = "name a PEM file with the certificate, followed by its chain";
    ensure!(!chain.is_empty(), "{shown} contains no certificate: {advice}");
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let text = read_file(path, "--tls-key")?;
    let shown = path.display();
    let is_encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
    let advice = format!("remove the passphrase with `openssl pkey -in {shown} -out FILE`");
    ensure!(!is_encrypted, "the key in {shown} is encrypted: {advice}");
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| anyhow!("{shown} contains no private key: name the PEM file of the key"))
}

fn read_file(path: &Path, option: &str) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_LENGTH + 1).read_to_end(&mut text)).map_err(
        |error| anyhow!("cannot read {shown} ({error}): name a readable file with {option}"),
    )?;
    ensure!(
        text.len() as u64 <= MAX_LENGTH,
        "{shown} is no PEM file of at most 1 MiB: use {option}"
    );
    Ok(text)
}

/// Fails if the certificate is not valid now.
fn check_dates(certificate: &CertificateDer<'_>, path: &Path) -> Result<()> {
    let path = path.display();
    let certificate = Certificate::from_der(certificate).map_err(|error| {
        anyhow!("the certificate in {path} is malformed ({error}): issue it again")
    })?;
    let validity = certificate.tbs_certificate.validity;
    let (start, end, now) = (validity.not_before, validity.not_after, SystemTime::now());
    ensure!(end.to_system_time() >= now, "the certificate in {path} expired at {end}: renew it");
    let advice = "wait until then, or correct the system's clock";
    ensure!(
        start.to_system_time() <= now,
        "the certificate in {path} is valid from {start} on: {advice}"
    );
    Ok(())
}
