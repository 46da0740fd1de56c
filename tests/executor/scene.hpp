// A real queue in a temporary directory, an approver with a real key, a scripted target, a clock
// that moves only when told: everything around one Executor.
#pragma once

#include "approval/queue.hpp"
#include "base/digest.hpp"
#include "base/process.hpp"
#include "executor/executor.hpp"
#include "runbooks/policy.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/executor/script.hpp"
#include "tests/support/fakes.hpp"
#include "tests/support/spans.hpp"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace interlock::test {

template <class T>
T must(base::Result<T> result) {
    if (!result.ok()) {
        throw std::runtime_error(base::to_text(result.error()));
    }
    return std::move(result).value();
}

/// An SSH key of its own and an allowed_signers file that names its holder.
class Approver {
public:
    explicit Approver(const std::string& directory, const std::string& name = "alice")
        : name_(name), key_path_(directory + "/" + name) {
        base::Command keygen;
        keygen.arguments = {
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key_path_};
        const auto made = must(base::run(keygen));
        if (made.exit_code != 0) {
            throw std::runtime_error("ssh-keygen: " + made.err);
        }
        keys_.allowed_signers = directory + "/" + name + ".allowed_signers";
        must(base::write_file_atomically(
            keys_.allowed_signers,
            name + " namespaces=\"" + std::string(approval::ssh_namespace) + "\" " + public_key()
        ));
    }

    const approval::ApproverKeys& keys() const { return keys_; }
    std::string public_key() const { return must(base::read_file(key_path_ + ".pub", 4096)); }
    /// As `interlock plans approve` does it.
    void approve(approval::Queue& queue, base::Random& random, const std::string& plan_id) const {
        const auto stored = must(queue.get(plan_id));
        approval::DecisionStatement statement;
        statement.plan_id = plan_id;
        statement.plan_digest = stored.digest;
        statement.presentation_digest = approval::presentation_digest(stored.presentation);
        statement.verdict = approval::DecisionVerdict::approve;
        statement.approver = name_;
        statement.nonce = base::new_id(random, "nonce");
        statement.decided_at = stored.created_at;
        statement.log_checkpoint = must(queue.log_position());
        must(queue.decide(must(approval::sign_decision(statement, key_path_)), keys_));
    }

private:
    std::string name_;
    std::string key_path_;
    approval::ApproverKeys keys_;
};

inline runbooks::Check check(const std::string& id) {
    runbooks::Check made;
    made.id = id;
    made.about = "About " + id + ".";
    made.statement = {check_sql(id), {}};
    made.expected = "1";
    return made;
}

enum class Undo { exists, bounded };

inline runbooks::Step step(const std::string& id, runbooks::StepClass step_class, Undo undo) {
    runbooks::Step made;
    made.id = id;
    made.about = "Does " + id + ".";
    made.step_class = step_class;
    made.statement = {check_sql(id), {}};
    made.expected_lock = "none on relations";
    made.lock_timeout_ms = 500;
    made.statement_timeout_ms = 1'000;
    made.rows_expected = 1;
    if (step_class == runbooks::StepClass::readback) {
        made.probe = check("probe_" + id);
    }
    if (undo == Undo::exists) {
        made.inverse.exists = true;
        made.inverse.statement = runbooks::BoundStatement{check_sql("undo_" + id), {}};
    } else {
        made.inverse.absence_reason = "what ended stays ended";
        made.inverse.bounded = true;
    }
    return made;
}

inline runbooks::CheckTemplate template_of(const runbooks::Check& from) {
    return {from.id, from.about, from.statement.sql, from.comparison, from.expected};
}

inline runbooks::StepTemplate template_of(const runbooks::Step& from, const std::string& shape) {
    runbooks::StepTemplate made;
    made.id = from.id;
    made.about = from.about;
    made.when = {{"shape", shape}};
    made.step_class = from.step_class;
    made.sql = from.statement.sql;
    made.expected_lock = from.expected_lock;
    made.lock_timeout_ms = from.lock_timeout_ms;
    made.statement_timeout_ms = from.statement_timeout_ms;
    made.rows_expected = from.rows_expected;
    if (from.probe) {
        made.probe = template_of(*from.probe);
    }
    made.inverse_sql = from.inverse.statement ? from.inverse.statement->sql : "";
    made.inverse_absence_reason = from.inverse.absence_reason;
    made.inverse_bounded = from.inverse.bounded;
    return made;
}

/// The steps of every kind of plan that these tests run, by the cause that leads to it.
inline std::map<std::string, std::vector<runbooks::Step>> shapes() {
    using runbooks::StepClass;
    return {
        {"bounded", {step("end_it", StepClass::readback, Undo::bounded)}},
        {"undoable",
         {step("first", StepClass::transactional, Undo::exists),
          step("second", StepClass::transactional, Undo::exists)}},
        {"single", {step("only", StepClass::transactional, Undo::bounded)}},
        {"signal", {step("only", StepClass::readback, Undo::bounded)}}};
}

/// The one runbook of these tests and the policy it stands under.
inline executor::Library test_library() {
    runbooks::Contract contract;
    contract.id = "test-runbook";
    contract.digest = base::hex(base::sha256("test-runbook"));
    contract.reversibility = runbooks::Reversibility::bounded;
    contract.risk = "medium";
    contract.preconditions = {template_of(check("ready"))};
    contract.recovery = {template_of(check("recovered"))};
    contract.guardrails = {template_of(check("unharmed"))};
    contract.interval_ms = 1'000;
    contract.hold_ms = 5'000;
    contract.deadline_ms = 20'000;
    runbooks::Parameter shape;
    shape.name = "shape";
    shape.type = runbooks::ParameterType::choice;
    for (const auto& [name, steps] : shapes()) {
        shape.choices.push_back(name);
        contract.decision_table.push_back({"test." + name, {{"shape", name}}, "A test says so."});
        for (const auto& from : steps) {
            contract.steps.push_back(template_of(from, name));
        }
    }
    contract.parameters = {shape};
    return {{contract.id, contract}};
}

inline runbooks::Plan test_plan(std::vector<runbooks::Step> steps) {
    const auto library = test_library();
    const auto& contract = library.at("test-runbook");
    runbooks::Plan plan;
    plan.runbook = contract.id;
    plan.runbook_version = contract.version;
    plan.runbook_digest = contract.digest;
    plan.target = {"main", "7312345678901234567", "app", 1, false, 15};
    plan.lease_key = "7312345678901234567/app";
    plan.preconditions = {check("ready")};
    plan.steps = std::move(steps);
    plan.verification.recovery = {check("recovered")};
    plan.verification.guardrails = {check("unharmed")};
    plan.verification.interval_ms = 1'000;
    plan.verification.hold_ms = 5'000;
    plan.verification.deadline_ms = 20'000;
    plan.reversibility = runbooks::Reversibility::bounded;
    plan.risk = contract.risk;
    plan.pending_lifetime_s = 1'800;
    return must(runbooks::admit(std::move(plan), contract));
}

inline runbooks::Plan bounded_plan() {
    return test_plan(shapes().at("bounded"));
}
inline runbooks::Plan undoable_plan() {
    return test_plan(shapes().at("undoable"));
}

/// One executor process: its own name, its own memory, the shared store.
class Machine {
public:
    Machine(
        db::Store& store,
        base::Clock& clock,
        base::Random& random,
        executor::TargetDoor& door,
        const std::string& directory,
        const approval::ApproverKeys& keys,
        const executor::Library& library,
        std::function<bool()> stop = [] { return false; }
    )
        : queue_(store, random),
          tracer_(spans_, clock, random),
          journal_(directory + "/outcomes"),
          key_(must(
              base::load_or_create_signing_key(directory + "/executor.ed25519", random.bytes(32))
          )),
          guard_(store, directory + "/executor.note", key_),
          around_{
              queue_,
              store,
              door,
              clock,
              tracer_,
              metrics_,
              journal_,
              key_,
              base::new_id(random, "executor"),
              {base::limits::lease_lifetime, /*background=*/false},
              std::move(stop)},
          executor_(around_, store, random, keys, library, guard_) {}

    executor::Pass pass() { return executor_.pass(); }
    executor::Executor& executor() { return executor_; }
    const executor::Surroundings& around() const { return around_; }
    const base::SigningKey& key() const { return key_; }
    const telemetry::Metrics& metrics() const { return metrics_; }
    const KeptSpans& spans() const { return spans_; }

private:
    approval::Queue queue_;
    KeptSpans spans_;
    telemetry::Tracer tracer_;
    telemetry::Metrics metrics_;
    executor::OutcomeJournal journal_;
    base::SigningKey key_;
    executor::LogGuard guard_;
    executor::Surroundings around_;
    executor::Executor executor_;
};

struct Scene {
    TemporaryDirectory directory;
    ManualClock clock;
    base::SystemRandom random;
    std::unique_ptr<db::Store> store =
        must(db::open_sqlite_store(directory.file("queue.db"), db::StoreMode::create, clock));
    approval::Queue queue{*store, random};
    Approver approver{directory.path()};
    executor::Library library = test_library();
    Script script;
    ScriptedDoor door{script};
    bool stop = false;

    Scene() {
        must(queue.create_tables());
        script.fingerprint = {"main", "7312345678901234567", "app", 1, false, 15};
    }

    std::unique_ptr<Machine> machine() {
        return std::make_unique<Machine>(
            *store,
            clock,
            random,
            door,
            directory.path(),
            approver.keys(),
            library,
            [this] { return stop; }
        );
    }

    /// Submitted by an agent; not decided.
    std::string submit(const runbooks::Plan& plan) {
        approval::Submission submission;
        submission.plan = plan;
        submission.presentation.title = "Test";
        submission.presentation.hypothesis = "Because of a test.";
        submission.requester = {"loopback:agent", "loopback", "none", "test/1", "", {}};
        submission.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        return must(queue.submit(submission)).id;
    }
    std::string approved(const runbooks::Plan& plan) {
        const auto id = submit(plan);
        approver.approve(queue, random, id);
        return id;
    }
    approval::StoredPlan plan(const std::string& id) { return must(queue.get(id)); }
    /// Every lease that is held now runs out.
    void let_leases_lapse() { clock.advance(base::limits::lease_lifetime * 2); }
    void sql(const std::string& text, const std::vector<db::Cell>& parameters = {}) {
        must(store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_CHECK(transaction.run(text, parameters));
            return base::done;
        }));
    }
    bool audit_holds() { return must(telemetry::verify_audit(*store, {})).problems.empty(); }
};

} // namespace interlock::test
