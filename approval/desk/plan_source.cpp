#include "approval/desk/plan_source.hpp"

#include "base/db/store.hpp"
#include "base/limits.hpp"

namespace interlock::desk {

namespace {

/// Told apart from a plan that is not found: this is the desk's trouble, not the reader's.
base::Result<std::unique_ptr<db::Store>> open(const std::string& path, base::Clock& clock) {
    auto store = db::open_sqlite_store(path, db::StoreMode::read_only, clock);
    if (!store.ok() && store.error().code == base::Errc::not_found)
        return base::Error{
            base::Errc::io,
            "There is no queue at " + path + " yet.",
            "Start interlock-server with the same state directory."};
    return store;
}

} // namespace

PlanSource::PlanSource(std::string queue_path, base::Clock& clock, base::Random& random)
    : queue_path_(std::move(queue_path)), clock_(clock), random_(random) {}

base::Result<std::vector<approval::StoredPlan>> PlanSource::list() const {
    INTERLOCK_TRY(const auto store, open(queue_path_, clock_));
    return approval::Queue(*store, random_)
        .list(
            {.states = {},
             .requester = {},
             .count_max = base::limits::desk_plans_shown_max,
             .order = approval::PlanOrder::waiting_first}
        );
}

base::Result<std::size_t> PlanSource::count() const {
    INTERLOCK_TRY(const auto store, open(queue_path_, clock_));
    return approval::Queue(*store, random_).count();
}

base::Result<approval::StoredPlan> PlanSource::get(const std::string& plan_id) const {
    INTERLOCK_TRY(const auto store, open(queue_path_, clock_));
    return approval::Queue(*store, random_).get(plan_id);
}

} // namespace interlock::desk
