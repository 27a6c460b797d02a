//! The certificate that the network's listener shows: a person's own, or one that photond makes and signs itself.
//!
//! Files are looked at with each connection and read again when they are others: what renews a certificate need
//! not tell photond. One that cannot be used leaves the one before in use.

use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType,
};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};

use super::{LanSettings, addresses, host_names};
use crate::safe_file;

/// The one that photond makes, with its key, in the data directory.
const MADE: &str = "gallery.pem";
/// Days that it is good for: Apple's systems take none that is good for more than 825.
const GOOD_FOR: i64 = 800;
/// It is made anew so long before it expires.
const ANEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Bytes of a file, at most.
const LONGEST: u64 = 1 << 20;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum CertificateTrouble {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// One is named without the other.
    #[error(
        "`certificate` and `key` under [gallery] in the settings go together: name both, or neither"
    )]
    Half,
    /// It holds none.
    #[error("{path} holds no {what} in PEM")]
    Without {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// They do not belong together.
    #[error("the key in {key} is not that of the certificate in {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Its time is over, or has not come.
    #[error("the certificate in {path} {how}; put a valid one there")]
    Time {
        /// The file.
        path: PathBuf,
        /// What is wrong with its time.
        how: &'static str,
    },
    /// Anything else.
    #[error("{path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Where a certificate and its key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// photond makes it itself.
    pub is_made: bool,
}

/// A certificate in use.
#[derive(Clone)]
pub(super) struct TlsIdentity {
    pub config: Arc<ServerConfig>,
    /// SHA-256, as browsers show it.
    pub fingerprint: String,
}

impl CertificateFiles {
    /// Those that the settings name, or the one that photond makes.
    ///
    /// # Errors
    /// If only one of them is named.
    fn of(
        data_dir: &Path,
        certificate: Option<&Path>,
        key: Option<&Path>,
    ) -> Result<Self, CertificateTrouble> {
        let (certificate, key, is_made) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate.to_owned(), key.to_owned(), false),
            (None, None) => (data_dir.join(MADE), data_dir.join(MADE), true),
            _ => return Err(CertificateTrouble::Half),
        };
        Ok(Self {
            certificate,
            key,
            is_made,
        })
    }

    /// Those that the settings name, or the one that photond makes, made if need be for this machine's names and
    /// addresses as they are now.
    ///
    /// # Errors
    /// As [`Self::of`] and [`Self::prepare`].
    pub fn prepared(data_dir: &Path, settings: &LanSettings) -> Result<Self, CertificateTrouble> {
        let (certificate, key) = (settings.certificate.as_deref(), settings.key.as_deref());
        let files = Self::of(data_dir, certificate, key)?;
        files.prepare(&host_names(), &addresses())?;
        Ok(files)
    }

    /// Makes a certificate for these names and addresses, if that is photond's to do and there is none that is
    /// good for a while yet.
    ///
    /// # Errors
    /// If it cannot be made or kept.
    fn prepare(&self, names: &[String], addresses: &[IpAddr]) -> Result<(), CertificateTrouble> {
        if !self.is_made {
            return Ok(());
        }
        let now = SystemTime::now();
        match self.load(now + ANEW_BEFORE) {
            Ok(_) => return Ok(()),
            // It may be there, and well.
            Err(e @ CertificateTrouble::File { .. }) if !is_missing(&e) => return Err(e),
            Err(_) => {}
        }
        let text = made(names, addresses, now).map_err(|e| CertificateTrouble::Unusable {
            path: self.certificate.clone(),
            why: e.to_string(),
        })?;
        safe_file::write(&self.certificate, text.as_bytes())
            .map_err(|source| file_trouble(&self.certificate, source))
    }

    pub(super) fn load(&self, now: SystemTime) -> Result<TlsIdentity, CertificateTrouble> {
        let path = &self.certificate;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
        let chain = chain.unwrap_or_default();
        let leaf = chain.first().ok_or_else(|| CertificateTrouble::Without {
            path: path.clone(),
            what: "certificate",
        })?;
        let fingerprint = fingerprint(leaf);
        in_time(leaf, now).map_err(|how| CertificateTrouble::Time {
            path: path.clone(),
            how,
        })?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?);
        let key = key.map_err(|_| CertificateTrouble::Without {
            path: self.key.clone(),
            what: "private key that can be read without a password",
        })?;
        let unusable = |e: rustls::Error| match e {
            rustls::Error::InconsistentKeys(_) => CertificateTrouble::Mismatch {
                certificate: path.clone(),
                key: self.key.clone(),
            },
            e => CertificateTrouble::Unusable {
                path: path.clone(),
                why: e.to_string(),
            },
        };
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let mut config = config
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsIdentity {
            config: Arc::new(config),
            fingerprint,
        })
    }

    /// What tells that a file is another one.
    fn stamps(&self) -> [Option<FileStamp>; 2] {
        let of = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some([
                file.ino().cast_signed(),
                file.size().cast_signed(),
                file.mtime(),
                file.mtime_nsec(),
            ])
        };
        [of(&self.certificate), of(&self.key)]
    }
}

fn is_missing(e: &CertificateTrouble) -> bool {
    matches!(e, CertificateTrouble::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn file_trouble(path: &Path, source: io::Error) -> CertificateTrouble {
    CertificateTrouble::File {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateTrouble> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|source| file_trouble(path, source))?;
    Ok(bytes)
}

/// Only whether its time has come and is not over: who has signed it is for browsers to judge.
fn in_time(leaf: &CertificateDer<'_>, now: SystemTime) -> Result<(), &'static str> {
    let unread = "cannot be read";
    let parsed = ParsedCertificate::try_from(leaf).map_err(|_| unread)?;
    let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    let algorithms = default_provider().signature_verification_algorithms;
    let nobody = RootCertStore::empty();
    let judged =
        verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], now, algorithms.all);
    match judged {
        Err(rustls::Error::InvalidCertificate(e)) => match e {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Err("has expired")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Err("is not valid yet (is this machine's clock right?)")
            }
            CertificateError::BadEncoding => Err(unread),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn fingerprint(leaf: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, leaf);
    let bytes = digest.as_ref().iter().map(|byte| format!("{byte:02X}"));
    bytes.collect::<Vec<_>>().join(":")
}

/// A certificate that signs itself, and its key, as PEM.
fn made(names: &[String], addresses: &[IpAddr], now: SystemTime) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    let addresses = addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params.distinguished_name = DistinguishedName::new();
    let name = names.first().map_or("photond", String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |offset: i64| {
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let at = i64::try_from(at).unwrap_or(0) + offset * 24 * 3600;
        let date = jiff::Timestamp::from_second(at).unwrap_or_default();
        let date = date.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    // A telephone's clock may be behind.
    (params.not_before, params.not_after) = (day(-1), day(GOOD_FOR));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", key.serialized_der()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

/// The certificate as it is now.
pub(super) struct Certificate {
    files: CertificateFiles,
    used: Mutex<InUse>,
}

/// Inode, size, and when it was written.
type FileStamp = [i64; 4];

struct InUse {
    stamps: [Option<FileStamp>; 2],
    identity: TlsIdentity,
}

impl Certificate {
    pub fn read(files: CertificateFiles) -> Result<Self, CertificateTrouble> {
        let stamps = files.stamps();
        let identity = files.load(SystemTime::now())?;
        Ok(Self {
            files,
            used: Mutex::new(InUse { stamps, identity }),
        })
    }

    /// For the next connection.
    pub fn now(&self) -> TlsIdentity {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if stamps != used.stamps {
            used.stamps = stamps;
            match self.files.load(SystemTime::now()) {
                Ok(identity) => used.identity = identity,
                Err(e) => tracing::warn!("the certificate before stays in use: {e}"),
            }
        }
        used.identity.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn names() -> Vec<String> {
        vec!["nas".to_owned(), "nas.local".to_owned()]
    }

    #[test]
    fn one_is_made_once_and_anew_before_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let files = CertificateFiles::of(dir.path(), None, None).unwrap();
        let missing = files.load(SystemTime::now()).map(|_| ()).unwrap_err();
        assert!(is_missing(&missing));
        let address = "192.168.1.5".parse().unwrap();
        files.prepare(&names(), &[address]).unwrap();
        let first = files.load(SystemTime::now()).unwrap();
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        files.prepare(&names(), &[]).unwrap();
        let second = files.load(SystemTime::now()).unwrap();
        assert_eq!(first.fingerprint, second.fingerprint, "it stays");
        let text = std::fs::read(dir.path().join(MADE)).unwrap();
        let leaf = CertificateDer::from_pem_slice(&text).unwrap();
        let parsed = ParsedCertificate::try_from(&leaf).unwrap();
        for name in ["nas", "nas.local", "192.168.1.5"] {
            let name = name.try_into().unwrap();
            rustls::client::verify_server_name(&parsed, &name).unwrap();
        }
        for at in [SystemTime::now() + 801 * DAY, SystemTime::now() - 3 * DAY] {
            let e = files.load(at).map(|_| ()).unwrap_err();
            assert!(matches!(e, CertificateTrouble::Time { .. }), "{e}");
        }
        // One that is about to expire, and one that is no certificate.
        let old = made(&names(), &[], SystemTime::now() - 790 * DAY).unwrap();
        for bad in [
            old.as_str(),
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(dir.path().join(MADE), bad).unwrap();
            files.prepare(&names(), &[]).unwrap();
            let anew = files.load(SystemTime::now() + ANEW_BEFORE).unwrap();
            assert_ne!(anew.fingerprint, first.fingerprint);
        }
    }

    #[test]
    fn ones_own_is_used_as_long_as_it_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        let half = CertificateFiles::of(dir.path(), Some(&certificate), None);
        assert!(matches!(half, Err(CertificateTrouble::Half)));
        let files = CertificateFiles::of(dir.path(), Some(&certificate), Some(&key)).unwrap();
        files.prepare(&names(), &[]).unwrap();
        assert!(!certificate.exists(), "nobody's own is made");
        let said = |files: &CertificateFiles| {
            let loaded = files.load(SystemTime::now());
            loaded.map(|_| ()).unwrap_err().to_string()
        };
        assert!(said(&files).contains("c.pem: "));
        let now = SystemTime::now();
        let one = made(&names(), &[], now).unwrap();
        std::fs::write(&certificate, &one).unwrap();
        assert!(said(&files).contains("k.pem: "));
        std::fs::write(
            &key,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        assert!(said(&files).contains("without a password"));
        std::fs::write(&key, made(&names(), &[], now).unwrap()).unwrap();
        assert!(said(&files).contains("is not that of the certificate"));
        std::fs::write(&key, &one).unwrap();
        let used = Certificate::read(files.clone()).unwrap();
        let first = used.now().fingerprint;

        let old = made(&names(), &[], now - 900 * DAY).unwrap();
        std::fs::write(&certificate, &old).unwrap();
        assert!(said(&files).contains("has expired"));
        assert_eq!(used.now().fingerprint, first, "the one before stays");
        std::fs::write(&certificate, made(&names(), &[], now + 10 * DAY).unwrap()).unwrap();
        assert!(said(&files).contains("not valid yet"));
        std::fs::write(&certificate, "no PEM").unwrap();
        assert!(said(&files).contains("holds no certificate"));
        // A renewed one, with its key in the same file and some more around it.
        let renewed = made(&["nas.example".to_owned()], &[], now).unwrap();
        for path in [&certificate, &key] {
            std::fs::write(path, format!("nas.example\n{renewed}\n")).unwrap();
        }
        assert_ne!(used.now().fingerprint, first);
    }
}
