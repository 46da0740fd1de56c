#include "executor/target.hpp"

#include <catch2/catch.hpp>

namespace interlock::executor {

TEST_CASE("every executor derives the same lock from a lease key", "[executor]") {
    // SHA-256("abc") begins ba7816bf 8f01cfea.
    const LockKey key = lock_key("abc");
    CHECK(static_cast<std::uint32_t>(key.high) == 0xba7816bfU);
    CHECK(static_cast<std::uint32_t>(key.low) == 0x8f01cfeaU);
    CHECK_FALSE(lock_key("7/app") == lock_key("7/apq"));
}

TEST_CASE("sessions of a plan share a prefix that is whole in an application_name", "[executor]") {
    const auto prefix = session_prefix("plan_abcdefghijklmnopqrstuvwxyz");
    CHECK(prefix == "interlock-exec/plan_abcdefghijklmnopqrstuvwxyz/");
    CHECK(prefix.size() + 16 < 64); // PostgreSQL cuts names at 63 bytes
}

} // namespace interlock::executor
