#include "cli/audit_search.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::printed;
using test::Story;

base::Json found(const Story& story, SearchOptions options) {
    options.state_directory = story.state;
    options.json = true;
    const auto [exit, text] = printed([&] { return search_audit(options); });
    INFO(text);
    REQUIRE(exit == Exit::ok);
    return base::parse_json(text).value();
}

std::size_t count(const Story& story, SearchOptions options) {
    return found(story, std::move(options))["records"].size();
}

SearchOptions with(void (*set)(SearchOptions&)) {
    SearchOptions options;
    set(options);
    return options;
}

} // namespace

TEST_CASE("records are found by who, what, which tool, target, plan, when and text", "[cli]") {
    Story story; // 0, 1: a call
    const auto plan = story.run_a_plan();
    story.clock.advance(std::chrono::hours(1));
    const auto later = base::format_time(story.clock.now());
    story.call("get_locks", "os:other", "timeout");
    CHECK(count(story, {}) == story.leaves());
    CHECK(count(story, with([](auto& o) { o.actor = "os:other"; })) == 1);
    CHECK(count(story, with([](auto& o) { o.type = "tool.end"; })) == 4);
    CHECK(count(story, with([](auto& o) { o.tool = "get_blocking"; })) == 2);
    CHECK(count(story, with([](auto& o) { o.target = "shop"; })) == 4); // begins name it
    CHECK(count(story, with([](auto& o) { o.target = "main"; })) == 1); // the plan's
    CHECK(count(story, with([](auto& o) { o.text = "TIMEOUT"; })) == 1);
    CHECK(count(story, with([](auto& o) { o.text = "no such words"; })) == 0);
    SearchOptions of_plan;
    of_plan.plan_id = plan;
    CHECK(count(story, of_plan) == 10);
    of_plan.type = "plan.approved";
    CHECK(count(story, of_plan) == 1);
    SearchOptions late;
    late.from = later;
    CHECK(count(story, late) == 2);
    late.to = later;
    CHECK(count(story, late) == 0);
}

TEST_CASE("an incident finds its calls, and every record of its plans", "[cli]") {
    Story story;
    story.begin("of it", "get_blocking", "os:agent", "INC-7");
    story.append(
        "tool.end", "os:agent", {{"call", "of it"}, {"incident", "INC-7"}, {"outcome", "ok"}}
    );
    story.run_a_plan("INC-7"); // and the begin of the call that proposes it
    story.begin("of another", "get_blocking", "os:agent", "INC-77");
    CHECK(count(story, with([](auto& o) { o.incident = "INC-7"; })) == 2 + 1 + 10);
    CHECK(count(story, with([](auto& o) { o.incident = "INC-77"; })) == 1);
    CHECK(count(story, with([](auto& o) { o.incident = "INC"; })) == 0);
    SearchOptions both;
    both.incident = "INC-7";
    both.type = "plan.approved";
    CHECK(count(story, both) == 1);
    both.type.clear();
    both.tool = "get_blocking";
    CHECK(count(story, both) == 1);
    both.tool.clear();
    both.after = static_cast<long long>(story.leaves()) - 5; // the plan was submitted before
    CHECK(count(story, both) > 0);
}

TEST_CASE("a page that is cut says so, and the next one goes on", "[cli]") {
    Story story;
    story.run_a_plan();
    SearchOptions page;
    page.limit = 5;
    std::size_t seen = 0;
    for (bool more = true; more;) {
        const auto records = found(story, page);
        seen += records["records"].size();
        more = records["more"];
        if (more) {
            CHECK(records["records"].size() == 5);
            page.after = records["after"];
        }
    }
    CHECK(seen == story.leaves());
    page.limit = 0;
    page.state_directory = story.state;
    CHECK(printed([&] { return search_audit(page); }).first == Exit::usage);
    page.limit = 1'001;
    CHECK(printed([&] { return search_audit(page); }).first == Exit::usage);
}

TEST_CASE("hostile text cannot move the cursor of who searches", "[cli]") {
    Story story;
    story.append("tool.begin", "os:\x1b[2J", {{"tool", "\x1b[2J\xe2\x80\xae"}});
    SearchOptions options;
    options.state_directory = story.state;
    const auto [exit, text] = printed([&] { return search_audit(options); });
    CHECK(exit == Exit::ok);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\xe2\x80\xae") == std::string::npos);
}

TEST_CASE("an erased payload is said to be erased", "[cli]") {
    Story story;
    story.tamper("delete from audit_payload where leaf_index = 0");
    CHECK(found(story, {})["records"][0]["payload"].is_null());
    CHECK(count(story, with([](auto& o) { o.tool = "list_targets"; })) == 1);
}

TEST_CASE("what cannot be searched is refused", "[cli]") {
    Story story;
    SearchOptions options;
    options.state_directory = story.state;
    options.from = "yesterday";
    CHECK(printed([&] { return search_audit(options); }).first == Exit::usage);
    options.from.clear();
    options.plan_id = "plan_unknown";
    CHECK(printed([&] { return search_audit(options); }).first == Exit::not_found);
    options.state_directory += "/nowhere";
    CHECK(printed([&] { return search_audit(options); }).first == Exit::not_found);
}

} // namespace interlock::cli
