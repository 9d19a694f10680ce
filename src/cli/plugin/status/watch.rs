//! `status --watch`: the screen, kept up to date by watches of the API server until a signal ends it. On a terminal it is
//! redrawn in place; elsewhere a line is written for each change. An API server that is away for a while is said to be,
//! and what was seen last stays.

mod canvas;
mod kept;
mod lines;

use std::{
    io,
    time::{Duration, Instant},
};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{BoxStream, select},
};
use jiff::Timestamp;
use kube::{
    Client, Resource,
    api::{DynamicObject, ListParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{interval, sleep, timeout},
};

use super::{
    chosen,
    render::{Look, Scene},
};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{
        Failure,
        plugin::{Place, objects::Scope},
        screen,
    },
};
use canvas::Canvas;
use kept::Kept;
use lines::Lines;

/// Ages and progress are shown to the second.
const REDRAW: Duration = Duration::from_secs(1);
/// How often the API server is asked whether it is there: a watch alone notices only after minutes that nobody answers.
const ASK: Duration = Duration::from_secs(5);
/// How long watches that were opened anew may take to list everything.
const RENEW: Duration = Duration::from_secs(15);
/// Longest wait for that answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Since when nothing is heard of the API server, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lost {
    since: Timestamp,
    why: String,
}

/// What the watches bring.
enum News {
    Server(Event<DynamicObject>),
    Task(Event<DynamicObject>),
    Lost(String),
}

/// Where the screen is shown.
enum Output {
    Terminal(Canvas),
    File(Lines),
}

impl Output {
    fn show(&mut self, scene: &Scene, look: &Look, lost: Option<&Lost>, now: Timestamp) -> io::Result<()> {
        match self {
            Self::Terminal(canvas) => canvas.show(scene, look, lost, now),
            Self::File(lines) => lines.show(scene, look, lost, now),
        }
    }
}

/// Shows `first` and whatever comes after it, until a signal comes or the reader has gone.
pub(super) async fn run(place: &Place, look: &Look, names: &[String], first: Scene) -> Result<(), Failure> {
    let unheard = |error: io::Error| Failure::because("failed to listen for signals", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(unheard)?;
    let mut resized = signal(SignalKind::window_change()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut output = if screen::can_redraw() {
        Output::Terminal(Canvas::open())
    } else {
        Output::File(Lines::default())
    };
    let mut seen = Kept::new(&first);
    let mut scene = first;
    let mut news = watch(&place.client, look);
    let mut asked = ask(&place.client, &look.scope, ASK);
    let mut redraw = interval(REDRAW);
    // When the watches were opened anew for an API server that is back; a list of many objects takes its time.
    let mut renewed: Option<Instant> = None;
    loop {
        // A reader that has seen enough (head, a closed terminal) is no failure.
        if output.show(&scene, look, seen.lost(), Timestamp::now()).is_err() {
            return Ok(());
        }
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            _ = resized.recv() => {}
            _ = redraw.tick() => {}
            item = news.next() => {
                let mut next = item;
                while let Some(item) = next {
                    renewed = renewed.filter(|_| !matches!(item, News::Lost(_)));
                    seen.take(item, Timestamp::now());
                    // A burst of changes is one picture.
                    next = news.next().now_or_never().flatten();
                }
                let (servers, tasks) = seen.objects();
                scene = chosen(servers, tasks, look, names);
            }
            answer = &mut asked => {
                match answer {
                    // The watches may hang on connections that nobody serves any more.
                    Ok(()) if seen.lost().is_some() && renewed.is_none_or(|at| at.elapsed() > RENEW) => {
                        news = watch(&place.client, look);
                        renewed = Some(Instant::now());
                    }
                    Ok(()) => {}
                    Err(why) => {
                        seen.lose(why, Timestamp::now());
                        renewed = None;
                    }
                }
                let pause = if seen.lost().is_some() { REDRAW } else { ASK };
                asked = ask(&place.client, &look.scope, pause);
            }
        }
    }
}

/// Watches both kinds. Network.
fn watch(client: &Client, look: &Look) -> BoxStream<'static, News> {
    let tasks = watcher::Config {
        label_selector: look.selector.clone(),
        ..watcher::Config::default()
    };
    select(
        events::<BackupServer>(client, &look.scope, watcher::Config::default(), News::Server),
        events::<BackupTask>(client, &look.scope, tasks, News::Task),
    )
    .boxed()
}

fn events<K: Resource<DynamicType = ()>>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    news: fn(Event<DynamicObject>) -> News,
) -> BoxStream<'static, News> {
    watcher(scope.api::<K>(client), config)
        .default_backoff()
        .map(move |event| match event {
            Ok(event) => news(event),
            Err(error) => News::Lost(cause(&error)),
        })
        .boxed()
}

/// Asks the API server for next to nothing, after a pause. Network.
fn ask(client: &Client, scope: &Scope, pause: Duration) -> BoxFuture<'static, Result<(), String>> {
    let api = scope.api::<BackupTask>(client);
    async move {
        sleep(pause).await;
        match timeout(ANSWER, api.list(&ListParams::default().limit(1))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(cause(&error)),
            Err(_) => Err(format!("no answer in {}s", ANSWER.as_secs())),
        }
    }
    .boxed()
}

/// The innermost cause, which is the one that people know.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
