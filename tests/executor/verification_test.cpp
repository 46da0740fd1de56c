#include "executor/verification.hpp"

#include <catch2/catch.hpp>

namespace interlock::executor {
namespace {

runbooks::Verification rules() {
    runbooks::Verification verification;
    runbooks::Check check;
    check.id = "recovered";
    verification.recovery = {check};
    check.id = "unharmed";
    verification.guardrails = {check};
    verification.interval_ms = 1'000;
    verification.hold_ms = 3'000;
    verification.deadline_ms = 8'000;
    return verification;
}

/// One letter a sample, a second apart: g good, b not recovered, h harm, ? no data, _ no sample.
std::vector<Sample> samples(const std::string& letters) {
    std::vector<Sample> made;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        if (letters[i] == '_') {
            continue;
        }
        const auto recovery = letters[i] == 'b'   ? Finding::fails
                              : letters[i] == '?' ? Finding::no_data
                                                  : Finding::holds;
        const auto guardrail = letters[i] == 'h' ? Finding::fails : Finding::holds;
        made.push_back(
            {static_cast<long long>(i) * 1'000,
             {{"recovered", recovery, "1", "why"}},
             {{"unharmed", guardrail, "1", "why"}}}
        );
    }
    return made;
}

std::string verdict(const std::string& letters) {
    const auto elapsed = static_cast<long long>(letters.size() - 1) * 1'000;
    return name(judge_samples(rules(), samples(letters), elapsed).verdict);
}

base::Result<db::Table> answer(std::vector<std::vector<db::Cell>> rows) {
    db::Table table;
    table.columns = {"value"};
    table.rows = std::move(rows);
    return table;
}

} // namespace

TEST_CASE("the verdict follows from the samples alone", "[executor]") {
    const auto [letters, expected] = GENERATE(table<std::string, std::string>({
        {"g", "undecided"},             // one sample is no window
        {"ggg", "undecided"},           // two seconds of three
        {"gggg", "recovered"},          // the whole hold window
        {"bbbgggg", "recovered"},       // late, but held
        {"ggbggg", "undecided"},        // a relapse starts the window anew
        {"ggbgggg", "recovered"},       //
        {"gg?ggg", "undecided"},        // missing data start it anew as well
        {"ggg?", "undecided"},          //
        {"g__g", "recovered"},          // three intervals apart is still one window
        {"g___g", "undecided"},         // four are not
        {"h", "harm"},                  // at once
        {"ggggh", "harm"},              // also after everything held
        {"hgggg", "harm"},              // harm is not forgotten
        {"bbbbbbbbb", "not_recovered"}, // the deadline, with data
        {"bbbbbbbgg", "not_recovered"}, // held, but not long enough
        {"ggggggggb", "not_recovered"}, // lost at the very end
        {"?????????", "inconclusive"},  // never a datum
        {"bbbbbbbb?", "inconclusive"},  // none at the end
        {"?bbbbbbbb", "not_recovered"}, // a gap before the last window does not matter
        {"b_______b", "inconclusive"},  // nobody looked in between
        {"________g", "inconclusive"},  // nor before
    }));
    CAPTURE(letters);
    CHECK(verdict(letters) == expected);
}

TEST_CASE("no samples and no criteria never make a success", "[executor]") {
    CHECK(judge_samples(rules(), {}, 1'000).verdict == Verdict::undecided);
    CHECK(judge_samples(rules(), {}, 8'000).verdict == Verdict::inconclusive);
    auto blind = rules();
    blind.recovery.clear();
    std::vector<Sample> many;
    for (long long at = 0; at <= 9'000; at += 1'000) {
        many.push_back({at, {}, {{"unharmed", Finding::holds, "1", ""}}});
    }
    CHECK(judge_samples(blind, many, 9'000).verdict == Verdict::inconclusive);
}

TEST_CASE("a guardrail without data is no proof that nothing got worse", "[executor]") {
    auto series = samples("gggggggggg");
    for (auto& sample : series) {
        sample.guardrails[0].finding = Finding::no_data;
    }
    CHECK(judge_samples(rules(), series, 9'000).verdict == Verdict::inconclusive);
}

TEST_CASE("a sample that lacks a reading does not count as good", "[executor]") {
    auto series = samples("ggggg");
    series.back().recovery.clear();
    CHECK(judge_samples(rules(), series, 4'000).verdict == Verdict::undecided);
}

TEST_CASE("verdicts are explained in a sentence with numbers", "[executor]") {
    CHECK(
        judge_samples(rules(), samples("gggg"), 3'000).reason ==
        "Every recovery criterion held in 4 consecutive samples over 3000 ms."
    );
    CHECK(judge_samples(rules(), samples("gh"), 1'000).reason.find("1000 ms") != std::string::npos);
}

TEST_CASE("a check holds, fails, or has no data", "[executor]") {
    runbooks::Check check;
    check.id = "c";
    check.about = "About it.";
    const auto finding = [&](runbooks::Comparison comparison,
                             const std::string& expected,
                             const base::Result<db::Table>& found) {
        check.comparison = comparison;
        check.expected = expected;
        return read_check(check, found).finding;
    };
    using enum runbooks::Comparison;
    CHECK(finding(equals, "f", answer({{"f"}})) == Finding::holds);
    CHECK(finding(equals, "f", answer({{"t"}})) == Finding::fails);
    CHECK(finding(equals, "1", answer({{"01"}})) == Finding::fails);
    CHECK(finding(at_least, "1", answer({{"1"}})) == Finding::holds);
    CHECK(finding(at_least, "1", answer({{"0"}})) == Finding::fails);
    CHECK(finding(at_most, "-1", answer({{"-2"}})) == Finding::holds);
    CHECK(finding(at_most, "3", answer({{"4"}})) == Finding::fails);
    CHECK(finding(at_most, "3", answer({{"NaN"}})) == Finding::no_data);
    CHECK(finding(at_most, "3", answer({{"1.5"}})) == Finding::no_data);
    CHECK(finding(at_most, "3", answer({{""}})) == Finding::no_data);
    CHECK(finding(equals, "", answer({{std::nullopt}})) == Finding::no_data);
    CHECK(finding(equals, "1", answer({})) == Finding::no_data);
    CHECK(finding(equals, "1", answer({{"1"}, {"1"}})) == Finding::no_data);
    CHECK(finding(equals, "1", answer({{"1", "1"}})) == Finding::no_data);
    CHECK(
        finding(equals, "1", base::Error{base::Errc::timeout, "Too slow.", ""}) == Finding::no_data
    );
}

TEST_CASE("a hostile value is made harmless before anybody reads it", "[executor]") {
    runbooks::Check check;
    check.id = "c";
    check.expected = "1";
    const auto reading =
        read_check(check, answer({{"\x1b[31mred\x1b[0m" + std::string(5'000, 'x')}}));
    CHECK(reading.value.find('\x1b') == std::string::npos);
    CHECK(reading.value.size() < 700);
}

} // namespace interlock::executor
