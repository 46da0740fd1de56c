#include "approval/desk/plan_source.hpp"

#include "base/limits.hpp"

namespace interlock::desk {

PlanSource::PlanSource(
    db::StorePlace queue, LogWatch& watch, base::Clock& clock, base::Random& random
)
    : queue_(std::move(queue)), watch_(watch), clock_(clock), random_(random) {}

/// Told apart from a plan that is not found: this is the desk's trouble, not the reader's.
base::Result<std::unique_ptr<db::Store>> PlanSource::open() const {
    auto store = db::open_store(queue_, db::StoreMode::read_only, clock_);
    if (!store.ok() && store.error().code == base::Errc::not_found)
        return base::Error{
            base::Errc::io,
            "There is no queue at " + queue_.describe() + " yet.",
            "Start interlock-server with the same state directory."};
    if (store.ok())
        INTERLOCK_CHECK(watch_.check(**store));
    return store;
}

base::Result<std::vector<approval::StoredPlan>> PlanSource::list() const {
    INTERLOCK_TRY(const auto store, open());
    return approval::Queue(*store, random_)
        .list(
            {.states = {},
             .requester = {},
             .count_max = base::limits::desk_plans_shown_max,
             .order = approval::PlanOrder::waiting_first}
        );
}

base::Result<std::size_t> PlanSource::count() const {
    INTERLOCK_TRY(const auto store, open());
    return approval::Queue(*store, random_).count();
}

base::Result<approval::StoredPlan> PlanSource::get(const std::string& plan_id) const {
    INTERLOCK_TRY(const auto store, open());
    return approval::Queue(*store, random_).get(plan_id);
}

base::Result<std::vector<BrakeView>> PlanSource::brakes() const {
    INTERLOCK_TRY(const auto store, open());
    return brakes_from(*store, 0, base::limits::brakes_max);
}

} // namespace interlock::desk
