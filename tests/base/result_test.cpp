#include "base/result.hpp"

#include <memory>
#include <set>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) {
        return Error{Errc::invalid_input, "The number is odd.", "Give an even one."};
    }
    return number / 2;
}

Result<int> quarter(int number) {
    INTERLOCK_TRY(const int once, half(number));
    INTERLOCK_TRY(const int twice, half(once));
    return twice;
}

Status only_even(int number) {
    INTERLOCK_CHECK(half(number));
    return done;
}

} // namespace

TEST_CASE("a result holds a value or an error, and the macros hand the error on", "[base]") {
    CHECK(*quarter(8) == 2);
    REQUIRE_FALSE(quarter(6).ok());
    CHECK(quarter(6).error().what == "The number is odd.");
    CHECK(only_even(2).ok());
    CHECK_FALSE(only_even(3));
}

TEST_CASE("a value that can only be moved is moved out", "[base]") {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
    const std::unique_ptr<int> taken = std::move(result).value();
    CHECK(*taken == 7);
}

TEST_CASE("every error code has a name of its own", "[base]") {
    std::set<std::string> names;
    const int last = static_cast<int>(Errc::internal);
    for (int code = 0; code <= last; ++code) {
        names.insert(name(static_cast<Errc>(code)));
    }
    CHECK(names.size() == static_cast<std::size_t>(last) + 1);
    CHECK(names.contains(std::string("refused_by_guard")));
}

TEST_CASE("an error's text is what happened and then what to do", "[base]") {
    CHECK(to_text({Errc::io, "It broke.", "Mend it."}) == "It broke. Mend it.");
    CHECK(to_text({Errc::io, "It broke.", ""}) == "It broke.");
}

} // namespace interlock::base
