#include "cli/audit_bundle_checkpoints.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

/// A bundle of which only the checkpoint is looked at.
struct Head {
    const telemetry::VerifierKey key;
    const std::string note;
    const telemetry::Checkpoint checkpoint;

    explicit Head(const test::Story& story)
        : key(test::must(telemetry::parse_verifier_key(story.key_of("interlock-executor")))),
          note(test::must(base::read_file(story.note_path("executor"), 4096))),
          checkpoint(test::must(telemetry::verify_checkpoint(note, key.name, key.public_key))) {}
    EarlierReport
    check(const Files& files, const std::optional<telemetry::SignedNote>& trusted = {}) const {
        return check_earlier_checkpoints(files, {note, key, checkpoint}, trusted);
    }
};

} // namespace

TEST_CASE("a checkpoint that the reader kept is the bundle's own, or must be continued", "[cli]") {
    test::Story story;
    story.executor_signs();
    const Head head(story);
    CHECK(head.check({}).held == 0);
    auto kept = test::must(
        telemetry::read_checkpoint(story.note_path("executor"), story.key_of("interlock-executor"))
    );
    CHECK(head.check({}, kept).held == 1);
    kept.checkpoint.size -= 1;
    const auto found = head.check({}, kept);
    CHECK(found.held == 0);
    REQUIRE(found.problems.size() == 1);
    CHECK(found.problems[0].find("continues the checkpoint that you kept") != std::string::npos);
}

TEST_CASE("an earlier checkpoint without key or proof holds nothing", "[cli]") {
    test::Story story;
    story.executor_signs();
    const Head head(story);
    auto found = head.check({{"checkpoints/desk.note", head.note}});
    CHECK(found.held == 0);
    CHECK(found.names == std::vector<std::string>{"desk"});
    CHECK(found.executor_keys.empty());
    CHECK(found.problems.size() == 1);
    found = head.check({{"checkpoints/desk.vkey", "x"}});
    CHECK(found.problems.size() == 1);
    CHECK(found.names.empty());
}

} // namespace interlock::cli
