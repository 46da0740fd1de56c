// SHA-256, HMAC, hex and base64. All comparisons of secrets and digests go through equal().
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace interlock::base {

/// 32 bytes of SHA-256.
struct Digest {
    std::array<std::uint8_t, 32> bytes{};
    friend bool operator==(const Digest&, const Digest&) = default;
    std::string_view view() const;
};

Digest sha256(std::string_view data);
/// HMAC-SHA-256 of `data` under `key`.
Digest hmac_sha256(std::string_view key, std::string_view data);

std::string hex(std::string_view bytes);
std::string hex(const Digest& digest);
/// Refuses odd length and characters outside [0-9a-f].
Result<std::string> from_hex(std::string_view text);
Result<Digest> digest_from_hex(std::string_view text);

/// Standard base64 with padding (RFC 4648 section 4).
std::string base64(std::string_view bytes);
/// Strict: padding required, no other characters.
Result<std::string> from_base64(std::string_view text);

/// Constant-time equality.
bool equal(std::string_view left, std::string_view right);

/// DSSE pre-authentication encoding: binds a payload to its type before it is hashed or signed.
/// "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body
/// (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md)
std::string pre_authentication_encoding(std::string_view type, std::string_view body);

/// An Ed25519 key pair kept in a file of mode 0600; the public half is 32 bytes.
struct SigningKey {
    std::string secret;     // 64 bytes, libsodium layout
    std::string public_key; // 32 bytes
};
SigningKey signing_key_from_seed(std::string_view seed32);
/// Reads the key at `path`, or makes one there (0600) from `seed32` when the file is absent.
Result<SigningKey> load_or_create_signing_key(const std::string& path, std::string_view seed32);
std::string sign(const SigningKey& key, std::string_view message);
bool verify_signature(
    std::string_view public_key32, std::string_view message, std::string_view signature64
);

} // namespace interlock::base
