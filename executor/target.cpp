#include "executor/target.hpp"

#include "base/digest.hpp"

namespace interlock::executor {

LockKey lock_key(std::string_view lease_key) {
    const auto digest = base::sha256(lease_key);
    const auto word = [&](std::size_t first) {
        std::uint32_t value = 0;
        for (std::size_t i = first; i < first + 4; ++i) {
            value = (value << 8) | digest.bytes[i];
        }
        return static_cast<std::int32_t>(value);
    };
    return {word(0), word(4)};
}

std::string session_prefix(std::string_view plan_id) {
    return "interlock-exec/" + std::string(plan_id) + "/";
}

} // namespace interlock::executor
