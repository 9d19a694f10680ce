//! Several processes, an API server that is slow, loses answers and whose watch lags, crashes and pauses: at no moment have
//! two processes one server, and when it gets quiet each has its share.

mod sentences;
mod world;

use std::time::Duration;

use tokio::time::Instant;

use super::Mode;
use world::{DURATION, World};

fn run(test: impl AsyncFnOnce()) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test());
}

#[test]
fn no_server_ever_has_two_masters_and_all_is_shared_in_the_end() {
    for seed in 0..150 {
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
    for seed in 1000..1100 {
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
        assert_eq!(
            world.first_slot(),
            Some(1),
            "the next in order has the first slot"
        );
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
