#include "tests/tools/shop.hpp"
#include "tools/sampler.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace cli = interlock::cli;
namespace lab = interlock::lab;
namespace tools = interlock::tools;
using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

const json* finding(const json& packet, const std::string& object, const std::string& value = "") {
    for (const json& each : packet["findings"]) {
        if (each["object"].get<std::string>().starts_with(object) &&
            each["value"].get<std::string>().find(value) != std::string::npos) {
            return &each;
        }
    }
    return nullptr;
}

const json* limit(const json& packet, const std::string& kind, const std::string& name) {
    for (const json& row : packet["rows"]["limits"]) {
        if (row["kind"] == kind && row["name"] == name) {
            return &row;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE(
    "use is held against the limits of server, role and database", "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql(
        "create role lab_limited login connection limit 4; alter database " +
        shop.database().name() + " connection limit 100"
    );
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 3; ++i) {
        sessions.push_back(
            std::make_unique<Session>(shop.database().conninfo("lab_limited"), "shelf")
        );
    }
    const json packet = shop.bench().ask("get_connections");
    const json* server = limit(packet, "server", "");
    REQUIRE(server != nullptr);
    CHECK((*server)["allowed"] == 57); // 60 less 3 for superusers
    const json* role = limit(packet, "role", "lab_limited");
    REQUIRE(role != nullptr);
    CHECK((*role)["used"] == 3);
    CHECK((*role)["allowed"] == 4);
    CHECK((*role)["used_percent"] == 75);
    CHECK((*role)["idle"] == 3);
    REQUIRE(finding(packet, "role lab_limited") != nullptr);
    CHECK((*finding(packet, "role lab_limited"))["severity"] == "warning");
    const json* database = limit(packet, "database", shop.database().name());
    REQUIRE(database != nullptr);
    CHECK((*database)["allowed"] == 100);
    CHECK(packet["rows"]["settings"][0]["max_connections"] == 60);
    sessions.push_back(std::make_unique<Session>(shop.database().conninfo("lab_limited")));
    CHECK(
        (*finding(shop.bench().ask("get_connections"), "role lab_limited"))["severity"] ==
        "critical"
    );
    sessions.clear();
}

TEST_CASE("a client that holds most connections, idle, is named", "[tools][postgres][live]") {
    Shop shop;
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 30; ++i) {
        sessions.push_back(std::make_unique<Session>(shop.app(), "leaky"));
    }
    const json packet = shop.bench().ask("get_connections");
    const json* client = finding(packet, "client local socket (leaky, shop_app)");
    REQUIRE(client != nullptr);
    CHECK((*client)["value"] == "30 sessions, 30 idle");
    CHECK(finding(packet, "idle connections") != nullptr);
    CHECK(packet["rows"]["clients"][0]["application_name"] == "leaky");
    CHECK(packet["rows"]["clients"][0]["started_last_minute"] == 30);
}

TEST_CASE("connections made anew all the time are found", "[tools][postgres][live]") {
    Shop shop;
    base::SystemClock clock;
    tools::Sampler sampler{{shop.bench().targets(), clock}};
    shop.bench().use_sampler(&sampler);
    REQUIRE(sampler.look("shop").ok());
    for (int i = 0; i < 150; ++i) {
        const Session session{shop.app()};
    }
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = shop.bench().ask("get_connections");
        return packet["summary"].get<std::string>().find("two samples") == std::string::npos &&
               finding(packet, "database " + shop.database().name(), "new sessions a second");
    }));
    const json& churn = packet["rows"]["churn"];
    bool counted = false;
    for (const json& row : churn) {
        counted = counted || (row["database"] == shop.database().name() && row["sessions"] >= 150);
    }
    CHECK(counted);
}

TEST_CASE("without pg_monitor what is hidden is told", "[tools][postgres][live]") {
    Shop shop{"plain_reader"};
    const Session other{shop.app()};
    const json packet = shop.bench().ask("get_connections");
    CHECK(not_examined(packet, "other roles' sessions"));
    REQUIRE(limit(packet, "role", "shop_app") != nullptr);
    CHECK((*limit(packet, "role", "shop_app"))["used"] == 1);
}
