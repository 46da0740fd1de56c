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

/// Recomputes the digest from the bytes, verifies every signature against `keys`, demands enough
/// distinct people with enough assurance, none of them the requester, no reject or revoke. The
/// error says exactly which of these failed. Trusts nothing the store merely says.
base::Result<ApprovedPlan>
verify_approvals(const StoredPlan& stored, const ApproverKeys& keys, base::Time now);

} // namespace interlock::approval
