//! Several processes, an API server that is slow, loses answers and whose watch lags, crashes and pauses: at no moment have
//! two processes one server, and when it gets quiet each has its share.

mod sentences;
mod world;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Fences, Mode,
    core::{Core, Purpose, Request, Written},
    lease::{Leases, Record},
    watching::Told,
};
use crate::act::Fence;
use world::{DURATION, World};

fn run(test: impl AsyncFnOnce()) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test());
}

/// Enough to find most mistakes within moments. `SHARE_SEEDS=5000` tries more, `SHARE_SEED=7` one of them, with
/// `SHARE_LOG=1` every request and answer is printed.
const SEEDS: u64 = 60;

fn seeds(from: u64) -> impl Iterator<Item = u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|number| number.parse::<u64>().ok())
    };
    let one = number("SHARE_SEED");
    let all = from..from + number("SHARE_SEEDS").unwrap_or(SEEDS);
    all.filter(move |seed| one.is_none_or(|one| one == *seed))
}

#[test]
fn no_server_ever_has_two_masters_and_all_is_shared_in_the_end() {
    for seed in seeds(0) {
        println!("seed {seed}");
        run(async || {
            let mut world = World::new(seed, 7);
            for _ in 0..3 {
                world.start(Mode::Shared);
            }
            world.trouble(Duration::from_secs(90)).await;
            world.calm(DURATION * 5).await;
            world.is_shared();
        });
    }
}

#[test]
fn whoever_leads_alone_is_never_met_by_those_who_share() {
    for seed in seeds(100_000) {
        println!("seed {seed}");
        run(async || {
            let mut world = World::new(seed, 3);
            for mode in [Mode::Shared, Mode::Single, Mode::Shared] {
                world.start(mode);
            }
            world.trouble(Duration::from_secs(90)).await;
            world.calm(DURATION * 5).await;
            world.is_served();
        });
    }
}

#[test]
fn ninety_servers_are_shared_by_thirty_and_a_dead_members_are_taken_in_its_time() {
    run(async || {
        let mut world = World::new(1, 90);
        for _ in 0..3 {
            world.start(Mode::Shared);
        }
        world.calm(Duration::from_secs(30)).await;
        assert_eq!(world.shares(), [30, 30, 30]);
        let before = world.owners();
        world.start(Mode::Shared);
        world.calm(Duration::from_secs(30)).await;
        assert_eq!(world.shares(), [22, 22, 23, 23]);
        let moved = before.iter().zip(world.owners()).filter(|(was, is)| **was != *is);
        assert_eq!(moved.count(), 22, "only what the new one gets has moved");
        let died = Instant::now();
        world.kill(0);
        world.calm_until(|world| world.shares() == [30, 30, 30]).await;
        let took = died.elapsed();
        assert!(took <= DURATION + Duration::from_secs(1), "{took:?}");
        let asked = Instant::now();
        world.stop(1);
        world.calm_until(|world| world.shares() == [45, 45]).await;
        let took = asked.elapsed();
        assert!(
            took <= Duration::from_secs(4),
            "passes of a second, eight at once, then the others: {took:?}"
        );
    });
}

#[test]
fn leases_that_a_person_deletes_are_made_again() {
    run(async || {
        let mut world = World::new(4, 5);
        for _ in 0..2 {
            world.start(Mode::Shared);
        }
        world.calm_until(|world| world.shares() == [2, 3]).await;
        let before = world.leases();
        for gone in before.clone().chunks(1).chain([before.as_slice()]) {
            for name in gone {
                world.delete(name);
            }
            world.calm(DURATION * 3).await;
            assert_eq!(world.shares(), [2, 3], "without {gone:?}");
            assert_eq!(world.leases(), before);
        }
    });
}

#[test]
fn a_quiet_process_writes_once_in_a_third_of_its_time_and_reads_nothing() {
    run(async || {
        let mut world = World::new(2, 20);
        for _ in 0..2 {
            world.start(Mode::Shared);
        }
        world.calm(DURATION * 3).await;
        world.requests.clear();
        world.calm(DURATION * 10).await;
        let renewals = world
            .requests
            .iter()
            .filter(|request| request.as_str() == "Renew");
        assert!(
            (58..=60).contains(&renewals.count()),
            "two processes, thirty each"
        );
        assert!(
            world.requests.iter().all(|request| request == "Renew"),
            "{:?}",
            world.requests
        );
    });
}

#[test]
fn the_first_server_costs_a_list_a_slot_and_its_lease() {
    run(async || {
        let mut world = World::new(3, 1);
        world.start(Mode::Shared);
        world.calm_until(|world| world.shares() == [1]).await;
        assert_eq!(world.requests, ["List", "Claim(0)", "Take"]);
    });
}

#[test]
fn nothing_is_taken_before_the_history_is_known_up_to_the_slot() {
    run(async || {
        let leases = Leases {
            name: "abb".to_owned(),
            identity: "me".to_owned(),
            duration: DURATION,
        };
        let fences = Arc::new(Fences::of(Fence::leased(DURATION), false));
        let mut core = Core::new(leases.clone(), Mode::Shared, fences);
        core.servers([("backups".to_owned(), "nas".to_owned())].into());
        let now = Instant::now();
        core.told(Told::Listed(Vec::new(), 5, now), now);
        let (asked, _) = core.next(now);
        let [Request::Write { purpose, lease, .. }] = asked.as_slice() else {
            panic!("a slot is taken: {asked:?}")
        };
        let mut lease = lease.as_ref().clone();
        lease.metadata.resource_version = Some("9".to_owned());
        let record = Record::of(&lease, DURATION);
        core.answered(purpose.clone(), Written::Done(record.clone()), now, 0, now);
        // Up to version 9 somebody may have begun to lead alone.
        for told in [None, Some(Told::Upto(8))] {
            if let Some(told) = told {
                core.told(told, now);
            }
            assert!(core.next(now).0.is_empty(), "not yet");
        }
        core.told(Told::Shown(record), now);
        let (asked, _) = core.next(now);
        let is_take = |request: &Request| {
            matches!(
                request,
                Request::Write {
                    purpose: Purpose::Take(_),
                    ..
                }
            )
        };
        assert!(asked.iter().all(is_take) && asked.len() == 1, "{asked:?}");
    });
}
