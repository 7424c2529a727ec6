//! Keys as they stand in a file: PEM public keys, or the raw secret of HS256.

use jsonwebtoken::DecodingKey;

use super::keys::Key;
use crate::config::JwtAlgorithm;

/// RFC 7518 asks for as many bytes as the hash has; a shorter secret can be guessed from one token.
const SHORTEST_SECRET: usize = 32;
/// An RSA public key of 2048 bits, PKCS #1.
const SHORTEST_RSA: usize = 268;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

type ReadPem = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;

/// The keys in a file. The reason of a refusal shows nothing of it.
pub fn keys_in(content: &[u8]) -> Result<Vec<Key>, &'static str> {
    match std::str::from_utf8(content) {
        Ok(text) if text.contains(BEGIN) => blocks(text).map(public_key).collect(),
        _ => Ok(vec![secret(content)?]),
    }
}

/// Each PEM block; there may be several, for a rotation.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split(BEGIN).skip(1).map(|block| {
        let end = block.find(END).map(|at| at + block[at..].find('\n').unwrap_or(block.len() - at));
        &block[..end.unwrap_or(block.len())]
    })
}

fn public_key(block: &str) -> Result<Key, &'static str> {
    let is_public = ["PUBLIC KEY-----", "RSA PUBLIC KEY-----"].iter().any(|label| block.starts_with(label));
    if !is_public {
        return Err(
            "a PEM block in it is no public key; a private key has no business here, of a certificate take the public key",
        );
    }
    let pem = format!("{BEGIN}{block}");
    let pem = pem.as_bytes();
    let kinds: [(ReadPem, JwtAlgorithm); 3] = [
        (DecodingKey::from_rsa_pem, JwtAlgorithm::Rs256),
        (DecodingKey::from_ec_pem, JwtAlgorithm::Es256),
        (DecodingKey::from_ed_pem, JwtAlgorithm::EdDsa),
    ];
    let mut read = kinds.into_iter().filter_map(|(read, algorithm)| Some((read(pem).ok()?, algorithm)));
    let Some((decoding, algorithm)) = read.next() else {
        return Err("a public key in it is damaged, or neither RSA nor P-256 nor Ed25519");
    };
    let length = decoding.try_get_as_bytes().map_or(0, <[u8]>::len);
    match algorithm {
        JwtAlgorithm::Rs256 if length < SHORTEST_RSA => Err("an RSA key in it has less than 2048 bits"),
        JwtAlgorithm::Es256 if length != 65 => Err("an EC key in it is not on P-256, or not in uncompressed form"),
        JwtAlgorithm::EdDsa if length != 32 => Err("an Ed25519 key in it is damaged"),
        _ => Ok(Key { id: None, algorithm, decoding }),
    }
}

/// All of the file, but for the last line end where it is a text: editors and `echo` put one there.
fn secret(content: &[u8]) -> Result<Key, &'static str> {
    let is_text = std::str::from_utf8(content).is_ok();
    let content = content.strip_suffix(b"\n").filter(|_| is_text).unwrap_or(content);
    let content = content.strip_suffix(b"\r").filter(|_| is_text).unwrap_or(content);
    if looks_public(content) {
        return Err("it is a key in another form than PEM, and would be no secret");
    }
    if content.len() < SHORTEST_SECRET {
        return Err("a secret of HS256 has 32 bytes at least, and no PEM public key is in it");
    }
    Ok(Key { id: None, algorithm: JwtAlgorithm::Hs256, decoding: DecodingKey::from_secret(content) })
}

/// What everybody may know and somebody may have taken for a secret: a key as DER, JWK, or of SSH.
fn looks_public(content: &[u8]) -> bool {
    content.starts_with(&[0x30, 0x82])
        || content.starts_with(&[0x30, 0x81])
        || [&b"{"[..], b"ssh-", b"ecdsa-"].iter().any(|start| content.starts_with(start))
}
