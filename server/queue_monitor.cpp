#include "server/queue_monitor.hpp"

#include "base/log.hpp"
#include "base/pause.hpp"

namespace interlock::server {
namespace {

using telemetry::Gauge;
using telemetry::Histogram;

void watch(const std::stop_token& ended, approval::Queue& queue, telemetry::Metrics& metrics) {
    std::string since;
    bool failing = false;
    do {
        const auto looked = look_at_queue(queue, metrics, since);
        if (!looked && !failing) {
            base::log_warning("queue.not_counted", {{"why", base::to_text(looked.error())}});
        }
        failing = !looked;
    } while (base::pause(ended, base::limits::queue_look_interval));
}

} // namespace

base::Status
look_at_queue(approval::Queue& queue, telemetry::Metrics& metrics, std::string& since) {
    INTERLOCK_TRY(const auto summary, queue.summary(since));
    // States without plans are told as 0, so that a rule on them sees them end.
    for (const approval::PlanState state : approval::all_states()) {
        metrics.set(Gauge::plans, {approval::name(state)}, 0);
        metrics.set(Gauge::plan_oldest_seconds, {approval::name(state)}, 0);
    }
    for (const auto& [state, plans, oldest] : summary.states) {
        metrics.set(Gauge::plans, {approval::name(state)}, static_cast<double>(plans));
        metrics.set(Gauge::plan_oldest_seconds, {approval::name(state)}, oldest);
    }
    for (const auto& [verdict, seconds] : summary.decisions) {
        metrics.observe(Histogram::decision_seconds, {verdict}, seconds);
    }
    for (const auto& [state, seconds] : summary.executions) {
        metrics.observe(Histogram::plan_execution_seconds, {state}, seconds);
    }
    metrics.set(Gauge::audit_size, {}, static_cast<double>(summary.audit_leaves));
    since = summary.until;
    return base::done;
}

QueueMonitor::QueueMonitor(approval::Queue& queue, telemetry::Metrics& metrics)
    : thread_([&queue, &metrics](const std::stop_token& ended) { watch(ended, queue, metrics); }) {}

} // namespace interlock::server
