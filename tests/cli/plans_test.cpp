#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "cli/plans.hpp"
#include "runbooks/planner.hpp"
#include "runbooks/policy.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>
#include <fstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// A state directory with one pending plan, and keys of three people of whom two may decide.
class Desk {
public:
    Desk() {
        const base::StateDirectory state{directory_.path()};
        auto store = db::open_sqlite_store(state.queue(), db::StoreMode::create, clock_);
        REQUIRE(store.ok());
        store_ = std::move(store).value();
        queue_ = std::make_unique<approval::Queue>(*store_, random_);
        REQUIRE(queue_->create_tables().ok());
        make_key("alice");
        make_key("bob");
        make_key("mallory");
        std::ofstream signers(directory_.file("allowed_signers"));
        for (const char* who : {"alice", "bob"}) {
            std::ifstream key(directory_.file(std::string(who) + ".pub"));
            std::string line;
            std::getline(key, line);
            signers << who << " namespaces=\"interlock-decision\" " << line << "\n";
        }
    }

    void submit(const std::string& requester) {
        const auto& contract = runbooks::library().at("release-blocking-session");
        const runbooks::Proposal proposal{
            "lock.idle_in_tx",
            R"({"pid":4242,"backend_start":"2026-11-21T02:00:00.000000Z",)"
            R"("xact_start":"2026-11-21T02:30:00.000000Z"})"};
        const runbooks::TargetFingerprint target{
            "shop", "7000000000000000001", "shop", 1, false, 15};
        auto plan = runbooks::make_plan(contract, proposal, target);
        REQUIRE(plan.ok());
        auto admitted = runbooks::admit(plan.value(), contract);
        REQUIRE(admitted.ok());
        approval::Submission submission;
        submission.plan = admitted.value();
        submission.presentation.title = "Release pid 4242";
        submission.requester.subject = requester;
        submission.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        auto submitted = queue_->submit(submission);
        REQUIRE(submitted.ok());
        plan_ = submitted.value();
    }

    PlansOptions options(const std::string& who) const {
        PlansOptions options;
        options.state_directory = directory_.path();
        options.json = true;
        options.plan_id = plan_.id;
        options.digest = plan_.digest;
        options.key = directory_.file(who);
        options.principal = who;
        options.allowed_signers = directory_.file("allowed_signers");
        options.yes = true;
        return options;
    }

    /// As when a program saw five records more than there are now.
    void keeps_a_later_checkpoint() {
        const base::StateDirectory state{directory_.path()};
        const auto key = base::signing_key_from_seed(std::string(32, 'k'));
        telemetry::Checkpoint later;
        REQUIRE(store_
                    ->read([&](db::StoreTransaction& transaction) -> base::Status {
                        INTERLOCK_TRY(later, telemetry::audit_head(transaction));
                        return base::done;
                    })
                    .ok());
        later.size += 5;
        REQUIRE(base::make_private_directory(state.checkpoints()).ok());
        const auto beside = state.checkpoints() + "/interlock-desk";
        REQUIRE(base::write_file_atomically(
                    beside + ".vkey", telemetry::verifier_key("interlock-desk", key.public_key)
        )
                    .ok());
        REQUIRE(base::write_file_atomically(
                    beside + ".note", telemetry::sign_checkpoint(later, "interlock-desk", key)
        )
                    .ok());
    }

    approval::PlanState state() {
        auto stored = queue_->get(plan_.id);
        REQUIRE(stored.ok());
        return stored->state;
    }

    std::string file(const std::string& name) const { return directory_.file(name); }
    std::string public_key(const std::string& who) const {
        std::ifstream key(directory_.file(who + ".pub"));
        std::string line;
        std::getline(key, line);
        return line;
    }

private:
    void make_key(const std::string& who) {
        base::Command command;
        command.arguments = {
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", directory_.file(who)};
        auto made = base::run(command);
        REQUIRE(made.ok());
        REQUIRE(made->exit_code == 0);
    }

    test::TemporaryDirectory directory_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    std::unique_ptr<db::Store> store_;
    std::unique_ptr<approval::Queue> queue_;
    approval::SubmitResult plan_;
};

} // namespace

TEST_CASE("an allowed signer approves a plan at the shell", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    CHECK(approve_plan(desk.options("alice")) == Exit::ok);
    CHECK(desk.state() == approval::PlanState::approved);
}

TEST_CASE("a decision is a span of the trace in which the plan was proposed", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    CHECK(approve_plan(desk.options("mallory")) == Exit::refused);
    CHECK(approve_plan(desk.options("alice")) == Exit::ok);
    std::ifstream file(base::StateDirectory{desk.file("")}.spans() + "/interlock.jsonl");
    std::vector<base::Json> spans;
    for (std::string line; std::getline(file, line);) {
        const auto request = base::parse_json(line);
        REQUIRE(request.ok());
        spans.push_back((*request)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]);
    }
    REQUIRE(spans.size() == 2);
    for (const auto& span : spans) {
        CHECK(span["name"] == "decide_plan");
        CHECK(span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736");
        CHECK(span["parentSpanId"] == "00f067aa0ba902b7");
    }
    CHECK(spans[0]["status"]["code"] == 2);
    CHECK_FALSE(spans[1]["status"].contains("code"));
    const std::string told = spans[1].dump();
    for (const char* key :
         {"plan.digest", "approval.id", "audit.leaf_index", "approval.approver"}) {
        CHECK_THAT(told, Catch::Contains(key));
    }
}

TEST_CASE("nothing is approved on a log that went back, and anything rejected", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    desk.keeps_a_later_checkpoint();
    auto options = desk.options("alice");
    CHECK(approve_plan(options) == Exit::store);
    CHECK(desk.state() == approval::PlanState::pending);
    options.reason = "Nobody knows what happened to the log.";
    CHECK(reject_plan(options) == Exit::ok);
    CHECK(desk.state() == approval::PlanState::rejected);
}

TEST_CASE("a key that is not listed decides nothing", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    CHECK(approve_plan(desk.options("mallory")) == Exit::refused);
    PlansOptions borrowed_name = desk.options("mallory");
    borrowed_name.principal = "alice";
    CHECK(approve_plan(borrowed_name) == Exit::refused);
    CHECK(desk.state() == approval::PlanState::pending);
}

TEST_CASE("whoever asked for a plan cannot approve it", "[cli]") {
    Desk desk;
    desk.submit("os:alice");
    CHECK(approve_plan(desk.options("alice")) == Exit::refused);
    CHECK(desk.state() == approval::PlanState::pending);
    CHECK(approve_plan(desk.options("bob")) == Exit::ok);
}

TEST_CASE("a people file makes two subjects one person", "[cli]") {
    Desk desk;
    desk.submit("sso:12345");
    std::ofstream(desk.file("people.yaml"))
        << "people:\n  - name: alice\n    subjects: [\"sso:12345\"]\n";
    PlansOptions options = desk.options("alice");
    options.people = desk.file("people.yaml");
    CHECK(approve_plan(options) == Exit::refused);
    CHECK(desk.state() == approval::PlanState::pending);
}

TEST_CASE("a revoked key no longer counts", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    std::ofstream(desk.file("revoked")) << desk.public_key("alice") << "\n";
    PlansOptions options = desk.options("alice");
    options.revoked_keys = desk.file("revoked");
    CHECK(approve_plan(options) == Exit::refused);
    CHECK(desk.state() == approval::PlanState::pending);
}

TEST_CASE("without a terminal a plan is approved only by its whole digest", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    PlansOptions options = desk.options("alice");
    options.digest.clear();
    CHECK(approve_plan(options) == Exit::usage);
    options.digest = std::string(64, '0');
    CHECK(approve_plan(options) == Exit::refused);
    CHECK(desk.state() == approval::PlanState::pending);
}

TEST_CASE("without a terminal nobody is handed the digest that a person should read", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    const PlansOptions options = desk.options("alice");
    base::Command command;
    command.arguments = {
        std::string(INTERLOCK_BIN) + "/interlock",
        "plans",
        "approve",
        options.plan_id,
        "--state=" + options.state_directory,
        "--key=" + options.key,
        "--as=alice",
        "--allowed-signers=" + options.allowed_signers};
    const auto output = base::run(command);
    REQUIRE(output.ok());
    CHECK(output->exit_code == static_cast<int>(Exit::usage));
    CHECK(output->err.find("Nobody is at the terminal") != std::string::npos);
    for (const auto& said : {output->out, output->err}) {
        CHECK(said.find(options.digest.substr(0, 8)) == std::string::npos);
    }
    CHECK(desk.state() == approval::PlanState::pending);
}

TEST_CASE("wrong usage is told in JSON to who asked for it", "[cli]") {
    const auto run = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), std::string(INTERLOCK_BIN) + "/interlock");
        base::Command command;
        command.arguments = std::move(arguments);
        return base::run(command).value();
    };
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"plans", "show", "--json"},
             {"plans", "--json"},
             {"--json", "no-such-command"},
             {"kill", "lift", "--json", "everything", "--reason", "x"},
             {"audit", "search", "--json", "--limit", "many\x1b[2J"}}) {
        const auto output = run(arguments);
        INFO(output.out << output.err);
        CHECK(output.exit_code == static_cast<int>(Exit::usage));
        const auto told = base::parse_json(output.out);
        REQUIRE(told.ok());
        CHECK((*told)["error"] == "invalid_arguments");
        CHECK_FALSE((*told)["what"].empty());
        CHECK(output.out.find('\x1b') == std::string::npos);
    }
    const auto people = run({"plans", "show"});
    CHECK(people.exit_code == static_cast<int>(Exit::usage));
    CHECK(people.out.empty());
    CHECK(run({"plans", "--help", "--json"}).exit_code == 0);
}

TEST_CASE("refusing needs a reason and ends the plan", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    PlansOptions options = desk.options("bob");
    CHECK(reject_plan(options) == Exit::usage);
    options.reason = "the batch ends in five minutes";
    CHECK(reject_plan(options) == Exit::ok);
    CHECK(desk.state() == approval::PlanState::rejected);
    CHECK(approve_plan(desk.options("alice")) == Exit::refused);
}

TEST_CASE("an approval can be revoked before it runs", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    REQUIRE(approve_plan(desk.options("alice")) == Exit::ok);
    PlansOptions options = desk.options("bob");
    options.reason = "wrong window";
    CHECK(revoke_plan(options) == Exit::ok);
    CHECK(desk.state() == approval::PlanState::revoked);
}

TEST_CASE("an unknown plan and an unknown queue are told apart from refusals", "[cli]") {
    Desk desk;
    desk.submit("os:agent");
    PlansOptions options = desk.options("alice");
    options.plan_id = "plan_doesnotexist";
    CHECK(show_plan(options) == Exit::not_found);
    CHECK(approve_plan(options) == Exit::not_found);
    options.state_directory = desk.file("nowhere");
    CHECK(list_plans(options) == Exit::not_found);
}

TEST_CASE("an unknown state is a usage error", "[cli]") {
    Desk desk;
    PlansOptions options = desk.options("alice");
    options.state = "sleeping";
    CHECK(list_plans(options) == Exit::usage);
}

TEST_CASE("what is stored cannot move the cursor of whoever reads it", "[cli]") {
    Desk desk;
    desk.submit("os:agent\x1b[2J\x1b]8;;http://evil.test\x07");
    const auto printed = [&](const std::vector<std::string>& arguments) {
        base::Command command;
        command.arguments = {std::string(INTERLOCK_BIN) + "/interlock", "plans"};
        command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
        command.arguments.push_back("--state=" + desk.options("alice").state_directory);
        const auto output = base::run(command);
        REQUIRE(output.ok());
        REQUIRE(output->exit_code == 0);
        return output->out;
    };
    for (const std::string& text :
         {printed({"list"}),
          printed({"list", "--json"}),
          printed({"show", desk.options("alice").plan_id}),
          printed({"show", "--json", desk.options("alice").plan_id})}) {
        INFO(text);
        CHECK(text.find("agent") != std::string::npos);
        CHECK(std::all_of(text.begin(), text.end(), [](char c) {
            return c == '\n' || (c >= ' ' && c <= '~');
        }));
    }
}

} // namespace interlock::cli
