#include "cli/audit_checkpoints.hpp"
#include "tests/cli/audit_story.hpp"

#include <filesystem>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

using test::must;
using test::Story;

TEST_CASE(
    "the checkpoints that programs keep are read, and those that do not hold are told", "[cli]"
) {
    Story story;
    const base::StateDirectory state{story.state};
    CHECK(kept_checkpoints(state).notes.empty());
    story.server_signs();
    story.executor_signs();
    auto kept = kept_checkpoints(state);
    REQUIRE(kept.notes.size() == 2);
    CHECK(kept.problems.empty());
    CHECK(kept.notes[0].program == "executor");
    CHECK(kept.notes[0].key == story.key_of("interlock-executor"));
    CHECK(kept.notes[1].checkpoint.size == story.leaves());
    std::filesystem::remove(state.checkpoints() + "/executor.vkey");
    must(base::write_file_atomically(story.note_path("interlock-server"), "garbage"));
    kept = kept_checkpoints(state);
    CHECK(kept.notes.empty());
    CHECK(kept.problems.size() == 2);
    CHECK(kept_checkpoints({story.state + "/nowhere"}).notes.empty());
}

TEST_CASE("checkpoints that cannot be looked for are a problem, not their absence", "[cli]") {
    Story story;
    const base::StateDirectory state{story.state};
    std::filesystem::remove_all(state.checkpoints());
    CHECK(kept_checkpoints(state).problems.empty());
    must(base::write_file_atomically(state.checkpoints(), "not a directory"));
    CHECK(kept_checkpoints(state).problems.size() == 1);
}

TEST_CASE("a log is held against every checkpoint that is kept of it", "[cli]") {
    Story story;
    const base::StateDirectory state{story.state};
    must(log_continues(*story.store, state)); // nothing is kept yet
    story.server_signs();
    (void)story.run_a_plan();
    story.executor_signs();
    must(log_continues(*story.store, state));
    story.call("list_targets", "os:agent", "ok");
    must(log_continues(*story.store, state));
    const auto first = must(base::read_file(story.note_path("executor"), 4096));

    SECTION("a log that went back") {
        story.tamper("delete from audit_log");
        CHECK(test::fails(log_continues(*story.store, state), base::Errc::corrupt));
    }
    SECTION("another log") {
        Story other;
        CHECK(test::fails(log_continues(*other.store, state), base::Errc::corrupt, "seen before"));
    }
    SECTION("a checkpoint that does not hold") {
        must(base::write_file_atomically(story.note_path("executor"), "garbage"));
        CHECK(test::fails(log_continues(*story.store, state), base::Errc::corrupt));
        return;
    }
    CHECK(must(base::read_file(story.note_path("executor"), 4096)) == first); // nothing is signed
}

TEST_CASE("a checkpoint is read only with the key that signed it", "[cli]") {
    Story story;
    story.server_signs();
    const auto path = story.note_path("interlock-server");
    CHECK(read_checkpoint(path, story.key_of("interlock-server")).ok());
    CHECK_FALSE(read_checkpoint(path, story.key_of("interlock-executor")).ok());
    CHECK_FALSE(read_checkpoint(path, "no key").ok());
    CHECK_FALSE(read_checkpoint(path + ".gone", story.key_of("interlock-server")).ok());
}

} // namespace interlock::cli
