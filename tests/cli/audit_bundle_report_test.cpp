#include "cli/audit_bundle_report.hpp"
#include "tests/cli/printed.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

std::string told(const BundleReport& report) {
    return test::printed([&] {
               print_verdict(report);
               return verdict(report);
           }
    ).second;
}

bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a bundle is called whole only when nothing is wrong and nothing unknown", "[cli]") {
    BundleReport report;
    report.records = report.proven = 3;
    report.scope.plan_id = "plan_a";
    CHECK(verdict(report) == Exit::ok);
    CHECK(says(told(report), "whole      3 records, each proven"));
    report.not_shown = {"No such bundle shows that."};
    CHECK(verdict(report) == Exit::ok);
    CHECK(says(told(report), "not shown  No such bundle shows that."));
    report.not_known = {"Something is not known."};
    CHECK(verdict(report) == Exit::check_failed);
    CHECK(says(told(report), "NOT PROVEN"));
    CHECK(says(told(report), "not known  Something"));
    report.problems = {"Record 2: \x1b[2J is wrong."};
    report.proven = 2;
    const auto text = told(report);
    CHECK(says(text, "NOT WHOLE  2 of 3 records proven"));
    CHECK_FALSE(says(text, "\x1b"));
}

TEST_CASE("who signed a bundle's checkpoint is told, and who says so", "[cli]") {
    BundleReport report;
    report.verifier_key = "interlock-executor+key";
    report.scope.incident = "INC-7";
    CHECK(says(told(report), "signed by  interlock-executor+key (the bundle's own word"));
    CHECK(says(told(report), "asked for  incident INC-7"));
    report.key_was_given = true;
    CHECK(says(told(report), "(the key you gave)"));
}

} // namespace interlock::cli
