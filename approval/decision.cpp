#include "approval/decision.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::approval {

namespace {

constexpr long long schema_version = 1;
constexpr std::string_view identifier_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
// No '*', '?', '!' or ',' (patterns and lists in allowed_signers), no white space or controls.
constexpr std::string_view principal_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@.+";

bool made_of(
    std::string_view text, std::string_view characters, std::size_t low, std::size_t high
) {
    return text.size() >= low && text.size() <= high &&
           text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_digest(std::string_view text) {
    return base::digest_from_hex(text).ok();
}

/// "size:root" as Queue::log_position gives it.
bool is_log_position(std::string_view text) {
    const auto colon = text.find(':');
    return colon != std::string_view::npos && made_of(text.substr(0, colon), "0123456789", 1, 18) &&
           is_digest(text.substr(colon + 1));
}

base::Error malformed(std::string problem) {
    return base::Error{
        base::Errc::invalid_input,
        "The decision is not a statement of ours: " + std::move(problem) + ".",
        "Make it with `interlock plans approve`, `reject` or `revoke`."};
}

std::optional<DecisionVerdict> verdict_from_name(std::string_view text) {
    for (const auto verdict :
         {DecisionVerdict::approve, DecisionVerdict::reject, DecisionVerdict::revoke})
        if (text == name(verdict))
            return verdict;
    return std::nullopt;
}

/// The first problem of a statement's content, or "".
std::string problem_of(const DecisionStatement& statement) {
    if (!made_of(statement.plan_id, identifier_characters, 1, 64))
        return "plan_id is not an identifier";
    if (!is_digest(statement.plan_digest))
        return "plan_digest is not 64 hexadecimal digits";
    if (!is_digest(statement.presentation_digest))
        return "presentation_digest is not 64 hexadecimal digits";
    if (!made_of(statement.approver, principal_characters, 1, 128) || statement.approver[0] == '-')
        return "the approver's name has characters that a principal may not have";
    if (!made_of(statement.nonce, identifier_characters, 16, 64))
        return "the nonce is not 16 to 64 letters and digits";
    if (!base::parse_time(statement.decided_at).ok())
        return "decided_at is not a time";
    if (!is_log_position(statement.log_checkpoint))
        return "log_checkpoint is not size:root";
    if (!base::is_utf8(statement.reason) ||
        base::count_characters(statement.reason) > base::limits::decision_reason_chars_max)
        return "the reason is longer than " +
               std::to_string(base::limits::decision_reason_chars_max) + " characters";
    if (statement.verdict != DecisionVerdict::approve && base::trim(statement.reason).empty())
        return std::string("to ") + name(statement.verdict) + " needs a reason";
    return {};
}

/// "os:alice" and "Alice" are the same subject.
std::string plain_subject(std::string_view subject) {
    std::string plain = base::lower_ascii(base::trim(subject));
    return plain.starts_with("os:") ? plain.substr(3) : plain;
}

} // namespace

const char* name(DecisionVerdict verdict) {
    switch (verdict) {
    case DecisionVerdict::approve:
        return "approve";
    case DecisionVerdict::reject:
        return "reject";
    case DecisionVerdict::revoke:
        return "revoke";
    }
    return "?";
}

std::string decision_bytes(const DecisionStatement& statement) {
    const base::Json document{
        {"approver", statement.approver},
        {"decided_at", statement.decided_at},
        {"log_checkpoint", statement.log_checkpoint},
        {"nonce", statement.nonce},
        {"plan_digest", statement.plan_digest},
        {"plan_id", statement.plan_id},
        {"presentation_digest", statement.presentation_digest},
        {"reason", statement.reason},
        {"schema_version", schema_version},
        {"verdict", name(statement.verdict)},
    };
    return document.dump(-1, ' ', true, base::Json::error_handler_t::replace);
}

base::Result<DecisionStatement> parse_decision(std::string_view bytes) {
    const auto parsed = base::parse_json(bytes, base::limits::decision_bytes_max, 2);
    if (!parsed.ok())
        return malformed(parsed.error().what);
    const base::Json& document = parsed.value();
    const auto text = [&](std::string_view key) {
        return base::string_member(document, key).value_or("");
    };
    const auto verdict = verdict_from_name(text("verdict"));
    if (!verdict)
        return malformed("its verdict is none of approve, reject, revoke");
    if (base::integer_member(document, "schema_version") != schema_version)
        return malformed("its schema_version is not 1");
    DecisionStatement statement{
        .plan_id = text("plan_id"),
        .plan_digest = text("plan_digest"),
        .presentation_digest = text("presentation_digest"),
        .verdict = *verdict,
        .approver = text("approver"),
        .reason = text("reason"),
        .nonce = text("nonce"),
        .decided_at = text("decided_at"),
        .log_checkpoint = text("log_checkpoint"),
    };
    if (const std::string problem = problem_of(statement); !problem.empty())
        return malformed(problem);
    // Also refuses unknown and missing members, and any other spelling of the same content.
    if (decision_bytes(statement) != bytes)
        return malformed("its bytes are not in canonical form");
    return statement;
}

std::string presentation_digest(std::string_view presentation) {
    return base::hex(base::sha256(presentation));
}

std::string person(const ApproverKeys& keys, std::string_view subject) {
    // Groups that share a subject are one person, so names are gathered until none is added. Each
    // round adds at least one of finitely many.
    std::set<std::string> names{plain_subject(subject)};
    for (std::size_t before = 0; before != names.size();) {
        before = names.size();
        for (const auto& group : keys.people) {
            const bool ours = std::any_of(group.begin(), group.end(), [&](const std::string& each) {
                return names.contains(plain_subject(each));
            });
            if (ours)
                for (const auto& each : group)
                    names.insert(plain_subject(each));
        }
    }
    return *names.begin();
}

bool same_person(const ApproverKeys& keys, std::string_view left, std::string_view right) {
    return person(keys, left) == person(keys, right);
}

runbooks::Requirement required_approvals(const runbooks::Plan& plan) {
    runbooks::Requirement needs = plan.needs;
    needs.approvals = std::max(needs.approvals, 1);
    if (plan.reversibility == runbooks::Reversibility::irreversible) {
        needs.approvals = std::max(needs.approvals, 2);
        needs.assurance = std::max(needs.assurance, runbooks::Assurance::ssh_key);
    }
    return needs;
}

base::Duration approval_lifetime(const runbooks::Plan& plan) {
    const base::Duration limit = required_approvals(plan).assurance < runbooks::Assurance::ssh_key
                                     ? base::limits::approval_lifetime_chat
                                     : base::limits::approval_lifetime_strong;
    if (plan.approval_lifetime_s <= 0)
        return limit;
    return std::min<base::Duration>(std::chrono::seconds(plan.approval_lifetime_s), limit);
}

base::Result<base::Time> decided_at(const DecisionStatement& statement, base::Time now) {
    INTERLOCK_TRY(const base::Time at, base::parse_time(statement.decided_at));
    if (at <= now + decision_skew_max)
        return at;
    return base::Error{
        base::Errc::refused,
        "The decision by " + statement.approver + " is dated " + statement.decided_at +
            " by the approver's clock, and the clock here says " + base::format_time(now) + ".",
        "Set both clocks right (they may differ by " + std::to_string(decision_skew_max.count()) +
            " minutes), then decide again."};
}

} // namespace interlock::approval
