// One person's signed verdict on one digest. The statement's bytes are what is signed; the
// signature is verified again wherever the decision is used, never trusted from the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

namespace interlock::approval {

/// Namespace of our SSH signatures: a signature made for anything else never counts here.
inline constexpr std::string_view ssh_namespace = "interlock-decision";

enum class DecisionVerdict { approve, reject, revoke };
const char* name(DecisionVerdict verdict);

struct DecisionStatement {
    std::string plan_id;
    std::string plan_digest;          // hex
    std::string presentation_digest;  // hex: what this person was shown
    DecisionVerdict verdict = DecisionVerdict::reject;
    std::string approver;             // principal in allowed_signers
    std::string reason;               // required to reject or revoke
    std::string nonce;                // single use
    std::string decided_at;           // RFC 3339; information only, the queue's clock decides
    std::string log_checkpoint;       // "size:root" of the audit log as the person saw it
};
std::string decision_bytes(const DecisionStatement& statement);
base::Result<DecisionStatement> parse_decision(std::string_view bytes);

struct SignedDecision {
    std::string statement;  // the exact bytes signed
    std::string signature;  // armored SSH signature
};

/// Where keys are looked up. Paths are read at every verification, so that a revocation counts at
/// once. An empty or missing allowed_signers file means nobody.
struct ApproverKeys {
    std::string allowed_signers;
    std::string revoked_keys;  // "" = none
    /// Subjects that are the same person: {person, subjects…}; compared case-insensitively.
    std::vector<std::vector<std::string>> people;
};

/// Signs with `ssh-keygen -Y sign`. `key_path` is a private key, or a public key whose private half
/// is in the agent.
base::Result<SignedDecision> sign_decision(const DecisionStatement& statement, const std::string& key_path);

struct VerifiedDecision {
    DecisionStatement statement;
    runbooks::Assurance assurance = runbooks::Assurance::ssh_key;
    std::string key_fingerprint;  // SHA256:…
};
/// invalid_signature: wrong key, namespace, bytes, revoked or expired key, each told apart in
/// `what`. `at` is the time the key must have been valid.
base::Result<VerifiedDecision>
verify_decision(const SignedDecision& decision, const ApproverKeys& keys, base::Time at);

/// Whether two subjects are one person, by `people` and by plain comparison ("os:alice" = "alice").
bool same_person(const ApproverKeys& keys, std::string_view left, std::string_view right);

}  // namespace interlock::approval
