//! Seats for passes (a word of Kubernetes' API Priority and Fairness): so many at a time, what people did before what time did, and each
//! namespace its share.
//!
//! A queue in the order of arrival would let an edit wait behind ten thousand looks that came due together, and everybody wait behind one
//! namespace that changes all its objects at once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{oneshot, watch};

use super::lane::{Lane, PassLane, Turns};

/// The seats of an account.
#[derive(Debug)]
pub(crate) struct Seats(Arc<Mutex<State>>);

/// A seat, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Mutex<State>>,
    namespace: String,
    uid: String,
    /// For whom it was given.
    given: Lane,
    lane: PassLane,
}

/// A pass over an object that waits for a seat.
#[derive(Debug)]
struct Waiter {
    uid: String,
    give: oneshot::Sender<Seat>,
}

#[derive(Debug)]
struct State {
    /// How many there are.
    size: usize,
    /// Passes at work, by the lane in which they came, and namespace.
    at_work: HashMap<(Lane, String), usize>,
    /// What tells a pass at work that somebody asks for it, by its object.
    under_way: HashMap<String, watch::Sender<Lane>>,
    /// Who waits, by lane and namespace, in the order of arrival.
    waiting: HashMap<(Lane, String), VecDeque<Waiter>>,
    /// When a namespace was given a seat last, counted in seats.
    given: HashMap<String, u64>,
    /// Seats given so far.
    count: u64,
    turns: Turns,
    closed: bool,
}

impl Seats {
    /// So many seats.
    pub(crate) fn new(size: u16) -> Self {
        Self(Arc::new(Mutex::new(State {
            size: size.into(),
            at_work: HashMap::new(),
            under_way: HashMap::new(),
            waiting: HashMap::new(),
            given: HashMap::new(),
            count: 0,
            turns: Turns::default(),
            closed: false,
        })))
    }

    /// Waits for a seat for a pass over an object; none if no further pass may begin.
    pub(crate) async fn take(&self, namespace: &str, uid: &str, lane: Lane) -> Option<Seat> {
        let seat = {
            let mut state = locked(&self.0);
            if state.closed {
                return None;
            }
            let (give, seat) = oneshot::channel();
            let queue = state.waiting.entry((lane, namespace.to_owned())).or_default();
            queue.push_back(Waiter {
                uid: uid.to_owned(),
                give,
            });
            seat
        };
        give(&self.0);
        seat.await.ok()
    }

    /// Somebody asks for a pass over an object: if one waits already, since its time has come, it waits among those who are asked for; if one
    /// is under way, its further calls do, so that it is soon over.
    pub(crate) fn ask(&self, namespace: &str, uid: &str) {
        {
            let mut state = locked(&self.0);
            let due = state.waiting.get_mut(&(Lane::Due, namespace.to_owned()));
            let asked = due.and_then(|queue| {
                let place = queue.iter().position(|waiter| waiter.uid == uid)?;
                queue.remove(place)
            });
            let Some(asked) = asked else {
                if let Some(pass) = state.under_way.get(uid) {
                    pass.send_replace(Lane::Asked);
                }
                return;
            };
            let queue = state.waiting.entry((Lane::Asked, namespace.to_owned())).or_default();
            queue.push_back(asked);
        }
        give(&self.0);
    }

    /// Lets no further pass begin. Those who wait go away with nothing.
    pub(crate) fn close(&self) {
        let mut state = locked(&self.0);
        state.closed = true;
        state.waiting.clear();
    }
}

impl Seat {
    /// In which lane its pass waits for the budget.
    pub(crate) fn lane(&self) -> PassLane {
        self.lane.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        {
            let mut state = locked(&self.seats);
            state.under_way.remove(&self.uid);
            let key = (self.given, std::mem::take(&mut self.namespace));
            if let Some(working) = state.at_work.get_mut(&key) {
                *working -= 1;
                if *working == 0 {
                    state.at_work.remove(&key);
                }
            }
        }
        give(&self.seats);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives what is free to those who wait.
fn give(seats: &Arc<Mutex<State>>) {
    loop {
        let mut state = locked(seats);
        let Some((Waiter { uid, give }, given, namespace)) = state.next() else {
            return;
        };
        let (change, lane) = PassLane::new(given);
        state.under_way.insert(uid.clone(), change);
        let seat = Seat {
            seats: Arc::clone(seats),
            namespace,
            uid,
            given,
            lane,
        };
        drop(state);
        // Who waited may have gone this very moment: then the seat comes back, and is given to the next.
        drop(give.send(seat));
    }
}

impl State {
    /// Who is next, if there is a seat for him, which counts as taken then.
    fn next(&mut self) -> Option<(Waiter, Lane, String)> {
        self.waiting.retain(|_, queue| {
            while queue.front().is_some_and(|waiter| waiter.give.is_closed()) {
                queue.pop_front();
            }
            !queue.is_empty()
        });
        let lane = self.lane()?;
        let key = self.waiting.keys().filter(|(of, _)| *of == lane);
        let key = key.min_by_key(|(_, namespace)| self.turn(namespace))?.clone();
        let queue = self.waiting.get_mut(&key)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&key);
        }
        let next = next?;
        self.count += 1;
        self.given.insert(key.1.clone(), self.count);
        self.tidy();
        *self.at_work.entry(key.clone()).or_default() += 1;
        Some((next, key.0, key.1))
    }

    /// The lane whose turn it is.
    fn lane(&mut self) -> Option<Lane> {
        let at_work = |lane: Lane| -> usize {
            let of = self.at_work.iter().filter(|((of, _), _)| *of == lane);
            of.map(|(_, working)| working).sum()
        };
        let waits = |lane: Lane| self.waiting.keys().any(|(of, _)| *of == lane);
        let free = at_work(Lane::Asked) + at_work(Lane::Due) < self.size;
        let asked = free && waits(Lane::Asked);
        // What is due leaves a fifth of the seats free, so that an edit finds one although all calls of IAM hang.
        let due = free && waits(Lane::Due) && at_work(Lane::Due) < self.size - self.size / 5;
        self.turns.next(asked, due)
    }

    /// A namespace's turn: the one with the fewest passes at work, of these the one that had to wait the longest.
    fn turn(&self, namespace: &str) -> (usize, u64) {
        let working = |lane| self.at_work.get(&(lane, namespace.to_owned())).copied().unwrap_or(0);
        let given = self.given.get(namespace).copied().unwrap_or(0);
        (working(Lane::Asked) + working(Lane::Due), given)
    }

    /// Forgets namespaces whose turn was so long ago that nobody remembers: those that wait for nothing come first anyway.
    fn tidy(&mut self) {
        if self.given.len() > 2 * self.waiting.len() + 64 {
            let waiting: Vec<String> = self.waiting.keys().map(|(_, namespace)| namespace.clone()).collect();
            self.given.retain(|namespace, _| waiting.contains(namespace));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{FutureExt, StreamExt, stream::FuturesUnordered};

    use super::*;
    use crate::aws::lane::IN_A_ROW;

    /// Those who come one after another while all seats are taken, in the order in which they get one when seats are free one by one.
    async fn order(size: u16, comers: &[(&str, Lane)]) -> Vec<String> {
        let seats = Seats::new(size);
        let mut taken = Vec::new();
        for _ in 0..size {
            taken.push(seats.take("before", "", Lane::Asked).await.unwrap());
        }
        let mut waiting = FuturesUnordered::new();
        for (number, (namespace, lane)) in comers.iter().enumerate() {
            let mut take = Box::pin(seats.take(namespace, "", *lane));
            assert!(take.as_mut().now_or_never().is_none());
            waiting.push(take.map(move |seat| (format!("{namespace}{number}"), seat)));
        }
        let mut order = Vec::new();
        while let Some(held) = taken.pop() {
            drop(held);
            while let Some(Some((who, seat))) = waiting.next().now_or_never() {
                order.push(who);
                taken.push(seat.unwrap());
            }
        }
        order
    }

    #[tokio::test]
    async fn what_people_did_comes_before_what_time_did() {
        let comers = [
            ("a", Lane::Due),
            ("a", Lane::Due),
            ("a", Lane::Asked),
            ("a", Lane::Asked),
        ];
        assert_eq!(order(1, &comers).await, ["a2", "a3", "a0", "a1"]);
    }

    #[tokio::test]
    async fn what_is_due_gets_its_turn_whatever_people_do() {
        let asked = vec![("a", Lane::Asked); 40];
        let order = order(1, &[&asked[..], &[("b", Lane::Due)]].concat()).await;
        let turn = order.iter().position(|who| who == "b40").unwrap();
        assert_eq!(turn, usize::try_from(IN_A_ROW).unwrap());
    }

    #[tokio::test]
    async fn a_namespace_gets_no_more_than_its_share() {
        let many = vec![("many", Lane::Asked); 1000];
        let few = [("few", Lane::Asked), ("few", Lane::Asked)];
        for size in [1, 10] {
            let order = order(size, &[&many[..], &few[..]].concat()).await;
            for number in [1000, 1001] {
                let turn = order.iter().position(|who| *who == format!("few{number}")).unwrap();
                assert!(turn < 4, "the seat number {turn} of {size}");
            }
        }
    }

    /// However many looks hang, an edit has a seat at once.
    #[tokio::test]
    async fn looks_leave_places_for_edits() {
        let seats = Seats::new(10);
        let mut looks: Vec<_> = (0..20).map(|_| Box::pin(seats.take("a", "", Lane::Due))).collect();
        let begun: Vec<_> = looks
            .iter_mut()
            .filter_map(|look| look.as_mut().now_or_never())
            .collect();
        assert_eq!(begun.len(), 8);
        assert!(seats.take("a", "", Lane::Asked).now_or_never().flatten().is_some());
        // One seat alone is for both.
        assert!(
            Seats::new(1)
                .take("a", "", Lane::Due)
                .now_or_never()
                .flatten()
                .is_some()
        );
    }

    #[tokio::test]
    async fn who_went_away_keeps_no_seat() {
        let seats = Seats::new(1);
        let held = seats.take("a", "", Lane::Due).await;
        let mut gone = Box::pin(seats.take("a", "", Lane::Due));
        assert!(gone.as_mut().now_or_never().is_none());
        let next = seats.take("a", "", Lane::Due);
        let next = tokio::time::timeout(Duration::from_mins(1), async {
            let mut next = Box::pin(next);
            assert!(next.as_mut().now_or_never().is_none());
            drop(gone);
            drop(held);
            next.await
        });
        assert!(next.await.unwrap().is_some());
        assert!(locked(&seats.0).at_work.is_empty());
    }

    #[tokio::test]
    async fn when_closed_nobody_begins_and_who_works_goes_on() {
        let seats = Seats::new(1);
        let held = seats.take("a", "", Lane::Due).await.unwrap();
        let mut waits = Box::pin(seats.take("a", "", Lane::Asked));
        assert!(waits.as_mut().now_or_never().is_none());
        seats.close();
        assert!(waits.await.is_none() && seats.take("a", "", Lane::Asked).await.is_none());
        drop(held);
    }

    /// An object that waits for its look is edited: it waits no longer than one that is edited and waits for nothing.
    #[tokio::test]
    async fn who_is_asked_for_while_he_waits_comes_first() {
        let seats = Seats::new(1);
        let held = seats.take("a", "0", Lane::Due).await;
        let mut looks: Vec<_> = ["1", "2", "3"]
            .map(|uid| Box::pin(seats.take("a", uid, Lane::Due)))
            .into();
        for look in &mut looks {
            assert!(look.as_mut().now_or_never().is_none());
        }
        for (namespace, uid) in [("a", "3"), ("b", "2"), ("a", "4")] {
            seats.ask(namespace, uid);
        }
        drop(held);
        let turns: Vec<_> = looks.iter_mut().map(|look| look.as_mut().now_or_never()).collect();
        let lanes: Vec<_> = turns.iter().flatten().flatten().map(|seat| seat.lane().now()).collect();
        assert!(turns[2].is_some() && lanes == [Lane::Asked], "{turns:?}");
    }

    /// An object is edited while its look, which was due, is under way: the look's calls wait no longer among those that are due.
    #[tokio::test]
    async fn who_is_asked_for_at_work_is_soon_done() {
        let seats = Seats::new(2);
        let (look, other) = (
            seats.take("a", "1", Lane::Due).await.unwrap(),
            seats.take("a", "2", Lane::Asked).await,
        );
        let mut asked = Box::pin(look.lane().asked());
        assert!(asked.as_mut().now_or_never().is_none());
        seats.ask("a", "1");
        assert!(asked.now_or_never().is_some());
        drop((look, other));
        assert!(locked(&seats.0).under_way.is_empty());
    }

    /// The seats that looks leave are for those who are asked for while they wait, too.
    #[tokio::test]
    async fn who_is_asked_for_while_he_waits_takes_a_seat_that_is_left() {
        let seats = Seats::new(5);
        let mut looks: Vec<_> = ["0", "1", "2", "3", "4"]
            .map(|uid| Box::pin(seats.take("a", uid, Lane::Due)))
            .into();
        let begun: Vec<_> = looks.iter_mut().map(|look| look.as_mut().now_or_never()).collect();
        assert_eq!(begun.iter().flatten().count(), 4);
        seats.ask("a", "4");
        assert!(looks[4].as_mut().now_or_never().is_some());
    }
}
