//! YAML and JSON texts as documents. What is wrong in one is found as far as it can be read, and those after a broken one
//! are read as well.

use granit_parser::{ErrorKind, Event, Parser, ScanError};

use super::{
    builder::{Builder, MOST_NODES},
    tree::Node,
};

/// What is wrong with the text itself.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub(super) line: usize,
    /// The field, where one is known.
    pub(super) field: String,
    pub(super) message: String,
}

/// One document of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    /// None when it cannot be read.
    pub(super) root: Option<Node>,
    pub(super) flaws: Vec<Flaw>,
}

/// The documents of a text; one of comments alone is none.
pub(super) fn read(text: &str) -> Vec<Document> {
    let mut options = granit_parser::options! {
        emit_unresolved_aliases: true,
        block_scalar_eof_without_line_feed: true,
    };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    loop {
        let (line, message) = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((Event::DocumentEnd, _))) => {
                documents.extend(std::mem::take(&mut builder).finish());
                continue;
            }
            Some(Ok((event, span))) => {
                if builder.take(event, span).is_some() {
                    continue;
                }
                let message =
                    format!("has more than {MOST_NODES} values once aliases are replaced by what they name");
                (span.start.line(), message)
            }
            Some(Err(error)) => {
                let (info, column) = (error.info(), error.marker().col() + 1);
                let message = format!(
                    "failed to read as YAML: {info} (column {column}){}",
                    remedy(text, &error)
                );
                (error.marker().line(), message)
            }
        };
        builder = Builder::default();
        documents.push(broken(line, message));
        if !parser.proceed_next_document().unwrap_or(false) {
            break;
        }
    }
    documents
}

/// A document that cannot be read. Its other flaws may be consequences of this one.
fn broken(line: usize, message: String) -> Document {
    let field = String::new();
    Document {
        root: None,
        flaws: vec![Flaw { line, field, message }],
    }
}

/// What to do about the commonest mistakes.
fn remedy(text: &str, error: &ScanError) -> &'static str {
    let line = text.lines().nth(error.marker().line().saturating_sub(1));
    if line.is_some_and(|line| line.contains("{{")) {
        return ": render the template first, as `helm template` does";
    }
    match error.kind() {
        ErrorKind::UnexpectedCharacter { character } if !character.is_control() => {
            ": put the value in quotes"
        }
        ErrorKind::MissingAnchorOrAliasName => ": put the value in quotes",
        ErrorKind::MappingValueNotAllowed => ": put a value with a colon in quotes",
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => ": indent with spaces",
        _ => "",
    }
}
