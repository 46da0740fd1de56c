#include "tools/diagnosis/facts.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/pause.hpp"
#include "telemetry/redaction.hpp"
#include "tools/lane.hpp"
#include "tools/targets.hpp"

#include <functional>
#include <stop_token>
#include <thread>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;
namespace limits = base::limits;

/// Stops the work when the caller gives up or the budget is used up, whichever comes first.
class Budget {
public:
    Budget(std::stop_token caller, std::chrono::milliseconds length)
        : forward_{std::move(caller), [this] { source_.request_stop(); }},
          timer_{[this, length](const std::stop_token& ended) {
              if (base::pause(ended, length)) {
                  source_.request_stop();
              }
          }} {}
    std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::stop_callback<std::function<void()>> forward_;
    std::jthread timer_; // last: it ends first
};

base::Result<LaneRead>
look(Context& context, const Call& call, const std::string& target, const std::stop_token& stop) {
    const Call bounded{
        .identity = call.identity,
        .arguments = call.arguments,
        .stop = stop,
        .span = call.span,
        .id = call.id,
        .cost = call.cost};
    const LaneRequest request{
        .target = target,
        .tool = "diagnose",
        .lane = Lane::triage,
        .statement_timeout = limits::diagnose_budget / 2};
    return read_lane(context, bounded, request, lock_queries());
}

NotExamined budget_gap(const char* what) {
    return {
        .what = what,
        .why = "timeout: the sweep's budget of " + std::to_string(limits::diagnose_budget.count()) +
               " ms was used up",
        .would_tell = "whether the waits stand"};
}

Json session_value(const LockSession& session) {
    const auto number = [](const std::optional<double>& value) {
        return value ? Json(*value) : Json(nullptr);
    };
    return {
        {"pid", session.pid},
        {"database", telemetry::redact(session.database)},
        {"user", telemetry::redact(session.user)},
        {"application_name", telemetry::redact(session.application_name)},
        {"client", session.client},
        {"backend_type", session.backend_type},
        {"state", session.state},
        {"wait_event", session.wait_event},
        {"backend_start", session.backend_start},
        {"xact_start", session.xact_start},
        {"query_start", session.query_start},
        {"xact_seconds", number(session.xact_seconds)},
        {"query_seconds", number(session.query_seconds)},
        {"state_seconds", number(session.state_seconds)},
        {"visible", session.visible},
        {"untracked", session.untracked},
        {"superuser", session.superuser},
        {"query", session.query}};
}

Json wait_value(const LockWait& wait) {
    Json blockers = Json::array();
    for (const LockNode& node : wait.blockers) {
        blockers.push_back(
            node.pid != 0 ? Json{{"pid", node.pid}} : Json{{"gid", telemetry::redact(node.gid)}}
        );
    }
    Json out{
        {"waiter", wait.waiter},
        {"blockers", std::move(blockers)},
        {"lock_type", wait.lock_type},
        {"mode", wait.mode},
        {"relation", telemetry::redact(wait.relation)}};
    out["wait_seconds"] = wait.wait_seconds ? Json(*wait.wait_seconds) : Json(nullptr);
    return out;
}

Json look_value(const LockFacts& facts) {
    Json waits = Json::array();
    for (const LockWait& wait : facts.waits) {
        waits.push_back(wait_value(wait));
    }
    Json sessions = Json::array();
    for (const auto& [pid, session] : facts.sessions) {
        sessions.push_back(session_value(session));
    }
    Json prepared = Json::array();
    for (const PreparedTransaction& one : facts.prepared) {
        prepared.push_back(
            {{"gid", telemetry::redact(one.gid)},
             {"owner", telemetry::redact(one.owner)},
             {"database", telemetry::redact(one.database)},
             {"prepared", one.prepared},
             {"age_seconds", one.age_seconds}}
        );
    }
    return {
        {"clients", facts.clients},
        {"sees_all_sessions", facts.sees_all_sessions},
        {"complete", facts.complete},
        {"waits", std::move(waits)},
        {"sessions", std::move(sessions)},
        {"prepared", std::move(prepared)}};
}

} // namespace

base::Result<Facts> sweep(Context& context, const Call& call, const std::string& target) {
    const Budget budget{call.stop, limits::diagnose_budget};
    const base::Ticks began = context.clock.ticks();
    call.tell(0, sweep_steps, "looking at locks and sessions");
    auto first = look(context, call, target, budget.token());
    Facts facts;
    if (!first) {
        const bool over =
            first.error().code == base::Errc::cancelled && !call.stop.stop_requested();
        if (!over) {
            return std::move(first).error();
        }
        facts.source.target = target;
        facts.source.at = base::format_time(context.clock.now());
        facts.first.gaps.push_back(budget_gap("lock waits"));
        return facts;
    }
    facts.first = decode_lock_facts(first->results);
    facts.source = first->source;
    if (facts.first.waits.empty()) {
        return facts;
    }
    const base::Ticks looked = context.clock.ticks();
    if (looked - began + looks_apart >= limits::diagnose_budget) {
        facts.first.gaps.push_back(budget_gap("a second look at the locks"));
        return facts;
    }
    call.tell(1, sweep_steps, "sessions wait for locks; looking again in a moment");
    context.clock.sleep_for(looks_apart);
    const auto second = look(context, call, target, budget.token());
    if (call.stop.stop_requested()) {
        return base::Error{base::Errc::cancelled, "The caller gave up.", ""};
    }
    if (!second) {
        facts.first.gaps.push_back(
            failed_check("a second look at the locks", second.error(), "whether the waits stand")
        );
        return facts;
    }
    facts.second = decode_lock_facts(second->results);
    facts.source = second->source;
    facts.apart_seconds = std::chrono::duration<double>(context.clock.ticks() - looked).count();
    return facts;
}

std::string facts_json(const Facts& facts) {
    Json looks = Json::array({look_value(facts.first)});
    if (facts.second) {
        looks.push_back(look_value(*facts.second));
    }
    return base::render_json({{"apart_seconds", facts.apart_seconds}, {"looks", std::move(looks)}});
}

} // namespace interlock::tools
