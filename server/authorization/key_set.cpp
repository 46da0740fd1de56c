#include "server/authorization/key_set.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "server/authorization/base64url.hpp"

#include <algorithm>
#include <cjose/cjose.h>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;
using base::Json;

constexpr const char* ed25519 = "Ed25519";
constexpr std::size_t ed25519_key_bytes = 32;
constexpr std::size_t ed25519_signature_bytes = 64;
constexpr std::size_t rsa_bits_min = 2'048;
constexpr std::size_t rsa_bits_max = 8'192;       // beyond, one forged token costs milliseconds
constexpr std::size_t rsa_exponent_bytes_max = 4; // 65537 in practice; large ones only cost time

Error unusable(std::string why) {
    return {Errc::invalid_input, std::move(why), ""};
}

/// A member of a JWK that holds base64url bytes, without leading zeros.
base::Result<std::string> number(const Json& jwk, const char* name) {
    const auto text = base::string_member(jwk, name);
    if (!text) {
        return unusable(std::string("it has no ") + name);
    }
    INTERLOCK_TRY(std::string bytes, from_base64url(*text));
    bytes.erase(0, std::min(bytes.find_first_not_of('\0'), bytes.size()));
    return bytes;
}

/// Bits of the modulus.
base::Result<std::size_t> check_rsa(const Json& jwk) {
    INTERLOCK_TRY(const std::string modulus, number(jwk, "n"));
    INTERLOCK_TRY(const std::string exponent, number(jwk, "e"));
    const std::size_t bits = modulus.size() * 8;
    if (bits < rsa_bits_min || bits > rsa_bits_max) {
        return unusable("an RSA key must have 2048 to 8192 bits");
    }
    const bool is_odd = !exponent.empty() && (exponent.back() & 1) != 0;
    if (!is_odd || exponent.size() > rsa_exponent_bytes_max || exponent == "\x01") {
        return unusable("its public exponent is not one of RSA signatures");
    }
    return bits;
}

std::size_t curve_bytes(std::string_view curve) {
    return curve == "P-256" ? 32 : curve == "P-384" ? 48 : curve == "P-521" ? 66 : 0;
}

bool may_verify(const Json& jwk) {
    const Json* operations = base::member(jwk, "key_ops");
    const Json* use = base::member(jwk, "use");
    return (use == nullptr || *use == "sig") &&
           (operations == nullptr ||
            (operations->is_array() &&
             std::find(operations->begin(), operations->end(), "verify") != operations->end()));
}

/// Only the public members go on to the library.
Json public_part(const Json& jwk, const std::vector<const char*>& names) {
    Json part = Json::object();
    for (const char* name : names) {
        if (const auto value = base::string_member(jwk, name)) {
            part[name] = *value;
        }
    }
    return part;
}

std::string needed_family(std::string_view algorithm) {
    return algorithm == "ES256"                           ? "P-256"
           : algorithm == "ES384"                         ? "P-384"
           : algorithm == "ES512"                         ? "P-521"
           : algorithm == "EdDSA" || algorithm == ed25519 ? ed25519
                                                          : "RSA";
}

} // namespace

struct VerificationKey::Handle {
    explicit Handle(cjose_jwk_t* imported) : jwk(imported) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { (void)cjose_jwk_release(jwk); }
    cjose_jwk_t* jwk;
};

base::Result<VerificationKey> VerificationKey::from_jwk(const Json& jwk) {
    VerificationKey key;
    const std::string type = base::string_member(jwk, "kty").value_or("");
    if (type != "RSA" && type != "EC" && type != "OKP") {
        return unusable("only keys of type RSA, EC and OKP are taken");
    }
    if (base::member(jwk, "d") != nullptr || base::member(jwk, "k") != nullptr) {
        return unusable("it holds a private or secret half that must never be published");
    }
    if (!may_verify(jwk)) {
        return unusable("it is not for verifying signatures");
    }
    for (const char* name : {"kid", "alg"}) {
        const Json* value = base::member(jwk, name);
        if (value != nullptr && (!value->is_string() || value->get_ref<const std::string&>().size(
                                                        ) > limits::key_id_bytes_max)) {
            return unusable(std::string("its ") + name + " is not a short text");
        }
    }
    key.kid_ = base::string_member(jwk, "kid").value_or("");
    key.algorithm_ = base::string_member(jwk, "alg").value_or("");
    if (type == "OKP") {
        if (base::string_member(jwk, "crv") != ed25519) {
            return unusable("its curve is not Ed25519");
        }
        INTERLOCK_TRY(
            key.ed25519_, from_base64url(base::string_member(jwk, "x").value_or(std::string{}))
        );
        if (key.ed25519_.size() != ed25519_key_bytes) {
            return unusable("it is not a valid key of its type");
        }
        key.family_ = ed25519;
        key.signature_bytes_ = ed25519_signature_bytes;
        return key;
    }
    Json part;
    if (type == "RSA") {
        INTERLOCK_TRY(const std::size_t bits, check_rsa(jwk));
        key.family_ = "RSA";
        key.signature_bytes_ = bits / 8;
        part = public_part(jwk, {"kty", "n", "e"});
    } else {
        key.family_ = base::string_member(jwk, "crv").value_or("");
        key.signature_bytes_ = 2 * curve_bytes(key.family_);
        part = public_part(jwk, {"kty", "crv", "x", "y"});
        if (key.signature_bytes_ == 0) {
            return unusable("its curve is none of P-256, P-384 and P-521");
        }
    }
    const std::string text = base::render_json(part);
    cjose_err problem{};
    cjose_jwk_t* imported = cjose_jwk_import(text.data(), text.size(), &problem);
    if (imported == nullptr) {
        return unusable("it is not a valid key of its type");
    }
    key.handle_ = std::make_shared<const Handle>(imported);
    return key;
}

bool VerificationKey::fits(std::string_view algorithm) const {
    return family_ == needed_family(algorithm) && (algorithm_.empty() || algorithm_ == algorithm);
}

bool VerificationKey::verifies(const std::string& token, std::size_t signature_bytes) const {
    // One signature has one length: the library alone would take r and s with zeros before them.
    if (signature_bytes != signature_bytes_) {
        return false;
    }
    if (!handle_) {
        const std::string_view signed_part = std::string_view(token).substr(0, token.rfind('.'));
        const auto signature =
            from_base64url(std::string_view(token).substr(signed_part.size() + 1));
        return signature && base::verify_signature(ed25519_, signed_part, *signature);
    }
    cjose_err problem{};
    const std::unique_ptr<cjose_jws_t, void (*)(cjose_jws_t*)> jws(
        cjose_jws_import(token.data(), token.size(), &problem), &cjose_jws_release
    );
    return jws && cjose_jws_verify(jws.get(), handle_->jwk, &problem);
}

base::Result<std::shared_ptr<const KeySet>>
KeySet::parse(std::string_view document, const std::vector<std::string>& algorithms) {
    INTERLOCK_TRY(const Json json, base::parse_json(document, limits::jwks_bytes_max));
    const Json* list = base::member(json, "keys");
    if (list == nullptr || !list->is_array()) {
        return unusable("The document is not a key set: it has no list `keys`.");
    }
    if (list->size() > limits::jwks_keys_max) {
        return Error{
            Errc::limit_exceeded,
            "The key set has more than " + std::to_string(limits::jwks_keys_max) + " keys.",
            "Let the issuer retire keys that sign nothing."};
    }
    auto set = std::make_shared<KeySet>();
    for (std::size_t at = 0; at < list->size(); ++at) {
        auto key = VerificationKey::from_jwk((*list)[at]);
        const auto leave_out = [&](const std::string& why) {
            set->left_out_.push_back("key " + std::to_string(at) + ": " + why);
        };
        if (!key) {
            leave_out(key.error().what);
        } else if (std::none_of(algorithms.begin(), algorithms.end(), [&](const auto& name) {
                       return key->fits(name);
                   })) {
            leave_out("it fits none of the issuer's pinned algorithms");
        } else if (!key->kid().empty() && set->knows(key->kid())) {
            leave_out("its kid is taken by a key before it");
        } else {
            set->keys_.push_back(std::move(*key));
        }
    }
    if (set->keys_.empty()) {
        return Error{
            Errc::not_found,
            "The key set has no key that could be used.",
            "Let the issuer publish a key that fits the pinned algorithms."};
    }
    return std::shared_ptr<const KeySet>(std::move(set));
}

const VerificationKey*
KeySet::find(const std::optional<std::string>& kid, std::string_view algorithm) const {
    const VerificationKey* found = nullptr;
    for (const VerificationKey& key : keys_) {
        if ((kid && key.kid() != *kid) || !key.fits(algorithm)) {
            continue;
        }
        if (found != nullptr) {
            return nullptr; // a token that does not say which key is not guessed at
        }
        found = &key;
    }
    return found;
}

bool KeySet::knows(std::string_view kid) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const VerificationKey& key) {
        return key.kid() == kid;
    });
}

} // namespace interlock::server
