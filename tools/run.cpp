#include "tools/run.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "telemetry/redaction.hpp"
#include "tools/drift.hpp"
#include "tools/evidence_store.hpp"
#include "tools/render.hpp"
#include "tools/schema.hpp"
#include "tools/shown_arguments.hpp"
#include "tools/targets.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::uint64_t sampled_one_in = 64;

/// See AnswerChecks. Counts this answer.
bool is_checked(const Context& context, const Tool& tool) {
    const std::uint64_t before = tool.answers->fetch_add(1, std::memory_order_relaxed);
    return context.checks == AnswerChecks::all || before % sampled_one_in == 0;
}

/// Text of an error as a span may hold it: it can quote a database.
std::string shown(const base::Error& error) {
    return telemetry::safe_text(error.what);
}

base::Result<Arguments>
validate(Context& context, const Tool& tool, const base::Json& arguments, telemetry::Span& span) {
    const auto began = context.clock.ticks();
    std::size_t misfits = 0;
    auto accepted = validate_arguments(tool, arguments, &misfits);
    if (span.recording()) {
        span.set("mcp.schema_validation_errors", static_cast<std::int64_t>(misfits));
        span.set(
            "interlock.arguments.masked", shown_arguments(tool, arguments, context.targets.names())
        );
        auto step = context.tracer.past(
            "validate_arguments",
            telemetry::SpanKind::internal,
            span.context(),
            began,
            context.clock.ticks()
        );
        if (!accepted) {
            step.set("error.type", base::name(accepted.error().code));
        }
    }
    return accepted;
}

base::Result<Output> run_checked(
    Context& context,
    const Tool& tool,
    const base::Json& arguments,
    const CallRequest& request,
    telemetry::Span& span
) {
    auto accepted = validate(context, tool, arguments, span);
    if (!accepted) {
        context.metrics.count(telemetry::Counter::schema_errors, {std::string{tool.name}});
        return std::move(accepted).error();
    }
    if (request.stop.stop_requested()) {
        return base::Error{base::Errc::cancelled, "The caller gave up before the tool ran.", ""};
    }
    const Call call{
        .identity = request.identity,
        .arguments = *accepted,
        .stop = request.stop,
        .span = span,
        .id = request.id,
        .progress = request.progress,
        .cost = request.cost};
    const auto began = context.clock.ticks();
    auto answer = tool.run(context, call);
    const std::chrono::duration<double> took = context.clock.ticks() - began;
    context.metrics.observe(
        telemetry::Histogram::execution_seconds, {std::string{tool.name}}, took.count()
    );
    INTERLOCK_TRY(Output output, std::move(answer));
    if (!is_checked(context, tool)) {
        return output;
    }
    if (const auto conforms = check_result(tool.output_schema, output.structured); !conforms) {
        base::log_error(
            "tool.schema_violation",
            {{"tool", std::string{tool.name}}, {"what", conforms.error().what}}
        );
        return conforms.error();
    }
    return output;
}

/// Libraries may throw; nothing of that passes this fence.
base::Result<Output> run_fenced(
    Context& context,
    const Tool& tool,
    const base::Json& arguments,
    const CallRequest& request,
    telemetry::Span& span
) {
    try {
        return run_checked(context, tool, arguments, request, span);
    } catch (const std::exception& problem) {
        base::log_error(
            "tool.exception", {{"tool", std::string{tool.name}}, {"what", problem.what()}}
        );
        return base::Error{
            base::Errc::internal,
            "The tool failed through a defect of Interlock.",
            "Report it with the server's log of this moment."};
    }
}

/// Ids are of one length.
void rename(std::string& text, const std::string& before, const std::string& after) {
    for (auto at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
        text.replace(at, before.size(), after);
        at += after.size();
    }
}

struct Ended {
    Output output;
    std::string outcome = "ok"; // or the stable code of what went wrong
    std::string problem = {};
};

Ended end(base::Result<Output> result) {
    if (!result) {
        return {
            error_output(result.error()), base::name(result.error().code), shown(result.error())};
    }
    Ended ended{std::move(result).value()};
    if (ended.output.is_error) {
        ended.outcome = ended.output.error_code.empty() ? "tool_error" : ended.output.error_code;
    }
    return ended;
}

} // namespace

Output run_tool(
    Context& context, const Tool& tool, const base::Json& arguments, const CallRequest& request
) {
    const std::string tool_name{tool.name};
    std::optional<telemetry::Span> own;
    if (request.span == nullptr) {
        own.emplace(
            context.tracer.start("tool " + tool_name, telemetry::SpanKind::internal, std::nullopt)
        );
        own->set("gen_ai.tool.name", tool_name);
        own->set("interlock.call.id", request.id);
    }
    telemetry::Span& span = own ? *own : *request.span;
    Ended ended = end(run_fenced(context, tool, arguments, request, span));
    span.set("interlock.tool.outcome", ended.outcome);
    if (own && ended.output.is_error) {
        own->fail(ended.outcome, ended.problem);
    }
    context.metrics.count(telemetry::Counter::tool_calls, {tool_name, ended.outcome});
    context.metrics.observe(
        telemetry::Histogram::payload_bytes,
        {tool_name, "out"},
        static_cast<double>(ended.output.structured.size() + ended.output.text.size())
    );
    return std::move(ended.output);
}

std::string keep_whole(
    Context& context, const Call& call, Evidence& evidence, std::string& whole, Output& output
) {
    StoredEvidence record{
        .id = evidence.id,
        .subject = call.identity.subject,
        .tool = evidence.tool,
        .target = evidence.source.target,
        .created = base::format_time(context.clock.now()),
        .body = std::move(whole)};
    record.id = evidence_id(record);
    for (std::string* text : {&record.body, &output.structured, &output.text}) {
        rename(*text, evidence.id, record.id);
    }
    evidence.id = record.id;
    const auto kept = context.evidence.put(record);
    if (kept && call.cost != nullptr) {
        call.cost->evidence_id = record.id;
        call.cost->evidence_digest = base::hex(base::sha256(record.body));
    }
    whole = std::move(record.body);
    if (kept) {
        return {};
    }
    base::log_warning("evidence.not_kept", {{"why", base::to_text(kept.error())}});
    return base::to_text(kept.error());
}

Output publish(Context& context, const Call& call, Evidence evidence) {
    const auto began = context.clock.ticks();
    evidence.id = base::new_id(context.random, "ev"); // until keep_whole()
    if (evidence.source.at.empty()) {
        evidence.source.at = base::format_time(context.clock.now());
    }
    for (NotExamined& gap : std::exchange(evidence.source.gaps, {})) {
        evidence.not_examined.push_back(std::move(gap));
    }
    for (Finding& finding : std::exchange(evidence.source.findings, {})) {
        evidence.findings.push_back(std::move(finding));
    }
    if (context.drift != nullptr) {
        for (NotExamined& gap : context.drift->gaps(
                 evidence.tool, evidence.source.target, call.identity.database_role
             )) {
            evidence.not_examined.push_back(std::move(gap));
        }
    }
    redact_evidence(evidence);
    Rendered rendered = render_evidence(evidence);
    const std::string problem =
        keep_whole(context, call, evidence, rendered.whole, rendered.output);
    if (!problem.empty()) {
        evidence.not_examined.push_back(
            {"the whole result later",
             "it could not be stored: " + problem,
             "what was cut from this answer, and evidence to cite in a plan"}
        );
        rendered = render_evidence(evidence);
    }
    const std::size_t shown = rendered.output.structured.size();
    if (rendered.whole.size() > shown) {
        context.metrics.count(
            telemetry::Counter::cut_bytes,
            {evidence.tool},
            static_cast<double>(rendered.whole.size() - shown)
        );
    }
    if (call.span.recording()) {
        call.span.set("mcp.payload_bytes_uncut", static_cast<std::int64_t>(rendered.whole.size()));
        (void)context.tracer.past(
            "render_result",
            telemetry::SpanKind::internal,
            call.span.context(),
            began,
            context.clock.ticks()
        );
    }
    return std::move(rendered.output);
}

} // namespace interlock::tools
