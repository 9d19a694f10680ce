//! `docs/api.md`: the table of what is known, typed, simulated and tested is made from the table that the code uses, so
//! it cannot say anything else. `UPDATE_DOCS=1 cargo test --test api` writes it anew.

use std::fmt::Write;

use abb_operator::nas::methods::{self, Method, Parameter};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->\n";

fn table() -> String {
    let mut text = String::new();
    for Method {
        call,
        version,
        effect,
        confidence,
        fact,
        answer,
        unknown,
        parameters,
    } in methods::all()
    {
        let consent = if methods::find(call.api, call.method).unwrap().needs_consent() {
            "; `call` wants `--yes`"
        } else {
            ""
        };
        let _ = writeln!(text, "### `{}` `{}`\n", call.api, call.method);
        let _ = writeln!(
            text,
            "Version {version}; {}{consent}. Answers: {answer}. Fact {fact}, {}.{}\n",
            effect.label(),
            confidence.label(),
            if unknown.is_empty() {
                String::new()
            } else {
                format!(" Unknown: {unknown}.")
            }
        );
        if parameters.is_empty() {
            let _ = writeln!(text, "No parameter is known.\n");
            continue;
        }
        let _ = writeln!(
            text,
            "| parameter | type | required | typed | simulated | tested | fact | confidence |"
        );
        let _ = writeln!(text, "|---|---|---|---|---|---|---|---|");
        for Parameter {
            name,
            kind,
            required,
            fact,
            confidence,
            typed,
        } in *parameters
        {
            let required = if *required { "yes" } else { "" };
            // `every_row_of_the_table_has_its_case` fails where a parameter is not sent to the simulated NAS, or does
            // nothing there.
            let _ = writeln!(
                text,
                "| `{name}` | {} | {required} | `{typed}` | yes | yes | {fact} | {} |",
                kind.label(),
                confidence.label()
            );
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_table_in_the_documents_is_the_one_in_the_code() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let fresh = format!("{head}{BEGIN}\n{}{END}{tail}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &fresh).unwrap();
    }
    assert!(
        text == fresh || std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/api.md is out of date: run UPDATE_DOCS=1 cargo test --test api"
    );
}
