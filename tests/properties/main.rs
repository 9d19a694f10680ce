//! The oracles of the fuzz targets, fed with changed real answers: what a published capture looks like after a few
//! mistakes.

#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "the oracles are written once for here and for the fuzz targets; a test that cannot go on has to panic"
)]

mod manifests;
#[path = "../fuzz/oracles/mod.rs"]
mod oracles;
mod seed;

use proptest::prelude::*;
use serde_json::{Value, json};

use oracles::mutate::mutate;

fn scripts(steps: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=steps * 4)
}

/// A changed document, or the first part of one, or one with a byte that is another.
fn bodies(documents: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(documents),
        scripts(6),
        any::<u8>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(mut document, script, damage, place, byte)| {
            mutate(&mut document, &script);
            let mut body = document.to_string().into_bytes();
            let place = place.index(body.len());
            match damage {
                0..=15 => body.truncate(place),
                16..=31 => body[place] = byte,
                32..=39 => body.insert(place, byte),
                _ => {}
            }
            body
        })
}

macro_rules! properties {
    ($($name:ident: $documents:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
            $(#[test]
            fn $name(body in bodies($documents)) {
                oracles::$name::check(&body);
            })*
        }
    };
}

properties! {
    envelope: seed::envelopes();
    task_list: vec![seed::answer("list")];
    list_with_device: vec![seed::answer("list_with_device")];
    results: vec![seed::results()];
    error_bodies: seed::envelopes();
    catalogue: vec![seed::catalogue()];
    redaction: seed::all();
    visible: seed::all();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn a_list_in_pieces_is_the_list(
        body in bodies(vec![seed::answer("list"), seed::list_as_text(), seed::list_of_many()]),
        lengths in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let whole = abb_operator::nas::wire::task_list(&body);
        prop_assert_eq!(oracles::task_list::in_pieces(&body, &lengths), whole);
    }

    #[test]
    fn status_read_back(script in scripts(12)) {
        oracles::status_read_back::check(&script);
    }
}

/// What the oracle says of a status that nothing was done to must be said of a call that is really waited for.
#[test]
fn the_statuses_that_are_changed_can_be_read() {
    for choice in 0..=255_u8 {
        let document = json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask", "metadata": {"name": "office"},
            "spec": oracles::status_read_back::spec(choice), "status": oracles::status_read_back::status(choice),
        });
        let object: abb_operator::api::BackupTask = serde_json::from_value(document).unwrap();
        assert!(object.status.unwrap().intent.is_some());
        oracles::status_read_back::check(&[choice]);
    }
}
