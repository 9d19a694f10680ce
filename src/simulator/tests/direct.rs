//! The NAS without sockets spoils its answers as the one with sockets does.

use std::time::Duration;

use super::super::{DirectNas, Fault, FaultKind, Nas, Scenario};
use crate::clock::Clock;
use crate::nas::Carrier;

const QUERY: &str = "api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth";

/// Status and body of an answer that a fault hits, and how long it took.
async fn spoilt(kind: FaultKind) -> (u16, Vec<u8>, Duration) {
    let now = "2026-03-01T03:00:00Z".parse().unwrap();
    let mut nas = Nas::new(Scenario::seed(), 1.0, now).unwrap();
    nas.add_fault(Fault::new(kind));
    let nas = DirectNas::new(nas, Clock::starting_at(now));
    let begun = tokio::time::Instant::now();
    let carried = nas.carry("query.cgi", QUERY.to_owned(), None).await.unwrap();
    (carried.status, carried.body, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn redirects_and_answers_that_are_slow_or_too_large() {
    let url = "https://elsewhere.example/".to_owned();
    let (status, body, _) = spoilt(FaultKind::RedirectTo { url }).await;
    assert_eq!((status, body.len()), (302, 0));
    let (status, body, _) = spoilt(FaultKind::Oversize { bytes: 3_000_000 }).await;
    assert_eq!((status, body.len()), (200, 3_000_000));
    let (_, body, _) = spoilt(FaultKind::Oversize { bytes: u64::MAX }).await;
    assert_eq!(body.len(), 1 << 27, "no more than shows it");
    let slow = FaultKind::Slow { bytes_per_second: 10 };
    let (status, body, took) = spoilt(slow).await;
    assert_eq!(status, 200);
    assert_eq!(took.as_secs(), body.len() as u64 / 10);
}
