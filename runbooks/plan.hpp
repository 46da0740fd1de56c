// A plan: exactly what will be done to a target, as immutable bytes. Its digest covers effects only
// (target, preconditions, steps, inverses, verification, guardrails, risk, policy, lifetimes,
// attempt). Prose, evidence links and times of the day live outside, in the Presentation.
#pragma once

#include "base/digest.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::runbooks {

/// Which server a plan is for. Compared byte for byte before the first step.
struct TargetFingerprint {
    std::string target;            // configured name
    std::string system_identifier; // pg_control_system()
    std::string database;
    int timeline = 0; // pg_control_checkpoint()
    bool in_recovery = false;
    int server_major = 0;
    friend bool operator==(const TargetFingerprint&, const TargetFingerprint&) = default;
};

/// A value bound to $n; never spliced into text.
struct BoundParameter {
    std::string name;
    std::string
        type; // PostgreSQL type name it is cast to in the statement: int4, timestamptz, text
    std::string value;
    friend bool operator==(const BoundParameter&, const BoundParameter&) = default;
};

/// One SQL statement with its parameters, $1 being parameters[0].
struct BoundStatement {
    std::string sql;
    std::vector<BoundParameter> parameters;
    friend bool operator==(const BoundStatement&, const BoundStatement&) = default;
};

/// A read that returns one value, and what it must be.
enum class Comparison { equals, at_least, at_most };
const char* name(Comparison value);
std::optional<Comparison> comparison_from_name(std::string_view text);

struct Check {
    std::string id;
    std::string about; // one sentence for the approver
    BoundStatement statement;
    Comparison comparison = Comparison::equals;
    std::string expected; // integers for at_least / at_most
};

/// How a crash in the middle of a step is resolved (reference: exactly-once classes).
enum class StepClass {
    transactional, // effect and ledger row commit together
    readback,      // the probe tells whether it happened
};
const char* name(StepClass value);
std::optional<StepClass> step_class_from_name(std::string_view text);

struct Inverse {
    bool exists = false;
    std::optional<BoundStatement> statement; // when it exists
    std::string absence_reason;              // when it does not: honest, for the approver
    bool bounded = false;                    // no inverse, but the effect ends with one session
};

struct Step {
    std::string id;
    std::string about;
    StepClass step_class = StepClass::transactional;
    BoundStatement statement;
    std::string expected_lock; // "none on relations", "ShareUpdateExclusive on app.orders"
    long long lock_timeout_ms = 0;
    long long statement_timeout_ms = 0;
    /// Rows the statement must return or change, exactly. None means that nothing was done; a
    /// statement that returns one boolean column must say true in it as well.
    long long rows_expected = 1;
    std::optional<Check> probe; // readback: true when the effect has happened
    Inverse inverse;
};

struct Verification {
    std::vector<Check> recovery;   // all must hold for the whole hold window
    std::vector<Check> guardrails; // none may fail at any sample: harm
    long long interval_ms = 1000;
    long long hold_ms = 10'000;
    long long deadline_ms = 60'000;
};

enum class Reversibility { none_needed, exact, compensating, bounded, irreversible };
enum class Assurance { chat, web_session, ssh_key, hardware_key };
const char* name(Reversibility value);
const char* name(Assurance value);
std::optional<Reversibility> reversibility_from_name(std::string_view text);
base::Result<Assurance> assurance_from_name(std::string_view text);

struct Requirement {
    int approvals = 1;
    Assurance assurance = Assurance::ssh_key;
};

struct Plan {
    int schema_version = 1;
    std::string runbook;
    int runbook_version = 1;
    std::string runbook_digest; // of the contract's bytes
    TargetFingerprint target;
    std::string lease_key; // "system_identifier/database"
    std::vector<Check> preconditions;
    std::vector<Step> steps;
    Verification verification;
    Reversibility reversibility = Reversibility::irreversible;
    std::string risk; // "low" | "medium" | "high"
    Requirement needs;
    std::string policy_digest;
    std::string policy_verdict; // "require_approval"
    long long pending_lifetime_s = 0;
    long long approval_lifetime_s = 0;
    int attempt = 1; // a plan that ended is proposed again under the next number
};

/// Canonical bytes (sorted keys, no white space, ASCII with \u escapes).
std::string plan_bytes(const Plan& plan);
/// Strict: unknown or missing members, or bytes that do not render back to themselves: `changed`
/// or invalid_input.
base::Result<Plan> parse_plan(std::string_view bytes);
/// SHA256(PAE("application/vnd.interlock.plan.v1+json", bytes)).
base::Digest plan_digest(std::string_view bytes);

/// What a person reads beside the bytes; not executed, not in the plan digest, but has a digest of
/// its own that a decision also signs. All of it is plain text and untrusted.
struct Presentation {
    std::string title;
    std::string hypothesis;                // the agent's words
    std::vector<std::string> evidence;     // ids
    std::vector<std::string> blast_radius; // one sentence each, made by the planner
    std::string incident;                  // "" = none
};
std::string presentation_bytes(const Presentation& presentation);
/// As strict as parse_plan, and within check_presentation.
base::Result<Presentation> parse_presentation(std::string_view bytes);
/// limit_exceeded when a part is longer than base/limits.hpp allows: a person must be able to read
/// it. Ask before a presentation is stored.
base::Status check_presentation(const Presentation& presentation);

/// The exact script, for a person: every statement with its parameters, locks, time-outs, checks,
/// inverse or its absence. Made from the plan bytes alone; non-ASCII shown as \u{hex}.
std::string render_plan(const Plan& plan, const std::string& digest_hex);

} // namespace interlock::runbooks
