//! An answer counts as a success only if it is one whole object that says so and names no error code.

use abb_operator::nas::wire::{Fault, verdict};
use serde_json::Value;

use super::reference::{Said, is_grammar, said};

pub fn check(body: &[u8]) {
    let got = verdict(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(tree) => match (&got, said(&tree)) {
            (Ok(()), Said::Success(_)) | (Err(Fault::Unexpected(_)), _) => {}
            (Err(Fault::Code(code)), Said::Code(told)) if *code == told => {}
            (got, told) => panic!("{got:?} where the tree says {told:?}"),
        },
        Err(error) => assert!(
            matches!(got, Err(Fault::Unexpected(_))) || is_grammar(&error),
            "{got:?} for what is no JSON: {error}"
        ),
    }
    if got.is_ok() {
        let whole = body.trim_ascii();
        for end in (0..whole.len()).rev().take(64).chain(0..whole.len().min(64)) {
            assert!(
                verdict(&whole[..end]).is_err(),
                "the first {end} bytes pass for a success"
            );
        }
    }
}
