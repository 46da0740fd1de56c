// C2SP signed checkpoints (tlog-checkpoint, signed-note): origin, size, root, and an Ed25519
// signature line. Kept by each program outside the store, so that a store that was cut or restored
// from an older copy is noticed.
#pragma once

#include "base/digest.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace interlock::telemetry {

struct Checkpoint {
    std::string origin; // names the log: "interlock/<log id>"
    std::uint64_t size = 0;
    base::Digest root;
};

/// The note: three lines, a blank line, "<em dash> name base64(key id || signature)".
std::string
sign_checkpoint(const Checkpoint& checkpoint, const std::string& name, const base::SigningKey& key);
/// Verifies against the public key (32 bytes) and returns what it says; invalid_signature or
/// invalid_input otherwise.
base::Result<Checkpoint>
verify_checkpoint(std::string_view note, const std::string& name, std::string_view public_key32);
/// "name+keyid+base64(type || key)": the C2SP verifier key people exchange.
std::string verifier_key(const std::string& name, std::string_view public_key32);

struct VerifierKey {
    std::string name;
    std::string public_key; // 32 bytes
};
/// Reads such a key; invalid_input when it is of another form, type or key id.
base::Result<VerifierKey> parse_verifier_key(std::string_view text);

} // namespace interlock::telemetry
