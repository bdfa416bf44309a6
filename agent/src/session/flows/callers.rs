//! Who calls now, and who may call besides. Addresses of datagrams can be forged: where places are short, a caller of
//! which one datagram was heard, or that never got an answer, makes room for one that has proved more.

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Calls of one address at once: a neighbour that calls without end leaves places for the others.
pub(super) const OF_ONE: usize = 4;
/// From one call that makes room to the next. Whoever forges addresses may also knock twice: so slowly it neither uses up
/// the calls of a session nor has more of them on their way out than a few.
const APART: Duration = Duration::from_secs(2);
/// Callers without a place that are remembered.
const KNOCKS: usize = 4096;

/// Who calls now, at all ports of a session.
#[derive(Default)]
pub(super) struct Callers(Mutex<Here>);

#[derive(Default)]
struct Here {
    calls: Vec<Arc<Call>>,
    /// When one had to make room last.
    displaced_at: Option<Instant>,
}

struct Call {
    caller: IpAddr,
    /// What is known of a caller by datagrams; a connection proves its address.
    datagrams: Option<Mutex<Heard>>,
    displaced: CancellationToken,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    datagrams: u32,
    last: Instant,
    answered: bool,
}

impl Call {
    fn heard(&self) -> Option<MutexGuard<'_, Heard>> {
        self.datagrams.as_ref().map(|heard| heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whom it costs least to lose comes first; none for those that stay.
    fn worth(&self) -> Option<(bool, Instant)> {
        let heard = *self.heard()?;
        let more = heard.datagrams > 1;
        (!more || !heard.answered).then_some((more, heard.last))
    }
}

/// A call that counts until it is dropped, or has to make room.
pub(super) struct Place {
    callers: Arc<Callers>,
    call: Arc<Call>,
}

impl Callers {
    /// A place for one more connection.
    pub(super) fn connection(this: &Arc<Self>, caller: IpAddr, most: usize) -> Option<Place> {
        Self::place(this, Call { caller, datagrams: None, displaced: CancellationToken::new() }, most, true)
    }

    /// A place for one more caller by datagrams, which has `knocked` before or has not.
    pub(super) fn datagrams(this: &Arc<Self>, caller: IpAddr, most: usize, knocked: bool) -> Option<Place> {
        let heard = Heard { datagrams: if knocked { 2 } else { 1 }, last: Instant::now(), answered: false };
        let call = Call { caller, datagrams: Some(Mutex::new(heard)), displaced: CancellationToken::new() };
        Self::place(this, call, most, knocked)
    }

    fn place(this: &Arc<Self>, call: Call, most: usize, displaces: bool) -> Option<Place> {
        let mut here = this.here();
        let own_full = here.calls.iter().filter(|other| other.caller == call.caller).count() >= OF_ONE;
        if own_full || here.calls.len() >= most {
            let now = Instant::now();
            let rests = here.displaced_at.is_some_and(|at| now < at + APART);
            let among = here.calls.iter().enumerate().filter(|(_, other)| !own_full || other.caller == call.caller);
            let least = among.filter_map(|(at, other)| Some((other.worth()?, at))).min();
            let (_, at) = least.filter(|_| displaces && !rests)?;
            here.calls.swap_remove(at).displaced.cancel();
            here.displaced_at = Some(now);
        }
        let call = Arc::new(call);
        here.calls.push(call.clone());
        drop(here);
        Some(Place { callers: this.clone(), call })
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Another datagram came.
    pub(super) fn heard(&self) {
        if let Some(mut heard) = self.call.heard() {
            (heard.datagrams, heard.last) = (heard.datagrams.saturating_add(1), Instant::now());
        }
    }

    /// The technician's program answered.
    pub(super) fn answered(&self) {
        if let Some(mut heard) = self.call.heard() {
            heard.answered = true;
        }
    }

    /// Waits until the call has to make room.
    pub(super) async fn displaced(&self) {
        self.call.displaced.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.callers.here().calls.retain(|call| !Arc::ptr_eq(call, &self.call));
    }
}

/// Callers by datagrams that found no place. Who knocks twice says the same from the same port again, as a panel does
/// that was not heard; addresses that are forged by chance hardly ever do.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    known: HashSet<SocketAddr>,
    order: VecDeque<SocketAddr>,
}

impl Knocks {
    /// Notes a caller. Gives whether it was here before.
    pub(super) fn again(&mut self, caller: SocketAddr) -> bool {
        if !self.known.insert(caller) {
            return true;
        }
        self.order.push_back(caller);
        if self.order.len() > KNOCKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 1, last])
    }

    #[test]
    fn one_that_calls_without_end_leaves_places_for_others_and_all_of_them_for_the_technician() {
        let callers = Arc::default();
        let place = |last| Callers::connection(&callers, address(last), 6);
        let camera: Vec<Place> = std::iter::from_fn(|| place(7)).collect();
        assert_eq!(camera.len(), OF_ONE);
        let panels: Vec<Place> = (20..30).map_while(place).collect();
        assert_eq!(panels.len(), 2, "six in all");
        drop(camera);
        assert!(place(7).is_some() && callers.here().calls.len() == 2, "who has gone is forgotten");
    }

    /// Which of them have to make room, one after the other, for callers that have knocked.
    async fn go(places: &[&Place], callers: &Arc<Callers>, last: impl Fn(u8) -> u8) -> Vec<usize> {
        let mut gone = Vec::new();
        let most = callers.here().calls.len();
        let comes = |turn| Callers::datagrams(callers, address(last(turn)), most, true);
        let mut kept = Vec::new();
        for turn in 0..9 {
            let Some(next) = comes(turn) else { break };
            assert!(comes(turn).is_none(), "one at a time makes room");
            tokio::time::advance(APART).await;
            next.answered();
            kept.push(next);
            let left = |at: &usize| places[*at].call.displaced.is_cancelled() && !gone.contains(at);
            let left: Vec<_> = (0..places.len()).filter(left).collect();
            gone.extend(left);
        }
        gone
    }

    #[tokio::test(start_paused = true)]
    async fn who_proved_least_makes_room_first_and_who_was_answered_stays() {
        let callers = Arc::default();
        let mut places = Vec::new();
        for last in 1..=5 {
            places.push(Callers::datagrams(&callers, address(last), 6, false).unwrap());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let connection = Callers::connection(&callers, address(6), 6).unwrap();
        let [speaks, once, answers_once, answers, later] = &places[..] else { panic!("five") };
        speaks.heard();
        answers_once.answered();
        answers.answered();
        answers.heard();
        assert!(Callers::datagrams(&callers, address(9), 6, false).is_none(), "it has not knocked before");
        tokio::time::advance(Duration::from_secs(1)).await;
        let all = [speaks, once, answers_once, answers, later, &connection];
        assert_eq!(go(&all, &callers, |turn| 100 + turn).await, [1, 2, 4, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_whose_address_is_forged_makes_room_among_its_own() {
        let callers = Arc::default();
        let other = Callers::datagrams(&callers, address(1), 9, false).unwrap();
        let forged: Vec<Place> = std::iter::from_fn(|| Callers::datagrams(&callers, address(7), 9, false)).collect();
        assert_eq!(forged.len(), OF_ONE);
        let all: Vec<&Place> = std::iter::once(&other).chain(&forged).collect();
        let gone = go(&all, &callers, |_| 7).await;
        assert!(gone.len() == OF_ONE && !gone.contains(&0), "{gone:?}");
    }

    #[test]
    fn who_knocks_again_is_known_and_most_are_forgotten() {
        let mut knocks = Knocks::default();
        let caller = |number: u16| SocketAddr::new(address(1), number);
        assert_eq!([1, 2, 1].map(|number| knocks.again(caller(number))), [false, false, true]);
        for number in 0..10_000 {
            knocks.again(caller(number));
        }
        assert_eq!((knocks.known.len(), knocks.order.len()), (KNOCKS, KNOCKS));
        assert!(!knocks.again(caller(1)) && knocks.again(caller(9_999)));
    }
}
