// Reads plans for the desk. Opens the queue for reading only, once for every question: nothing is
// kept open, nothing can be written, and a queue that is not there yet is told, not fatal. Nothing
// is shown of a queue whose audit log does not continue what the desk saw of it before.
#pragma once

#include "approval/desk/brake_view.hpp"
#include "approval/desk/log_watch.hpp"
#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace interlock::desk {

class PlanSource {
public:
    PlanSource(db::StorePlace queue, LogWatch& watch, base::Clock& clock, base::Random& random);
    /// What waits for people first; as many as one page shows.
    base::Result<std::vector<approval::StoredPlan>> list() const;
    /// All plans of the queue.
    base::Result<std::size_t> count() const;
    base::Result<approval::StoredPlan> get(const std::string& plan_id) const;
    /// What is stopped.
    base::Result<std::vector<BrakeView>> brakes() const;

private:
    base::Result<std::unique_ptr<db::Store>> open() const;
    db::StorePlace queue_;
    LogWatch& watch_;
    base::Clock& clock_;
    base::Random& random_;
};

} // namespace interlock::desk
