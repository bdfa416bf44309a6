//! Names and their addresses, by the system's resolver: few look-ups of one session at a time. The system's call cannot
//! be broken off, so a look-up that nobody waits for any more still counts until it has ended.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Look-ups of one session that may run at once.
const AT_ONCE: usize = 16;

type Find = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// One session's way to the resolver.
#[derive(Clone)]
pub(super) struct Lookups {
    room: Arc<Semaphore>,
    find: Arc<Find>,
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAddress {
    /// As many names as may be are being looked up, and none has been found yet.
    #[error("{AT_ONCE} names are being looked up already")]
    Busy,
    /// The resolver knows none, or does not answer.
    #[error("the name has no address")]
    Unknown(#[source] io::Error),
}

impl Lookups {
    /// By the system's resolver.
    pub(super) fn of_system() -> Self {
        Self::by(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    fn by(find: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { room: Arc::new(Semaphore::new(AT_ONCE)), find: Arc::new(find) }
    }

    /// The addresses of a host; never empty. One that is an address itself is not looked up.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NoAddress> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let room = self.room.clone().try_acquire_owned().map_err(|_| NoAddress::Busy)?;
        let (find, host) = (self.find.clone(), host.to_owned());
        let look = spawn_blocking(move || {
            let _room = room;
            find(&host)
        });
        let found = look.await.map_err(io::Error::other).and_then(|found| found).map_err(NoAddress::Unknown)?;
        if found.is_empty() { Err(NoAddress::Unknown(io::ErrorKind::NotFound.into())) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    #[tokio::test]
    async fn look_ups_that_nobody_waits_for_any_more_still_take_their_room() {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let lookups = {
            let gate = gate.clone();
            Lookups::by(move |_| {
                let (open, changed) = &*gate;
                drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
                Ok(vec![[192, 168, 1, 50].into()])
            })
        };
        for name in (0..AT_ONCE).map(|number| format!("panel-{number}")) {
            let given_up = tokio::select! {
                biased;
                _ = lookups.addresses(&name) => false,
                () = std::future::ready(()) => true,
            };
            assert!(given_up);
        }
        assert!(matches!(lookups.addresses("one-more").await, Err(NoAddress::Busy)));
        assert_eq!(lookups.addresses("fd77:1::50").await.unwrap().len(), 1, "an address needs no look-up");
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        // Ends when the last of them has given its room back.
        let all = u32::try_from(AT_ONCE).unwrap();
        drop(lookups.room.acquire_many(all).await.unwrap());
        lookups.addresses("one-more").await.unwrap();
    }
}
