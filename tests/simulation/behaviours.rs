//! Which story shows what: a row for each item of the protocol's list of what a NAS may do, and for each alternative
//! that an item names. A row without a story, a story without a row and a name that is no story fail the test below.

use std::collections::BTreeSet;

use super::scenarios;

/// Stories that there are at least.
const AT_LEAST: usize = 287;

/// An item of the list, and the stories that show it.
type Behaviour = (&'static str, &'static [&'static str]);

/// What a reply to a call or a read may be.
const REPLIES: &[Behaviour] = &[
    (
        "reply lost before the effect",
        &[
            "a backup whose reply is lost before the effect",
            "three backups in a row that are lost before the effect",
            "a cancel whose reply is lost before the effect",
            "a removal whose reply is lost before the effect",
            "a list whose reply is lost",
            "a history whose reply is lost",
        ],
    ),
    (
        "reply lost after the effect",
        &[
            "a backup whose reply is lost after the effect",
            "a cancel whose reply is lost after the effect",
            "a removal whose reply is lost after the effect",
            "a lost reply, a queue and no row before the end",
            "a lost reply and a version deletion over the whole run",
            "a lost reply, and a reboot ends the run",
            "a queue that is full, and a lost reply",
        ],
    ),
    (
        "effect arriving late",
        &[
            "a backup whose effect is late",
            "a backup that is carried out after its deadline",
            "a cancel whose effect is late",
            "a removal whose effect is late",
            "a reboot before a late effect",
        ],
    ),
    (
        "reply slow",
        &[
            "a backup whose reply is slow",
            "a backup whose reply comes after its deadline",
            "a backup that is never answered",
            "a list that takes too long",
            "a history that takes too long",
        ],
    ),
    (
        "reply cut",
        &[
            "a backup whose reply is cut",
            "a list that is cut",
            "a history that is cut",
        ],
    ),
    (
        "HTML",
        &[
            "a backup whose reply is a login page",
            "a list that is a login page",
            "a history that is a login page",
        ],
    ),
    (
        "empty",
        &[
            "a backup whose reply is empty",
            "a list that is empty",
            "a history that is empty",
        ],
    ),
    (
        "wrong type",
        &[
            "a backup whose reply has the wrong type",
            "a list of the wrong type",
            "a history of the wrong type",
        ],
    ),
    (
        "HTTP 5xx",
        &[
            "a backup that a gateway answers",
            "a list that a gateway answers",
            "a history that a gateway answers",
        ],
    ),
];

/// How a session ends, and what is refused because of it.
const SESSIONS: &[Behaviour] = &[
    (
        "105 at any call",
        &[
            "105 at a list",
            "105 at a backup",
            "105 at the queue",
            "105 at the catalogue",
            "a right that is missing for a while",
            "a NAS that does not tell who it is",
        ],
    ),
    (
        "106 at any call",
        &[
            "106 at a list",
            "106 at a backup",
            "106 at the queue",
            "106 at the catalogue",
        ],
    ),
    (
        "107 at any call",
        &[
            "107 at a list",
            "107 at a backup",
            "107 at the queue",
            "107 at the catalogue",
        ],
    ),
    (
        "119 at any call",
        &[
            "119 at a list",
            "119 at a backup",
            "119 at the queue",
            "119 at the catalogue",
            "sessions that live for half a minute",
            "a session that is over at a cancel",
            "a session that is over at a removal",
        ],
    ),
    (
        "150 at any call",
        &[
            "150 at a list",
            "150 at a backup",
            "150 at the queue",
            "150 at the catalogue",
        ],
    ),
    (
        "token refused",
        &[
            "a token that is refused at a backup",
            "a NAS that asks for no token",
        ],
    ),
    (
        "package stopped (102)",
        &[
            "a package that is stopped",
            "a package that is stopped in mid-run",
            "a package that is stopped at a backup",
        ],
    ),
    (
        "package upgrading (1006)",
        &[
            "a package that prepares an upgrade",
            "a backup that an upgrade to come refuses",
        ],
    ),
    (
        "package upgrading (1007)",
        &[
            "a package that is being upgraded",
            "a package that is upgraded in mid-run",
            "a backup that an upgrade refuses",
            "a slow cancel that an upgrade hides",
        ],
    ),
];

/// Runs: asked for, queued, told of, cancelled.
const RUNS: &[Behaviour] = &[
    (
        "`backup` on a running task: success",
        &["a person is a moment faster, the second run waits"],
    ),
    (
        "`backup` on a running task: 1202",
        &[
            "a person is a moment faster, 1202",
            "a conflict that is with our own run",
        ],
    ),
    (
        "`backup` on a running task: 4007",
        &["a person is a moment faster, 4007"],
    ),
    (
        "`backup` on a running task: success with only a log line",
        &[
            "a person is a moment faster, only the log tells",
            "a person starts a run in the same moment",
        ],
    ),
    (
        "`backup` with the agent offline: 5001",
        &["an agent that is offline"],
    ),
    (
        "`backup` with the agent offline: a run that is cancelled",
        &["an agent that is offline, the run cancelled"],
    ),
    (
        "`backup` with the agent offline: a run that pauses",
        &["an agent that is offline, the run paused"],
    ),
    (
        "`backup` with the window closed: 1104",
        &["a backup window that is closed"],
    ),
    (
        "`backup` with the window closed: 1105",
        &["a backup window that is closed for longer"],
    ),
    (
        "`backup` with the window closed: success with only a log line",
        &["a backup window that only the log tells of"],
    ),
    (
        "queue full: waiting with no result row",
        &[
            "a queue that is full",
            "a queue that is full, and no row before the end",
            "a queue that is full, and a lost reply",
            "a queue and no row before the end",
            "a deadline that a queue does not use up",
            "two tasks, one at a time",
        ],
    ),
    (
        "result row at the start",
        &[
            "a row at the start that only the history has",
            "a row at the start, shown as the last one",
        ],
    ),
    (
        "result row only at the end",
        &["a row at the end", "a queue and no row before the end"],
    ),
    (
        "`last_result` overwritten by a version deletion",
        &[
            "a version deletion on top",
            "a version deletion on top of a failure",
            "a version deletion on top of what an age waits for",
            "a run that only the history shows",
            "a lost reply and a version deletion over the whole run",
        ],
    ),
    (
        "`cancel` on idle: success",
        &[
            "a cancel that finds nothing, and succeeds",
            "a cancel after the run",
        ],
    ),
    (
        "`cancel` on idle: 1201",
        &[
            "a cancel that finds nothing, 1201",
            "a cancel that the queue does not take",
        ],
    ),
    (
        "slow cancel",
        &[
            "a cancel that takes its time",
            "a slow cancel that an upgrade hides",
            "a reboot during a slow cancel",
        ],
    ),
    (
        "cancel that a finishing run wins",
        &["a cancel that a run wins by ending first"],
    ),
];

/// Which task is meant, and what becomes of it.
const TASKS: &[Behaviour] = &[
    (
        "`remove` while running: 1204",
        &["a removal as a person starts a run, 1204"],
    ),
    (
        "`remove` while running: success",
        &["a removal as a person starts a run"],
    ),
    (
        "slow deletion",
        &[
            "a deletion that takes its time",
            "a row that is missing during a slow deletion",
            "a reboot during a removal",
        ],
    ),
    (
        "locked version 1101",
        &[
            "a version that is locked for a while",
            "a version that is locked as the removal is sent",
        ],
    ),
    (
        "unknown id: success",
        &[
            "a task that is gone at the call, and it succeeds",
            "a removal of what is gone, and it succeeds",
        ],
    ),
    (
        "unknown id: 1010",
        &[
            "a task that is gone at the call, 1010",
            "a removal of what is gone, 1010",
        ],
    ),
    (
        "unknown id: 1103",
        &[
            "a task that is gone at the call, 1103",
            "a removal of what is gone, 1103",
        ],
    ),
    (
        "a task that goes without our doing",
        &["a task that vanishes in mid-run", "a deletion of what is gone"],
    ),
    (
        "id reused by another task",
        &[
            "another task under the number in mid-run",
            "another machine under the address in mid-run",
        ],
    ),
    ("name renamed", &["a rename in mid-run"]),
    ("name duplicated", &["a name that two tasks have for a while"]),
    ("list slow (60 s)", &["a list that takes a minute"]),
    (
        "partial pages",
        &["lists in parts", "a list in part, and another task gone"],
    ),
    (
        "rows missing for one read",
        &[
            "a row that is missing for one read",
            "a row that is missing as the run ends",
            "a row that is missing during a slow deletion",
        ],
    ),
    ("a queue that cannot be read", &["a queue that cannot be read"]),
];

/// Time, power, logins, and the shape of what is told.
const THE_REST: &[Behaviour] = &[
    (
        "NAS clock off by hours",
        &[
            "a NAS clock hours behind",
            "a NAS clock hours ahead",
            "a token that is a time, by a NAS clock hours ahead",
            "an age by a NAS clock hours ahead",
            "an age by a clock a day behind that only results tell",
        ],
    ),
    (
        "NAS clock jumping ahead",
        &[
            "a clock that jumps ahead in mid-run",
            "a clock that jumps ahead while an answer is missing",
        ],
    ),
    (
        "NAS clock jumping back",
        &[
            "a clock that jumps back in mid-run",
            "a clock that jumps back and returns, and a token that is a time",
            "a clock that jumps back before an age is exceeded",
            "a lost reply, and the clock jumps back",
        ],
    ),
    (
        "reboot (session gone, run ends as failed)",
        &[
            "a reboot in mid-run",
            "a reboot in mid-run, and a retry",
            "a reboot while a run is queued",
            "a reboot during a slow cancel",
            "a reboot during a removal",
            "a reboot ends the run that was waited for",
            "a reboot before a late effect",
            "a reboot and a block in mid-run",
            "a NAS that is not reached while its run ends",
        ],
    ),
    (
        "login: wrong password",
        &[
            "a wrong password that the Secret mends",
            "a wrong password that the NAS mends",
            "a password that changes in mid-run",
            "an account that may not log in for a while",
        ],
    ),
    (
        "login: second factor",
        &[
            "a second factor that is asked for",
            "a second factor that is wrong",
        ],
    ),
    (
        "login: blocked (407), then unblocked",
        &[
            "a login that is blocked for a while",
            "a reboot and a block in mid-run",
        ],
    ),
    (
        "login: account locked (411)",
        &["an account that is locked for a while"],
    ),
    (
        "polymorphic fields: numbers as strings",
        &["numbers as strings", "retention policies in three shapes"],
    ),
    (
        "polymorphic fields: nulls, absent keys",
        &[
            "nulls and absent keys",
            "rows that do not say what a task is doing",
        ],
    ),
    (
        "polymorphic fields: unknown enum values",
        &[
            "a result that nobody knows",
            "a run that ends with a number that nobody knows",
            "a result that nobody knows satisfies no age",
            "a job of a kind that nobody knows on top",
            "a job of several kinds on top",
            "a task of a kind that nobody knows",
        ],
    ),
];

/// The further switches of the simulated NAS.
const SWITCHES: &[Behaviour] = &[
    (
        "`retentionAfterRun`",
        &[
            "versions are deleted after each run",
            "versions are deleted after a run, rows at the end",
            "a slow deletion of versions, and another token meanwhile",
            "no versions are deleted after a failure",
            "versions are deleted after the run that an age asks for",
            "versions are deleted after a run, and it shows late",
        ],
    ),
    (
        "`lastResultDelaySeconds`",
        &[
            "a last result that shows half a minute late",
            "a last result that shows ten minutes late",
            "a row and a last result that show half a minute late",
            "a row and a last result that show minutes late",
            "a failure that shows late, and a retry",
            "a failure that shows too late for a retry",
            "a success that shows late to an age",
            "a lost reply, and a row that shows late",
        ],
    ),
    (
        "`resultRowDelaySeconds`",
        &[
            "a row that shows half a minute late",
            "a row that shows ten minutes late",
            "a row at the end that shows late",
            "a row and a last result that show half a minute late",
            "a row and a last result that show minutes late",
        ],
    ),
    (
        "`unknownEnums`",
        &[
            "kinds and a status that nobody knows",
            "a result row with a status that nobody knows",
            "a result row with an action that nobody knows",
            "a result row of which nobody knows anything",
        ],
    ),
    (
        "`polymorphicRows`: a schedule as text, rows without a key or devices",
        &[
            "a row as text and without its key",
            "a row with nulls and without its key",
            "rows of every shape at once",
            "a removal of a task whose row is text",
        ],
    ),
    (
        "package states 1006 and 1008",
        &[
            "an upgrade that is about to begin (1006)",
            "an upgrade that has failed (1008)",
            "an upgrade that is about to begin in mid-run (1006)",
            "an upgrade that has failed in mid-run (1008)",
            "an upgrade that fails once",
            "a backup that a failed upgrade refuses",
        ],
    ),
    (
        "`deadSession`: 105",
        &[
            "a reboot after which sessions answer 105",
            "an expiry after which sessions answer 105",
            "sessions of half a minute that answer 105",
            "105 for a right and for a session",
        ],
    ),
    (
        "`deadSession`: 106",
        &[
            "a reboot after which sessions answer 106",
            "an expiry after which sessions answer 106",
            "sessions of half a minute that answer 106",
        ],
    ),
    (
        "`deadSession`: 107",
        &[
            "a reboot after which sessions answer 107",
            "an expiry after which sessions answer 107",
            "sessions of half a minute that answer 107",
        ],
    ),
    (
        "`deadSession`: 119",
        &[
            "a reboot after which sessions answer 119",
            "an expiry after which sessions answer 119",
            "sessions of half a minute that answer 119",
        ],
    ),
    (
        "`missingToken`: 103",
        &["a missing token looks like a missing method"],
    ),
    (
        "`permission`",
        &[
            "a right that is given later",
            "a right that is taken in mid-run and given back",
            "105 for a right and for a session",
        ],
    ),
    (
        "`accountLocked` (411), then unlocked",
        &[
            "an account that is locked, then unlocked",
            "an account that is locked in mid-run, then unlocked",
        ],
    ),
    (
        "`lockoutAfter`",
        &[
            "two wrong passwords where the third one blocks",
            "a wrong password for hours where the third one blocks",
            "a wrong seed that is mended before the NAS blocks",
        ],
    ),
    ("`loginAnswer`: 401", &["an account that is disabled (401)"]),
    (
        "`loginAnswer`: 408",
        &[
            "a password that has expired (408)",
            "a password that expires in mid-run and is changed",
        ],
    ),
    (
        "`errorShape`: Object",
        &[
            "a session that is over, told with an object",
            "a window that is closed, told with an object",
            "a wrong password, told with an object",
        ],
    ),
    (
        "`errorShape`: List",
        &[
            "a session that is over, told with a list",
            "a window that is closed, told with a list",
            "a wrong password, told with a list",
        ],
    ),
    (
        "`errorShape`: Text",
        &[
            "a session that is over, told with a text",
            "a window that is closed, told with a text",
            "a wrong password, told with a text",
        ],
    ),
    (
        "`errorShape`: CodeAsText",
        &[
            "a session that is over, told with the code as text",
            "a window that is closed, told with the code as text",
            "a wrong password, told with the code as text",
        ],
    ),
    (
        "`errorShape`: Null",
        &[
            "a session that is over, told with null",
            "a window that is closed, told with null",
            "a wrong password, told with null",
        ],
    ),
    (
        "`errorShape`: Absent",
        &[
            "a session that is over, told without a word",
            "a window that is closed, told without a word",
            "a wrong password, told without a word",
        ],
    ),
    ("`compound`: false", &["a NAS that takes one call at a time"]),
    (
        "`compoundChecksInside`",
        &[
            "a dead session that shows only inside of several calls",
            "a reboot of a NAS that checks each of several calls",
        ],
    ),
    (
        "`dsmGeneration`: Dsm6",
        &[
            "an old NAS",
            "a cancel at an old NAS",
            "a removal at an old NAS",
            "an old NAS that becomes a new one",
        ],
    ),
    (
        "`twoFactor` with a seed",
        &[
            "a second factor with its seed",
            "sessions that end within the step of their code",
            "a seed that is changed and mended",
            "a wrong seed that is mended before the NAS blocks",
            "a second factor by a NAS clock hours behind",
            "a reboot of a NAS with a second factor",
        ],
    ),
    (
        "`RedirectTo`",
        &["a list that leads elsewhere", "a backup that leads elsewhere"],
    ),
    (
        "`Oversize`",
        &["a list that is too large", "a backup whose reply is too large"],
    ),
    (
        "`Slow`",
        &[
            "a list that trickles for too long",
            "a list that trickles",
            "a backup whose reply trickles for too long",
        ],
    ),
];

/// Nothing strange of the NAS: what objects ask for and what users change.
const ORDINARY: &[Behaviour] = &[
    (
        "tokens",
        &[
            "a token",
            "a token that is a time",
            "a token changed in mid-run",
            "a slot and a token that come together",
            "two tasks, one at a time",
            "broken objects beside it",
            "a request that could not be started in time",
        ],
    ),
    ("slots", &["a slot", "two slots"]),
    (
        "ages",
        &[
            "an age that is exceeded",
            "an age that the NAS's own run satisfies",
        ],
    ),
    (
        "failures, retries and deadlines",
        &[
            "a retry",
            "retries that are used up",
            "a partial success that counts",
            "a deadline",
            "another attempt after a deadline",
        ],
    ),
    ("a run in progress", &["Wait", "Adopt", "Replace"]),
    (
        "cancels",
        &[
            "a cancel in mid-run",
            "a cancel and another token",
            "a cancel in the queue",
        ],
    ),
    (
        "removals",
        &[
            "a removal",
            "a deletion",
            "a deletion in mid-run",
            "a removal that cancels a run first",
            "a removal that is allowed later",
            "a removal of what another object declares",
            "a deletion that is abandoned",
        ],
    ),
    ("modes", &["suspended in between", "planned, then enforced"]),
];

#[test]
fn every_behaviour_has_a_story_and_every_story_a_behaviour() {
    let stories: Vec<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    let names: BTreeSet<&str> = stories.iter().copied().collect();
    assert_eq!(names.len(), stories.len(), "two stories have one name");
    assert!(stories.len() >= AT_LEAST, "only {} stories", stories.len());
    let mut shown = BTreeSet::new();
    for (item, by) in [REPLIES, SESSIONS, RUNS, TASKS, THE_REST, SWITCHES, ORDINARY].concat() {
        assert!(!by.is_empty(), "no story shows {item:?}");
        for name in by {
            assert!(
                names.contains(name),
                "{name:?}, which is to show {item:?}, is no story"
            );
            shown.insert(*name);
        }
    }
    let left: Vec<_> = names.difference(&shown).collect();
    assert!(left.is_empty(), "these show nothing of the list: {left:?}");
}
