// The queue in numbers: one thread looks at it every limits::queue_look_interval and sets the
// metrics of plans, decisions and executions. People and the executor write to the shared queue, so
// that looking is the only way to count what they do; who runs several servers sees the same events
// in each of them.
#pragma once

#include "approval/queue.hpp"
#include "base/limits.hpp"
#include "telemetry/metrics.hpp"

#include <string>
#include <thread>

namespace interlock::server {

/// One look; `since` moves on to what the store's clock said then. The first look (`since` empty)
/// counts no past decisions and executions.
base::Status look_at_queue(approval::Queue& queue, telemetry::Metrics& metrics, std::string& since);

/// Looks from construction to destruction. A look that fails is logged and made again at its time.
class QueueMonitor {
public:
    QueueMonitor(approval::Queue& queue, telemetry::Metrics& metrics);

private:
    std::jthread thread_;
};

} // namespace interlock::server
