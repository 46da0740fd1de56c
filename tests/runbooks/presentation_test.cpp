#include "base/limits.hpp"
#include "runbooks/plan.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

runbooks::Presentation sample() {
    return {
        "Release \u202e the queue",
        "Session 4242 holds a lock.\nI think.",
        {"ev_a", "ev_b"},
        {"Ends one session."},
        "INC-7"};
}

} // namespace

TEST_CASE("a presentation reads back as it was written, whatever is in it", "[runbooks]") {
    const auto bytes = presentation_bytes(sample());
    CHECK(
        bytes == R"({"blast_radius":["Ends one session."],"evidence":["ev_a","ev_b"],)"
                 R"("hypothesis":"Session 4242 holds a lock.\nI think.","incident":"INC-7",)"
                 R"("title":"Release \u202e the queue"})"
    );
    const auto parsed = runbooks::parse_presentation(bytes);
    REQUIRE(parsed.ok());
    CHECK(presentation_bytes(*parsed) == bytes);
    CHECK(parsed->title == sample().title);
}

TEST_CASE("a presentation that was rewritten or lacks a part is refused", "[runbooks]") {
    const auto bytes = presentation_bytes(sample());
    CHECK(runbooks::parse_presentation(bytes + " ").error().code == base::Errc::changed);
    auto extra = bytes;
    extra.insert(1, R"("approved":true,)");
    CHECK(runbooks::parse_presentation(extra).error().code == base::Errc::changed);
    CHECK(runbooks::parse_presentation("{}").error().code == base::Errc::invalid_input);
    CHECK_FALSE(runbooks::parse_presentation("[]").ok());
    CHECK_FALSE(runbooks::parse_presentation(R"({"title":1})").ok());
}

TEST_CASE("a presentation longer than a person reads is refused", "[runbooks]") {
    namespace limits = base::limits;
    const auto refused = [](const runbooks::Presentation& presentation) {
        const auto status = check_presentation(presentation);
        const auto parsed = runbooks::parse_presentation(presentation_bytes(presentation));
        return !status.ok() && status.error().code == base::Errc::limit_exceeded && !parsed.ok();
    };
    CHECK(check_presentation(sample()).ok());
    auto long_one = sample();
    long_one.hypothesis.assign(limits::hypothesis_chars_max, 'x');
    CHECK(check_presentation(long_one).ok());
    long_one.hypothesis += "\u00e9";
    CHECK(refused(long_one));
    long_one = sample();
    long_one.title.assign(limits::plan_line_chars_max + 1, 'x');
    CHECK(refused(long_one));
    long_one = sample();
    long_one.incident.assign(limits::plan_line_chars_max + 1, 'x');
    CHECK(refused(long_one));
    long_one = sample();
    long_one.evidence.assign(limits::evidence_cited_max + 1, "ev");
    CHECK(refused(long_one));
    long_one = sample();
    long_one.evidence = {std::string(limits::plan_line_chars_max + 1, 'x')};
    CHECK(refused(long_one));
    long_one = sample();
    long_one.blast_radius.assign(limits::blast_radius_sentences_max + 1, "x");
    CHECK(refused(long_one));
    long_one = sample();
    long_one.blast_radius = {std::string(limits::blast_radius_chars_max + 1, 'x')};
    CHECK(refused(long_one));
}

TEST_CASE("the longest presentation that is allowed can be read back", "[runbooks]") {
    namespace limits = base::limits;
    const auto repeat = [](std::size_t count) {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) {
            out += "\u20ac";
        }
        return out;
    };
    runbooks::Presentation longest;
    longest.title = repeat(limits::plan_line_chars_max);
    longest.incident = longest.title;
    longest.hypothesis = repeat(limits::hypothesis_chars_max);
    CHECK(check_presentation(longest).ok());
    CHECK(runbooks::parse_presentation(presentation_bytes(longest)).ok());
}

} // namespace interlock
