use std::io;
use std::sync::LazyLock;

use algospace_hft::agents::model_set::{ModelSet, ModelSetError};
use algospace_hft::inference::Cpu;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

static MANIFEST: LazyLock<Vec<u8>> = LazyLock::new(|| good("manifest.json").expect("it is there"));
static GOLDEN: LazyLock<Vec<u8>> =
    LazyLock::new(|| good("golden.safetensors").expect("it is there"));

/// The bytes as a manifest; in the middle of a good manifest; and, now and then, since a whole set
/// is slow, in the head of golden tensors whose checksum is made good, so that what reads tensors
/// is reached.
pub fn model_set(bytes: &[u8]) {
    _ = ModelSet::from_files("fuzzed", &|name| only(name, bytes));
    // One in 64, and always the same ones.
    if !xxh3_64(bytes).is_multiple_of(64) {
        let manifest = spliced(&MANIFEST, bytes);
        _ = ModelSet::from_files("fuzzed", &|name| only(name, &manifest));
        return;
    }
    let golden = spliced(&GOLDEN, bytes);
    let mut manifest: serde_json::Value = serde_json::from_slice(&MANIFEST).expect("it is good");
    let hash: String = Sha256::digest(&golden).iter().map(|byte| format!("{byte:02x}")).collect();
    manifest["golden"]["sha256"] = hash.into();
    let manifest = serde_json::to_vec(&manifest).expect("it is JSON");
    let set: Result<ModelSet, ModelSetError> = ModelSet::from_files("fuzzed", &|name| match name {
        "manifest.json" => Ok(manifest.clone()),
        "golden.safetensors" => Ok(golden.clone()),
        _ => good(name),
    });
    if let Ok(set) = set {
        // Refused or not, it ends and does not panic.
        _ = set.verify(&Cpu::new());
    }
}

/// A file of the untrained set.
fn good(name: &str) -> io::Result<Vec<u8>> {
    std::fs::read(format!("{}/../models/untrained/{name}", env!("CARGO_MANIFEST_DIR")))
}

/// A folder with nothing but a manifest.
fn only(name: &str, manifest: &[u8]) -> io::Result<Vec<u8>> {
    if name == "manifest.json" {
        Ok(manifest.to_vec())
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A file in which some bytes are replaced: two bytes say where in its first 64 KiB, one how many,
/// the rest by what.
fn spliced(file: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    if let [low, high, count, new @ ..] = bytes {
        let start = (usize::from(*low) | usize::from(*high) << 8).min(file.len());
        let end = (start + usize::from(*count)).min(file.len());
        file.splice(start..end, new.iter().copied());
    }
    file
}
