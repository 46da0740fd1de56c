#include "cli/audit_decision_check.hpp"

#include "approval/decision.hpp"
#include "approval/ssh_signature.hpp"
#include "base/file.hpp"

#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

constexpr std::string_view plan_prefix = "plan.";

/// A file of our own that is removed again.
class TemporaryFile {
public:
    static base::Result<TemporaryFile> with(const std::string& content) {
        INTERLOCK_TRY(TemporaryFile made, make());
        INTERLOCK_CHECK(base::write_file_atomically(made.path(), content));
        return made;
    }
    TemporaryFile(TemporaryFile&& other) noexcept : directory_(std::move(other.directory_)) {
        other.directory_.clear();
    }
    TemporaryFile& operator=(TemporaryFile&&) = delete;
    ~TemporaryFile() {
        if (!directory_.empty())
            (void)base::remove_recursively(directory_);
    }
    std::string path() const { return directory_ + "/allowed_signers"; }

private:
    static base::Result<TemporaryFile> make() {
        INTERLOCK_TRY(auto directory, base::make_temporary_directory("interlock-audit"));
        return TemporaryFile(std::move(directory));
    }
    explicit TemporaryFile(std::string directory) : directory_(std::move(directory)) {}
    std::string directory_;
};

base::Result<approval::VerifiedDecision> verify(
    const DecisionEvidence& evidence,
    const approval::SignedDecision& decision,
    const std::string& recorded_signers
) {
    INTERLOCK_TRY(const auto at, base::parse_time(evidence.record.time));
    approval::ApproverKeys keys;
    keys.allowed_signers = evidence.allowed_signers;
    if (!keys.allowed_signers.empty())
        return approval::verify_decision(decision, keys, at);
    INTERLOCK_TRY(const auto file, TemporaryFile::with(recorded_signers));
    keys.allowed_signers = file.path();
    return approval::verify_decision(decision, keys, at);
}

/// What was signed against what was recorded and shown.
void compare(
    const DecisionEvidence& evidence,
    const approval::VerifiedDecision& verified,
    CheckedDecision& checked
) {
    const auto problem = [&](std::string what) { checked.problems.push_back(std::move(what)); };
    const auto& statement = verified.statement;
    const auto& record = evidence.record;
    auto& decision = checked.report;
    decision.verdict = approval::name(statement.verdict);
    decision.decided_at = statement.decided_at;
    decision.reason = statement.reason;
    decision.same_bytes = statement.plan_digest == evidence.plan_digest;
    if (decision.same_bytes == false)
        problem("the decision is about other bytes");
    if (verified.key_fingerprint != decision.key)
        problem("the decision was signed by another key than is recorded");
    if (statement.approver != record.actor)
        problem("the decision was signed by somebody else than is recorded");
    checked.approves = statement.verdict == approval::DecisionVerdict::approve;
    if (checked.approves !=
        (record.type == "plan.approved" || record.type == "plan.approve_counted"))
        problem("the person decided otherwise than is recorded");
    if (evidence.presentation == nullptr ||
        approval::presentation_digest(*evidence.presentation) != statement.presentation_digest)
        problem("what the person was shown is not what " + evidence.place + " holds");
    checked.approver = statement.approver;
    if (const auto signed_at = base::parse_time(statement.decided_at))
        checked.signed_at = *signed_at;
}

} // namespace

DecisionReport unverified_decision(const PlanRecord& record) {
    DecisionReport decision;
    decision.leaf = record.index;
    decision.approver = record.actor;
    decision.recorded_at = record.time;
    decision.verdict = record.type.substr(plan_prefix.size());
    return decision;
}

CheckedDecision check_decision(const DecisionEvidence& evidence) {
    const auto text = [&](const char* name) {
        return base::string_member(evidence.content, name).value_or("");
    };
    CheckedDecision checked;
    checked.report = unverified_decision(evidence.record);
    auto& decision = checked.report;
    decision.signature = false;
    decision.same_bytes = false;
    decision.key = text("key_fingerprint");
    decision.assurance = text("assurance");
    const approval::SignedDecision signed_decision{text("statement"), text("signature")};
    const auto verified = verify(evidence, signed_decision, text("allowed_signers"));
    if (verified) {
        decision.signature = true;
        compare(evidence, *verified, checked);
    } else {
        checked.problems.push_back("the decision does not verify: " + verified.error().what);
    }
    return checked;
}

} // namespace interlock::cli
