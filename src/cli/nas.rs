//! From the flags that name a NAS to its client.

use std::path::PathBuf;

use secrecy::SecretString;

use super::Failure;
use crate::{
    clock::Clock,
    config::NasArgs,
    nas::{Client, Credentials, Endpoint, OneTimeCodes, Trust, parse_fingerprint},
};

/// A list of tasks takes longer than anything else: as many times the wait for other answers.
const LIST_FACTOR: u32 = 6;

/// The client of the NAS that the flags name. It connects to nothing yet.
pub(super) fn client(args: &NasArgs) -> Result<Client, Failure> {
    let url = args.account.url.clone().ok_or_else(|| {
        Failure::usage("no NAS given: set --url or ABB_NAS_URL, such as https://nas.example:5001")
    })?;
    let username = args
        .account
        .username
        .clone()
        .ok_or_else(|| Failure::usage("no account given: set --username or ABB_NAS_USERNAME"))?;
    let password = secret(args.account.password())?
        .ok_or_else(|| Failure::usage("no password given: set --password-file or ABB_NAS_PASSWORD"))?;
    let trust = trust(args, url.scheme() == "http")?;
    let endpoint = Endpoint {
        url,
        trust,
        request_timeout: args.request_timeout,
        list_timeout: args.request_timeout * LIST_FACTOR,
    };
    let credentials = Credentials {
        username,
        password,
        otp_secret: secret(args.account.otp_secret())?,
        device: None,
    };
    let client = Client::new(endpoint, credentials).map_err(|error| Failure::usage(error.to_string()))?;
    // What the command before this one spent is not known.
    let codes = OneTimeCodes::starting_at(Clock::system().now());
    Ok(client.with_codes(codes))
}

fn trust(args: &NasArgs, is_plain: bool) -> Result<Trust, Failure> {
    if is_plain {
        return if args.allow_plaintext {
            Ok(Trust::Plaintext)
        } else {
            Err(Failure::usage(
                "over http everybody on the way reads the password: use https, or add --allow-plaintext",
            ))
        };
    }
    if let Some(text) = &args.fingerprint {
        return parse_fingerprint(text).map(Trust::Fingerprint).ok_or_else(|| {
            Failure::usage(format!(
                "--fingerprint {text:?} is no SHA-256: write 64 hexadecimal digits, with or without colons"
            ))
        });
    }
    if args.insecure_skip_verify {
        return Ok(Trust::Unverified);
    }
    let Some(path) = &args.ca_file else {
        return Ok(Trust::SystemRoots);
    };
    read(path).map(Trust::Authority)
}

/// What the environment or a file holds, without the line break that editors leave.
pub(super) fn secret(
    (given, file): (Option<&SecretString>, Option<&PathBuf>),
) -> Result<Option<SecretString>, Failure> {
    let Some(path) = file else {
        return Ok(given.cloned());
    };
    let text = String::from_utf8(read(path)?)
        .map_err(|_| Failure::usage(format!("{} is no text in UTF-8", path.display())))?;
    Ok(Some(SecretString::from(text.trim_end_matches(['\n', '\r']))))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::usage(format!("failed to read {}: {error}", path.display())))
}
