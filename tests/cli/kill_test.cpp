#include "base/process.hpp"
#include "cli/kill.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/approval/brakes_fixture.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace db = interlock::db;
namespace telemetry = interlock::telemetry;
using interlock::approval::BrakeKind;
using interlock::cli::Exit;
using interlock::cli::KillOptions;
using interlock::test::BrakeStore;

KillOptions options(
    const BrakeStore& room, const std::string& kind, const std::string& name, bool json = false
) {
    KillOptions made;
    made.state_directory = room.directory.path();
    made.kind = kind;
    made.name = name;
    made.reason = "it does harm";
    made.json = json;
    return made;
}

/// What the program itself prints and ends with.
base::Output interlock_kill(std::vector<std::string> arguments, const BrakeStore& room) {
    arguments.insert(arguments.begin(), {std::string(INTERLOCK_BIN) + "/interlock", "kill"});
    arguments.insert(arguments.end(), {"--state", room.directory.path()});
    base::Command command;
    command.arguments = std::move(arguments);
    auto output = base::run(command);
    REQUIRE(output.ok());
    return std::move(output).value();
}

TEST_CASE("a kill is written as the user of the operating system, and lifted again", "[cli]") {
    BrakeStore room;
    CHECK(set_kill(options(room, "tool", "get_blocking")) == Exit::ok);
    CHECK(set_kill(options(room, "identity", "os:agent", true)) == Exit::ok);
    CHECK(set_kill(options(room, "target", "shop")) == Exit::ok);
    CHECK(set_kill(options(room, "all", "")) == Exit::ok);
    CHECK(set_kill(options(room, "all", "")) == Exit::ok); // already
    CHECK(list_kills(options(room, "", "")) == Exit::ok);
    const auto brakes = room.in_force();
    REQUIRE(brakes.size() == 4);
    for (const auto& brake : brakes) {
        CHECK(brake.who == "os:" + base::current_user());
    }
    CHECK(lift_kill(options(room, "identity", "os:agent")) == Exit::ok);
    CHECK(lift_kill(options(room, "identity", "os:agent")) == Exit::not_found);
    CHECK(lift_kill(options(room, "all", "", true)) == Exit::ok);
    CHECK(room.in_force().size() == 2);
}

TEST_CASE("whom sudo names is recorded as a claim beside the user", "[cli]") {
    BrakeStore room;
    const auto as = [&](const std::string& sudo_user, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {std::string(INTERLOCK_BIN) + "/interlock", "kill"});
        arguments.insert(arguments.end(), {"--state", room.directory.path()});
        base::Command command;
        command.arguments = std::move(arguments);
        command.environment = {{"SUDO_USER", sudo_user}};
        return base::run(command).value();
    };
    REQUIRE(as("alice\x1b[2J", {"tool", "get_blocking", "--reason", "harm"}).exit_code == 0);
    const auto brakes = base::parse_json(as("", {"list", "--json"}).out).value()["brakes"];
    REQUIRE(brakes.size() == 1);
    CHECK(brakes[0]["who"] == "os:" + base::current_user());
    CHECK(brakes[0]["sudo_user"] == "alice");
    CHECK(brakes[0]["uid"] == static_cast<long long>(::geteuid()));
    CHECK_THAT(as("", {"list"}).out, Catch::Contains(" (sudo names alice): harm"));
    REQUIRE(as("bob", {"lift", "tool", "get_blocking", "--reason", "ok"}).exit_code == 0);
    const auto lifted = base::parse_json(*room.records().back().payload).value();
    CHECK(lifted["sudo_user"] == "bob");
    REQUIRE(as("", {"all", "--reason", "harm"}).exit_code == 0);
    CHECK_FALSE(base::parse_json(*room.records().back().payload).value().contains("sudo_user"));
}

TEST_CASE("a name that no call had is told, and stopped all the same", "[cli]") {
    BrakeStore room;
    REQUIRE(room.store
                ->transact([&](db::StoreTransaction& transaction) -> base::Status {
                    const auto begin = R"({"arguments":{"target":"shop"},"tool":"get_blocking"})";
                    INTERLOCK_CHECK(telemetry::append_audit(
                        transaction, room.random, {"tool.begin", "os:agent", "", begin}
                    ));
                    return base::done;
                })
                .ok());
    const std::pair<const char*, const char*> called[] = {
        {"tool", "get_blocking"}, {"identity", "os:agent"}, {"target", "shop"}};
    for (const auto& [kind, name] : called) {
        const auto known = interlock_kill({kind, name, "--reason", "harm", "--json"}, room);
        CHECK(base::parse_json(known.out).value()["known"] == true);
        const std::string typo = std::string{name} + "p";
        const auto unknown = interlock_kill({kind, typo, "--reason", "harm"}, room);
        CHECK(unknown.exit_code == 0);
        CHECK_THAT(unknown.err, Catch::Contains("look whether the name is right"));
    }
    CHECK(room.in_force().size() == 6);
}

TEST_CASE("what cannot be stopped is told by its exit code", "[cli]") {
    BrakeStore room;
    CHECK(set_kill(options(room, "tool", "Not A Tool")) == Exit::usage);
    CHECK(set_kill(options(room, "moon", "x")) == Exit::usage);
    auto elsewhere = options(room, "all", "");
    elsewhere.state_directory += "/nowhere";
    CHECK(set_kill(elsewhere) == Exit::not_found);
    CHECK(lift_kill(elsewhere) == Exit::not_found);
    CHECK(list_kills(elsewhere) == Exit::not_found);
    CHECK(room.in_force().empty());
}

TEST_CASE("the list shows why, and the transcript of a suspension", "[cli]") {
    BrakeStore room;
    CHECK(interlock_kill({"list"}, room).out == "Nothing is stopped.\n");
    auto brake = BrakeStore::brake(BrakeKind::identity, "os:agent");
    brake.origin = interlock::approval::BrakeOrigin::supervisor;
    brake.cause = "loop";
    brake.who = "interlock-server";
    brake.reason = "`get_blocking` was called \x1b[31m 5 times.";
    REQUIRE(interlock::approval::set_brake(
                *room.store, room.random, brake, R"([{"tool":"get_blocking","outcome":"ok"}])"
    )
                .ok());
    REQUIRE(interlock_kill({"tool", "diagnose", "--reason", "too slow"}, room).exit_code == 0);
    const auto text = interlock_kill({"list"}, room).out;
    CHECK(text.find("identity os:agent  by interlock-server: `get_blocking`") != std::string::npos);
    CHECK(text.find("tool diagnose") != std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    const auto document = base::parse_json(interlock_kill({"list", "--json"}, room).out);
    REQUIRE(document.ok());
    const auto& listed = (*document)["brakes"];
    REQUIRE(listed.size() == 2);
    CHECK(listed[0]["name"] == "diagnose");
    CHECK(listed[0]["transcript"].is_null());
    CHECK(listed[1]["cause"] == "loop");
    CHECK(listed[1]["transcript"][0]["tool"] == "get_blocking");
}

TEST_CASE("a kill needs a reason and a name where there is one", "[cli]") {
    BrakeStore room;
    CHECK(interlock_kill({"all"}, room).exit_code == 2);
    CHECK(interlock_kill({"tool", "--reason", "x"}, room).exit_code == 2);
    CHECK(interlock_kill({"lift", "moon", "--reason", "x"}, room).exit_code == 2);
    const auto refused = interlock_kill({"all", "--reason", "  ", "--json"}, room);
    CHECK(refused.exit_code == 2);
    CHECK(base::parse_json(refused.out).value()["error"] == "invalid_arguments");
    CHECK(room.in_force().empty());
}

} // namespace
