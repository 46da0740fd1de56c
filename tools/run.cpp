#include "tools/run.hpp"

#include "base/log.hpp"
#include "tools/evidence_store.hpp"
#include "tools/render.hpp"
#include "tools/schema.hpp"

#include <exception>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::uint64_t sampled_one_in = 64;

/// See AnswerChecks. Counts this answer.
bool is_checked(const Context& context, const Tool& tool) {
    const std::uint64_t before = tool.answers->fetch_add(1, std::memory_order_relaxed);
    return context.checks == AnswerChecks::all || before % sampled_one_in == 0;
}

base::Result<Output> run_checked(
    Context& context,
    const Tool& tool,
    const base::Json& arguments,
    const CallRequest& request,
    telemetry::Span& span
) {
    auto accepted = validate_arguments(tool, arguments);
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
        .progress = request.progress};
    INTERLOCK_TRY(Output output, tool.run(context, call));
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

} // namespace

Output run_tool(
    Context& context, const Tool& tool, const base::Json& arguments, const CallRequest& request
) {
    const std::string tool_name{tool.name};
    auto span =
        context.tracer.start("tool " + tool_name, telemetry::SpanKind::internal, request.parent);
    span.set("gen_ai.tool.name", tool_name);
    span.set("interlock.call.id", request.id);
    auto result = run_fenced(context, tool, arguments, request, span);
    std::string outcome = "ok";
    Output output;
    if (!result) {
        outcome = base::name(result.error().code);
        span.fail(outcome, result.error().what);
        output = error_output(result.error());
    } else {
        output = std::move(result).value();
        if (output.is_error) {
            outcome = output.error_code.empty() ? "tool_error" : output.error_code;
            span.fail(outcome, "");
        }
    }
    span.set("interlock.result.bytes", static_cast<std::int64_t>(output.structured.size()));
    span.end();
    context.metrics.count(telemetry::Counter::tool_calls, {tool_name, outcome});
    context.metrics.observe(
        telemetry::Histogram::payload_bytes,
        {tool_name, "out"},
        static_cast<double>(output.structured.size() + output.text.size())
    );
    return output;
}

std::string
keep_whole(Context& context, const Call& call, const Evidence& evidence, const std::string& whole) {
    const auto kept = context.evidence.put(
        {.id = evidence.id,
         .subject = call.identity.subject,
         .tool = evidence.tool,
         .target = evidence.source.target,
         .created = base::format_time(context.clock.now()),
         .body = whole}
    );
    if (kept) {
        return {};
    }
    base::log_warning("evidence.not_kept", {{"why", base::to_text(kept.error())}});
    return base::to_text(kept.error());
}

Output publish(Context& context, const Call& call, Evidence evidence) {
    evidence.id = base::new_id(context.random, "ev");
    if (evidence.source.at.empty()) {
        evidence.source.at = base::format_time(context.clock.now());
    }
    Rendered rendered = render_evidence(evidence);
    const std::string problem = keep_whole(context, call, evidence, rendered.whole);
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
    return std::move(rendered.output);
}

} // namespace interlock::tools
