#include "server/planning_tools.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/plan.hpp"
#include "runbooks/planner.hpp"
#include "runbooks/policy.hpp"
#include "server/plan_view.hpp"
#include "server/proposal.hpp"
#include "tools/catalog.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using tools::Call;
using tools::Context;
using tools::Output;

/// Structured content and its reader's text, cut to what a model is given.
Output make_output(std::string structured, std::string text) {
    Output output;
    output.structured = std::move(structured);
    if (base::count_characters(text) > base::limits::result_text_chars_max) {
        text = base::cut_middle(text, base::limits::result_text_chars_max) + "\n[...TRUNCATED]";
    }
    output.text = std::move(text);
    return output;
}

Output make_output(const Json& structured, std::string text) {
    return make_output(base::render_json(structured), std::move(text));
}

// list_runbooks

std::string list_runbooks_schema() {
    return tools::output_schema_of(
        R"({"runbooks":{"type":"array","items":{"type":"object"}}})", {"runbooks"}
    );
}

Json parameter_json(const runbooks::Parameter& parameter) {
    constexpr const char* type_names[] = {"integer", "timestamp", "choice"};
    Json json{
        {"name", parameter.name},
        {"type", type_names[static_cast<std::size_t>(parameter.type)]},
        {"about", parameter.about},
        {"required", parameter.required}};
    if (!parameter.choices.empty()) {
        json["choices"] = parameter.choices;
    }
    if (!parameter.example.empty()) {
        json["example"] = parameter.example;
    }
    return json;
}

Json runbook_json(const runbooks::Contract& contract) {
    Json parameters = Json::array();
    for (const auto& parameter : contract.parameters) {
        parameters.push_back(parameter_json(parameter));
    }
    Json observations = Json::array();
    for (const auto& observation : contract.required_observations) {
        observations.push_back({{"tool", observation.tool}, {"because", observation.because}});
    }
    return {
        {"id", contract.id},
        {"version", contract.version},
        {"title", contract.title},
        {"summary", contract.summary},
        {"causes", contract.trigger_causes},
        {"parameters", std::move(parameters)},
        {"required_observations", std::move(observations)},
        {"allowed_tools", contract.allowed_tools},
        {"reversibility", runbooks::name(contract.reversibility)},
        {"risk", contract.risk},
        {"needs", needs_json(contract.needs)}};
}

std::string runbook_line(const runbooks::Contract& contract) {
    std::string line = contract.id + " - " + contract.summary + "\n  for:";
    for (const std::string& cause : contract.trigger_causes) {
        line += " " + cause;
    }
    line += "\n  parameters:";
    for (const auto& parameter : contract.parameters) {
        line += " " + parameter.name + (parameter.required ? "" : "?");
    }
    line += "\n  cite evidence of:";
    for (const auto& observation : contract.required_observations) {
        line += " " + observation.tool;
    }
    return line + "\n";
}

Result<Output> list_runbooks(Context&, const Call& call) {
    const std::string cause = call.arguments.text("cause");
    Json listed = Json::array();
    std::string text;
    for (const auto& [id, contract] : runbooks::library()) {
        const auto& causes = contract.trigger_causes;
        if (cause.empty() || std::find(causes.begin(), causes.end(), cause) != causes.end()) {
            listed.push_back(runbook_json(contract));
            text += runbook_line(contract);
        }
    }
    const std::string count = std::to_string(listed.size());
    return make_output({{"runbooks", std::move(listed)}}, count + " runbooks.\n" + text);
}

// propose_plan

std::string propose_plan_schema() {
    return tools::output_schema_of(
        R"({"plan_id":{"type":"string"},"digest":{"type":"string"},"state":{"type":"string"},)"
        R"("risk":{"type":"string"},"needs":)" +
            std::string(needs_schema) +
            R"(,"blast_radius":{"type":"array","items":{"type":"string"}},)"
            R"("expires_at":{"type":"string"},"joined":{"type":"boolean"},)"
            R"("desk_url":{"type":"string"},"reasons":{"type":"array","items":{"type":"string"}}})",
        {"plan_id", "digest", "state", "risk", "needs", "blast_radius", "expires_at", "joined"}
    );
}

Output refused(const std::vector<std::string>& reasons) {
    std::string what = "The plan was refused: ";
    for (std::size_t i = 0; i < reasons.size(); ++i) {
        what += (i == 0 ? "" : "; ") + reasons[i];
    }
    Output output =
        tools::error_output({Errc::refused, what + ".", "Mend every reason, then propose again."});
    Json structured = Json::parse(output.structured);
    structured["reasons"] = reasons;
    output.structured = base::render_json(structured);
    return output;
}

Output proposed(
    const approval::SubmitResult& result,
    const approval::Submission& submission,
    const std::string& desk_url
) {
    const runbooks::Plan& plan = submission.plan;
    const std::string state = approval::name(result.state);
    Json structured{
        {"plan_id", result.id},
        {"digest", result.digest},
        {"state", state},
        {"risk", plan.risk},
        {"needs", needs_json(plan.needs)},
        {"blast_radius", submission.presentation.blast_radius},
        {"expires_at", result.expires_at},
        {"joined", result.joined}};
    std::string text = "Plan " + result.id + " is " + state +
                       (result.joined ? " (these effects were already proposed).\n" : ".\n") +
                       "digest: " + result.digest +
                       "\nneeds: " + std::to_string(plan.needs.approvals) + " approval(s) by " +
                       runbooks::name(plan.needs.assurance) + ", risk " + plan.risk +
                       "\nexpires: " + result.expires_at + "\nblast radius:\n";
    for (const std::string& sentence : submission.presentation.blast_radius) {
        text += "- " + sentence + "\n";
    }
    if (const std::string url = plan_url(desk_url, result.id); !url.empty()) {
        structured["desk_url"] = url;
        text += "people decide at: " + url + "\n";
    }
    return make_output(structured, std::move(text));
}

Result<Output> propose_plan(const PlanningParts& parts, Context& context, const Call& call) {
    const tools::Arguments& given = call.arguments;
    const auto contract = runbooks::library().find(given.text("runbook"));
    if (contract == runbooks::library().end()) {
        return Error{
            Errc::not_found,
            "There is no runbook " + base::cut_middle(base::sanitize(given.text("runbook")), 64) +
                ".",
            "Take an id from list_runbooks."};
    }
    INTERLOCK_TRY(const std::string target, context.targets.resolve(given.text("target")));
    const ProposedWith with{given.text("cause"), target, given.texts("evidence")};
    if (const auto reasons = objections(context, call.identity, contract->second, with);
        !reasons.empty()) {
        return refused(reasons);
    }
    INTERLOCK_TRY(const auto fingerprint, read_fingerprint(context, call, target));
    auto plan = runbooks::make_plan(
        contract->second, {with.cause, given.object("parameters")}, fingerprint
    );
    const auto began = context.clock.ticks();
    const bool is_planned = plan.ok();
    auto admitted = is_planned ? runbooks::admit(std::move(plan).value(), contract->second)
                               : Result<runbooks::Plan>(plan.error());
    if (is_planned && call.span.recording()) {
        auto span = context.tracer.past(
            "evaluate_policy",
            telemetry::SpanKind::internal,
            call.span.context(),
            began,
            context.clock.ticks()
        );
        span.set("plan.runbook", contract->second.id);
        span.set(
            "plan.policy_verdict",
            admitted ? admitted->policy_verdict : base::name(admitted.error().code)
        );
    }
    if (!admitted && admitted.error().code == Errc::refused) {
        return refused({admitted.error().what});
    }
    if (!admitted) {
        return admitted.error();
    }
    approval::Submission submission;
    submission.plan = std::move(admitted).value();
    submission.presentation.title = contract->second.title;
    submission.presentation.hypothesis = given.text("hypothesis");
    submission.presentation.evidence = with.evidence;
    submission.presentation.blast_radius = runbooks::blast_radius(submission.plan);
    submission.presentation.incident = given.text("incident");
    submission.requester = call.identity;
    submission.trace_parent = telemetry::format_traceparent(call.span.context());
    submission.tool = "propose_plan";
    if (call.stop.stop_requested()) {
        return Error{
            Errc::cancelled, "The call was stopped before anything was proposed.", "Call again."};
    }
    INTERLOCK_TRY(const auto result, parts.queue.submit(submission));
    call.span.set("plan.id", result.id);
    call.span.set("plan.digest", result.digest);
    call.span.set("audit.leaf_index", static_cast<std::int64_t>(result.leaf));
    return proposed(result, submission, parts.desk_url);
}

// get_plan and withdraw_plan

Result<Output> get_plan(const PlanningParts& parts, Context&, const Call& call) {
    INTERLOCK_TRY(
        const auto stored,
        own_plan(parts.queue, call.arguments.text("plan_id"), call.identity.subject)
    );
    INTERLOCK_TRY(PlanView view, view_plan(stored, parts.desk_url));
    return make_output(std::move(view.structured), std::move(view.text));
}

std::string withdraw_plan_schema() {
    return tools::output_schema_of(
        R"({"plan_id":{"type":"string"},"state":{"type":"string"}})", {"plan_id", "state"}
    );
}

Result<Output> withdraw_plan(const PlanningParts& parts, Context&, const Call& call) {
    const std::string plan_id = call.arguments.text("plan_id");
    INTERLOCK_TRY(const auto stored, own_plan(parts.queue, plan_id, call.identity.subject));
    INTERLOCK_CHECK(parts.queue.withdraw(stored.id, call.identity, call.arguments.text("reason")));
    INTERLOCK_TRY(const auto after, parts.queue.get(stored.id));
    const std::string state = approval::name(after.state);
    return make_output(
        {{"plan_id", stored.id}, {"state", state}}, "Plan " + stored.id + " is " + state + ".\n"
    );
}

tools::Input plan_id_input() {
    return {
        .name = "plan_id",
        .required = true,
        .length_max = 64,
        .example = "plan_abcdefghijklmnopqrstuvwxyz"};
}

} // namespace

std::vector<tools::Tool> planning_tools(const PlanningParts& parts) {
    using tools::Input;
    using tools::InputType;
    const Input cause_filter{
        .name = "cause", .about = "Only runbooks for this cause id.", .length_max = 64};
    const std::vector<Input> proposal{
        {.name = "runbook",
         .required = true,
         .length_max = 64,
         .example = "release-blocking-session"},
        tools::target_input(),
        {.name = "cause",
         .required = true,
         .about = "Diagnosed cause id.",
         .length_max = 64,
         .example = "lock.idle_in_tx"},
        {.name = "parameters",
         .type = InputType::object,
         .required = true,
         .about = "As diagnose suggested.",
         .example = R"({"pid":4242})"},
        {.name = "hypothesis",
         .required = true,
         .about = "Why, for the approver.",
         .length_max = 2000,
         .example = "backend 4242 sits idle in transaction and blocks 12 sessions"},
        {.name = "evidence",
         .type = InputType::text_list,
         .required = true,
         .about = "Evidence ids.",
         .min = 1,
         .max = 20,
         .length_max = 64,
         .example = R"(["ev_abcdefghijklmnopqrstuvwxyz"])"},
        {.name = "incident", .length_max = base::limits::incident_chars_max}};
    const Input reason{
        .name = "reason", .required = true, .length_max = 500, .example = "it resolved itself"};
    const auto bound = [&parts](auto function) {
        return [parts, function](Context& context, const Call& call) {
            return function(parts, context, call);
        };
    };
    return {
        {.name = "list_runbooks",
         .title = "List runbooks",
         .summary = "Runbook contracts: causes, parameters and the evidence each needs.",
         .domain = "planning",
         .inputs = {cause_filter},
         .output_schema = list_runbooks_schema,
         .run = list_runbooks},
        {.name = "propose_plan",
         .title = "Propose a plan",
         .summary = "Makes a plan from a runbook and puts it before people; changes no target.",
         .domain = "planning",
         .read_only = false,
         // A proposal puts a plan before people: its caller hears of it in this answer or not at
         // all. As a task it could be cancelled, or forgotten, after the plan was already made.
         .may_become_task = false,
         .inputs = proposal,
         .output_schema = propose_plan_schema,
         .run = bound(propose_plan)},
        {.name = "get_plan",
         .title = "Get a plan",
         .summary = "A plan of yours: state, decisions, exact script, outcome.",
         .domain = "planning",
         .waits = true, // people take their time
         .inputs = {plan_id_input()},
         .output_schema = plan_view_schema,
         .run = bound(get_plan)},
        {.name = "withdraw_plan",
         .title = "Withdraw a plan",
         .summary = "Takes back a plan of yours that has not begun.",
         .domain = "planning",
         .read_only = false,
         .on_demand = true, // incidents seldom end by themselves; get_plan comes first
         .inputs = {plan_id_input(), reason},
         .output_schema = withdraw_plan_schema,
         .run = bound(withdraw_plan)}};
}

} // namespace interlock::server
