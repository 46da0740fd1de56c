// diagnose: one bounded sweep, facts into causes, causes into an ordered answer. No model.
#include "base/ids.hpp"
#include "tools/catalog.hpp"
#include "tools/diagnosis/diagnosis.hpp"
#include "tools/diagnosis/facts.hpp"
#include "tools/diagnosis/locks.hpp"
#include "tools/drift.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/run.hpp"
#include "tools/targets.hpp"

#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "diagnose";

Verdict verdict_of(LockState state) {
    switch (state) {
    case LockState::incident:
        return Verdict::incident;
    case LockState::degraded:
        return Verdict::degraded;
    case LockState::quiet:
        return Verdict::healthy;
    case LockState::unexplained:
    case LockState::unseen:
        break;
    }
    return Verdict::insufficient_evidence;
}

Diagnosis conclude(const Facts& facts, std::string id) {
    LockJudgement locks = judge_locks(facts);
    Diagnosis diagnosis;
    diagnosis.id = std::move(id);
    diagnosis.target = facts.source.target;
    diagnosis.source = facts.source;
    diagnosis.window_seconds = facts.apart_seconds;
    diagnosis.verdict = verdict_of(locks.state);
    diagnosis.summary = locks.summary;
    if (diagnosis.verdict == Verdict::healthy) {
        diagnosis.summary += " Only locks were examined.";
    }
    diagnosis.causes = std::move(locks.causes);
    for (Cause& cause : diagnosis.causes) {
        cause.evidence = {diagnosis.id}; // the sweep is kept under the diagnosis's own id
    }
    diagnosis.not_examined = std::move(locks.not_examined);
    for (NotExamined& gap : unexamined_families()) {
        diagnosis.not_examined.push_back(std::move(gap));
    }
    return diagnosis;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    INTERLOCK_TRY(const Facts facts, sweep(context, call, target));
    call.tell(2, sweep_steps, "weighing causes");
    Diagnosis diagnosis = conclude(facts, base::new_id(context.random, "ev"));
    for (NotExamined& gap : std::exchange(diagnosis.source.gaps, {})) {
        diagnosis.not_examined.push_back(std::move(gap));
    }
    for (const Finding& change : std::exchange(diagnosis.source.findings, {})) {
        if (!change.threshold.empty()) { // a standby beyond its freshness_max
            diagnosis.not_examined.push_back(
                {"what happened lately on the primary of " + change.object,
                 change.value + ", beyond " + change.threshold,
                 change.meaning}
            );
            continue;
        }
        diagnosis.not_examined.push_back(
            {"what " + change.object + " did before its servers changed roles",
             change.meaning,
             "waits and rates from before"}
        );
    }
    if (context.drift != nullptr) {
        for (NotExamined& gap :
             context.drift->gaps(tool_name, target, call.identity.database_role)) {
            diagnosis.not_examined.push_back(std::move(gap));
        }
    }
    const std::string seen = facts_json(facts);
    RenderedDiagnosis rendered = render_diagnosis(diagnosis, seen);
    Evidence record;
    record.id = diagnosis.id;
    record.tool = tool_name;
    record.source = diagnosis.source;
    const std::string problem = keep_whole(context, call, record, rendered.whole, rendered.output);
    if (!problem.empty()) {
        diagnosis.not_examined.push_back(
            {"the sweep later",
             "it could not be stored: " + problem,
             "what the diagnosis rests on, and evidence to cite in a plan"}
        );
        rendered = render_diagnosis(diagnosis, seen);
    }
    call.span.set("interlock.diagnosis.verdict", std::string{name(diagnosis.verdict)});
    call.span.set("interlock.diagnosis.causes", static_cast<std::int64_t>(diagnosis.causes.size()));
    call.tell(sweep_steps, sweep_steps, "diagnosis ready");
    return std::move(rendered.output);
}

} // namespace

Tool diagnose() {
    return {
        .name = tool_name,
        .title = "Diagnose",
        .summary = "Examines a target in one short sweep and names causes with evidence, what "
                   "speaks against them, runbooks, and what was not examined.",
        .domain = "triage",
        // A sweep of a busy server may wait for a connection first; a client that knows tasks need
        // not hold its request open for that long. Nothing is lost when it never asks again.
        .may_become_task = true,
        .inputs = {target_input()},
        .output_schema = diagnosis_schema,
        .run = run,
        .statements = lock_statements(),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
