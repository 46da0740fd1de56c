#include "server/sessions.hpp"

#include "base/limits.hpp"

#include <algorithm>
#include <utility>

namespace interlock::server {

namespace limits = base::limits;

Sessions::Sessions(base::Clock& clock, base::Random& random) : clock_(clock), random_(random) {}

std::string Sessions::open(LegacySession session, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.ticks();
    if (entries_.size() >= limits::sessions_max) {
        make_room(now);
    }
    std::string id = base::new_id(random_, "mcp");
    entries_[id] = Entry{std::move(session), subject, now};
    return id;
}

std::optional<LegacySession> Sessions::find(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.subject != subject) {
        return std::nullopt;
    }
    const auto now = clock_.ticks();
    if (now - found->second.used > limits::session_idle_max) {
        entries_.erase(found);
        return std::nullopt;
    }
    found->second.used = now;
    return found->second.session;
}

bool Sessions::end(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.subject != subject) {
        return false;
    }
    entries_.erase(found);
    return true;
}

void Sessions::make_room(base::Ticks now) {
    std::erase_if(entries_, [&](const auto& entry) {
        return now - entry.second.used > limits::session_idle_max;
    });
    if (entries_.size() < limits::sessions_max) {
        return;
    }
    const auto idlest =
        std::min_element(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
            return left.second.used < right.second.used;
        });
    entries_.erase(idlest);
}

} // namespace interlock::server
