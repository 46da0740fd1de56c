#include "base/ids.hpp"
#include "tests/support/fakes.hpp"

#include <set>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

class FixedRandom final : public Random {
public:
    explicit FixedRandom(char byte) : byte_(byte) {}
    std::string bytes(std::size_t count) override { return std::string(count, byte_); }

private:
    char byte_;
};

} // namespace

TEST_CASE("an identifier is its prefix and 26 characters of lower-case base32", "[base]") {
    SystemRandom random;
    const std::string id = new_id(random, "plan");
    REQUIRE(id.size() == 5 + 26);
    CHECK(id.starts_with("plan_"));
    CHECK(id.substr(5).find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos);
}

TEST_CASE("the encoding is that of RFC 4648 without padding", "[base]") {
    FixedRandom zeros('\0');
    FixedRandom ones('\xff');
    CHECK(new_id(zeros, "x") == "x_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK(new_id(ones, "x") == "x_77777777777777777777777774");
}

TEST_CASE("ten thousand identifiers are ten thousand different ones", "[base]") {
    SystemRandom random;
    std::set<std::string> seen;
    for (int i = 0; i < 10'000; ++i) {
        seen.insert(new_id(random, "id"));
    }
    CHECK(seen.size() == 10'000);
}

TEST_CASE("random bytes have the length asked for", "[base]") {
    SystemRandom random;
    CHECK(random.bytes(0).empty());
    CHECK(random.bytes(33).size() == 33);
    CHECK(random.bytes(32) != random.bytes(32));
}

} // namespace interlock::base
