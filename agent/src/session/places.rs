//! Services that take few connections, like a panel that takes one: who wants one more waits for a place. Places are
//! locked files, so that sessions, each a process of its own, count together, and a process that dies frees its own.

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    net::IpAddr,
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_proto::payload::{Protocol, Service, ServiceName};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::config::Config;

/// Longest wait for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the places; a lock does not tell when it is free.
const LOOK: Duration = Duration::from_millis(100);

/// How many connections services take at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    folder: PathBuf,
    counted: BTreeMap<ServiceName, Counted>,
}

/// A service that counts, and where it is: whoever names its address instead counts too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    most: NonZeroU16,
    protocol: Protocol,
    host: String,
    port: u16,
}

/// A place that is taken until this is dropped; nothing to take where a service does not count.
#[derive(Debug)]
pub(super) struct Place {
    _locked: Option<File>,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPlace {
    /// All are taken.
    #[error("it takes {0} connections at a time, and all are in use")]
    Taken(NonZeroU16),
    /// They cannot be counted.
    #[error("its connections cannot be counted")]
    Uncounted(#[source] io::Error),
}

impl Place {
    /// Where nothing is counted.
    pub(super) const fn free() -> Self {
        Self { _locked: None }
    }
}

impl Places {
    /// As the settings say.
    pub fn of(config: &Config) -> Self {
        let counted = config.services.iter().filter_map(|service| {
            let Service { name, protocol, host, port } = service.offered();
            Some((name, Counted { most: service.connections?, protocol, host, port }))
        });
        Self { folder: config.state_dir.join("places"), counted: counted.collect() }
    }

    /// A service that takes one connection at a time.
    #[cfg(test)]
    pub(super) fn one(service: &str, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), counted: BTreeMap::from([(service.parse().unwrap(), Counted::some(1))]) }
    }

    /// The same for whoever names addresses and a port: where they are those of a service that counts, by its address
    /// in the settings, it is its place.
    pub(super) async fn take_at(&self, protocol: Protocol, addresses: &[IpAddr], port: u16) -> Result<Place, NoPlace> {
        let here = |counted: &Counted| {
            let host = counted.host.parse::<IpAddr>();
            counted.protocol == protocol && counted.port == port && host.is_ok_and(|host| addresses.contains(&host))
        };
        match self.counted.iter().find(|(_, counted)| here(counted)) {
            Some((service, _)) => self.take(service).await,
            None => Ok(Place::free()),
        }
    }

    /// Waits for a place, but not for long.
    pub(super) async fn take(&self, service: &ServiceName) -> Result<Place, NoPlace> {
        let Some(Counted { most, .. }) = self.counted.get(service).cloned() else { return Ok(Place::free()) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(file) = free(&self.folder, service, most).map_err(NoPlace::Uncounted)? {
                return Ok(Place { _locked: Some(file) });
            }
            if Instant::now() >= deadline {
                return Err(NoPlace::Taken(most));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Locks the first place that nobody has; the lock goes with the file's descriptor (flock(2)).
fn free(folder: &Path, service: &ServiceName, most: NonZeroU16) -> io::Result<Option<File>> {
    std::fs::create_dir_all(folder)?;
    for place in 1..=most.get() {
        let file = File::create(folder.join(format!("{service}.{place}")))?;
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
impl Counted {
    fn some(most: u16) -> Self {
        let most = NonZeroU16::new(most).unwrap();
        Self { most, protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 10001 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_names_the_address_takes_the_services_place() {
        let folder = tempfile::tempdir().unwrap();
        let (places, service) = places(folder.path(), 1);
        let at =
            async |protocol, address: &str, port| places.take_at(protocol, &[address.parse().unwrap()], port).await;
        let taken = at(Protocol::Tcp, "192.168.1.50", 10001).await.unwrap();
        assert!(matches!(places.take(&service).await, Err(NoPlace::Taken(_))));
        for (protocol, address, port) in [
            (Protocol::Udp, "192.168.1.50", 10001),
            (Protocol::Tcp, "192.168.1.51", 10001),
            (Protocol::Tcp, "192.168.1.50", 80),
        ] {
            at(protocol, address, port).await.unwrap();
        }
        drop(taken);
        places.take(&service).await.unwrap();
    }

    fn places(folder: &Path, most: u16) -> (Places, ServiceName) {
        let service: ServiceName = "panel".parse().unwrap();
        let counted = BTreeMap::from([(service.clone(), Counted::some(most))]);
        (Places { folder: folder.join("places"), counted }, service)
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_waits_its_turn_and_is_refused_when_none_comes() {
        let folder = tempfile::tempdir().unwrap();
        // As two sessions have them, each with its own.
        let ((here, service), (there, _)) = (places(folder.path(), 2), places(folder.path(), 2));
        let (first, second) = (here.take(&service).await.unwrap(), there.take(&service).await.unwrap());
        let begun = Instant::now();
        let refused = here.take(&service).await.unwrap_err();
        assert_eq!(refused.to_string(), "it takes 2 connections at a time, and all are in use");
        assert!((PATIENCE..PATIENCE + LOOK * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());

        assert!(tokio::time::timeout(PATIENCE / 2, there.take(&service)).await.is_err(), "it waits");
        drop(first);
        there.take(&service).await.unwrap();
        drop(second);
        here.take(&"other".parse().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn without_a_folder_nothing_is_counted_and_nothing_opened() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (places, service) = places(file.path(), 1);
        assert!(matches!(places.take(&service).await, Err(NoPlace::Uncounted(_))));
    }
}
