//! Encrypted logins, as clients send them over plain HTTP: a random passphrase under the RSA key of the NAS, and the
//! form under a key derived from that passphrase.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use md5::{Digest, Md5};
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::call::{ApiCall, Failure};
use super::core::Nas;
use super::encryption_key::{FIRST_PRIME, SECOND_PRIME};

/// Name of the field with the encrypted form.
const CIPHER_KEY: &str = "__cIpHeRtExT";
/// Name of the field with the time of the NAS, within the form.
const CIPHER_TOKEN: &str = "__cIpHeRtOkEn";
/// Public exponent; clients take it for granted.
const EXPONENT: u32 = 65_537;
/// How OpenSSL begins what it has encrypted under a passphrase.
const SALT_MAGIC: &[u8] = b"Salted__";
/// Length of the salt behind it.
const SALT: usize = 8;
/// Length of an AES-256 key, and of one with the first block behind it.
const KEY: usize = 32;
const KEY_AND_BLOCK: usize = 48;
/// Least number of filling bytes in an encrypted passphrase.
const FILLING: usize = 8;

impl Nas {
    /// `SYNO.API.Encryption` `getinfo`.
    pub(super) fn encryption_info(&self) -> Value {
        let modulus = primes().map(|[first, second]| first * second);
        json!({
            "cipherkey": CIPHER_KEY,
            "ciphertoken": CIPHER_TOKEN,
            "public_key": modulus.map(|modulus| modulus.to_str_radix(16)),
            "server_time": self.nas_time(),
        })
    }
}

/// The same call with the fields of its encrypted form, where it has one; 101 where that cannot be read.
pub(super) fn decrypted(call: &ApiCall) -> Result<ApiCall, Failure> {
    let mut call = call.clone();
    let Some(sealed) = call.value(CIPHER_KEY) else {
        return Ok(call);
    };
    let form = open(&sealed).ok_or(Failure::code(101))?;
    call.fields.remove(CIPHER_KEY);
    for (name, value) in form_urlencoded::parse(&form) {
        call.fields.insert(name.into_owned(), value.into_owned());
    }
    Ok(call)
}

fn primes() -> Option<[BigUint; 2]> {
    let number = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16);
    Some([number(FIRST_PRIME)?, number(SECOND_PRIME)?])
}

/// Opens an object of the encrypted passphrase `rsa` and the encrypted form `aes`, both in Base64.
fn open(sealed: &Value) -> Option<Vec<u8>> {
    let part = |name: &str| STANDARD.decode(sealed.get(name)?.as_str()?).ok();
    let passphrase = open_passphrase(&part("rsa")?)?;
    let sealed = part("aes")?;
    let (salt, sealed) = sealed.strip_prefix(SALT_MAGIC)?.split_at_checked(SALT)?;
    let key = derive(&passphrase, salt);
    let opener = Decryptor::<Aes256>::new_from_slices(&key[..KEY], &key[KEY..]).ok()?;
    let mut form = sealed.to_vec();
    opener
        .decrypt_padded_mut::<Pkcs7>(&mut form)
        .ok()
        .map(<[u8]>::to_vec)
}

/// Undoes RSA with the padding of PKCS#1 version 1.5, by each prime on its own, which is four times as quick.
fn open_passphrase(sealed: &[u8]) -> Option<Vec<u8>> {
    let sealed = BigUint::from_bytes_be(sealed);
    let [first, second] = primes()?;
    let by = |prime: &BigUint| {
        let exponent = BigUint::from(EXPONENT).modinv(&(prime - 1_u32))?;
        Some((&sealed % prime).modpow(&exponent, prime))
    };
    let (by_first, by_second) = (by(&first)?, by(&second)?);
    let inverse = second.modinv(&first)?;
    let apart = (&by_first + &first - &by_second % &first) * inverse % &first;
    let padded = (by_second + apart * second).to_bytes_be();
    let rest = padded.strip_prefix(&[2])?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    (end >= FILLING).then(|| rest[end + 1..].to_vec())
}

/// Key and first block, derived from a passphrase as OpenSSL has always done it.
fn derive(passphrase: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut derived: Vec<u8> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while derived.len() < KEY_AND_BLOCK {
        let digest = Md5::new().chain_update(&last).chain_update(passphrase);
        last = digest.chain_update(salt).finalize().to_vec();
        derived.extend_from_slice(&last);
    }
    derived
}
