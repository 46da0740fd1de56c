// An issuer for tests: keys and tokens made with OpenSSL directly, so that the verifier is not
// tested with itself. It signs whatever it is told to, also what no issuer should.
#pragma once

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::test {

inline std::string base64url(std::string_view bytes) {
    std::string text = base::base64(bytes);
    text.erase(std::min(text.find('='), text.size()));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

template <class Type>
Type* made(Type* pointer) {
    if (pointer == nullptr) {
        throw std::runtime_error("OpenSSL has none");
    }
    return pointer;
}

inline void good(int status) {
    if (status != 1) {
        throw std::runtime_error("OpenSSL refuses");
    }
}

class SigningPair {
public:
    static SigningPair rsa(unsigned bits = 2'048) { return SigningPair(EVP_RSA_gen(bits), 0); }
    /// "P-256" and so on.
    static SigningPair ec(const char* curve) {
        const std::string_view name = curve;
        const std::size_t bytes = name == "P-256" ? 32 : name == "P-384" ? 48 : 66;
        return SigningPair(EVP_EC_gen(curve), bytes, curve);
    }

    static SigningPair ed25519() {
        return SigningPair(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), 0, "Ed25519");
    }

    /// A JWK; `more` is further members, as `,"alg":"RS256"`.
    std::string jwk(const std::string& kid, const std::string& more = "") const {
        const std::string start = R"({"kid":")" + kid + R"(",)";
        if (is_ed25519()) {
            std::string point(32, '\0');
            std::size_t size = point.size();
            auto* bytes = reinterpret_cast<unsigned char*>(point.data());
            good(EVP_PKEY_get_raw_public_key(key_.get(), bytes, &size));
            return start + R"("kty":"OKP","crv":"Ed25519","x":")" + base64url(point) + "\"" + more +
                   "}";
        }
        if (coordinate_bytes_ == 0) {
            return start + R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
                   number(OSSL_PKEY_PARAM_RSA_E) + "\"" + more + "}";
        }
        return start + R"("kty":"EC","crv":")" + curve_ + R"(","x":")" +
               number(OSSL_PKEY_PARAM_EC_PUB_X) + R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y) +
               "\"" + more + "}";
    }

    std::string private_number() const {
        return number(coordinate_bytes_ == 0 ? OSSL_PKEY_PARAM_RSA_D : OSSL_PKEY_PARAM_PRIV_KEY);
    }

    /// SubjectPublicKeyInfo in PEM: what an HS256 confusion takes for the secret.
    std::string public_pem() const {
        const std::unique_ptr<BIO, decltype(&BIO_free)> out(made(BIO_new(BIO_s_mem())), BIO_free);
        good(PEM_write_bio_PUBKEY(out.get(), key_.get()));
        char* data = nullptr;
        const long size = BIO_get_mem_data(out.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }

    /// As JOSE has it: r and s side by side for EC.
    std::string sign(std::string_view algorithm, std::string_view input) const {
        const std::string bytes = sign_der(algorithm, input);
        return coordinate_bytes_ == 0 ? bytes : raw(bytes, coordinate_bytes_);
    }

    /// As OpenSSL has it: DER for EC.
    std::string sign_der(std::string_view algorithm, std::string_view input) const {
        const EVP_MD* digest = is_ed25519()                 ? nullptr
                               : algorithm.ends_with("256") ? EVP_sha256()
                               : algorithm.ends_with("384") ? EVP_sha384()
                                                            : EVP_sha512();
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
            made(EVP_MD_CTX_new()), EVP_MD_CTX_free
        );
        EVP_PKEY_CTX* how = nullptr;
        good(EVP_DigestSignInit(context.get(), &how, digest, nullptr, key_.get()));
        if (algorithm.starts_with("PS")) {
            good(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING));
            good(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST));
        }
        const auto* data = reinterpret_cast<const unsigned char*>(input.data());
        std::size_t size = 0;
        good(EVP_DigestSign(context.get(), nullptr, &size, data, input.size()));
        std::string bytes(size, '\0');
        auto* out = reinterpret_cast<unsigned char*>(bytes.data());
        good(EVP_DigestSign(context.get(), out, &size, data, input.size()));
        bytes.resize(size);
        return bytes;
    }

    /// r and s of a DER signature, each in `width` bytes.
    static std::string raw(const std::string& der, std::size_t width) {
        const auto* at = reinterpret_cast<const unsigned char*>(der.data());
        const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(
            made(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))), ECDSA_SIG_free
        );
        std::string out(2 * width, '\0');
        auto* bytes = reinterpret_cast<unsigned char*>(out.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), bytes, static_cast<int>(width));
        BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), bytes + width, static_cast<int>(width));
        return out;
    }

    /// A token of these JSON texts.
    std::string
    token(std::string_view algorithm, const std::string& header, const std::string& claims) const {
        const std::string input = base64url(header) + "." + base64url(claims);
        return input + "." + base64url(sign(algorithm, input));
    }

private:
    SigningPair(EVP_PKEY* key, std::size_t coordinate_bytes, std::string curve = "")
        : key_(made(key), EVP_PKEY_free),
          coordinate_bytes_(coordinate_bytes),
          curve_(std::move(curve)) {}

    bool is_ed25519() const { return curve_ == "Ed25519"; }
    std::string number(const char* name) const {
        BIGNUM* found = nullptr;
        good(EVP_PKEY_get_bn_param(key_.get(), name, &found));
        const std::unique_ptr<BIGNUM, decltype(&BN_clear_free)> value(found, BN_clear_free);
        const auto size =
            std::max(static_cast<std::size_t>(BN_num_bytes(found)), coordinate_bytes_);
        std::string bytes(size, '\0');
        BN_bn2binpad(found, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size));
        return base64url(bytes);
    }

    std::shared_ptr<EVP_PKEY> key_;
    std::size_t coordinate_bytes_; // 0: RSA or Ed25519
    std::string curve_;
};

/// Made once: RSA keys take a while.
inline const SigningPair& rsa_pair() {
    static const SigningPair pair = SigningPair::rsa();
    return pair;
}
inline const SigningPair& other_rsa_pair() {
    static const SigningPair pair = SigningPair::rsa();
    return pair;
}
inline const SigningPair& ec_pair() {
    static const SigningPair pair = SigningPair::ec("P-256");
    return pair;
}

inline std::string key_set(const std::vector<std::string>& keys) {
    std::string text = R"({"keys":[)";
    for (const std::string& key : keys) {
        text += (text.back() == '[' ? "" : ",") + key;
    }
    return text + "]}";
}

;

} // namespace interlock::test
