//! Seals small secrets at rest with the keys of `secret_key_file`.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};

use super::random;
use crate::error::{Error, Result};

const NONCE: usize = 24;

/// The keys that seal: the first one seals, all of them open, so that a key can be replaced without losing what it sealed.
pub struct SealingKey(Vec<Key>);

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Self {
        let id = blake3::derive_key("cairn sealing key id v1", bytes);
        Self {
            id: hex::encode(&id[..4]),
            cipher: XChaCha20Poly1305::new(bytes.into()),
        }
    }
}

impl SealingKey {
    /// Reads the keys in `path` (64 hexadecimal digits a line, the newest first), or makes the file with a new key.
    ///
    /// The file is made whole and with mode 0600; one that others can read is refused. Blocks on the disk for an instant.
    ///
    /// # Errors
    /// `Invalid` where the file is not a list of keys or not private; `Unavailable` where it cannot be read or made.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if let Some(keys) = Self::load(path)? {
            return Ok(keys);
        }
        create(path).map_err(|error| {
            Error::unavailable(format!("cannot make {}", path.display()), error)
        })?;
        Self::load(path)?
            .ok_or_else(|| Error::fault("the key file vanished as soon as it was made"))
    }

    fn load(path: &Path) -> Result<Option<Self>> {
        let unreadable =
            |error| Error::unavailable(format!("cannot read {}", path.display()), error);
        let mode = match fs::metadata(path) {
            Ok(found) => found.permissions().mode(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if mode & 0o077 != 0 {
            return Err(Error::invalid(format!(
                "{} can be read by others; run: chmod 600 {0}",
                path.display()
            )));
        }
        Self::parse(&fs::read_to_string(path).map_err(unreadable)?).map(Some)
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys = lines.map(|line| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(line, &mut bytes)
                .map(|()| Key::new(&bytes))
                .ok()
        });
        let keys: Option<Vec<Key>> = keys.collect();
        keys.filter(|keys| !keys.is_empty())
            .map(Self)
            .ok_or_else(|| {
                Error::invalid("the secret key file must hold lines of 64 hexadecimal digits")
            })
    }

    /// Seals `plain` for `purpose`, which says what it is and whose; it opens for the same purpose only.
    ///
    /// # Errors
    /// `Internal` where the text is too long to seal (256 GiB).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String> {
        let key = self
            .0
            .first()
            .ok_or_else(|| Error::fault("there is no key to seal with"))?;
        let nonce = random::<NONCE>();
        let payload = Payload {
            msg: plain,
            aad: purpose.as_bytes(),
        };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::fault("a secret could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(format!("v1.{}.{}", key.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens what [`SealingKey::seal`] made for the same `purpose`.
    ///
    /// # Errors
    /// `Invalid` where it was changed, sealed for something else, or sealed by a key that is not in the file any more.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>> {
        let refused =
            || Error::invalid("a sealed secret cannot be opened: wrong key, or it was changed");
        let mut parts = sealed.splitn(3, '.');
        let (Some("v1"), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refused());
        };
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(refused)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE>().ok_or_else(refused)?;
        let payload = Payload {
            msg: body,
            aad: purpose.as_bytes(),
        };
        key.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| refused())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// Writes beside the place and links into it, so that nobody ever reads half a key, and the first of two writers wins.
fn create(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let beside = folder.join(format!(".secret_key.{}", hex::encode(random::<8>())));
    let written = write_key(&beside).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    fs::remove_file(&beside)?;
    written?;
    fs::File::open(folder)?.sync_all()
}

fn write_key(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", hex::encode(random::<32>()))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_secret_opens_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret_key");
        let sealed = SealingKey::load_or_create(&path)
            .unwrap()
            .seal("token:1", b"text")
            .unwrap();
        let again = SealingKey::load_or_create(&path).unwrap();
        assert_eq!(again.open("token:1", &sealed).unwrap(), b"text");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn other_purpose_and_changed_text_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = SealingKey::load_or_create(&folder.path().join("k")).unwrap();
        let sealed = key.seal("token:1", b"text").unwrap();
        assert!(key.open("token:2", &sealed).is_err());
        for place in [0, 5, sealed.len() - 3] {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            assert!(
                key.open("token:1", &String::from_utf8(changed).unwrap())
                    .is_err(),
                "{place}"
            );
        }
        assert!(key.open("token:1", "").is_err());
    }

    #[test]
    fn old_key_still_opens_after_rotation() {
        let old = "11".repeat(32);
        let sealed = SealingKey::parse(&old).unwrap().seal("p", b"x").unwrap();
        let rotated = SealingKey::parse(&format!("{}\n{old}\n", "22".repeat(32))).unwrap();
        assert_eq!(rotated.open("p", &sealed).unwrap(), b"x");
        assert!(!rotated.seal("p", b"x").unwrap().starts_with(&sealed[..11]));
    }

    #[test]
    fn public_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret_key");
        fs::write(&path, "11".repeat(32)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            SealingKey::load_or_create(&path),
            Err(Error::Invalid(_))
        ));
    }

    #[test]
    fn broken_key_file_is_refused() {
        assert!(SealingKey::parse("").is_err());
        assert!(SealingKey::parse("zz").is_err());
    }
}
