//! Which keys are taken from files and sets, and which are not. What tokens they take is told at the wire.

use serde_json::json;

use super::{files, jwks, keys::Key};
use crate::config::JwtAlgorithm;

#[path = "../../../../tests/hub/support/tokens.rs"]
#[allow(dead_code, reason = "the stories at the wire use the rest")]
mod tokens;

use tokens::{TokenKey, text};

const ALGORITHMS: [JwtAlgorithm; 4] = [JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

fn kinds(keys: Result<Vec<Key>, &'static str>) -> Result<Vec<JwtAlgorithm>, &'static str> {
    keys.map(|keys| keys.iter().map(|key| key.algorithm).collect())
}

#[test]
fn a_key_file_tells_by_itself_what_its_key_is_for() {
    for (key, algorithm) in TokenKey::of_each_kind().iter().zip(ALGORITHMS) {
        assert_eq!(kinds(files::keys_in(&key.file())), Ok(vec![algorithm]));
    }
    let [_, rsa, ec, ed] = TokenKey::of_each_kind();
    let several = [b"for a rotation\r\n".to_vec(), rsa.file(), ec.file(), b"\n\n".to_vec(), ed.file()].concat();
    assert_eq!(kinds(files::keys_in(&several)), Ok(ALGORITHMS[1..].to_vec()));
    let windows = String::from_utf8(rsa.file()).unwrap().replace('\n', "\r\n");
    assert_eq!(kinds(files::keys_in(windows.as_bytes())), Ok(vec![JwtAlgorithm::Rs256]));
}

#[test]
fn the_line_end_of_a_text_is_no_part_of_a_secret_and_a_byte_of_another_file_is() {
    let secret = |content: &[u8]| files::keys_in(content).unwrap()[0].decoding.try_get_as_bytes().unwrap().to_vec();
    let text = b"a secret that is thirty-two bytes";
    for end in [&b""[..], b"\n", b"\r\n"] {
        assert_eq!(secret(&[text, end].concat()), text);
    }
    assert_eq!(secret(&[text, &b"\n\n"[..]].concat()), [text, &b"\n"[..]].concat());
    let bytes = [&[0xff; 40], &b"\n"[..]].concat();
    assert_eq!(secret(&bytes), bytes);
}

#[test]
fn what_is_no_good_key_is_refused_with_a_reason_that_does_not_show_it() {
    let [_, rsa, ec, _] = TokenKey::of_each_kind();
    let private = include_bytes!("../../../../tests/keys/rsa.pem");
    let certificate = String::from_utf8(rsa.file()).unwrap().replace("PUBLIC KEY", "CERTIFICATE");
    let cut = &rsa.file()[..200];
    let p384 = "-----BEGIN PUBLIC KEY-----\n\
                MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE5TL7wXN+NCvQWQvtG+rlOGVhCIDMvAHE\n\
                Q8NkV5mqXmN2GZO+D/m4HBJA4WqU25SPPTfvBRXQ3JlVaRYI1SykyCl8kEn+c6Yi\n\
                ztNlG4Q5ICL/3TcqhWFMzGYvIQGCbJ3H\n-----END PUBLIC KEY-----\n";
    for (content, words) in [
        (&b""[..], "32 bytes"),
        (b"\n", "32 bytes"),
        (b"short secret", "32 bytes"),
        (private, "no public key"),
        (certificate.as_bytes(), "no public key"),
        (include_bytes!("../../../../tests/keys/rsa_1024.pem"), "2048 bits"),
        (p384.as_bytes(), "P-256"),
        (cut, "damaged"),
        (&[rsa.file(), b"-----BEGIN PUBLIC KEY-----\nbroken".to_vec()].concat(), "damaged"),
        (&rsa.der(), "another form"),
        (&ec.jwk("a").to_string().into_bytes(), "another form"),
        (b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC0", "another form"),
    ] {
        let reason = files::keys_in(content).map(|keys| keys.len()).unwrap_err();
        assert!(reason.contains(words), "{words}: {reason}");
    }
}

#[test]
fn a_key_set_gives_the_keys_that_can_be_used_and_passes_over_the_rest() {
    let [secret, rsa, ec, ed] = TokenKey::of_each_kind();
    let all = json!({ "keys": [secret.jwk("s"), rsa.jwk("r"), ec.jwk("c"), ed.jwk("d")] }).to_string();
    assert_eq!(kinds(jwks::keys_in(all.as_bytes(), false)), Ok(ALGORITHMS.to_vec()));
    assert_eq!(kinds(jwks::keys_in(all.as_bytes(), true)), Ok(ALGORITHMS[1..].to_vec()), "no secret where anybody can read it");
    let with = |key: &TokenKey, name: &str, value: serde_json::Value| {
        let mut jwk = key.jwk("a");
        jwk[name] = value;
        jwk
    };
    for jwk in [
        with(&rsa, "use", json!("enc")),
        with(&rsa, "key_ops", json!(["sign"])),
        with(&rsa, "alg", json!("RS512")),
        with(&rsa, "alg", json!("HS256")),
        with(&rsa, "n", json!(text([7; 128]))),
        with(&rsa, "n", json!(text([&[0; 200][..], &[7; 100]].concat()))),
        with(&rsa, "kty", json!("oct")),
        with(&ec, "crv", json!("P-384")),
        with(&ec, "crv", json!("secp256k1")),
        with(&ec, "x", json!(text([7; 31]))),
        with(&ed, "crv", json!("Ed448")),
        with(&ed, "x", json!("")),
        with(&secret, "k", json!(text("short"))),
        json!({}),
        json!(null),
    ] {
        let set = json!({ "keys": [jwk] }).to_string();
        assert_eq!(kinds(jwks::keys_in(set.as_bytes(), false)), Ok(vec![]), "{set}");
    }
    for jwk in [
        with(&rsa, "use", json!("sig")),
        with(&rsa, "key_ops", json!(["verify", "wrapKey"])),
        with(&rsa, "alg", json!("RS256")),
        with(&rsa, "exp", json!(1.5)),
        with(&rsa, "x5c", json!(["AAAA"])),
    ] {
        let set = json!({ "keys": [jwk] }).to_string();
        assert_eq!(kinds(jwks::keys_in(set.as_bytes(), true)), Ok(vec![JwtAlgorithm::Rs256]), "{set}");
    }
}

#[test]
fn what_is_no_key_set_is_refused() {
    for content in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[}"#] {
        assert!(jwks::keys_in(content.as_bytes(), false).is_err(), "{content}");
    }
    let key = TokenKey::ed_dsa().jwk("a");
    let many = json!({ "keys": vec![key; 33] }).to_string();
    assert!(jwks::keys_in(many.as_bytes(), false).is_err());
}
