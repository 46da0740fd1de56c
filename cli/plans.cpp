#include "cli/plans.hpp"

#include "approval/decision.hpp"
#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/people.hpp"
#include "cli/plan_outcome.hpp"
#include "runbooks/plan.hpp"
#include "runbooks/planner.hpp"
#include "telemetry/kept_checkpoints.hpp"
#include "telemetry/redaction.hpp"
#include "telemetry/span_file.hpp"

#include <cstdio>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace interlock::cli {

using approval::DecisionVerdict;
using approval::PlanState;
using approval::StoredPlan;
using base::Errc;
using base::Error;
using base::Json;
using base::Result;

namespace {

/// The queue of a state directory, open for as long as the command runs.
struct OpenQueue {
    std::unique_ptr<base::SystemClock> clock = std::make_unique<base::SystemClock>();
    std::unique_ptr<base::SystemRandom> random = std::make_unique<base::SystemRandom>();
    std::unique_ptr<db::Store> store;
    std::unique_ptr<approval::Queue> queue;
};

Result<OpenQueue> open_queue(const std::string& state_directory, db::StoreMode mode) {
    OpenQueue open;
    const base::StateDirectory state{state_directory};
    INTERLOCK_TRY(open.store, db::open_store(state, mode, *open.clock));
    open.queue = std::make_unique<approval::Queue>(*open.store, *open.random);
    return open;
}

/// Anything that stands in the queue, for a terminal: whoever can insert a plan must not be able to
/// move the cursor of whoever decides on it.
std::string shown(std::string_view stored) {
    return base::escape_non_ascii(base::sanitize(stored));
}

std::string short_digest(const std::string& digest) {
    return digest.substr(0, 16);
}

Json plan_summary(const StoredPlan& stored) {
    Json summary = {
        {"plan_id", stored.id},
        {"state", approval::name(stored.state)},
        {"digest", stored.digest},
        {"requester", stored.requester},
        {"created_at", stored.created_at},
        {"expires_at", stored.expires_at},
        {"reason", stored.state_reason},
    };
    if (auto plan = runbooks::parse_plan(stored.bytes); plan.ok()) {
        summary["runbook"] = plan->runbook;
        summary["target"] = plan->target.target;
        summary["risk"] = plan->risk;
    }
    if (auto said = runbooks::parse_presentation(stored.presentation); said.ok()) {
        summary["title"] = said->title;
    }
    return summary;
}

Json plan_details(const StoredPlan& stored, const std::vector<approval::StepRun>& steps) {
    Json details = plan_summary(stored);
    details["bytes"] = stored.bytes;
    details["presentation"] = stored.presentation;
    details["digest_of_bytes"] = base::hex(runbooks::plan_digest(stored.bytes));
    details["decisions"] = Json::array();
    for (const auto& decision : stored.decisions) {
        details["decisions"].push_back({
            {"approver", decision.statement.approver},
            {"verdict", approval::name(decision.statement.verdict)},
            {"assurance", decision.assurance},
            {"reason", decision.statement.reason},
            {"recorded_at", decision.recorded_at},
        });
    }
    details["steps"] = steps_document(steps);
    if (auto outcome = base::parse_json(stored.outcome); outcome.ok()) {
        details["outcome"] = outcome.value();
    }
    return details;
}

/// The exact bytes first; what the agent wrote stands apart, labelled, as plain text.
std::string
plan_for_reader(const StoredPlan& stored, const std::vector<approval::StepRun>& steps = {}) {
    std::string text;
    const std::string digest = base::hex(runbooks::plan_digest(stored.bytes));
    auto plan = runbooks::parse_plan(stored.bytes);
    if (digest != stored.digest || !plan.ok()) {
        text += coloured(
                    Colour::red, "WARNING: the stored bytes are not the bytes that were submitted."
                ) +
                "\nDo not approve. Submitted digest: " + shown(stored.digest) + "\n\n";
    }
    text += plan.ok() ? runbooks::render_plan(plan.value(), digest)
                      : base::escape_non_ascii(stored.bytes) + "\n";
    text += "\nState       " + std::string(approval::name(stored.state));
    if (!stored.state_reason.empty()) {
        text += "  (" + shown(stored.state_reason) + ")";
    }
    text += "\nRequester   " + shown(stored.requester) + "\nCreated     " +
            shown(stored.created_at) + "\nExpires     " + shown(stored.expires_at) + "\n";
    for (const auto& decision : stored.decisions) {
        text += "Decision    " + std::string(approval::name(decision.statement.verdict)) + " by " +
                shown(decision.statement.approver) + " (" + shown(decision.assurance) + ", " +
                shown(decision.recorded_at) + ")";
        if (!decision.statement.reason.empty()) {
            text += ": " + shown(decision.statement.reason);
        }
        text += "\n";
    }
    text += outcome_text(stored, steps);
    if (auto said = runbooks::parse_presentation(stored.presentation); said.ok()) {
        text += "\n--- Written by the agent, not executed, not verified ---\n";
        text += "Title: " + shown(said->title) + "\n";
        text += "Hypothesis: " + shown(said->hypothesis) + "\n";
        for (const auto& id : said->evidence) {
            text += "Evidence: " + shown(id) + "\n";
        }
        text += "--- end of the agent's words ---\n";
    }
    if (plan.ok()) { // from the plan itself, not from what was stored beside it
        for (const auto& sentence : runbooks::blast_radius(*plan)) {
            text += "Blast radius: " + shown(sentence) + "\n";
        }
    }
    return text;
}

/// Only at a terminal: a person must type the first digits of the digest they read. Without one
/// neither the plan nor its digest is told: whoever runs this must have read them elsewhere.
Result<bool>
confirmed(const PlansOptions& options, const StoredPlan& stored, DecisionVerdict verdict) {
    if (options.yes) {
        return true;
    }
    if (::isatty(STDIN_FILENO) != 1) {
        return Error{
            Errc::invalid_arguments,
            "Nobody is at the terminal to confirm the decision.",
            "Run it in a terminal, or read the plan (`interlock plans show`) and pass --yes "
            "together with --digest and the digest that you read."};
    }
    note(plan_for_reader(stored)); // stderr: stdout is for the result
    note(
        "To " + std::string(approval::name(verdict)) +
        " this plan, type the first 8 characters of its digest (" +
        "shown above), or anything else to leave it:"
    );
    char line[128] = {};
    if (std::fgets(line, sizeof line, stdin) == nullptr) {
        return false;
    }
    std::string typed{base::trim(line)};
    std::erase(typed, '-'); // as it is shown in groups
    return typed == stored.digest.substr(0, 8);
}

/// Who the key belongs to, when the person did not say.
Result<std::string> principal_of(const PlansOptions& options) {
    if (!options.principal.empty()) {
        return options.principal;
    }
    const std::string user = base::current_user();
    if (user.empty()) {
        return Error{
            Errc::invalid_arguments, "It is not clear who decides.", "Pass --as PRINCIPAL."};
    }
    return user;
}

/// Where this program's spans go. Nothing about spans keeps a person from deciding.
std::unique_ptr<telemetry::SpanSink>
open_spans(const std::string& state_directory, OpenQueue& open) {
    auto settings = telemetry::read_otlp_settings(telemetry::process_environment(), "interlock");
    if (!settings.ok()) {
        note("Spans stay in the local file. " + base::to_text(settings.error()));
        settings = telemetry::OtlpSettings{};
        settings->resource = telemetry::make_resource("interlock");
    }
    return telemetry::make_span_sink(
        base::StateDirectory{state_directory}.spans(),
        "interlock",
        std::move(settings).value(),
        *open.clock,
        *open.random,
        nullptr
    );
}

/// Records a decision, as a span of the trace in which the plan was proposed.
template <class Decide>
Result<PlanState> record(
    const PlansOptions& options,
    OpenQueue& open,
    const StoredPlan& stored,
    const approval::DecisionStatement& statement,
    const Decide& decide
) {
    const auto spans = open_spans(options.state_directory, open);
    telemetry::Tracer tracer(*spans, *open.clock, *open.random);
    auto span = tracer.start(
        "decide_plan",
        telemetry::SpanKind::internal,
        telemetry::parse_traceparent(stored.trace_parent)
    );
    span.set("plan.id", stored.id);
    span.set("plan.digest", statement.plan_digest);
    span.set("approval.id", statement.nonce);
    span.set("approval.verdict", approval::name(statement.verdict));
    span.set("approval.approver", base::sanitize(statement.approver));
    std::uint64_t leaf = 0;
    auto state = decide(&leaf);
    if (!state.ok()) {
        span.fail(base::name(state.error().code), telemetry::safe_text(state.error().what));
        return state;
    }
    span.set("plan.state", approval::name(*state));
    span.set("audit.leaf_index", static_cast<std::int64_t>(leaf));
    return state;
}

Result<Json> decide(const PlansOptions& options, DecisionVerdict verdict) {
    if (verdict != DecisionVerdict::approve && options.reason.empty()) {
        return Error{
            Errc::invalid_arguments,
            "A plan is not " + std::string(approval::name(verdict)) + "ed without a reason.",
            "Pass --reason 'why', in one sentence."};
    }
    INTERLOCK_TRY(auto open, open_queue(options.state_directory, db::StoreMode::existing));
    if (verdict == DecisionVerdict::approve) { // to say no is always possible
        INTERLOCK_CHECK(telemetry::log_continues(
            *open.store, base::StateDirectory{options.state_directory}.checkpoints()
        ));
    }
    INTERLOCK_TRY(const StoredPlan stored, open.queue->get(options.plan_id));
    const std::string digest = base::hex(runbooks::plan_digest(stored.bytes));
    if (digest != stored.digest || (!options.digest.empty() && options.digest != digest)) {
        return Error{
            Errc::changed,
            "The bytes of plan " + stored.id + " have digest " + short_digest(digest) +
                "..., not the one that was " + (options.digest.empty() ? "submitted." : "given."),
            "Do not approve it; read the plan again and tell whoever runs the queue."};
    }
    if (options.yes && options.digest.empty() && verdict == DecisionVerdict::approve) {
        return Error{
            Errc::invalid_arguments,
            "--yes approves only what is named exactly.",
            "Add --digest with the digest that you read."};
    }
    INTERLOCK_TRY(const bool sure, confirmed(options, stored, verdict));
    if (!sure) {
        return Error{Errc::cancelled, "Nothing was decided.", ""};
    }
    INTERLOCK_TRY(const std::string principal, principal_of(options));
    INTERLOCK_TRY(const std::string position, open.queue->log_position());
    const approval::DecisionStatement statement{
        .plan_id = stored.id,
        .plan_digest = digest,
        .presentation_digest = base::hex(base::sha256(stored.presentation)),
        .verdict = verdict,
        .approver = principal,
        .reason = options.reason,
        .nonce = base::new_id(*open.random, "nonce"),
        .decided_at = base::format_time(open.clock->now()),
        .log_checkpoint = position,
    };
    INTERLOCK_TRY(
        const auto keys,
        read_approver_keys(options.allowed_signers, options.revoked_keys, options.people)
    );
    INTERLOCK_TRY(const auto signed_decision, approval::sign_decision(statement, options.key));
    INTERLOCK_TRY(const PlanState state, record(options, open, stored, statement, [&](auto* leaf) {
                      return open.queue->decide(signed_decision, keys, leaf);
                  }));
    return Json{
        {"plan_id", stored.id},
        {"digest", digest},
        {"verdict", approval::name(verdict)},
        {"approver", principal},
        {"state", approval::name(state)},
    };
}

Exit decide_and_report(const PlansOptions& options, DecisionVerdict verdict) {
    auto decided = decide(options, verdict);
    if (!decided) {
        return report(decided.error(), options.json);
    }
    if (options.json) {
        print_json(decided.value());
    } else {
        print_line(
            "Recorded: " + std::string(approval::name(verdict)) + " of " + options.plan_id +
            " by " + (*decided)["approver"].get<std::string>() + ". The plan is now " +
            (*decided)["state"].get<std::string>() + "."
        );
    }
    return Exit::ok;
}

Result<approval::PlanFilter> filter_of(const PlansOptions& options) {
    approval::PlanFilter filter;
    if (!options.state.empty()) {
        const auto state = approval::state_from_name(options.state);
        if (!state) {
            std::string known;
            for (const PlanState each : approval::all_states()) {
                known += std::string(known.empty() ? "" : ", ") + approval::name(each);
            }
            return Error{
                Errc::invalid_arguments,
                "There is no state " + options.state + ".",
                "States: " + known + "."};
        }
        filter.states = {*state};
    } else if (!options.all) {
        for (const PlanState each : approval::all_states()) {
            if (approval::is_open(each) || approval::is_running(each) ||
                each == PlanState::needs_human) {
                filter.states.push_back(each);
            }
        }
    }
    return filter;
}

Result<std::vector<StoredPlan>> read_plans(const PlansOptions& options) {
    INTERLOCK_TRY(const auto filter, filter_of(options));
    INTERLOCK_TRY(auto open, open_queue(options.state_directory, db::StoreMode::read_only));
    return open.queue->list(filter);
}

} // namespace

Exit list_plans(const PlansOptions& options) {
    const auto plans = read_plans(options);
    if (!plans) {
        return report(plans.error(), options.json);
    }
    if (options.json) {
        Json document = {{"plans", Json::array()}};
        for (const StoredPlan& stored : *plans) {
            document["plans"].push_back(plan_summary(stored));
        }
        print_json(document);
        return Exit::ok;
    }
    if (plans->empty()) {
        print_line(
            options.all ? "No plan was ever submitted."
                        : "No plan waits or runs (--all shows those that ended)."
        );
        return Exit::ok;
    }
    for (const StoredPlan& stored : *plans) {
        const Json summary = plan_summary(stored);
        print_line(
            shown(stored.id) + "  " + approval::name(stored.state) + "  " +
            shown(summary.value("runbook", "?")) + " on " + shown(summary.value("target", "?")) +
            "  " + shown(short_digest(stored.digest)) + "  by " + shown(stored.requester) +
            "  expires " + shown(stored.expires_at)
        );
    }
    return Exit::ok;
}

Exit show_plan(const PlansOptions& options) {
    auto open = open_queue(options.state_directory, db::StoreMode::read_only);
    if (!open) {
        return report(open.error(), options.json);
    }
    const auto stored = open->queue->get(options.plan_id);
    if (!stored) {
        return report(stored.error(), options.json);
    }
    const auto steps = open->queue->steps(options.plan_id);
    if (!steps) {
        return report(steps.error(), options.json);
    }
    if (options.json) {
        print_json(plan_details(stored.value(), steps.value()));
    } else {
        print(plan_for_reader(stored.value(), steps.value()));
    }
    return Exit::ok;
}

Exit approve_plan(const PlansOptions& options) {
    return decide_and_report(options, DecisionVerdict::approve);
}

Exit reject_plan(const PlansOptions& options) {
    return decide_and_report(options, DecisionVerdict::reject);
}

Exit revoke_plan(const PlansOptions& options) {
    return decide_and_report(options, DecisionVerdict::revoke);
}

} // namespace interlock::cli
