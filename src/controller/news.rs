//! Events on their way: what was done is told beside the work, in order, when no more of it comes for a moment, and at a pace
//! that leaves the API server to the writes that matter. Under load Events come later; beyond a bound they are left out, as an Event is a notice and the
//! status the record.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, Recorder};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Events that wait at most, some hundred bytes each.
const MOST: usize = 4096;
/// So many are told at once before the pace counts: those of two runs.
const BURST: f64 = 6.0;
/// Events a second from then on at most: a tenth of what one API server writes.
const PACE: f64 = 20.0;
/// Who has done something does more in a moment, and the API server is to have time for that: Events wait until no more were
/// handed in for so long, which is longer than nearly every call takes that somebody asks for alone (docs/scaling.md),
const LULL: Duration = Duration::from_millis(250);
/// of which is seen so often whether it is over,
const STEP: Duration = Duration::from_millis(50);
/// and at most for so long. Then so many are told, whatever is handed in meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
const GROUP: u32 = 20;
/// What still waits when the process ends is told within this.
const LAST_WORDS: Duration = Duration::from_secs(2);

type News = (ObjectReference, Event);

/// The Events of one process.
pub(super) struct Desk {
    recorder: Recorder,
    open: Mutex<Option<(mpsc::Sender<News>, JoinHandle<()>)>>,
}

impl Desk {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            open: Mutex::default(),
        }
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Takes an Event to be told soon. Needs a runtime. Tells whether there was room for it.
    pub(super) fn take(&self, news: News) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, _) = open.get_or_insert_with(|| {
            let (sender, waiting) = mpsc::channel(MOST);
            let recorder = self.recorder.clone();
            let tell = move |(reference, event): News| {
                let recorder = recorder.clone();
                async move {
                    if let Err(error) = super::kubernetes::written(recorder.publish(&event, &reference)).await
                    {
                        tracing::debug!(%error, "failed to publish an Event");
                    }
                }
            };
            (sender, tokio::spawn(tell_all(waiting, tell)))
        });
        sender.try_send(news).is_ok()
    }

    /// Tells what still waits, as far as that is soon.
    pub(super) async fn close(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, mut telling)) = open {
            drop(sender);
            if timeout(LAST_WORDS, &mut telling).await.is_err() {
                telling.abort();
            }
        }
    }
}

/// Tells one after the other. Nobody is kept waiting once nothing more comes.
async fn tell_all<T, F: Future<Output = ()>>(mut waiting: mpsc::Receiver<T>, tell: impl Fn(T) -> F) {
    let (mut allowance, mut seen) = (BURST, Instant::now());
    let mut group = 0;
    while let Some(news) = waiting.recv().await {
        if group == 0 {
            lull(&waiting).await;
            group = GROUP;
        }
        let now = Instant::now();
        allowance = (allowance + now.duration_since(seen).as_secs_f64() * PACE).min(BURST);
        seen = now;
        if allowance < 1.0 && !waiting.is_closed() {
            sleep(Duration::from_secs_f64((1.0 - allowance) / PACE)).await;
        }
        allowance -= 1.0;
        tell(news).await;
        group = if waiting.is_empty() { 0 } else { group - 1 };
    }
}

/// Waits until nothing more is handed in, or nothing more can be, but not for ever.
async fn lull<T>(waiting: &mpsc::Receiver<T>) {
    let begun = Instant::now();
    let (mut handed_in, mut since) = (waiting.len(), begun);
    while !waiting.is_closed() && since.elapsed() < LULL && begun.elapsed() < PATIENCE {
        sleep(STEP).await;
        if waiting.len() != handed_in {
            (handed_in, since) = (waiting.len(), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_what_follows_at_the_pace() {
        let (sender, waiting) = mpsc::channel(MOST);
        let told = Arc::new(Mutex::new(Vec::new()));
        let begun = Instant::now();
        let tell = {
            let told = Arc::clone(&told);
            move |news: usize| {
                told.lock().unwrap().push((news, begun.elapsed()));
                std::future::ready(())
            }
        };
        let telling = tokio::spawn(tell_all(waiting, tell));
        for news in 0..300 {
            sender.send(news).await.unwrap();
        }
        while told.lock().unwrap().len() < 60 {
            tokio::time::advance(Duration::from_millis(10)).await;
            tokio::task::yield_now().await;
        }
        drop(sender);
        telling.await.unwrap();
        let told = told.lock().unwrap();
        assert!(told.iter().map(|(news, _)| *news).eq(0..300), "in order");
        let first = told[0].1;
        assert!((LULL..PATIENCE).contains(&first), "{first:?}");
        assert!(told[5].1 < first + Duration::from_millis(20));
        assert!(
            told[59].1 >= first + Duration::from_millis(2600),
            "{:?}",
            told[59].1
        );
        assert!(
            told[299].1 < told[59].1 + Duration::from_millis(200),
            "the end waits for no pace"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_waits_for_a_lull_and_under_a_load_without_end_some_are_told() {
        for (between, first, all) in [(LULL * 2, LULL, 19..21), (LULL / 4, PATIENCE, 100..130)] {
            let (sender, waiting) = mpsc::channel(MOST);
            let begun = Instant::now();
            let told = Arc::new(Mutex::new(Vec::new()));
            let tell = {
                let told = Arc::clone(&told);
                move |_: u32| {
                    told.lock().unwrap().push(begun.elapsed());
                    std::future::ready(())
                }
            };
            let telling = tokio::spawn(tell_all(waiting, tell));
            let handing_in = async {
                for news in 0.. {
                    sender.send(news).await.unwrap();
                    sleep(between).await;
                }
            };
            let ended = timeout(Duration::from_secs(10), handing_in).await;
            ended.unwrap_err();
            telling.abort();
            let told = told.lock().unwrap();
            assert!(told[0] >= first && told[0] <= first + LULL, "{:?}", told[0]);
            assert!(all.contains(&told.len()), "{} in ten seconds", told.len());
        }
    }
}
