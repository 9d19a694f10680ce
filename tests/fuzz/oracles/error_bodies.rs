//! A changing call was carried out only where the answer says success, and was not only where a code of the table below
//! says so. Everything else is unknown.

use std::ops::RangeInclusive;

use abb_operator::nas::{Answer, Exchange, UnknownWhy, classify_mutation};
use serde_json::Value;

use super::reference::{Said, is_grammar, said};

/// Codes after which the call has had no effect (dsm-api-facts 2.1 and 2.2): the request was wrong, nobody may ask it, or
/// what it is about is not there or not in a state for it.
const REFUSED: [RangeInclusive<i64>; 32] = [
    101..=104,
    108..=108,
    112..=116,
    120..=120,
    122..=124,
    126..=127,
    160..=160,
    164..=165,
    1002..=1008,
    1010..=1012,
    1014..=1017,
    1019..=1030,
    1032..=1036,
    1101..=1105,
    1209..=1210,
    1250..=1255,
    1301..=1307,
    1401..=1403,
    1501..=1501,
    1601..=1602,
    1701..=1703,
    2000..=2000,
    2002..=2002,
    3001..=3052,
    3103..=3103,
    3500..=3500,
    3600..=3601,
    4001..=4003,
    4008..=4055,
    5001..=5004,
    6001..=6031,
    6501..=6502,
];

/// Codes of a session that is over; 105 the first time.
const SESSION: [i64; 5] = [105, 106, 107, 119, 150];

/// Codes of another job in the way, which may be that of an earlier call.
const CONFLICTS: [RangeInclusive<i64>; 2] = [1201..=1208, 4004..=4007];

pub fn check(body: &[u8]) {
    for last in [false, true] {
        let answer = classify_mutation(&Exchange::Reply { status: 200, body }, last);
        let told = match serde_json::from_slice::<Value>(body) {
            Ok(tree) => said(&tree),
            Err(error) if is_grammar(&error) => continue,
            Err(_) => Said::Nothing,
        };
        match answer {
            Answer::Applied => assert!(matches!(told, Said::Success(_)), "{told:?}"),
            Answer::Refused { code } => {
                assert_eq!(told, Said::Code(code));
                let listed = REFUSED.iter().any(|codes| codes.contains(&code)) || (last && code == 105);
                assert!(listed, "{code} is in no list of refusals");
            }
            Answer::Session { code } => {
                assert_eq!(told, Said::Code(code));
                assert!(SESSION.contains(&code) && !(last && code == 105), "{code}");
            }
            Answer::Unknown {
                why: UnknownWhy::Conflict(code),
            } => {
                assert_eq!(told, Said::Code(code));
                assert!(CONFLICTS.iter().any(|codes| codes.contains(&code)), "{code}");
            }
            Answer::Unknown { .. } => assert!(
                !matches!(told, Said::Success(_)) || has_repeated_keys(body),
                "{answer:?}"
            ),
            Answer::NotSent => panic!("an answer came"),
        }
        let elsewhere = classify_mutation(&Exchange::Reply { status: 502, body }, last);
        assert_eq!(
            elsewhere,
            Answer::Unknown {
                why: UnknownWhy::HttpStatus(502)
            }
        );
    }
}

/// A tree keeps the last of repeated keys; the parser refuses them.
fn has_repeated_keys(body: &[u8]) -> bool {
    let Ok(tree) = serde_json::from_slice::<Value>(body) else {
        return true;
    };
    let again = tree.to_string();
    matches!(
        classify_mutation(
            &Exchange::Reply {
                status: 200,
                body: again.as_bytes()
            },
            false
        ),
        Answer::Applied
    )
}
