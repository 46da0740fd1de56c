#include "approval/people.hpp"
#include "base/yaml.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::approval {

TEST_CASE("a person is the name in allowed_signers and every other subject", "[approval]") {
    const auto document = base::parse_yaml("people:\n"
                                           "  - name: alice\n"
                                           "    subjects: [os:alice, \"sso:1\"]\n"
                                           "  - name: bob\n");
    REQUIRE(document.ok());
    base::Decoder decoder(*document, "");
    const auto people = read_people(decoder);
    REQUIRE(decoder.finish().ok());
    CHECK(people == std::vector<std::vector<std::string>>{{"alice", "os:alice", "sso:1"}, {"bob"}});
}

TEST_CASE("a person without a name is refused", "[approval]") {
    const auto document = base::parse_yaml("people:\n  - subjects: [os:alice]\n");
    REQUIRE(document.ok());
    base::Decoder decoder(*document, "");
    (void)read_people(decoder);
    const auto finished = decoder.finish();
    REQUIRE_FALSE(finished.ok());
    CHECK(finished.error().what.find("people[0].name") != std::string::npos);
}

} // namespace interlock::approval
