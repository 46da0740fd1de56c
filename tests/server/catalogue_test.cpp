#include "server/catalogue.hpp"
#include "tests/server/protocol_fixture.hpp"

#include <optional>

#include <catch2/catch.hpp>

namespace {

using interlock::server::Catalogue;
using interlock::server::OfferChange;
using interlock::test::protocol::compiled;
using interlock::test::protocol::full_offer;

} // namespace

TEST_CASE("who listens to the catalogue is told which lists differ", "[server]") {
    Catalogue catalogue(compiled(full_offer()));
    std::optional<OfferChange> told;
    catalogue.on_change([&](const OfferChange& change) {
        told = change;
        CHECK(catalogue.current() != nullptr); // asking from within must not wait for ourselves
    });

    catalogue.replace(compiled(full_offer()));
    CHECK_FALSE(told);

    auto fewer = full_offer();
    fewer.tools.pop_back();
    catalogue.replace(compiled(fewer));
    REQUIRE(told);
    CHECK(told->tools);
    CHECK_FALSE(told->prompts);
    CHECK_FALSE(told->resources);

    told.reset();
    fewer.prompts.front().description = "Reviews otherwise.";
    fewer.templates.clear();
    catalogue.replace(compiled(fewer));
    REQUIRE(told);
    CHECK_FALSE(told->tools);
    CHECK(told->prompts);
    CHECK(told->resources);
}

TEST_CASE("a call keeps the offer it began under", "[server]") {
    Catalogue catalogue(compiled(full_offer()));
    const auto before = catalogue.current();
    auto fewer = full_offer();
    fewer.tools.clear();
    catalogue.replace(compiled(fewer));
    CHECK(before->tool("echo", {}) != nullptr);
    CHECK(catalogue.current()->tool("echo", {}) == nullptr);
}
