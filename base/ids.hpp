// Randomness, passed in, and identifiers made from it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::base {

class Random {
public:
    virtual ~Random() = default;
    /// `count` random bytes. Must be unpredictable outside tests.
    virtual std::string bytes(std::size_t count) = 0;
};

/// The operating system's generator.
class SystemRandom final : public Random {
public:
    std::string bytes(std::size_t count) override;
};

/// A readable 128-bit identifier: `prefix` + "_" + 26 characters of lower-case base32 (RFC 4648).
std::string new_id(Random& random, std::string_view prefix);

} // namespace interlock::base
