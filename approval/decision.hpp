// One person's signed verdict on one digest. The statement's bytes are what is signed; the
// signature is verified again wherever the decision is used, never trusted from the store.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::approval {

/// How far an approver's clock may run ahead of ours: hosts without time synchronisation drift by
/// minutes, and more would let a decision be dated so that it never grows old.
inline constexpr std::chrono::minutes decision_skew_max{5};

/// Namespace of our SSH signatures: a signature made for anything else never counts here.
inline constexpr std::string_view ssh_namespace = "interlock-decision";

enum class DecisionVerdict { approve, reject, revoke };
const char* name(DecisionVerdict verdict);

struct DecisionStatement {
    std::string plan_id;
    std::string plan_digest;         // hex
    std::string presentation_digest; // hex: what this person was shown
    DecisionVerdict verdict = DecisionVerdict::reject;
    std::string approver;       // principal in allowed_signers
    std::string reason;         // required to reject or revoke
    std::string nonce;          // single use
    std::string decided_at;     // RFC 3339, the approver's clock; an approval lives from then on
    std::string log_checkpoint; // "size:root" of the audit log as the person saw it
};
/// Canonical JSON: sorted keys, no white space, ASCII with \u escapes.
std::string decision_bytes(const DecisionStatement& statement);
/// Strict: every member, none unknown, each in its form, and bytes that render back to themselves.
base::Result<DecisionStatement> parse_decision(std::string_view bytes);
/// SHA-256 of the stored presentation's bytes, hex: what a statement's presentation_digest must be.
std::string presentation_digest(std::string_view presentation);

struct SignedDecision {
    std::string statement; // the exact bytes signed
    std::string signature; // armored SSH signature
};

/// Where keys are looked up. Paths are read at every verification, so that a revocation counts at
/// once. An empty or missing allowed_signers file means nobody.
struct ApproverKeys {
    std::string allowed_signers;
    std::string revoked_keys; // "" = none
    /// Subjects that are the same person: {person, subjects...}; compared case-insensitively.
    std::vector<std::vector<std::string>> people;
};

/// Signs with `ssh-keygen -Y sign`. `key_path` is a private key, or a public key whose private half
/// is in the agent.
base::Result<SignedDecision>
sign_decision(const DecisionStatement& statement, const std::string& key_path);

struct VerifiedDecision {
    DecisionStatement statement;
    runbooks::Assurance assurance = runbooks::Assurance::ssh_key;
    std::string key_fingerprint; // SHA256:...
    /// The lines of allowed_signers that let this key speak for the approver, as of this look.
    std::vector<std::string> signer_lines;
};
/// The approver must be written literally in allowed_signers, on a line with the key that signed:
/// patterns there name nobody, or one key could vote under many names. hardware_key needs an sk-
/// key that saw its owner's touch. invalid_signature: wrong key, namespace, bytes, revoked or
/// expired key, each told apart in `what`. `at` is the time the key must have been valid.
base::Result<VerifiedDecision>
verify_decision(const SignedDecision& decision, const ApproverKeys& keys, base::Time at);

/// Whether two subjects are one person, by `people` and by plain comparison ("os:alice" = "alice").
bool same_person(const ApproverKeys& keys, std::string_view left, std::string_view right);
/// One name for all subjects of a person, for comparing in the store.
std::string person(const ApproverKeys& keys, std::string_view subject);

/// What `plan` asks of its approvers, and never less than its reversibility demands: what cannot be
/// undone takes two people with keys.
runbooks::Requirement required_approvals(const runbooks::Plan& plan);

/// How long an approval of `plan` lasts: what the plan says, never more than the limit of its kind.
base::Duration approval_lifetime(const runbooks::Plan& plan);
/// When it was decided, by the time that was signed. refused when that lies ahead of `now`.
base::Result<base::Time> decided_at(const DecisionStatement& statement, base::Time now);

} // namespace interlock::approval
