#include "server/plan_watcher.hpp"

#include "base/pause.hpp"
#include "server/resource_address.hpp"

#include <utility>

namespace interlock::server {
namespace {

void watch(const std::stop_token& ended, const PlanWatcherParts& parts) {
    while (base::pause(ended, parts.interval)) {
        look_at_plans(parts);
    }
}

} // namespace

void PlanMarks::note(const std::string& uri, PlanMark mark) {
    const std::lock_guard lock(mutex_);
    entries_.try_emplace(uri, Entry{mark, true}).first->second.beginning = true;
}

bool PlanMarks::moved(const std::string& uri, PlanMark mark) {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = entries_.try_emplace(uri, Entry{mark, false});
    const bool differs = !is_new && entry->second.mark != mark;
    entry->second.mark = mark;
    return differs;
}

void PlanMarks::keep(const std::set<std::string>& watched) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& entry) {
        return !entry.second.beginning && !watched.contains(entry.first);
    });
    for (auto& [uri, entry] : entries_) {
        entry.beginning = false;
    }
}

std::size_t PlanMarks::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

void look_at_plans(const PlanWatcherParts& parts) {
    const std::set<std::string> watched = parts.watched();
    parts.marks.keep(watched);
    for (const std::string& uri : watched) {
        const auto address = parse_address(uri);
        if (!address || address->kind != ResourceKind::plan) {
            continue;
        }
        const auto plan = parts.queue.get(address->id);
        // What could not be read is looked at again next time; who reads the plan is told why not.
        if (plan && parts.marks.moved(uri, {plan->version, plan->state})) {
            parts.updated(uri);
        }
    }
}

PlanWatcher::PlanWatcher(PlanWatcherParts parts)
    : parts_(std::move(parts)),
      thread_([this](const std::stop_token& ended) { watch(ended, parts_); }) {}

} // namespace interlock::server
