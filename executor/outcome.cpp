#include "executor/outcome.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"

#include <nlohmann/json.hpp>

namespace interlock::executor {

namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::string_view payload_type = "application/vnd.interlock.outcome.v1+json";

Json to_json(const std::vector<Reading>& readings) {
    Json list = Json::array();
    for (const auto& reading : readings) {
        Json entry = {{"check", reading.check}, {"finding", name(reading.finding)}};
        if (!reading.value.empty()) {
            entry["value"] = reading.value;
        }
        if (!reading.why.empty()) {
            entry["why"] = reading.why;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

void tell(Json& entry, const ActsAs& acts_as) {
    if (acts_as.backend_pid != 0) {
        entry["database_role"] = acts_as.database_role;
        entry["backend_pid"] = acts_as.backend_pid;
    }
}

Json to_json(const std::vector<StepReport>& steps) {
    Json list = Json::array();
    for (const auto& step : steps) {
        Json entry = {
            {"index", step.index},
            {"id", step.id},
            {"direction", step.direction},
            {"state", step.state},
            {"known_by", step.known_by},
            {"rows", step.rows},
            {"elapsed_ms", step.elapsed_ms},
        };
        if (!step.problem.empty()) {
            entry["problem"] = step.problem;
        }
        tell(entry, step.acts_as);
        list.push_back(std::move(entry));
    }
    return list;
}

/// The first and the last `half`.
Json to_json(const std::vector<Sample>& samples, std::size_t half) {
    Json list = Json::array();
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (i >= half && i + half < samples.size()) {
            continue;
        }
        list.push_back({
            {"at_ms", samples[i].at_ms},
            {"recovery", to_json(samples[i].recovery)},
            {"guardrails", to_json(samples[i].guardrails)},
        });
    }
    return list;
}

Json body(const Outcome& outcome, const base::SigningKey& key, std::size_t half) {
    return {
        {"schema_version", 1},
        {"plan_id", outcome.plan_id},
        {"plan_digest", outcome.plan_digest},
        {"executor", {{"name", outcome.executor}, {"public_key", base::base64(key.public_key)}}},
        {"fence", outcome.fence},
        {"state", outcome.state},
        {"verdict", outcome.verdict},
        {"reason", outcome.reason},
        {"started_at", outcome.started_at},
        {"finished_at", outcome.finished_at},
        {"resumed", outcome.resumed},
        {"approvers", outcome.approvers},
        {"baseline", to_json(outcome.baseline)},
        {"steps", to_json(outcome.steps)},
        {"verification",
         {{"samples_taken", outcome.samples.size()}, {"samples", to_json(outcome.samples, half)}}},
        {"after_rollback", to_json(outcome.after_rollback)},
        {"log_position", outcome.log_position},
    };
}

std::string signed_text(const Json& unsigned_body) {
    return base::pre_authentication_encoding(payload_type, base::render_json(unsigned_body));
}

Reading reading_from(const Json& entry) {
    Reading reading;
    reading.check = base::string_member(entry, "check").value_or("");
    reading.value = base::string_member(entry, "value").value_or("");
    reading.why = base::string_member(entry, "why").value_or("");
    const auto finding = base::string_member(entry, "finding").value_or("");
    for (const auto known : {Finding::holds, Finding::fails}) {
        if (finding == name(known)) {
            reading.finding = known;
        }
    }
    return reading;
}

} // namespace

std::string refusal_payload(const std::string& plan_id, const std::string& why) {
    return base::render_json({{"plan_id", plan_id}, {"reason", why}});
}

std::string step_detail(
    const std::string& problem, const std::vector<Reading>& baseline, const ActsAs& acts_as
) {
    Json detail = Json::object();
    if (!problem.empty()) {
        detail["problem"] = problem;
    }
    if (!baseline.empty()) {
        detail["baseline"] = to_json(baseline);
    }
    tell(detail, acts_as);
    return base::render_json(detail);
}

std::vector<Reading> baseline_of(std::string_view detail) {
    std::vector<Reading> readings;
    const auto parsed = base::parse_json(detail);
    const Json* list = parsed.ok() ? base::member(*parsed, "baseline") : nullptr;
    if (list != nullptr && list->is_array()) {
        for (const auto& entry : *list) {
            readings.push_back(reading_from(entry));
        }
    }
    return readings;
}

std::string sign_outcome(const Outcome& outcome, const base::SigningKey& key) {
    for (std::size_t half = base::limits::verification_samples_kept / 2;; half /= 2) {
        Json document = body(outcome, key, half);
        document["signature"] = base::base64(base::sign(key, signed_text(document)));
        auto text = base::render_json(document);
        if (text.size() <= base::limits::outcome_bytes_max || half == 0) {
            return text;
        }
    }
}

base::Status verify_outcome(std::string_view document, std::string_view public_key32) {
    INTERLOCK_TRY(auto parsed, base::parse_json(document));
    const auto signature = base::string_member(parsed, "signature");
    if (!signature) {
        return Error{
            Errc::invalid_signature,
            "The outcome carries no signature.",
            "Do not rely on it; look at the audit log and at the target's ledger."};
    }
    INTERLOCK_TRY(const auto bytes, base::from_base64(*signature));
    parsed.erase("signature");
    if (!base::verify_signature(public_key32, signed_text(parsed), bytes)) {
        return Error{
            Errc::invalid_signature,
            "The outcome was changed, or was not signed by this executor.",
            "Do not rely on it; look at the audit log and at the target's ledger."};
    }
    return base::done;
}

} // namespace interlock::executor
