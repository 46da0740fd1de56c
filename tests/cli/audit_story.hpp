// A state directory in which one plan was requested, approved, run and reported, among calls of
// tools, and whose log the server and the executor signed.
#pragma once

#include "base/json.hpp"
#include "base/state_directory.hpp"
#include "cli/output.hpp"
#include "telemetry/log_memory.hpp"
#include "tests/approval/fixture.hpp"
#include "tests/cli/printed.hpp"

#include <catch2/catch.hpp>

namespace interlock::test {

class Story : public Office {
public:
    Story() : state(directory.path()) {
        must(base::make_private_directory(base::StateDirectory{state}.checkpoints()));
        call("list_targets", "os:agent", "ok");
    }

    void append(const std::string& type, const std::string& actor, const base::Json& payload);
    void begin(
        const std::string& id,
        const std::string& tool,
        const std::string& who,
        const std::string& incident = {}
    );
    void end(const std::string& id, const std::string& tool, const std::string& outcome);
    void call(const std::string& tool, const std::string& who, const std::string& outcome) {
        const auto id = "call_" + std::to_string(++calls_);
        begin(id, tool, who);
        end(id, tool, outcome);
    }

    /// A plan as a tool's call proposes it; returns its id.
    std::string proposed(int approvals, const std::string& incident = {});
    /// The plan from its request to its outcome; returns its id.
    std::string run_a_plan(const std::string& incident = {}) {
        const auto id = proposed(2, incident);
        call("get_blocking", "os:agent", "ok");
        clock.advance(std::chrono::seconds(90));
        must(decide("alice", id));
        clock.advance(std::chrono::seconds(30));
        must(decide("bob", id));
        clock.advance(std::chrono::seconds(10));
        const auto claim = must(this->claim(id));
        must(queue.advance(claim, approval::PlanEvent::start, "Checked."));
        must(queue.record_step(claim, {id, 0, true, "INTENT", claim.fence, "{}", ""}));
        must(queue.record_step(claim, {id, 0, true, "DONE", claim.fence, "{}", ""}));
        must(queue.advance(claim, approval::PlanEvent::steps_complete, "Done."));
        must(queue.advance(claim, approval::PlanEvent::recover, "Better."));
        must(queue.finish(claim, outcome(id, claim.fence)));
        return id;
    }
    std::string digest_of(const std::string& id) { return must(queue.get(id)).digest; }

    /// As the executor writes and signs it.
    std::string outcome(const std::string& id, long long fence);

    /// What a program keeps of the log as it is now.
    void sign(const std::string& file, const std::string& name, const base::SigningKey& key) {
        telemetry::LogMemory memory(
            base::StateDirectory{state}.checkpoints() + "/" + file + ".note", name, key
        );
        must(memory.follow(*store, telemetry::Scrutiny::hashes));
        must(memory.keep());
    }
    void server_signs() { sign("interlock-server", "interlock-server", server_key); }
    void executor_signs() { sign("executor", "interlock-executor", executor_key); }
    std::string note_path(const std::string& file) const {
        return base::StateDirectory{state}.checkpoints() + "/" + file + ".note";
    }
    std::string key_of(const std::string& name) const {
        const auto& key = name == "interlock-server" ? server_key : executor_key;
        return telemetry::verifier_key(name, key.public_key);
    }

    using Office::sign;
    const std::string state;
    const base::SigningKey server_key = base::signing_key_from_seed(std::string(32, 's'));
    base::SigningKey executor_key = base::signing_key_from_seed(std::string(32, 'e'));

private:
    int calls_ = 0;
};

} // namespace interlock::test
