// A queue in a file of its own, people with SSH keys made for this run, and a plan to decide about.
#pragma once

#include "approval/approved_plan.hpp"
#include "approval/queue.hpp"
#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/runbooks/samples.hpp"
#include "tests/support/fakes.hpp"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlock::test {

template <class T>
T must(base::Result<T> result) {
    if (!result.ok())
        throw std::runtime_error(base::to_text(result.error()));
    return std::move(result).value();
}
inline void must(base::Status status) {
    if (!status.ok())
        throw std::runtime_error(base::to_text(status.error()));
}

/// Runs ssh-keygen and throws when it fails.
inline void ssh_keygen(std::vector<std::string> arguments) {
    base::Command command;
    arguments.insert(arguments.begin(), "ssh-keygen");
    command.arguments = std::move(arguments);
    const auto output = must(base::run(command));
    if (output.exit_code != 0)
        throw std::runtime_error("ssh-keygen: " + output.err);
}

/// Private keys by name, made once for all cases: key files are never written by a case.
class KeyRing {
public:
    static KeyRing& shared() {
        static KeyRing ring;
        return ring;
    }
    /// Path of the private key.
    std::string key(const std::string& name) {
        if (!made_.contains(name)) {
            ssh_keygen({"-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory_.file(name)});
            made_[name] = must(base::read_file(directory_.file(name + ".pub"), 4096));
        }
        return directory_.file(name);
    }
    /// "ssh-ed25519 AAAA... name"
    std::string public_key(const std::string& name) {
        (void)key(name);
        return made_[name].substr(0, made_[name].find('\n'));
    }

private:
    TemporaryDirectory directory_;
    std::map<std::string, std::string> made_;
};

inline runbooks::Plan plan_to_approve(int approvals = 1) {
    runbooks::Plan plan = sample_plan();
    plan.needs = {approvals, runbooks::Assurance::ssh_key};
    return plan;
}

inline telemetry::Identity agent_of(const std::string& person) {
    telemetry::Identity identity;
    identity.subject = "os:" + person;
    identity.client = "test-agent 1.0";
    return identity;
}

class Office {
public:
    Office() : store(open_store()), queue(*store, random) {
        must(queue.create_tables());
        keys.allowed_signers = directory.file("allowed_signers");
        write_signers({"alice", "bob", "carol", "dave"});
    }

    std::unique_ptr<db::Store> open_store() {
        return must(db::open_sqlite_store(directory.file("queue.db"), db::StoreMode::create, clock)
        );
    }
    /// One line a person, each with a key of the same name; `extra` lines follow.
    void write_signers(const std::vector<std::string>& people, const std::string& extra = "") {
        std::string text;
        for (const auto& person : people)
            text += person + " " + KeyRing::shared().public_key(person) + "\n";
        must(base::write_file_atomically(keys.allowed_signers, text + extra));
    }

    approval::SubmitResult
    submit(const runbooks::Plan& plan, const std::string& requester = "requester") {
        approval::Submission submission;
        submission.plan = plan;
        submission.presentation.title = "A title";
        submission.presentation.hypothesis = "A hypothesis";
        submission.requester = agent_of(requester);
        return must(queue.submit(submission));
    }
    std::string submitted(int approvals = 1) { return submit(plan_to_approve(approvals)).id; }

    /// A statement that would be accepted.
    approval::DecisionStatement statement(
        const std::string& plan_id,
        const std::string& approver,
        approval::DecisionVerdict verdict = approval::DecisionVerdict::approve
    ) {
        const auto plan = must(queue.get(plan_id));
        approval::DecisionStatement out;
        out.plan_id = plan_id;
        out.plan_digest = base::hex(runbooks::plan_digest(plan.bytes));
        out.presentation_digest = approval::presentation_digest(plan.presentation);
        out.verdict = verdict;
        out.approver = approver;
        out.reason = verdict == approval::DecisionVerdict::approve ? "" : "It is not needed.";
        out.nonce = base::new_id(random, "nonce");
        out.decided_at = base::format_time(clock.now());
        out.log_checkpoint = must(queue.log_position());
        return out;
    }
    approval::SignedDecision
    sign(const approval::DecisionStatement& statement, const std::string& key) {
        return must(approval::sign_decision(statement, KeyRing::shared().key(key)));
    }
    approval::SignedDecision signed_by(
        const std::string& approver,
        const std::string& plan_id,
        approval::DecisionVerdict verdict = approval::DecisionVerdict::approve
    ) {
        return sign(statement(plan_id, approver, verdict), approver);
    }
    base::Result<approval::PlanState> decide(
        const std::string& approver,
        const std::string& plan_id,
        approval::DecisionVerdict verdict = approval::DecisionVerdict::approve
    ) {
        return queue.decide(signed_by(approver, plan_id, verdict), keys);
    }
    std::string approved() {
        const std::string id = submitted();
        must(decide("alice", id));
        return id;
    }
    base::Result<approval::Claim>
    claim(const std::string& id, const std::string& executor = "exec-1") {
        return queue.claim(id, must(queue.get(id)).digest, executor);
    }
    approval::Claim claimed() { return must(claim(approved())); }
    approval::Claim executing() {
        const auto claim = claimed();
        must(queue.advance(claim, approval::PlanEvent::start, "Checked."));
        return claim;
    }

    approval::PlanState state(const std::string& id) { return must(queue.get(id)).state; }
    std::uint64_t leaves() {
        std::uint64_t size = 0;
        must(store->read([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
            size = head.size;
            return base::done;
        }));
        return size;
    }
    std::vector<telemetry::AuditRecord> records() {
        return must(telemetry::read_audit(*store, 0, 1000));
    }
    /// Changes the store behind the queue's back.
    void tamper(const std::string& sql) {
        must(store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_CHECK(transaction.run(sql));
            return base::done;
        }));
    }
    std::string cell(const std::string& sql) {
        std::string value;
        must(store->read([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const auto table, transaction.run(sql));
            if (!table.empty() && !table.rows[0].empty())
                value = table.rows[0][0].value_or("NULL");
            return base::done;
        }));
        return value;
    }

    TemporaryDirectory directory;
    ManualClock clock;
    CountingRandom random;
    std::unique_ptr<db::Store> store;
    approval::Queue queue;
    approval::ApproverKeys keys;
};

template <class T>
base::Errc code_of(const base::Result<T>& result) {
    return result.ok() ? base::Errc::internal : result.error().code;
}

/// Whether it failed with `code` and says `words`.
template <class T>
bool fails(const base::Result<T>& result, base::Errc code, const std::string& words = "") {
    return !result.ok() && result.error().code == code &&
           base::to_text(result.error()).find(words) != std::string::npos;
}

} // namespace interlock::test
