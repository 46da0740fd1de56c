#include "cli/audit_report.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::printed;
using test::Story;

base::Json report_of(Story& story, const std::string& from = {}, const std::string& to = {}) {
    return must(make_audit_report(*story.store, from, to));
}

std::uint64_t gap(const base::Json& report, const char* name) {
    return report["gaps"][name]["count"];
}

} // namespace

TEST_CASE("a call counts for the role that it read with, if it read", "[cli]") {
    Story story;
    const int before = report_of(story)["roles"].at(0)["calls"]; // the story's own
    story.begin("read", "get_locks", "os:agent");
    story.append(
        "tool.end",
        "os:agent",
        {{"call", "read"}, {"tool", "get_locks"}, {"outcome", "ok"}, {"database_role", "billing"}}
    );
    story.begin("refused", "get_locks", "os:agent");
    story.end("refused", "get_locks", "invalid_arguments");
    story.begin("unfinished", "get_locks", "os:agent");
    const auto roles = report_of(story)["roles"];
    REQUIRE(roles.size() == 2);
    for (const auto& role : roles) {
        CHECK(role["calls"] == (role["database_role"] == "billing" ? 1 : before + 2));
    }
}

TEST_CASE("a period is counted by payload, tool, role and person", "[cli]") {
    Story story;
    story.call("list_targets", "os:agent", "invalid_arguments");
    story.run_a_plan();
    const base::Json large = {{"call", "c"}, {"tool", "x"}, {"arguments", std::string(900, 'x')}};
    story.append("tool.begin", "os:big", large);
    story.append(
        "tool.end",
        "os:big",
        {{"call", "c"}, {"tool", "x"}, {"outcome", "ok"}, {"result_bytes", 5'000'000}}
    );
    const auto report = report_of(story);
    CHECK(report["records"] == story.leaves());
    // What the largest payloads of the log itself are is nobody's question.
    const auto& results = report["largest_payloads"]["results"];
    REQUIRE(results.size() == 1);
    CHECK(results[0]["bytes"] == 5'000'000);
    CHECK(results[0]["actor"] == "os:big");
    CHECK(results[0]["tool"] == "x");
    const auto& arguments = report["largest_payloads"]["arguments"];
    REQUIRE(arguments.size() == 5); // of calls, whatever else has a payload
    CHECK(arguments[0]["bytes"] == 902);
    CHECK(arguments[0]["call"] == "c");
    CHECK(arguments[0]["bytes"] > arguments[1]["bytes"]);
    bool counted = false;
    for (const auto& tool : report["schema_errors"]) {
        if (tool["tool"] != "list_targets")
            continue;
        CHECK(tool["client"] == "a-client 1");
        CHECK(tool["calls"] == 2);
        CHECK(tool["schema_errors"] == 1);
        CHECK(tool["rate"] == 0.5);
        counted = true;
    }
    CHECK(counted);
    CHECK(report["roles"][0]["subject"] == "os:agent");
    CHECK(report["roles"][0]["database_role"] == "interlock_diag");
    CHECK(report["roles"][0]["calls"] == 3);
    REQUIRE(report["approvals"].size() == 2);
    CHECK(report["approvals"][0]["person"] == "alice");
    CHECK(report["approvals"][0]["seconds"]["mean"] == 90.0);
    CHECK(report["approvals"][1]["seconds"]["slowest"] == 120.0);
    for (const char* name :
         {"begins_without_end", "ends_without_begin", "missing_records", "unrecorded_erasures"})
        CHECK(gap(report, name) == 0);
}

TEST_CASE("gaps are told with their place", "[cli]") {
    Story story;
    story.begin("unfinished", "get_locks", "os:agent");
    story.end("never begun", "get_locks", "ok");
    const auto claim = story.executing();
    story.tamper("delete from audit_payload where leaf_index = 0");
    story.tamper("delete from audit_log where leaf_index = 1");
    const auto report = report_of(story);
    CHECK(gap(report, "begins_without_end") == 2); // the call and the plan's run
    CHECK(report["gaps"]["begins_without_end"]["first"][0]["index"] == 2);
    CHECK(gap(report, "missing_records") == 1);
    CHECK(report["gaps"]["missing_records"]["first"][0]["first"] == 1);
    CHECK(gap(report, "unrecorded_erasures") == 1);
}

TEST_CASE("a call whose end was erased is not said to have begun and not ended", "[cli]") {
    Story story;
    const auto end = story.leaves() + 1;
    story.call("get_locks", "os:agent", "ok");
    story.append("audit.erased", "os:eve", {{"reason", "why"}, {"payloads", {{end, end}}}});
    story.tamper("delete from audit_payload where leaf_index = " + std::to_string(end));
    story.begin("open", "get_blocking", "os:agent");
    const auto report = report_of(story);
    CHECK(gap(report, "ends_erased") == 1);
    CHECK(gap(report, "unrecorded_erasures") == 0);
    REQUIRE(gap(report, "begins_without_end") == 1);
    CHECK(report["gaps"]["begins_without_end"]["first"][0]["call"] == "open");
}

TEST_CASE("an end without a begin is a gap", "[cli]") {
    Story story;
    story.end("never begun", "get_locks", "ok");
    CHECK(gap(report_of(story), "ends_without_begin") == 1);
}

TEST_CASE("only the period is counted, and what spans its edges is no gap", "[cli]") {
    Story story;
    story.begin("spanning", "get_locks", "os:agent");
    story.clock.advance(std::chrono::hours(1));
    const auto from = base::format_time(story.clock.now());
    story.end("spanning", "get_locks", "ok");
    story.begin("open", "get_locks", "os:agent");
    story.clock.advance(std::chrono::hours(1));
    const auto to = base::format_time(story.clock.now());
    story.end("open", "get_locks", "ok");
    const auto report = report_of(story, from, to);
    CHECK(report["records"] == 2);
    CHECK(gap(report, "begins_without_end") == 0);
    CHECK(gap(report, "ends_without_begin") == 0);
}

TEST_CASE("names beyond those that may be told are summed up", "[cli]") {
    Story story;
    for (std::size_t i = 0; i < base::limits::audit_report_names_max + 20; ++i)
        story.begin(std::to_string(i), "t", "os:" + std::to_string(i));
    const auto roles = report_of(story)["roles"];
    CHECK(roles.size() == base::limits::audit_report_names_max + 1);
    std::uint64_t calls = 0;
    for (const auto& role : roles)
        calls += role["calls"].get<std::uint64_t>();
    CHECK(calls == base::limits::audit_report_names_max + 21); // with the story's own
}

TEST_CASE("the report is printed for people and for programs", "[cli]") {
    Story story;
    story.run_a_plan();
    story.append("tool.begin", "os:\x1b[2J", {{"call", "c"}, {"tool", "\x1b]0;x\x07"}});
    ReportOptions options;
    options.state_directory = story.state;
    options.from = "2020-01-01T00:00:00+01:00";
    const auto [exit, text] = printed([&] { return report_audit(options); });
    CHECK(exit == Exit::ok);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("Who ran as which database role") != std::string::npos);
    options.json = true;
    const auto [json_exit, json] = printed([&] { return report_audit(options); });
    CHECK(json_exit == Exit::ok);
    CHECK(base::parse_json(json).ok());
    options.to = "tomorrow";
    CHECK(printed([&] { return report_audit(options); }).first == Exit::usage);
    options.to.clear();
    options.state_directory += "/nowhere";
    CHECK(printed([&] { return report_audit(options); }).first == Exit::not_found);
}

} // namespace interlock::cli
