#include "tests/runbooks/release_plan.hpp"
#include "tests/runbooks/samples.hpp"

#include <set>
#include <sstream>

#include <catch2/catch.hpp>

namespace interlock {
namespace {

const std::string digest_hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string rendered(const runbooks::Plan& plan) {
    return runbooks::render_plan(plan, digest_hex);
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        out.push_back(line);
    }
    return out;
}

/// The text of the numbered line `number` of the first statement after `from`, put together again.
std::string statement_line(const std::string& page, const std::string& from, int number) {
    const auto label = std::to_string(number) + " | ";
    std::string out;
    bool inside = false;
    bool found = false;
    for (const auto& line : lines_of(page.substr(page.find(from)))) {
        const auto bar = line.find(" | ");
        const auto more = line.find("     > ");
        if (found && more != std::string::npos && more < 12) {
            out += line.substr(more + 7);
        } else if (found) {
            return out;
        } else if (bar != std::string::npos && holds(line.substr(0, bar + 3), label)) {
            out = line.substr(bar + 3);
            found = true;
        }
        inside = inside || found;
    }
    return out;
}

} // namespace

TEST_CASE("every member of a plan is shown: any change changes the page", "[runbooks]") {
    std::set<std::string> pages{rendered(test::sample_plan())};
    for (const auto& [name, change] : test::plan_changes()) {
        auto plan = test::sample_plan();
        change(plan);
        INFO(name);
        CHECK(pages.insert(rendered(plan)).second);
    }
}

TEST_CASE("the page shows the script, its values, limits and the missing way back", "[runbooks]") {
    const auto page = rendered(test::release_plan());
    for (const std::string part : {
             "0123-4567-89ab-cdef-0123-4567-89ab-cdef-0123-4567-89ab-cdef-0123-4567-89ab-cdef",
             "release-blocking-session version 1",
             "target        \"main\", database \"app\"",
             "PostgreSQL 15 primary, system identifier 7312345678901234567, timeline 1",
             "1 approval, each by ssh_key or stronger",
             "select pg_catalog.pg_terminate_backend(session.pid, 5000::pg_catalog.int8) as ended",
             "pid = \"4242\" as int4",
             "backend_start = \"2026-11-21T02:55:10.123456Z\" as timestamptz",
             "xact_start = \"2026-11-21T02:58:41.654321Z\" as timestamptz",
             "at most 500 ms",
             "at most 10000 ms",
             "none on relations",
             "exactly \"1\"",
             "at least \"1\"",
             "at most \"1000\"",
             "undo          NOT POSSIBLE",
             "An ended session cannot be brought back",
             "undecided after 1800 s",
             "recovered when all hold for 8000 ms within 30000 ms",
         }) {
        INFO(part);
        CHECK(holds(page, part));
    }
}

TEST_CASE("every statement of the library's plans is on the page to the letter", "[runbooks]") {
    for (const auto* cause : {"lock.idle_in_tx", "lock.ddl_queue"}) {
        const auto plan = test::release_plan(cause);
        const auto page = rendered(plan);
        for (const auto& line : lines_of(plan.steps[0].statement.sql)) {
            CHECK(holds(page, line));
        }
        for (const auto& check : plan.preconditions) {
            for (const auto& line : lines_of(check.statement.sql)) {
                CHECK(holds(page, line));
            }
        }
    }
}

TEST_CASE("nothing is clipped: what is pushed aside goes on in marked lines", "[runbooks]") {
    auto plan = test::sample_plan();
    const std::string far = "select 1" + std::string(10'000, ' ') + "+ 2";
    plan.steps[0].statement = {far + "\n" + std::string(5'000, '\n') + "and_the_end", {}};
    const auto page = rendered(plan);
    CHECK(statement_line(page, "WHAT IS DONE", 1) == far);
    CHECK(statement_line(page, "WHAT IS DONE", 5'002) == "and_the_end");
    CHECK(holds(page, "5002 lines"));
    for (const auto& line : lines_of(page)) {
        CHECK(line.size() <= 100);
    }
}

TEST_CASE("sentences break between words and lose nothing", "[runbooks]") {
    auto plan = test::sample_plan();
    std::string sentence;
    for (int i = 0; i < 60; ++i) {
        sentence += (i == 0 ? "word" : " word") + std::to_string(i);
    }
    plan.steps[0].about = sentence + " " + std::string(300, 'x');
    std::string together;
    bool inside = false;
    for (const auto& line : lines_of(rendered(plan))) {
        const auto more = line.find_first_not_of(' ');
        inside = holds(line, "    does ") || (inside && line.compare(more, 2, "| ") == 0);
        together += inside ? line.substr(holds(line, "    does ") ? 18 : more + 2) : "";
        CHECK((!inside || line.back() == ' ' || line.back() == 'x'));
    }
    CHECK(together == plan.steps[0].about);
}

TEST_CASE("a page holds only printable ASCII, whatever the plan holds", "[runbooks]") {
    auto plan = test::sample_plan();
    const std::string hostile =
        "x\u202ey\u200b\u0430\x1b[8m\r\x07\xff\xfe e\u0301\n\nRISK: none\t\U000E0041";
    plan.runbook = hostile;
    plan.target.target = hostile;
    plan.steps[0].about = hostile;
    plan.steps[0].expected_lock = hostile;
    plan.steps[0].statement.sql = "select '" + hostile + "'";
    plan.steps[0].statement.parameters[0].value = hostile;
    plan.preconditions[0].expected = hostile;
    plan.steps[0].inverse.absence_reason = hostile;
    const auto page = rendered(plan);
    for (const char c : page) {
        CHECK((c == '\n' || (c >= ' ' && c <= '~')));
    }
    CHECK(holds(page, "\\u{202e}"));
    CHECK(holds(page, "\\u{430}"));
    // A newline inside a value never begins a line of the page.
    for (const auto& line : lines_of(page)) {
        CHECK_FALSE(line.rfind("RISK", 0) == 0);
    }
}

TEST_CASE("values that differ only in quotes or escapes look different", "[runbooks]") {
    std::set<std::string> pages;
    for (const std::string value : {"a\"b", "a\\\"b", "a\nb", "a\\nb", "a b", "ab", "\u202e", ""}) {
        auto plan = test::sample_plan();
        plan.steps[0].statement.parameters[0].value = value;
        CHECK(pages.insert(rendered(plan)).second);
    }
}

} // namespace interlock
