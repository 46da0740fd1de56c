#include "base/digest.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <cstring>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

namespace interlock::base {
namespace {

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* octets(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

Error unusable_key(const std::string& path, const std::string& why, std::string remedy) {
    return Error{
        Errc::invalid_input, "The signing key " + path + " " + why + ".", std::move(remedy)};
}

/// The key file holds the 32-byte seed as hex and a newline.
Result<SigningKey> read_signing_key(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) {
        return Error{
            errno == ENOENT ? Errc::not_found : Errc::io,
            "The signing key " + path + " cannot be read: " + std::strerror(errno) + ".",
            "Check the path and its permissions."};
    }
    if (!S_ISREG(about.st_mode)) {
        return unusable_key(path, "is not a regular file", "Name the key file itself.");
    }
    if ((about.st_mode & 077) != 0) {
        return unusable_key(
            path, "may be read by other users of this machine", "Run chmod 600 on it."
        );
    }
    INTERLOCK_TRY(std::string text, read_file(path, 1024));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    auto seed = from_hex(text);
    sodium_memzero(text.data(), text.size());
    if (!seed || seed->size() != crypto_sign_SEEDBYTES) {
        return unusable_key(
            path, "does not hold 64 hexadecimal digits", "Restore it from its backup, or remove it."
        );
    }
    SigningKey key = signing_key_from_seed(*seed);
    sodium_memzero(seed->data(), seed->size());
    return key;
}

} // namespace

std::string_view Digest::view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Digest sha256(std::string_view data) {
    // OpenSSL's, because it uses the processor's instructions for it: libsodium's took a tenth of a
    // call. Looked up once: a lookup costs more than a short text does.
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    Digest digest;
    if (EVP_Digest(data.data(), data.size(), digest.bytes.data(), nullptr, algorithm, nullptr) !=
        1) {
        crypto_hash_sha256(digest.bytes.data(), octets(data), data.size()); // out of memory
    }
    return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view data) {
    Digest digest;
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, octets(key), key.size());
    crypto_auth_hmacsha256_update(&state, octets(data), data.size());
    crypto_auth_hmacsha256_final(&state, digest.bytes.data());
    sodium_memzero(&state, sizeof state);
    return digest;
}

std::string hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out(bytes.size() * 2, '0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto value = static_cast<unsigned char>(bytes[i]);
        out[2 * i] = digits[value >> 4U];
        out[2 * i + 1] = digits[value & 15U];
    }
    return out;
}

std::string hex(const Digest& digest) {
    return hex(digest.view());
}

Result<std::string> from_hex(std::string_view text) {
    constexpr int no_digit = -1;
    const auto value_of = [](char digit) {
        return digit >= '0' && digit <= '9'   ? digit - '0'
               : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                              : no_digit;
    };
    std::string out(text.size() / 2, '\0');
    bool well_formed = text.size() % 2 == 0;
    for (std::size_t i = 0; well_formed && i < out.size(); ++i) {
        const int high = value_of(text[2 * i]);
        const int low = value_of(text[2 * i + 1]);
        well_formed = high != no_digit && low != no_digit;
        out[i] = static_cast<char>(high * 16 + low);
    }
    if (!well_formed) {
        return Error{
            Errc::invalid_input,
            "The text is not an even number of lower-case hexadecimal digits.",
            ""};
    }
    return out;
}

Result<Digest> digest_from_hex(std::string_view text) {
    INTERLOCK_TRY(const std::string bytes, from_hex(text));
    Digest digest;
    if (bytes.size() != digest.bytes.size()) {
        return Error{
            Errc::invalid_input,
            "A SHA-256 digest has 64 hexadecimal digits; this has another number.",
            ""};
    }
    std::memcpy(digest.bytes.data(), bytes.data(), bytes.size());
    return digest;
}

std::string base64(std::string_view bytes) {
    std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(
        out.data(), out.size(), octets(bytes), bytes.size(), sodium_base64_VARIANT_ORIGINAL
    );
    out.pop_back(); // libsodium counts its terminating NUL
    return out;
}

Result<std::string> from_base64(std::string_view text) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    std::size_t length = 0;
    // A null end pointer makes libsodium refuse anything after the last group.
    const int failed = sodium_base642bin(
        octets(out),
        out.size(),
        text.data(),
        text.size(),
        nullptr,
        &length,
        nullptr,
        sodium_base64_VARIANT_ORIGINAL
    );
    out.resize(failed == 0 ? length : 0);
    // libsodium takes any byte beyond ASCII for a digit; one value has one text here.
    if (failed != 0 || base64(out) != text) {
        return Error{Errc::invalid_input, "The text is not padded standard base64.", ""};
    }
    return out;
}

bool equal(std::string_view left, std::string_view right) {
    return left.size() == right.size() &&
           sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string pre_authentication_encoding(std::string_view type, std::string_view body) {
    std::string out = "DSSEv1 ";
    out += std::to_string(type.size());
    out += ' ';
    out += type;
    out += ' ';
    out += std::to_string(body.size());
    out += ' ';
    out += body;
    return out;
}

SigningKey signing_key_from_seed(std::string_view seed32) {
    SigningKey key;
    // A short seed is a defect of the caller; hashing keeps the key well-formed and still secret.
    const Digest hashed = sha256(seed32);
    const auto* seed =
        seed32.size() == crypto_sign_SEEDBYTES ? octets(seed32) : hashed.bytes.data();
    key.secret.resize(crypto_sign_SECRETKEYBYTES);
    key.public_key.resize(crypto_sign_PUBLICKEYBYTES);
    crypto_sign_seed_keypair(octets(key.public_key), octets(key.secret), seed);
    return key;
}

Result<SigningKey> load_or_create_signing_key(const std::string& path, std::string_view seed32) {
    auto existing = read_signing_key(path);
    if (existing.ok() || existing.error().code != Errc::not_found) {
        return existing;
    }
    if (seed32.size() != crypto_sign_SEEDBYTES) {
        return Error{Errc::internal, "A signing key needs a seed of exactly 32 bytes.", ""};
    }
    // Written aside and linked into place: of two programs starting at once, one key wins whole.
    const std::string beside = path + "." + std::to_string(::getpid());
    INTERLOCK_CHECK(write_file_atomically(beside, hex(seed32) + "\n", 0600));
    const bool linked = ::link(beside.c_str(), path.c_str()) == 0;
    const int why = errno;
    ::unlink(beside.c_str());
    if (!linked && why != EEXIST) {
        return Error{
            Errc::io,
            "The signing key " + path + " cannot be created: " + std::strerror(why) + ".",
            "Check that its directory is writable."};
    }
    return read_signing_key(path);
}

std::string sign(const SigningKey& key, std::string_view message) {
    std::string signature(crypto_sign_BYTES, '\0');
    crypto_sign_detached(
        octets(signature), nullptr, octets(message), message.size(), octets(key.secret)
    );
    return signature;
}

bool verify_signature(
    std::string_view public_key32, std::string_view message, std::string_view signature64
) {
    return public_key32.size() == crypto_sign_PUBLICKEYBYTES &&
           signature64.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(
               octets(signature64), octets(message), message.size(), octets(public_key32)
           ) == 0;
}

} // namespace interlock::base
