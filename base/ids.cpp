#include "base/ids.hpp"

#include <sodium.h>

namespace interlock::base {

namespace {

/// A ChaCha20 stream a thread, seeded by the operating system: a call takes some ten identifiers
/// and salts, and asking the kernel for each cost more than making them.
bool choose_generator() {
    return randombytes_set_implementation(&randombytes_internal_implementation) == 0 &&
           sodium_init() >= 0;
}

} // namespace

std::string SystemRandom::bytes(std::size_t count) {
    [[maybe_unused]] static const bool chosen = choose_generator();
    std::string out(count, '\0');
    randombytes_buf(out.data(), out.size());
    return out;
}

std::string new_id(Random& random, std::string_view prefix) {
    static constexpr char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    std::string id(prefix);
    id += '_';
    unsigned buffer = 0;
    unsigned bits = 0;
    for (const char byte : random.bytes(16)) {
        buffer = (buffer << 8) | static_cast<unsigned char>(byte);
        for (bits += 8; bits >= 5; bits -= 5) {
            id += alphabet[(buffer >> (bits - 5)) & 31U];
        }
        buffer &= (1U << bits) - 1U;
    }
    id += alphabet[(buffer << (5 - bits)) & 31U]; // 128 bits leave three over
    return id;
}

} // namespace interlock::base
