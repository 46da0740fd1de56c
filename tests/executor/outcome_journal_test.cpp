#include "executor/outcome_journal.hpp"
#include "tests/executor/scene.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

std::size_t files_in(const std::string& directory) {
    std::error_code failed;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
}

} // namespace

TEST_CASE("a kept outcome waits for its plan's end and is delivered once", "[executor]") {
    Scene scene;
    const auto kept = scene.directory.file("outcomes");
    executor::OutcomeJournal journal(kept);
    CHECK(must(journal.deliver(scene.queue)) == 0);
    const auto id = scene.approved(bounded_plan());
    const auto claim = must(scene.queue.claim(id, scene.plan(id).digest, "executor_1"));
    must(journal.keep(claim, R"({"a":1})"));
    CHECK(must(journal.deliver(scene.queue)) == 0); // still claimed: not ended yet
    CHECK(files_in(kept) == 1);
    must(scene.queue.advance(claim, approval::PlanEvent::abort_clean, "For a test."));
    CHECK(must(journal.deliver(scene.queue)) == 1);
    CHECK(files_in(kept) == 0);
    CHECK(scene.plan(id).outcome == R"({"a":1})");
    must(journal.keep(claim, R"({"a":2})"));
    CHECK(must(journal.deliver(scene.queue)) == 0);
    CHECK(scene.plan(id).outcome == R"({"a":1})"); // the first one stands
}

TEST_CASE("an outcome of an execution that was taken over is dropped", "[executor]") {
    Scene scene;
    const auto kept = scene.directory.file("outcomes");
    executor::OutcomeJournal journal(kept);
    const auto id = scene.approved(bounded_plan());
    const auto claim = must(scene.queue.claim(id, scene.plan(id).digest, "executor_1"));
    must(journal.keep(claim, "{}"));
    scene.let_leases_lapse();
    must(scene.queue.take_over(id, "executor_2"));
    CHECK(must(journal.deliver(scene.queue)) == 0);
    CHECK(files_in(kept) == 0);
    CHECK(scene.plan(id).outcome.empty());
}

TEST_CASE("a file that is no kept outcome does not stop the others", "[executor]") {
    Scene scene;
    const auto kept = scene.directory.file("outcomes");
    must(base::make_private_directory(kept));
    must(base::write_file_atomically(kept + "/0.outcome", "{torn"));
    executor::OutcomeJournal journal(kept);
    const auto id = scene.approved(bounded_plan());
    const auto claim = must(scene.queue.claim(id, scene.plan(id).digest, "executor_1"));
    must(journal.keep(claim, R"({"a":1})"));
    must(scene.queue.advance(claim, approval::PlanEvent::abort_clean, "For a test."));
    CHECK(must(journal.deliver(scene.queue)) == 1);
    CHECK(files_in(kept) == 1); // kept for a person to look at
}

TEST_CASE("an outcome that the queue cannot take now is kept", "[executor]") {
    Scene scene;
    const auto kept = scene.directory.file("outcomes");
    executor::OutcomeJournal journal(kept);
    const auto id = scene.approved(bounded_plan());
    const auto claim = must(scene.queue.claim(id, scene.plan(id).digest, "executor_1"));
    must(journal.keep(claim, R"({"a":1})"));
    must(scene.queue.advance(claim, approval::PlanEvent::abort_clean, "For a test."));
    scene.sql("alter table plans rename to elsewhere");
    (void)journal.deliver(scene.queue);
    CHECK(files_in(kept) == 1);
    scene.sql("alter table elsewhere rename to plans");
    CHECK(must(journal.deliver(scene.queue)) == 1);
    CHECK(files_in(kept) == 0);
}

TEST_CASE("an id never chooses the file's path, and a dropped outcome is gone", "[executor]") {
    TemporaryDirectory directory;
    executor::OutcomeJournal journal(directory.file("outcomes"));
    approval::Claim claim;
    claim.plan_id = "../../escape";
    must(journal.keep(claim, "{}"));
    CHECK(files_in(directory.file("outcomes")) == 1);
    journal.drop(claim.plan_id);
    CHECK(files_in(directory.file("outcomes")) == 0);
}

} // namespace interlock::test
