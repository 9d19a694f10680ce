//! Who takes and gives what, a row a sentence.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::controller::{
    ServerKey,
    share::{
        Mode,
        lease::{Leases, Record, Takes},
        plan::{Move, Situation, plan},
        view::View,
    },
};

const LASTS: Duration = Duration::from_secs(60);

/// One row. A slot is `WHO`, `WHO everything`, `WHO nothing`, each with `silent` or `dead` behind it where it is, `free`, or
/// `none` where there is no Lease; a server is `me`, `me not yet` (it stands in the Lease, and was lost since), `WHO`, `free`,
/// `none`, or `WHO deleted`.
struct Row {
    sentence: &'static str,
    slots: &'static [&'static str],
    servers: &'static [&'static str],
    mode: Mode,
    is_leaving: bool,
    is_current: bool,
    moves: &'static [&'static str],
}

const fn row(sentence: &'static str) -> Row {
    Row {
        sentence,
        slots: &[],
        servers: &[],
        mode: Mode::Shared,
        is_leaving: false,
        is_current: true,
        moves: &[],
    }
}

const ROWS: &[Row] = &[
    Row {
        moves: &["claim 0"],
        ..row("the first one takes the first slot")
    },
    Row {
        slots: &["a"],
        servers: &["a"],
        moves: &["claim 1"],
        ..row("the next one the slot behind it")
    },
    Row {
        slots: &["none", "a"],
        moves: &["claim 2"],
        ..row("a gap is left to those who were there before")
    },
    Row {
        slots: &["a dead"],
        moves: &["claim 0"],
        ..row("a dead one's slot is free")
    },
    Row {
        slots: &["a silent"],
        moves: &["look", "claim 1"],
        ..row("whether it is dead a full list has to tell")
    },
    Row {
        slots: &["me"],
        servers: &["none", "none"],
        moves: &["lead", "take 0", "take 1"],
        ..row("alone it takes all")
    },
    Row {
        slots: &["me"],
        servers: &["none"],
        is_current: false,
        ..row("but not before it knows what was written before its slot")
    },
    Row {
        slots: &["me", "a"],
        servers: &["me"],
        moves: &["lead"],
        ..row("of two the first has the only server")
    },
    Row {
        slots: &["a", "me"],
        servers: &["none"],
        ..row("the second leaves it to the first")
    },
    Row {
        slots: &["a", "me"],
        servers: &["me"],
        ..row("what it has it keeps, though it is the second")
    },
    Row {
        slots: &["a", "me"],
        servers: &["free", "free", "free"],
        moves: &["take 2"],
        ..row("three for two: one for the second, the remainder for the first")
    },
    Row {
        slots: &["me", "a"],
        servers: &["me", "me", "me"],
        moves: &["lead", "give 2"],
        ..row("a newcomer gets its share")
    },
    Row {
        slots: &["me", "a", "b"],
        servers: &["me", "me", "a", "a"],
        moves: &["lead"],
        ..row("of two with more than their share the first keeps it")
    },
    Row {
        slots: &["a", "me", "b"],
        servers: &["a", "a", "me", "me"],
        moves: &["give 3"],
        ..row("and the second gives it")
    },
    Row {
        slots: &["a", "me", "b"],
        servers: &["a", "me", "me", "b", "free"],
        ..row("a server that comes goes to the first who has no more than the others")
    },
    Row {
        slots: &["me", "a silent"],
        servers: &["me", "a", "a"],
        moves: &["look", "lead"],
        ..row("the servers of a silent one are its own")
    },
    Row {
        slots: &["me", "a dead"],
        servers: &["me", "a", "a"],
        moves: &["lead", "take 1", "take 2", "drop abb-1"],
        ..row("those of a dead one are taken, and its slot is cleared away")
    },
    Row {
        slots: &["me", "a"],
        servers: &["me not yet", "a"],
        moves: &["lead", "take 0"],
        ..row("what was lost with the slot is taken anew")
    },
    Row {
        slots: &["a dead", "me"],
        servers: &["me"],
        moves: &["claim 0"],
        ..row("whoever is next moves down")
    },
    Row {
        slots: &["a dead", "b", "me"],
        servers: &["b", "me"],
        ..row("and the one behind it waits for it")
    },
    Row {
        slots: &["free", "none", "me"],
        servers: &["me"],
        moves: &["claim 0"],
        ..row("over several gaps at once")
    },
    Row {
        slots: &["me", "me"],
        servers: &["me"],
        moves: &["lead", "drop abb-1"],
        ..row("the slot it came from is given up")
    },
    Row {
        slots: &["a nothing", "me"],
        servers: &["free", "a"],
        moves: &["take 0"],
        ..row("one that ends counts no more; what it still has is its own")
    },
    Row {
        slots: &["me nothing", "a"],
        servers: &["me", "a", "me not yet"],
        is_leaving: true,
        moves: &["give 0", "give 2"],
        ..row("to end is to give all away")
    },
    Row {
        slots: &["me", "a dead"],
        servers: &["a deleted"],
        moves: &["lead", "take 0", "drop abb-1"],
        ..row("a deleted Lease of somebody dead is nobody's")
    },
    Row {
        slots: &["me", "a"],
        servers: &["me", "a deleted"],
        moves: &["lead"],
        ..row("that of somebody who lives is left to them")
    },
    Row {
        slots: &["me", "a"],
        servers: &["me deleted"],
        moves: &["lead", "give 0"],
        ..row("its own is given up first")
    },
    Row {
        slots: &["a everything", "me"],
        servers: &["me", "none"],
        moves: &["give 0"],
        ..row("where somebody leads alone all is given away")
    },
    Row {
        slots: &["a everything", "me"],
        servers: &["none"],
        moves: &["retire"],
        ..row("and then the slot")
    },
    Row {
        slots: &["a everything"],
        servers: &["none"],
        ..row("nor is another one taken")
    },
    Row {
        slots: &["a everything dead"],
        servers: &["none"],
        moves: &["claim 0"],
        ..row("until it is dead")
    },
    Row {
        slots: &["a everything silent"],
        servers: &["none"],
        moves: &["look"],
        ..row("for certain")
    },
    Row {
        slots: &["a"],
        mode: Mode::Single,
        ..row("one that would lead alone waits for the first slot")
    },
    Row {
        slots: &["free", "a"],
        mode: Mode::Single,
        moves: &["claim 0"],
        ..row("takes it when it is free")
    },
    Row {
        slots: &["me everything", "a"],
        mode: Mode::Single,
        ..row("leads only when nobody else has a slot")
    },
    Row {
        slots: &["me everything", "a dead"],
        servers: &["a"],
        mode: Mode::Single,
        moves: &["lead"],
        ..row("who lives, and needs no other Lease")
    },
    Row {
        slots: &["me everything"],
        mode: Mode::Single,
        is_current: false,
        ..row("as of a time when its own was written")
    },
];

fn server(number: usize) -> ServerKey {
    ("backups".to_owned(), format!("nas-{number}"))
}

fn moves(row: &Row) -> Vec<String> {
    let leases = Leases {
        name: "abb".to_owned(),
        identity: "me".to_owned(),
        duration: LASTS,
    };
    let begin = Instant::now();
    let now = begin + LASTS * 3;
    let mut view = View::new(leases.clone());
    let mut version = 0;
    let mut put = |view: &mut View, name: &str, what: &str, at: Instant| {
        let words: Vec<&str> = what.split(' ').collect();
        version += 1;
        let record = Record {
            name: name.to_owned(),
            version: version.to_string(),
            holder: if words[0] == "free" {
                String::new()
            } else {
                words[0].to_owned()
            },
            lasts: LASTS,
            takes: match words.get(1) {
                Some(&"everything") => Takes::Everything,
                Some(&"nothing") => Takes::Nothing,
                _ => Takes::Share,
            },
            is_watched: true,
            acquired: None,
            transitions: 0,
        };
        if words[0] != "none" {
            view.show(record.clone(), at);
        }
        record
    };
    let slots = || (0..).zip(row.slots);
    // Who is dead was last heard of two durations ago, and a list since shows nothing newer.
    let mut listed = Vec::new();
    for (index, what) in slots().filter(|(_, what)| what.ends_with("dead")) {
        listed.push(put(&mut view, &leases.slot(index), what, begin));
    }
    view.list(
        listed,
        100,
        begin + LASTS * 2 - Duration::from_secs(1),
        begin + LASTS,
    );
    for (index, what) in slots().filter(|(_, what)| what.ends_with("silent")) {
        put(&mut view, &leases.slot(index), what, begin + LASTS * 2);
    }
    for (index, what) in slots().filter(|(_, what)| !what.ends_with("silent") && !what.ends_with("dead")) {
        put(&mut view, &leases.slot(index), what, now);
    }
    let mut named = BTreeMap::new();
    let mut owned = BTreeSet::new();
    for (number, what) in row.servers.iter().enumerate() {
        let name = leases.server(&server(number));
        let record = put(&mut view, &name, what, now);
        if what.ends_with("deleted") {
            view.hide(&record, now);
        }
        if what.starts_with("me") && !what.ends_with("yet") {
            owned.insert(server(number));
        }
        named.insert(server(number), name);
    }
    let mine = |(_, what): &(u32, &&str)| what.starts_with("me");
    let situation = Situation {
        leases: &leases,
        mode: row.mode,
        is_leaving: row.is_leaving,
        slot: slots().find(mine).map(|(index, _)| index),
        is_current: row.is_current,
        servers: Some(&named),
        owned: &owned,
        claiming: None,
        outgoing: &BTreeSet::new(),
        is_busy: false,
        view: &view,
        now,
    };
    let number = |(_, name): &ServerKey| name.trim_start_matches("nas-").to_owned();
    let said = |next: &Move| match next {
        Move::Look => "look".to_owned(),
        Move::Claim(index) => format!("claim {index}"),
        Move::Lead => "lead".to_owned(),
        Move::Take(server) => format!("take {}", number(server)),
        Move::Give(server) => format!("give {}", number(server)),
        Move::Retire => "retire".to_owned(),
        Move::Drop(name) => format!("drop {name}"),
        Move::Forget(name) => format!("forget {name}"),
    };
    plan(&situation).iter().map(said).collect()
}

#[tokio::test(start_paused = true)]
async fn each_sentence_holds() {
    tokio::time::advance(LASTS * 10).await;
    for row in ROWS {
        let mut found = moves(row);
        // Who was forgotten is nobody's in the next plan already.
        found.retain(|found| !found.starts_with("forget"));
        assert_eq!(found, row.moves, "{}", row.sentence);
    }
}
