// The public keys of one issuer (JWKS, RFC 7517), and which of them may verify a token.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

/// One public key that passed every check: RSA of 2048 bits or more, EC on P-256, P-384, P-521, or
/// Ed25519.
class VerificationKey {
public:
    /// invalid_input says why this key cannot be used: symmetric, private, too short, not for
    /// signatures.
    static base::Result<VerificationKey> from_jwk(const base::Json& jwk);

    const std::string& kid() const { return kid_; } // "" = none
    /// By type, curve and the key's own `alg`: an RSA key never verifies ES256.
    bool fits(std::string_view algorithm) const;
    /// `token` is the compact form; `signature_bytes` the length of its decoded signature.
    bool verifies(const std::string& token, std::size_t signature_bytes) const;

private:
    VerificationKey() = default;
    struct Handle;                         // cjose
    std::shared_ptr<const Handle> handle_; // null: Ed25519, which cjose does not know
    std::string ed25519_;                  // then the key itself
    std::string kid_;
    std::string algorithm_; // the key's own; "" = any that its type can
    std::string family_;    // "RSA", "P-256"...
    std::size_t signature_bytes_ = 0;
};

class KeySet {
public:
    /// Keys that cannot be used, or whose algorithm is not among `algorithms`, are left out and
    /// told in left_out(). not_found: a key set without any that can be used.
    static base::Result<std::shared_ptr<const KeySet>>
    parse(std::string_view document, const std::vector<std::string>& algorithms);

    /// By kid; without one the only key that fits. nullptr: none, or none that fits.
    const VerificationKey*
    find(const std::optional<std::string>& kid, std::string_view algorithm) const;
    bool knows(std::string_view kid) const;
    std::size_t size() const { return keys_.size(); }
    /// Why entries of the document are not used; safe to log.
    const std::vector<std::string>& left_out() const { return left_out_; }

private:
    std::vector<VerificationKey> keys_;
    std::vector<std::string> left_out_;
};

} // namespace interlock::server
