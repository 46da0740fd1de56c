// Forty texts of an attacker, each in every place of a real server that others may write to, while
// a real lock incident stands: nothing forbidden leaves, and the diagnosis is what it is without
// them.
#include "base/db/pg_error.hpp"
#include "tests/tools/hostile.hpp"
#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace db = interlock::db;
using interlock::lab::Session;
using interlock::test::check_harmless;
using interlock::test::comment_of;
using interlock::test::identifier;
using interlock::test::literal;
using interlock::test::payloads;
using interlock::test::Shop;
using nlohmann::json;

namespace {

/// What a diagnosis says, without what differs from run to run.
json shape_of(const json& diagnosis) {
    json causes = json::array();
    for (const json& cause : diagnosis["causes"]) {
        json kinds = json::array();
        for (const json& object : cause["objects"]) {
            kinds.push_back(object["kind"]);
        }
        json runbooks = json::array();
        for (const json& runbook : cause["runbooks"]) {
            runbooks.push_back(runbook["id"]);
        }
        causes.push_back(
            {{"id", cause["id"]},
             {"role", cause["role"]},
             {"confidence", cause["confidence"]},
             {"objects", kinds},
             {"runbooks", runbooks},
             {"because", cause["because"].size()},
             {"against", cause["against"].size()}}
        );
    }
    return {
        {"verdict", diagnosis["verdict"]},
        {"causes", causes},
        {"not_examined", diagnosis["not_examined"].size()}};
}

/// A tool's packet; nothing of the answer or of the stored whole does harm.
json ask_harmless(Shop& shop, const std::string& tool, const std::string& arguments) {
    const auto output = shop.bench().call(tool, arguments);
    INFO(output.text);
    REQUIRE_FALSE(output.is_error);
    check_harmless(output.structured);
    check_harmless(output.text);
    json packet = json::parse(output.structured);
    const auto whole = shop.bench().store().get(packet["id"], "os:tester");
    REQUIRE(whole.ok());
    check_harmless(whole->body);
    return packet;
}

/// The incident, written all over with `payload`; what the diagnosis says of it.
json diagnose_with(Shop& shop, const std::string& payload, const std::string& table) {
    Session blocker{shop.app()};
    Session victim{shop.app()};
    const std::string comment = comment_of(payload);
    blocker.run("set application_name = " + literal(payload));
    victim.run("set application_name = " + literal(payload));
    blocker.run("begin");
    blocker.run(
        "update " + table + " set note = " + literal(payload) + " where id = 1 /* " + comment +
        " */"
    );
    victim.start(
        "/* " + comment + " */ update " + table + " set note = " + literal(payload) +
        " where id = 1"
    );
    REQUIRE(shop.waited(1.1)); // shorter waits are nothing to a diagnosis
    json diagnosis;
    for (const char* tool : {"diagnose", "get_activity", "get_blocking", "list_targets"}) {
        const json packet = ask_harmless(shop, tool, "{}");
        if (std::string_view{tool} == "diagnose") {
            diagnosis = packet;
        }
    }
    blocker.run("rollback");
    CHECK(victim.finish().empty());
    return shape_of(diagnosis);
}

} // namespace

TEST_CASE("forty hostile texts change no diagnosis and carry nothing out", "[tools][live]") {
    Shop shop;
    REQUIRE(payloads().size() == 40);
    const json without = diagnose_with(shop, "web", "app.orders");
    CHECK(without["verdict"] != "healthy");
    CHECK_FALSE(without["causes"].empty());
    std::string table = "app.orders";
    for (const std::string& payload : payloads()) {
        CAPTURE(payload);
        const std::string renamed = identifier(payload);
        shop.database().sql("alter table " + table + " rename to " + renamed, "shop_app");
        table = "app." + renamed;
        CHECK(diagnose_with(shop, payload, table) == without);
    }
}

TEST_CASE("a hostile message of a server is shown without what is forbidden", "[tools]") {
    for (const std::string& payload : payloads()) {
        CAPTURE(payload);
        const auto shown = interlock::tools::error_output(
            db::pg_error("P0001", "raised: " + payload, "some_statement")
        );
        check_harmless(shown.structured);
        check_harmless(shown.text);
    }
}

TEST_CASE("row values in a server's DETAIL never arrive, hostile or not", "[tools][live]") {
    Shop shop;
    shop.database().sql(
        "create function app.leak() returns int language plpgsql as $f$ begin "
        "raise notice 'AKIAIOSFODNN7EXAMPLE'; "
        "raise exception 'of ann.lee@mail.example.org' using detail = 'hunter2secret', "
        "hint = 'hunter2secret'; end $f$; grant usage on schema app to interlock_diag"
    );
    auto connection = db::ReaderConnection::open(shop.database().address("interlock_diag"));
    REQUIRE(connection.ok());
    const auto results =
        (*connection)->read({}, {{.sql = {"leak", "select app.leak()"}, .parameters = {}}}, {});
    REQUIRE(results.ok());
    REQUIRE_FALSE(results->front().ok());
    CHECK(results->front().error().what.find("hunter2secret") == std::string::npos);
    const auto shown = interlock::tools::error_output(results->front().error());
    check_harmless(shown.structured + shown.text);
    CHECK(shown.text.find("[redacted:e-mail]") != std::string::npos);
}
