//! The mistakes: where each is made, and what stands there instead.

/// One mistake.
pub struct Mutant {
    pub name: &'static str,
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { name, file, from, to }
}

const PASS: &str = "src/controller/pass.rs";
const CARRY: &str = "src/controller/carry.rs";
const SETTLE: &str = "src/decide/settle.rs";
const RESULTS: &str = "src/decide/results.rs";
const REMOVAL: &str = "src/decide/removal.rs";
const DUE: &str = "src/decide/due.rs";
const DECIDE: &str = "src/decide/mod.rs";

/// Every mistake.
pub const MUTANTS: &[Mutant] = &[
    mutant(
        "the call goes out although its intent could not be written",
        CARRY,
        "match recorded {
            Ok(written) => object = written,
            Err((error, read)) => return not_written(done, task, &error, read),
        }",
        "if let Ok(written) = recorded { object = written; }",
    ),
    mutant(
        "forced apply instead of compare-and-swap",
        CARRY,
        "    let error = match ctx.cluster.write_task_status(object).await {",
        "    let mut forced = object.clone();
    if let Ok(Some(live)) = ctx.cluster.read_task(\"\", &object.name_any()).await {
        forced.metadata.resource_version = live.metadata.resource_version;
    }
    let error = match ctx.cluster.write_task_status(&forced).await {",
    ),
    mutant(
        "after a conflict any intent that stands there is taken for ours",
        CARRY,
        "|recorded| Some(&recorded.id) == ours",
        "|recorded| !recorded.id.is_empty()",
    ),
    mutant(
        "a new reign goes by what an earlier one saw",
        "src/controller/reign.rs",
        "    if memory.entered == Some(reign) {",
        "    if memory.entered.is_some() {",
    ),
    mutant(
        "a watch that was asked for before a reign began shows what the last one wrote",
        "src/controller/reign.rs",
        "|since| listed_since < Some(since)",
        "|_| listed_since.is_none()",
    ),
    mutant(
        "a new reign counts only the runs that its watch shows",
        "src/controller/reign.rs",
        "            memory.unwatched.insert(task.uid, Arc::clone(&task));",
        "",
    ),
    mutant(
        "a list of the tasks serves a server that was taken after it",
        "src/controller/reign.rs",
        "self.begun > since && !self.served.contains(server)",
        "!self.served.contains(server)",
    ),
    mutant(
        "a list of the tasks serves a server as often as it asks",
        "src/controller/reign.rs",
        "self.begun > since && !self.served.contains(server)",
        "self.begun > since",
    ),
    mutant(
        "a server counts as free since the first look whoever has released it since",
        "src/controller/share/view.rs",
        "first.free.get(name) == Some(&self.get(name)?.version)",
        "self.get(name)?.holder.is_empty()",
    ),
    mutant(
        "whoever led alone has left nothing behind",
        "src/controller/share/view.rs",
        "self.listed.is_none() && !self.is_ruled_by_another()",
        "self.listed.is_none()",
    ),
    mutant(
        "what was read before the tasks were listed was read in the pass",
        PASS,
        "    let begun = ctx.now();",
        "    let begun = memory.shelf.as_ref().map_or_else(|| ctx.now(), |shelf| shelf.begun);",
    ),
    mutant(
        "a look before the tasks were known counts for what was asked since",
        "src/controller/judge.rs",
        "early.is_some_and(|version| awake.packed(index).version <= version)",
        "early.is_some()",
    ),
    mutant(
        "a look before the tasks were known counts however old it is",
        "src/controller/judge.rs",
        "memory.early.filter(|_| is_early)",
        "memory.early.filter(|_| is_early || true)",
    ),
    mutant(
        "news gives way for as long as somebody edits tasks",
        CARRY,
        "is_news && is_patient && is_awaited()",
        "is_news && (is_patient || true) && is_awaited()",
    ),
    mutant(
        "a call goes to a machine that was not asked who it is",
        "src/act/mod.rs",
        "        if self.client.logins() == self.login {",
        "        if self.client.logins() >= self.login {",
    ),
    mutant(
        "without a Lease a predecessor's call is given no time to arrive",
        PASS,
        "    if fence.is_leased() {",
        "    if fence.is_leased() || true {",
    ),
    mutant(
        "a removal goes by the watch for its successor",
        "src/controller/removal.rs",
        ".find(is_meant)",
        ".find(is_meant)
        .filter(|_| false)",
    ),
    mutant(
        "what was read for a status that was not written counts as read",
        CARRY,
        "        if unwritten {",
        "        if unwritten && false {",
    ),
    mutant(
        "a timeout is taken for a failure",
        "src/act/mod.rs",
        "            Answered::Unknown\n        }\n    };",
        "            Answered::NotDispatched\n        }\n    };",
    ),
    mutant(
        "the HTTP client sends again when the connection breaks",
        "src/nas/armed.rs",
        "let exchange = async { answer.await.map_or(Received::Broken, Received::of) };",
        "let form = mutation.request().body(Some(&session.sid));
                let again = carrier.carry(ENTRY, form, session.token.as_ref().and_then(|t| t.to_str().ok()).map(str::to_owned));
                let exchange = async {
                    match answer.await {
                        Some(answer) => Received::of(answer),
                        None => again.await.map_or(Received::Broken, Received::of),
                    }
                };",
    ),
    mutant(
        "no look at the Lease before a call",
        "src/act/fence.rs",
        "(self.remaining() > allowance).then_some(allowance)",
        "Some(allowance)",
    ),
    mutant(
        "a holder that was not heard of by the watch counts as dead without a list",
        "src/controller/share/view.rs",
        "            Life::Silent
        }",
        "            Life::Dead
        }",
    ),
    mutant(
        "servers are taken by what was known before the slot was written",
        "src/controller/share/core.rs",
        "is_current: is_open && self.since != 0 && self.view.upto() >= self.since,",
        "is_current: is_open,",
    ),
    mutant(
        "servers are kept although the slot had run out",
        "src/act/fence.rs",
        "part.taken_in == Some(held.reign)",
        "part.taken_in.is_some()",
    ),
    mutant(
        "no read of the NAS between trigger and call",
        "src/decide/triggers.rs",
        "        if !self.observed.fresh || !self.is_read_after(&due) {",
        "        if false {",
    ),
    mutant(
        "a token is not receipted with its intent",
        "src/decide/triggers.rs",
        "            self.accept(&triggers);\n            self.look_ahead();",
        "            self.look_ahead();",
    ),
    mutant(
        "an intent that is found is sent on",
        SETTLE,
        "            Some(Answered::Unknown) | None => match self.absence(call) {
                Absence::Proven => self.again(intent),",
        "            None => self.again(intent),
            Some(Answered::Unknown) => match self.absence(call) {
                Absence::Proven => self.again(intent),",
    ),
    mutant(
        "absence after an applied answer leads to a second call",
        SETTLE,
        "            Some(Answered::Applied) => self.ignored(intent, call).or_else(|| {",
        "            Some(Answered::Applied) if self.absence(call) == Absence::Proven => self.again(intent),
            Some(Answered::Applied) => self.ignored(intent, call).or_else(|| {",
    ),
    mutant(
        "one read without a trace is enough",
        SETTLE,
        "if is_seen && inventory.begun.duration_since(first) * 2 >= settle =>",
        "if is_seen && inventory.begun >= first =>",
    ),
    mutant(
        "absence counts before the settling time is over",
        SETTLE,
        "        if inventory.begun < over {
            self.wake_at(over);
            return Absence::Open;",
        "        if inventory.begun < call.settles_from {
            self.wake_at(over);
            return Absence::Open;",
    ),
    mutant(
        "a queue that cannot be read counts as an empty one",
        SETTLE,
        "                Absence::Unprovable\n            }",
        "                Absence::Proven\n            }",
    ),
    mutant(
        "one failed read of the queue counts as proof that nobody can tell",
        SETTLE,
        "inventory.begun.duration_since(since) >= settle) =>
            {
                Absence::Unprovable",
        "inventory.begun >= since) =>
            {
                Absence::Unprovable",
    ),
    mutant(
        "another NAS under the address settles the intent",
        SETTLE,
        "        if self.is_other_nas(&intent) {",
        "        if self.is_other_nas(&intent) && false {",
    ),
    mutant(
        "a run that was active before the call is taken for its run",
        SETTLE,
        "        !intent.baseline_run_active && after && seen.is_certain_run()",
        "        after && seen.is_certain_run()",
    ),
    mutant(
        "a list older than the intent shows its run",
        SETTLE,
        "is_some_and(|inventory| inventory.begun >= intent.recorded_at.0);
        let seen = self.doing();",
        "is_some_and(|inventory| inventory.complete);
        let seen = self.doing();",
    ),
    mutant(
        "a cancel without an answer is not waited out",
        SETTLE,
        "        if intent.action != IntentAction::Cancel || call.intent != intent.id || !is_open {",
        "        if intent.action == IntentAction::Cancel || call.intent != intent.id || !is_open {",
    ),
    mutant(
        "a refusal that passes ends the token",
        SETTLE,
        "        let passes = meaning.is_passing_refusal();",
        "        let passes = meaning.is_passing_refusal() && false;",
    ),
    mutant(
        "further attempts take a new baseline",
        DECIDE,
        "baseline.map_or(known, |first| first.baseline_result_id)",
        "known",
    ),
    mutant(
        "Plan sends",
        DECIDE,
        "        if self.observed.server.mode == Mode::Plan {",
        "        if self.observed.server.mode == Mode::Plan && false {",
    ),
    mutant(
        "a suspended object sends",
        DECIDE,
        "        if self.object.is_suspended() {",
        "        if self.object.is_suspended() && false {",
    ),
    mutant(
        "the younger of two objects acts as well",
        DECIDE,
        "        if let Some(owner) = &self.observed.claim.owner {",
        "        if let Some(owner) = self.observed.claim.owner.as_ref().filter(|_| false) {",
    ),
    mutant(
        "the last result of a version deletion is taken for a backup",
        RESULTS,
        "seen.filter(|row| row.is_backup()).collect()",
        "seen.collect()",
    ),
    mutant(
        "an unknown result code is a success",
        RESULTS,
        "            _ => ReceiptOutcome::ResultUnknown,
        }
    }

    /// Finished results",
        "            _ => ReceiptOutcome::Succeeded,
        }
    }

    /// Finished results",
    ),
    mutant(
        "the newest row above the baseline is the run's, not the first",
        RESULTS,
        "None => rows.iter().rfind(|row| row.result_id.0 > above),",
        "None => rows.iter().find(|row| row.result_id.0 > above),",
    ),
    mutant(
        "a run cancelled for its deadline counts as cancelled only",
        RESULTS,
        "(ReceiptOutcome::Canceled, Some(StopReason::Deadline)) => ReceiptOutcome::DeadlineExceeded,",
        "(ReceiptOutcome::Canceled, Some(StopReason::Deadline)) => ReceiptOutcome::Canceled,",
    ),
    mutant(
        "a cancel token is taken again in every pass",
        "src/decide/cancel.rs",
        "            if !known {",
        "            if !known || true {",
    ),
    mutant(
        "a cancel token of an earlier life of the object cancels",
        "src/decide/cancel.rs",
        "        if self.first_sight || self.is_latched() {",
        "        if self.is_latched() {",
    ),
    mutant(
        "a removal is not compared with its confirmation",
        REMOVAL,
        "    if removal.confirm.as_deref() != Some(key) {",
        "    if removal.confirm.is_none() {",
    ),
    mutant(
        "locked versions are removed",
        REMOVAL,
        "        if locked > 0 {",
        "        if locked > 1000 {",
    ),
    mutant(
        "removal.notAfter is not looked at",
        REMOVAL,
        "is_some_and(|limit| limit.0 < now) {
        return Err((
            Reason::RemovalNotAllowed,",
        "is_some_and(|limit| limit.0 < Timestamp::MIN) {
        return Err((
            Reason::RemovalNotAllowed,",
    ),
    mutant(
        "a task that a successor declares is removed",
        REMOVAL,
        "            let other = self.observed.claim.other.as_ref()?;",
        "            let other = self.observed.claim.other.as_ref().filter(|_| false)?;",
    ),
    mutant(
        "one list without the task means that it is gone",
        "src/decide/settle_removal.rs",
        "        inventory.begun >= over
    }",
        "        inventory.begun >= since
    }",
    ),
    mutant(
        "a bound object follows its name, not its identity",
        "src/observe/bind.rs",
        "    let Some(key) = key else {
        return listed(only(&matches), inventory);",
        "    let Some(key) = key.filter(|_| false) else {
        return listed(only(&matches), inventory);",
    ),
    mutant(
        "slots before the object was seen exist",
        DUE,
        ".and_then(|calendar| calendar.next_after(self.now));",
        ".and_then(|calendar| calendar.next_after(self.now - SignedDuration::from_hours(24)));",
    ),
    mutant(
        "every missed slot is caught up",
        DUE,
        "            let slot = if calendar.due(&uid, newest) <= self.now {
                newest",
        "            let slot = if calendar.due(&uid, newest) <= self.now {
                next",
    ),
    mutant(
        "startingDeadline is not looked at",
        DUE,
        "            if limit.is_some_and(|limit| limit < self.now) {",
        "            if limit.is_some_and(|limit| limit < Timestamp::MIN) {",
    ),
    mutant(
        "a retry does not wait for its time",
        DUE,
        "        if at > self.now {
            self.expect_attempt(at);",
        "        if at > self.now && attempt > 1000 {
            self.expect_attempt(at);",
    ),
    mutant(
        "what comes by itself goes on after an unknown outcome",
        DUE,
        "        let is_held = self.status.unsettled.is_some();",
        "        let is_held = false;",
    ),
    mutant(
        "an age counts from the end of the run",
        "src/decide/freshness.rs",
        "result.start_time.as_ref().or(result.end_time.as_ref())?.0;",
        "result.end_time.as_ref().or(result.start_time.as_ref())?.0;",
    ),
    mutant(
        "NAS times are taken for ours",
        "src/decide/freshness.rs",
        "SignedDuration::from_secs(skew.unwrap_or(0))",
        "SignedDuration::from_secs(skew.unwrap_or(0) * 0)",
    ),
    mutant(
        "a list that is older than the slot is enough",
        "src/decide/triggers.rs",
        "!self.is_read_after(&due)",
        "self.is_read_after(&[])  && false",
    ),
    mutant(
        "another task under the object takes over the results of the one before",
        DECIDE,
        "                if self.is_another(task) {",
        "                if self.is_another(task) && false {",
    ),
    mutant(
        "a list in part shows who is missing",
        "src/observe/bind.rs",
        "        Bound::Missing | Bound::Replaced { .. } if !inventory.complete => Bound::Unread,",
        "        Bound::Missing | Bound::Replaced { .. } if !inventory.complete && false => Bound::Unread,",
    ),
    mutant(
        "a call that the log takes back is waited for",
        SETTLE,
        "            self.needs.log_since = is_due.then_some(since);",
        "            self.needs.log_since = (is_due && false).then_some(since);",
    ),
    mutant(
        "a success behind a failure is not looked for",
        RESULTS,
        "if hidden || passed || self.is_success_hidden() {",
        "if hidden || passed {",
    ),
    mutant(
        "a cancel token that is held back is for a later run",
        "src/decide/cancel.rs",
        "        if hold.is_some() && self.status.run.is_some() && !self.answers_nothing() {",
        "        if hold.is_some() && self.status.run.is_some() && self.answers_nothing() {",
    ),
    mutant(
        "a clock that no header tells is taken for ours",
        RESULTS,
        "run.clock_skew_seconds = self.skew_of(&run, row);",
        "let _ = self.skew_of(&run, row);",
    ),
    mutant(
        "maxConcurrentRuns does not count what is in flight",
        "src/decide/admit.rs",
        "limit.saturating_sub(in_flight)",
        "limit.saturating_sub(in_flight * 0)",
    ),
    mutant(
        "the youngest in the queue goes first",
        "src/decide/admit.rs",
        ".cmp(&(b.due, b.created, &b.uid)));",
        ".cmp(&(b.due, b.created, &b.uid)).reverse());",
    ),
    mutant(
        "the NAS is read for who waits for a place",
        "src/controller/judge.rs",
        "let is_unlimited = server.spec.limits.max_concurrent_runs == 0;",
        "let is_unlimited = server.spec.limits.max_concurrent_runs < 1000;",
    ),
    mutant(
        "Events go while others are handed in",
        "src/controller/news.rs",
        "            lull(&waiting).await;",
        "",
    ),
    mutant(
        "another spelling of a UUID is the same identity",
        "src/controller/packed.rs",
        "is_usual.then(||",
        "(is_usual || true).then(||",
    ),
    mutant(
        "a task's name is taken from it in other namespaces, too",
        "src/controller/tasks.rs",
        "server.0 == first.0)",
        "server.0 >= first.0)",
    ),
];
