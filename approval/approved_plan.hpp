// A plan that people approved, verified here and now from bytes and signatures. It can be made only
// by verify_approvals(); the executor runs nothing else.
#pragma once

#include "approval/queue.hpp"

#include <string>
#include <vector>

namespace interlock::approval {

class ApprovedPlan {
public:
    const std::string& id() const { return id_; }
    const std::string& bytes() const { return bytes_; }
    const std::string& digest() const { return digest_; }
    const runbooks::Plan& plan() const { return plan_; }
    const std::vector<VerifiedDecision>& approvals() const { return approvals_; }

private:
    friend base::Result<ApprovedPlan>
    verify_approvals(const StoredPlan& stored, const ApproverKeys& keys, base::Time now);
    ApprovedPlan() = default;
    std::string id_;
    std::string bytes_;
    std::string digest_;
    runbooks::Plan plan_;
    std::vector<VerifiedDecision> approvals_;
};

/// A running plan is taken over at most this long after its approval has ended. Long enough for a
/// host that was away for a day; a person decides about what is older.
inline constexpr std::chrono::hours resumption_max{24};

/// Recomputes the digest from the bytes, verifies every signature against `keys`, demands enough
/// distinct people with enough assurance, none of them the requester, no reject or revoke, and that
/// the approval is still alive by the time that was signed. The error says exactly which of these
/// failed. Of what the store merely says it uses the requesters, and whether the plan runs; both
/// are held against the audit log by Queue::claim and Queue::take_over.
base::Result<ApprovedPlan>
verify_approvals(const StoredPlan& stored, const ApproverKeys& keys, base::Time now);

} // namespace interlock::approval
