#include "server/resource_address.hpp"

#include <catch2/catch.hpp>

namespace server = interlock::server;

TEST_CASE("an address has one spelling", "[server]") {
    for (const std::string uri :
         {"evidence://ev_abc",
          "evidence://ev_abc?page=2",
          "runbook://release-x",
          "plan://plan_a"}) {
        const auto address = server::parse_address(uri);
        INFO(uri);
        REQUIRE(address);
        CHECK(server::address_of(address->kind, address->id, address->page) == uri);
    }
    CHECK(server::parse_address("evidence://ev_abc?page=1")->page == 1);
}

TEST_CASE("anything else is the address of nothing", "[server]") {
    const std::string nul{"plan://a\0b", 10};
    for (const std::string& uri :
         {std::string(),
          std::string("plan"),
          std::string("plan://"),
          std::string("PLAN://a"),
          std::string("file:///etc/passwd"),
          std::string("evidence://../../etc/passwd"),
          std::string("evidence://ev_a/../b"),
          std::string("evidence://ev%5Fa"),
          std::string("evidence://%2e%2e"),
          std::string("evidence://ev_a?page="),
          std::string("evidence://ev_a?page=0"),
          std::string("evidence://ev_a?page=01"),
          std::string("evidence://ev_a?page=-1"),
          std::string("evidence://ev_a?page=+1"),
          std::string("evidence://ev_a?page=1&page=2"),
          std::string("evidence://ev_a?page=99999999999999999999"),
          std::string("evidence://ev_a?other=1"),
          std::string("evidence://ev_a#1"),
          std::string("evidence://?page=1"),
          std::string("plan://plan_a?page=2"),
          std::string("plan://plan_a/"),
          std::string("plan://EV_A"),
          std::string("plan://\xc3\xa9"),
          "plan://" + std::string(65, 'a'),
          "evidence://" + std::string(1'000'000, 'a'),
          nul}) {
        INFO(uri.substr(0, 60));
        CHECK_FALSE(server::parse_address(uri));
    }
}
