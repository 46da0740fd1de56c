#include "server/request_state.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"

#include <cassert>
#include <cstdint>
#include <utility>

namespace interlock::server {
namespace {

// A sealed state is base64 of: version, expiry (8 bytes, big-endian microseconds), state, MAC.
constexpr char format_version = '\x01';
constexpr std::size_t key_bytes = 32;
constexpr std::size_t mac_bytes = 32;
constexpr std::size_t expiry_bytes = 8;
constexpr std::size_t head_bytes = 1 + expiry_bytes;
constexpr std::size_t sealed_chars_max =
    (head_bytes + base::limits::request_state_bytes_max + mac_bytes + 2) / 3 * 4;

std::string big_endian(std::uint64_t value) {
    std::string out(expiry_bytes, '\0');
    for (std::size_t i = expiry_bytes; i-- > 0; value >>= 8) {
        out[i] = static_cast<char>(value & 0xff);
    }
    return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

/// Lengths keep two bindings apart whose texts run together.
void append_field(std::string& out, std::string_view field) {
    out += big_endian(field.size());
    out += field;
}

std::string mac(const std::string& key, const StateBinding& binding, std::string_view payload) {
    std::string bound = "interlock request state";
    for (const std::string* field :
         {&binding.subject, &binding.method, &binding.name, &binding.arguments}) {
        append_field(bound, *field);
    }
    append_field(bound, payload);
    return std::string(base::hmac_sha256(key, bound).view());
}

} // namespace

RequestStates::RequestStates(base::Clock& clock, base::Random& random, std::string key)
    : clock_(clock), key_(key.empty() ? random.bytes(key_bytes) : std::move(key)) {
    assert(key_.size() == key_bytes);
}

std::string RequestStates::seal(const StateBinding& binding, std::string_view state) const {
    const auto expiry = clock_.now() + base::limits::request_state_lifetime;
    std::string payload(1, format_version);
    payload += big_endian(static_cast<std::uint64_t>(base::microseconds_since_epoch(expiry)));
    payload += state;
    return base::base64(payload + mac(key_, binding, payload));
}

base::Result<std::string>
RequestStates::open(const StateBinding& binding, std::string_view sealed) const {
    const base::Error refusal{
        base::Errc::invalid_input,
        "The requestState was not given out for this call, or is too old.",
        "Send the call again without requestState and inputResponses."};
    if (sealed.size() > sealed_chars_max) {
        return refusal;
    }
    const auto bytes = base::from_base64(sealed);
    if (!bytes || bytes.value().size() < head_bytes + mac_bytes) {
        return refusal;
    }
    const std::string_view whole = bytes.value();
    const std::string_view payload = whole.substr(0, whole.size() - mac_bytes);
    // Authentic first: nothing in the payload means anything before.
    if (!base::equal(mac(key_, binding, payload), whole.substr(payload.size()))) {
        return refusal;
    }
    const auto now = static_cast<std::uint64_t>(base::microseconds_since_epoch(clock_.now()));
    if (payload.front() != format_version ||
        from_big_endian(payload.substr(1, expiry_bytes)) <= now) {
        return refusal;
    }
    return std::string(payload.substr(head_bytes));
}

} // namespace interlock::server
