//! `backup` and `cancel`: the annotations that ask for a run and for its end, and the wait for the result. A token asks once,
//! however often it is written; so a write of unknown outcome is read back and written again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Place,
    answer::{Answer, Ask, answer, hopeless, obstacles, unaccepted},
    chosen::{annotate, chosen, mode_of, read},
    wait::wait,
};
use crate::{
    api::{BackupTask, Mode},
    cli::{Failure, call::print},
    clock::Clock,
    config::{BackupArgs, CancelArgs, TaskArgs},
};

/// Longest token (contract, `triggers.request`).
const LONGEST_TOKEN: usize = 63;
/// How long a write is tried that others come before, or whose outcome is not known.
const WRITING: Duration = Duration::from_secs(30);
/// Before a write is tried again that got no clear answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for a run of each task, and waits for the results if that was asked for.
pub(super) async fn run(place: &Place, args: &BackupArgs) -> Result<(), Failure> {
    let BackupArgs {
        tasks,
        wait: waits,
        timeout,
        token,
    } = args;
    let token = match token {
        Some(token) => checked(token)?,
        None => own_token(Clock::system().now()),
    };
    ask_all(place, Ask::Backup, tasks, &token, *waits, *timeout).await
}

/// Cancels the run in flight of each task, and waits for its end if that was asked for.
pub(super) async fn cancel(place: &Place, args: &CancelArgs) -> Result<(), Failure> {
    let CancelArgs {
        tasks,
        wait: waits,
        timeout,
    } = args;
    let token = own_token(Clock::system().now());
    ask_all(place, Ask::Cancel, tasks, &token, *waits, *timeout).await
}

/// A token of its own. It must not read as a time, which would ask for a run that started at or after it.
fn own_token(now: Timestamp) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("cli-{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), &random[..6])
}

fn checked(token: &str) -> Result<String, Failure> {
    let length = token.chars().count();
    if length == 0 || length > LONGEST_TOKEN {
        return Err(Failure::usage(format!(
            "--token has {length} characters: write one of 1 to {LONGEST_TOKEN}, such as before-upgrade-1.37"
        )));
    }
    if token.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "--token {token:?} has control characters: write it without"
        )));
    }
    Ok(token.to_owned())
}

/// `waits`: whether the ends are waited for; `timeout`: no longer than this.
async fn ask_all(
    place: &Place,
    ask: Ask,
    tasks: &TaskArgs,
    token: &str,
    waits: bool,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let tasks = chosen(place, tasks).await?;
    let modes = modes_of(place, &tasks).await;
    let mode = |task: &BackupTask| modes.get(&task.spec.server_ref.name).copied();
    if waits {
        let never: Vec<String> = tasks
            .iter()
            .filter(|task| matches!(answer(task, ask, token), Answer::NotAccepted | Answer::Unknown))
            .filter_map(|task| {
                let (_, why) = hopeless(task, ask, mode(task))?;
                Some(format!("backuptask/{}: {why}", task.name_any()))
            })
            .collect();
        if !never.is_empty() {
            return Err(Failure::new(format!(
                "the wait would never end, so nothing was asked: {}",
                never.join("; ")
            )));
        }
    }
    let mut asked: Vec<BackupTask> = Vec::new();
    for task in tasks {
        let name = task.name_any();
        let before = answer(&task, ask, token);
        if before != Answer::Unknown {
            print(&format!(
                "backuptask/{name} was asked before (token {token}): {}\n",
                told(before)
            ));
            asked.push(task);
            continue;
        }
        let notes = obstacles(&task, ask, mode(&task));
        let (task, replaced) = put(place, task, ask, token).await.map_err(|failure| {
            let names: Vec<String> = asked.iter().map(ResourceExt::name_any).collect();
            match names.as_slice() {
                [] => failure,
                names => Failure::new(format!("{failure}; asked so far: {}", names.join(", "))),
            }
        })?;
        let what = match ask {
            Ask::Backup => "asked",
            Ask::Cancel => "asked to cancel",
        };
        print(&format!("backuptask/{name} {what} (token {token})\n"));
        if let Some(replaced) = replaced {
            eprintln!(
                "warning: backuptask/{name}: the token {replaced:?} was replaced before an operator accepted it, so it asks \
                 for nothing any more"
            );
        }
        for note in notes {
            eprintln!("warning: backuptask/{name}: {note}");
        }
        if let Some(due) = due_later(token, Clock::system().now()).filter(|_| ask == Ask::Backup) {
            eprintln!("warning: backuptask/{name}: the token is a time, {due}: it is due from then on");
        }
        asked.push(task);
    }
    if waits {
        return Box::pin(wait(place, ask, token, asked, timeout)).await;
    }
    Ok(())
}

fn told(answer: Answer) -> String {
    match answer {
        Answer::NotAccepted | Answer::Unknown => "no operator has accepted it yet".to_owned(),
        Answer::OnItsWay => "it is on its way".to_owned(),
        Answer::Final(outcome, Some(result)) => format!("{outcome:?}, result {result}"),
        Answer::Final(outcome, None) => format!("{outcome:?}"),
    }
}

/// The time that a token names, where it is still to come.
fn due_later(token: &str, now: Timestamp) -> Option<Timestamp> {
    let time: Timestamp = token.contains(':').then(|| token.parse().ok())??;
    (time > now).then_some(time)
}

async fn modes_of(place: &Place, tasks: &[BackupTask]) -> BTreeMap<String, Mode> {
    let mut modes = BTreeMap::new();
    for task in tasks {
        let server = &task.spec.server_ref.name;
        if !modes.contains_key(server)
            && let Some(mode) = mode_of(place, server).await
        {
            modes.insert(server.clone(), mode);
        }
    }
    modes
}

/// Writes the token into the annotation of the object as it was read, or as it is by now. Gives the object as it is then,
/// and the token of somebody else that was replaced before it was accepted.
async fn put(
    place: &Place,
    mut task: BackupTask,
    ask: Ask,
    token: &str,
) -> Result<(BackupTask, Option<String>), Failure> {
    let (name, uid, begun) = (task.name_any(), task.uid(), Instant::now());
    let what = format!("ask for the BackupTask {name:?}");
    loop {
        let replaced = unaccepted(&task, ask, token);
        let wanted = (ask.annotation(), Some(token));
        let refusal = match annotate(place, &name, wanted, task.resource_version().as_deref()).await {
            Ok(written) => return Ok((written, replaced)),
            Err(refusal) => refusal,
        };
        let may_pass = refusal.is_conflict() || refusal.is_unclear();
        if !may_pass || begun.elapsed() >= WRITING {
            return Err(refusal.explain(&what, "patch"));
        }
        if refusal.is_unclear() {
            tokio::time::sleep(PAUSE).await;
        }
        match read(place, &name).await {
            Ok(Some(now)) if now.uid() == uid => task = now,
            Ok(_) => {
                return Err(Failure::new(format!(
                    "failed to {what}: it was deleted meanwhile"
                )));
            }
            // Nothing is known of it; the write at the version that was read says more.
            Err(refusal) if refusal.is_unclear() => continue,
            Err(refusal) => return Err(refusal.explain(&what, "get and patch")),
        }
        if task
            .annotations()
            .get(ask.annotation())
            .is_some_and(|now| now == token)
        {
            // A write without an answer was committed.
            return Ok((task, replaced));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_ones_own_is_no_time_and_fits() {
        let now: Timestamp = "2026-11-28T15:42:16.5Z".parse().unwrap();
        let [first, second] = [own_token(now), own_token(now)];
        assert!(first.starts_with("cli-20261128T154216Z-"), "{first}");
        assert_ne!(first, second);
        assert!(checked(&first).is_ok() && first.parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_token_that_cannot_be_one_is_bad_usage() {
        for token in ["", "a\nb", &"x".repeat(64)] {
            let failure = checked(token).unwrap_err();
            assert_eq!(failure.exit_code, crate::cli::BAD_USAGE, "{failure}");
        }
        assert!(checked(&"ü".repeat(63)).is_ok());
    }

    #[test]
    fn a_time_that_is_still_to_come_is_told() {
        let now: Timestamp = "2026-11-28T15:42:16Z".parse().unwrap();
        for (token, is_later) in [
            ("2026-12-01T08:00:00Z", true),
            ("2026-11-01T08:00:00Z", false),
            ("20261201T080000Z", false),
            ("before-upgrade-1.37", false),
        ] {
            assert_eq!(due_later(token, now).is_some(), is_later, "{token}");
        }
    }
}
