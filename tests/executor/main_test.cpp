// The program as people start it.
#include "base/json.hpp"
#include "tests/executor/live.hpp"

#include <csignal>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {
namespace {

base::Output run_executor(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), INTERLOCK_EXECUTOR);
    base::Command command;
    command.arguments = std::move(arguments);
    return must(base::run(command, {}, std::chrono::seconds{60}));
}

/// A state directory with an empty queue and an allowed_signers file.
struct Place {
    TemporaryDirectory directory;
    Approver approver{directory.path()};

    void make_queue() const {
        base::SystemClock clock;
        base::SystemRandom random;
        const auto store =
            must(db::open_sqlite_store(directory.file("queue.db"), db::StoreMode::create, clock));
        must(approval::Queue(*store, random).create_tables());
    }
    std::vector<std::string> arguments() const {
        return {
            "--state=" + directory.path(),
            "--target=main=host=127.0.0.1 port=1 dbname=app",
            "--allowed-signers=" + approver.keys().allowed_signers,
            "--once"};
    }
};

} // namespace

TEST_CASE("with nothing to do the executor ends well", "[executor]") {
    const Place place;
    place.make_queue();
    const auto output = run_executor(place.arguments());
    CHECK(output.exit_code == 0);
    CHECK(output.out.empty());
    std::istringstream lines(output.err);
    for (std::string line; std::getline(lines, line);) {
        CHECK(base::parse_json(line).ok()); // one JSON object a line
    }
}

TEST_CASE("every kind of unusable input has its own error and exit code", "[executor]") {
    const Place place;
    auto arguments = place.arguments();
    int exit_code = 0;
    std::string reason;
    SECTION("no queue") {
        exit_code = 3;
        reason = "queue.db";
    }
    SECTION("a queue that is no database") {
        must(base::write_file_atomically(place.directory.file("queue.db"), std::string(8'192, 'x'))
        );
        exit_code = 3;
        reason = "queue.unusable";
    }
    SECTION("nobody may approve") {
        place.make_queue();
        must(base::write_file_atomically(place.approver.keys().allowed_signers, "# empty\n"));
        exit_code = 2;
        reason = "names nobody";
    }
    SECTION("no target") {
        arguments.erase(arguments.begin() + 1);
        exit_code = 2;
        reason = "No target is configured";
    }
    SECTION("a people file that says nothing known") {
        must(base::write_file_atomically(place.directory.file("people.yaml"), "persons: []\n"));
        arguments.push_back("--people=" + place.directory.file("people.yaml"));
        exit_code = 2;
        reason = "persons";
    }
    SECTION("an unknown option") {
        arguments.push_back("--force");
        exit_code = 2;
        reason = "--force";
    }
    SECTION("both forms at once") {
        arguments.push_back("--config=x");
        exit_code = 2;
        reason = "excludes";
    }
    SECTION("a configuration file that is not there") {
        arguments = {"--config=" + place.directory.file("absent.yaml")};
        exit_code = 2;
        reason = "absent.yaml";
    }
    SECTION("a log that lost entries since the last run") {
        place.make_queue();
        REQUIRE(run_executor(place.arguments()).exit_code == 0);
        base::SystemClock clock;
        const auto store = must(
            db::open_sqlite_store(place.directory.file("queue.db"), db::StoreMode::existing, clock)
        );
        must(store->transact([](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_CHECK(transaction.run("delete from audit_state"));
            return base::done;
        }));
        exit_code = 4;
        reason = "executor.frozen";
    }
    const auto output = run_executor(arguments);
    CAPTURE(output.err, output.out);
    CHECK(output.exit_code == exit_code);
    CHECK_THAT(output.err, Catch::Contains(reason));
    CHECK(output.out.empty());
}

TEST_CASE("help names the exit codes", "[executor]") {
    const auto output = run_executor({"--help"});
    CHECK(output.exit_code == 0);
    CHECK_THAT(output.out, Catch::Contains("Exit codes"));
}

TEST_CASE("the whole path releases the queue behind a blocker and recovers", "[live]") {
    Incident incident{/*shared=*/GENERATE(false, true)};
    const auto id = incident.approved_plan();
    auto command = incident.executor(INTERLOCK_EXECUTOR);
    command.arguments.push_back("--once");
    auto child = must(base::Child::start(command));
    const int exit_code = must(child.wait(std::chrono::seconds{60}));
    INFO(incident.log());
    CHECK(exit_code == 0);
    CHECK(incident.state(id) == "SUCCEEDED");
    CHECK_FALSE(incident.blocker_alive());
    CHECK(incident.waiter_alive());
    CHECK(incident.ledger_rows() == "1");
    CHECK(incident.audit_holds());
    const auto note = base::StateDirectory{incident.state_directory()}.checkpoints();
    CHECK(base::read_file(note + "/executor.note", 4'096).ok());
    CHECK(base::read_file(note + "/executor.vkey", 4'096).ok());
}

TEST_CASE("two executors that race for one plan have one effect", "[live]") {
    Incident incident{/*shared=*/GENERATE(false, true)};
    const auto id = incident.approved_plan();
    auto first = must(base::Child::start(incident.executor(INTERLOCK_EXECUTOR)));
    auto second = must(base::Child::start(incident.executor(INTERLOCK_EXECUTOR)));
    CHECK(lab::wait_until(
        [&] { return incident.started() == 2 && incident.ended(id); }, std::chrono::seconds{60}
    ));
    for (auto* child : {&first, &second}) {
        child->signal(SIGTERM);
        CHECK(must(child->wait(std::chrono::seconds{20})) == 0);
    }
    INFO(incident.log());
    CHECK(incident.state(id) == "SUCCEEDED");
    CHECK(incident.ledger_rows() == "1");
    CHECK(incident.waiter_alive());
    CHECK(incident.audit_holds());
}

TEST_CASE("a target that cannot be used ends the plan clean, each with its reason", "[live]") {
    Incident incident;
    auto command = incident.executor(INTERLOCK_EXECUTOR);
    command.arguments.push_back("--once");
    int exit_code = 5;
    std::string state = "ABORTED_CLEAN";
    std::string reason;
    SECTION("nobody listens") {
        command.arguments[2] = "--target=lab=host=127.0.0.1 port=1 dbname=app";
    }
    SECTION("no ledger") {
        incident.database().sql("drop table interlock_exec.ledger");
        reason = "interlock init";
    }
    SECTION("no right to the ledger") {
        incident.database().sql("revoke all on interlock_exec.ledger from interlock_exec");
        reason = "interlock init";
    }
    SECTION("the target is not this executor's") {
        command.arguments[2] = "--target=elsewhere=host=127.0.0.1 port=1 dbname=app";
        exit_code = 6;
        state = "APPROVED";
    }
    const auto id = incident.approved_plan();
    auto child = must(base::Child::start(command));
    const int code = must(child.wait(std::chrono::seconds{60}));
    INFO(incident.log());
    CHECK(code == exit_code);
    CHECK(incident.state(id) == state);
    CHECK_THAT(incident.plan(id).state_reason, Catch::Contains(reason));
    CHECK(incident.blocker_alive());
    CHECK(incident.audit_holds());
}

TEST_CASE("a blocker that moved on since the diagnosis is not hit", "[live]") {
    Incident incident;
    const auto id = incident.approved_plan();
    incident.blocker().run("commit; begin; update app set n = n + 1 where id = 1");
    auto command = incident.executor(INTERLOCK_EXECUTOR);
    command.arguments.push_back("--once");
    auto child = must(base::Child::start(command));
    CHECK(must(child.wait(std::chrono::seconds{60})) == 5);
    INFO(incident.log());
    CHECK(incident.state(id) == "ABORTED_CLEAN");
    CHECK_THAT(incident.plan(id).state_reason, Catch::Contains("same_transaction"));
    CHECK(incident.blocker_alive());
    CHECK(incident.ledger_rows() == "0");
}

} // namespace interlock::test
