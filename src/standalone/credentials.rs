//! Where Secrets and `ConfigMaps` come from without a cluster: the manifests, a folder with one folder per object (as a
//! kubelet mounts them), the environment, or a cluster after all.
//!
//! Invariant: what the environment holds goes to the one address it names, what a cluster holds to the addresses at which
//! it is used there. A pull request can write any address.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    api::BackupServer,
    controller::{
        cluster::{Cluster, Keys, ReadError},
        kubernetes::Kubernetes,
    },
};

/// The account of one NAS, from flags and environment.
pub struct Account {
    /// The address it is for.
    pub url: url::Url,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// Base32 seed of the second factor.
    pub otp_secret: Option<SecretString>,
}

/// A cluster, and where each of its Secrets is used already: namespace, Secret and address.
pub struct LiveSecrets {
    /// The cluster.
    pub cluster: Kubernetes,
    /// The addresses at which a BackupServer of the cluster uses a Secret; `None` where any address will do.
    pub used_at: Option<BTreeSet<(String, String, String)>>,
}

/// All sources, asked in the order of the fields.
#[derive(Default)]
pub struct Credentials {
    secrets: BTreeMap<(String, String), Keys>,
    config_maps: BTreeMap<(String, String), Keys>,
    folder: Option<PathBuf>,
    account: Option<Account>,
    live: Option<LiveSecrets>,
    key: Vec<u8>,
}

impl Credentials {
    /// Sources beside the manifests. `key` is the state folder's own, or nothing where no state is kept.
    #[must_use]
    pub fn new(
        folder: Option<PathBuf>,
        account: Option<Account>,
        live: Option<LiveSecrets>,
        key: Vec<u8>,
    ) -> Self {
        Self {
            folder,
            account,
            live,
            key,
            ..Self::default()
        }
    }

    /// The version of an object that has none: it changes with any value, and tells nothing of them.
    fn version(&self, values: &BTreeMap<String, Vec<u8>>) -> String {
        let mut digest = Sha256::new();
        digest.update(&self.key);
        for (name, value) in values {
            digest.update(Sha256::digest(name.as_bytes()));
            digest.update(Sha256::digest(value));
        }
        if self.key.is_empty() {
            // Without a key a digest could be guessed at; nothing is kept then, so nothing is compared.
            return "1".to_owned();
        }
        hex::encode(&digest.finalize()[..16])
    }

    /// Adds a Secret of the manifests.
    pub fn add_secret(&mut self, secret: Secret) {
        let key = (secret.namespace().unwrap_or_default(), secret.name_any());
        let data = secret.data.unwrap_or_default();
        let mut values: BTreeMap<String, Vec<u8>> =
            data.into_iter().map(|(key, value)| (key, value.0)).collect();
        let texts = secret.string_data.unwrap_or_default();
        values.extend(texts.into_iter().map(|(key, value)| (key, value.into_bytes())));
        let version = self.version(&values);
        self.secrets.insert(key, Keys::new(version, values));
    }

    /// Adds a ConfigMap of the manifests.
    pub fn add_config_map(&mut self, map: ConfigMap) {
        let key = (map.namespace().unwrap_or_default(), map.name_any());
        let texts = map.data.unwrap_or_default();
        let mut values: BTreeMap<String, Vec<u8>> = texts
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()))
            .collect();
        let bytes = map.binary_data.unwrap_or_default();
        values.extend(bytes.into_iter().map(|(key, value)| (key, value.0)));
        let version = self.version(&values);
        self.config_maps.insert(key, Keys::new(version, values));
    }

    /// The Secret of that name, for the servers that use it.
    ///
    /// # Errors
    /// Where a source cannot be read.
    pub async fn secret(
        &self,
        namespace: &str,
        name: &str,
        servers: &[BackupServer],
    ) -> Result<Option<Keys>, ReadError> {
        if let Some(keys) = self.secrets.get(&(namespace.to_owned(), name.to_owned())) {
            return Ok(Some(keys.clone()));
        }
        let users: Vec<&BackupServer> = servers
            .iter()
            .filter(|server| server.namespace().as_deref() == Some(namespace))
            .filter(|server| server.spec.credentials.secret_ref.name == name)
            .collect();
        if let Some(keys) = self.in_folder("Secret", name)? {
            return bound(name, keys, &users).map(Some);
        }
        if let Some(account) = &self.account {
            let is_for = |server: &&BackupServer| {
                server
                    .spec
                    .url
                    .parse::<url::Url>()
                    .is_ok_and(|url| url == account.url)
            };
            if !users.is_empty() && users.iter().all(is_for) {
                let values = account.values();
                return Ok(Some(Keys::new(self.version(&values), values)));
            }
        }
        let Some(LiveSecrets { cluster, used_at }) = &self.live else {
            return Ok(None);
        };
        let is_new = |server: &&&BackupServer| {
            let use_of_it = (namespace.to_owned(), name.to_owned(), server.spec.url.clone());
            used_at.as_ref().is_some_and(|known| !known.contains(&use_of_it))
        };
        if let Some(server) = users.iter().find(is_new) {
            return Err(ReadError {
                what: format!("the Secret {name:?} for {}", server.spec.url),
                why: "no BackupServer of the cluster uses it at that address, and a manifest alone sends it nowhere; to plan \
                      with it all the same add --any-address"
                    .to_owned(),
                is_passing: false,
            });
        }
        cluster.read_secret(namespace, name).await
    }

    /// The ConfigMap of that name.
    ///
    /// # Errors
    /// Where a source cannot be read.
    pub async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        if let Some(keys) = self.config_maps.get(&(namespace.to_owned(), name.to_owned())) {
            return Ok(Some(keys.clone()));
        }
        if let Some(keys) = self.in_folder("ConfigMap", name)? {
            return Ok(Some(keys));
        }
        match &self.live {
            Some(live) => live.cluster.read_config_map(namespace, name).await,
            None => Ok(None),
        }
    }

    /// `DIR/NAME/KEY`. Names come from manifests that the schema has judged: no separators, no leading dot.
    fn in_folder(&self, kind: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let values = values_of(&folder.join(name));
        let kept = values.map(|values| values.map(|values| Keys::new(self.version(&values), values)));
        kept.map_err(|error| ReadError {
            what: format!("the {kind} {name:?} below {}", folder.display()),
            why: error.to_string(),
            is_passing: false,
        })
    }
}

/// A key `url` binds a Secret of the folder to one address.
fn bound(name: &str, keys: Keys, users: &[&BackupServer]) -> Result<Keys, ReadError> {
    let url = keys
        .get("url")
        .map(|url| String::from_utf8_lossy(url).trim().to_owned());
    let stranger = url.and_then(|url| users.iter().find(|server| server.spec.url != url));
    match stranger {
        None => Ok(keys),
        Some(server) => Err(ReadError {
            what: format!("the Secret {name:?}"),
            why: format!(
                "its file \"url\" names another address than the BackupServer {:?}, and it is sent nowhere else",
                server.name_any()
            ),
            is_passing: false,
        }),
    }
}

fn values_of(folder: &Path) -> io::Result<Option<BTreeMap<String, Vec<u8>>>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut values = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        // A mounted volume has its bookkeeping in names with two dots in front.
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let about = fs::metadata(&path)?;
        if hidden || !about.is_file() {
            continue;
        }
        values.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(&path)?);
    }
    Ok(Some(values))
}

impl Account {
    fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let mut values = BTreeMap::from([
            ("username".to_owned(), self.username.clone().into_bytes()),
            (
                "password".to_owned(),
                self.password.expose_secret().as_bytes().to_vec(),
            ),
        ]);
        if let Some(seed) = &self.otp_secret {
            values.insert("otp-secret".to_owned(), seed.expose_secret().as_bytes().to_vec());
        }
        values
    }
}
