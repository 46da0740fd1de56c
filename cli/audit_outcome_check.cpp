#include "cli/audit_outcome_check.hpp"

#include "base/digest.hpp"
#include "telemetry/checkpoint.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// What the executor signs an outcome as.
constexpr const char* outcome_type = "application/vnd.interlock.outcome.v1+json";
constexpr const char* executor_name = "interlock-executor";

} // namespace

OutcomeSignature
check_outcome_signature(base::Json outcome, const std::vector<std::string>& known, bool given) {
    const auto signature = base::string_member(outcome, "signature");
    const auto* executor = base::member(outcome, "executor");
    const auto own =
        executor != nullptr ? base::string_member(*executor, "public_key") : std::nullopt;
    if (!signature || !own)
        return {};
    const auto signature_bytes = base::from_base64(*signature);
    const auto key = base::from_base64(*own);
    if (!signature_bytes || !key)
        return {};
    outcome.erase("signature");
    if (!base::verify_signature(
            *key,
            base::pre_authentication_encoding(outcome_type, base::render_json(outcome)),
            *signature_bytes
        ))
        return {};
    const bool theirs = std::any_of(known.begin(), known.end(), [&](const std::string& text) {
        const auto parsed = telemetry::parse_verifier_key(text);
        return parsed && parsed->public_key == *key;
    });
    OutcomeSignature found;
    found.key = telemetry::verifier_key(executor_name, *key);
    found.vouched = !theirs ? Vouched::nobody : given ? Vouched::by_reader : Vouched::by_bundle;
    // Of several executors, checkpoints may name but some; who gives keys gives all.
    found.holds = theirs || !given;
    return found;
}

} // namespace interlock::cli
