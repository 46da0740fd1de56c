#include "cli/audit_erase.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::printed;
using test::Story;

EraseOptions at(const Story& story) {
    EraseOptions options;
    options.state_directory = story.state;
    options.reason = "The person asked for it";
    options.yes = true;
    options.json = true;
    return options;
}

telemetry::AuditVerification verified(Story& story) {
    return must(telemetry::verify_audit(*story.store, {}));
}

} // namespace

TEST_CASE("payloads of an ended plan are erased on the record", "[cli]") {
    Story story;
    auto options = at(story);
    options.plan_id = story.run_a_plan();
    options.yes = false;
    const auto [told, what] = printed([&] { return erase_audit_payloads(options); });
    CHECK(told == Exit::ok);
    CHECK(base::parse_json(what).value()["payloads"] == 10);
    CHECK(verified(story).erased_payloads == 0); // only told
    options.yes = true;
    const auto [exit, text] = printed([&] { return erase_audit_payloads(options); });
    CHECK(exit == Exit::ok);
    const auto found = verified(story);
    CHECK(found.problems.empty());
    CHECK(found.erased_payloads == 10);
    CHECK(found.erasure_records == 1);
    const auto last = story.records().back();
    CHECK(last.header.find("audit.erased") != std::string::npos);
    CHECK(last.payload->find("The person asked for it") != std::string::npos);
}

TEST_CASE("payloads of a plan under way are not erased, by whatever they are chosen", "[cli]") {
    Story story;
    const auto claim = story.executing();
    auto options = at(story);
    options.plan_id = claim.plan_id;
    CHECK(printed([&] { return erase_audit_payloads(options); }).first == Exit::refused);
    options.plan_id.clear();
    options.indexes = "0-2";
    CHECK(printed([&] { return erase_audit_payloads(options); }).first == Exit::refused);
    options.indexes.clear();
    options.actor = "os:requester";
    story.clock.advance(std::chrono::hours(1));
    options.before = base::format_time(story.clock.now());
    CHECK(printed([&] { return erase_audit_payloads(options); }).first == Exit::refused);
    options.actor = "os:agent"; // nothing of a plan
    CHECK(printed([&] { return erase_audit_payloads(options); }).first == Exit::ok);
    CHECK(verified(story).erased_payloads == 2);
}

TEST_CASE("what to erase is said in full", "[cli]") {
    Story story;
    const auto exit = [&](void (*set)(EraseOptions&)) {
        auto options = at(story);
        set(options);
        return printed([&] { return erase_audit_payloads(options); }).first;
    };
    CHECK(exit([](auto&) {}) == Exit::usage);
    CHECK(exit([](auto& o) { o.before = "2026-01-01T00:00:00Z"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.actor = "os:agent"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "x"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "2-1"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "1-"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "0", o.reason = " "; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "0", o.before = "soon"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.indexes = "0", o.before = "2999-01-01T00:00:00Z"; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.plan_id = "plan_unknown"; }) == Exit::not_found);
    CHECK(exit([](auto& o) { o.state_directory += "/nowhere"; }) == Exit::not_found);
    CHECK(verified(story).erased_payloads == 0);
    CHECK(exit([](auto& o) { o.indexes = "1"; }) == Exit::ok);
    CHECK(verified(story).erased_payloads == 1);
}

TEST_CASE("what erases nothing records nothing, and says so", "[cli]") {
    Story story;
    const auto before = story.leaves();
    auto options = at(story);
    options.indexes = "9999";
    for (const bool yes : {false, true}) {
        options.yes = yes;
        const auto [exit, text] = printed([&] { return erase_audit_payloads(options); });
        CHECK(exit == Exit::not_found);
        CHECK(text.find("nothing was erased and nothing recorded") != std::string::npos);
    }
    CHECK(story.leaves() == before);
    options.indexes = "0-1";
    options.json = false;
    const auto [exit, text] = printed([&] { return erase_audit_payloads(options); });
    CHECK(exit == Exit::ok);
    CHECK(text.find("2 payloads, of the records 0-1;") != std::string::npos);
    // Once more, and there is nothing left to erase.
    CHECK(printed([&] { return erase_audit_payloads(options); }).first == Exit::not_found);
}

} // namespace interlock::cli
