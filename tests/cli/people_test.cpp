#include "cli/people.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("without a people file every subject is a person of its own", "[cli]") {
    const auto keys = read_approver_keys("signers", "revoked", "");
    REQUIRE(keys.ok());
    CHECK(keys->allowed_signers == "signers");
    CHECK(keys->revoked_keys == "revoked");
    CHECK(keys->people.empty());
}

TEST_CASE("a people file that is missing or misspelt is an error, not nobody", "[cli]") {
    test::TemporaryDirectory directory;
    CHECK_FALSE(read_approver_keys("signers", "", directory.file("absent")).ok());
    std::ofstream(directory.file("people")) << "peple:\n  - name: alice\n";
    CHECK_FALSE(read_approver_keys("signers", "", directory.file("people")).ok());
    std::ofstream(directory.file("people")) << "people:\n  - name: alice\n";
    const auto keys = read_approver_keys("signers", "", directory.file("people"));
    REQUIRE(keys.ok());
    CHECK(keys->people == std::vector<std::vector<std::string>>{{"alice"}});
}

} // namespace interlock::cli
