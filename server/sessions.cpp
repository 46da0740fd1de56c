#include "server/sessions.hpp"

#include "base/limits.hpp"

#include <iterator>
#include <utility>

namespace interlock::server {

namespace limits = base::limits;

void LegacySession::agree(std::string version, Client client) {
    const std::lock_guard lock(mutex_);
    version_ = std::move(version);
    client_ = std::move(client);
}

std::string LegacySession::version() const {
    const std::lock_guard lock(mutex_);
    return version_;
}

Client LegacySession::client() const {
    const std::lock_guard lock(mutex_);
    return client_;
}

void LegacySession::set_log_level(LogSeverity level) {
    const std::lock_guard lock(mutex_);
    log_level_ = level;
}

std::optional<LogSeverity> LegacySession::log_level() const {
    const std::lock_guard lock(mutex_);
    return log_level_;
}

bool LegacySession::subscribe(const std::string& uri) {
    const std::lock_guard lock(mutex_);
    if (subscriptions_.size() >= limits::session_subscriptions_max) {
        return subscriptions_.contains(uri);
    }
    subscriptions_.insert(uri);
    return true;
}

void LegacySession::unsubscribe(const std::string& uri) {
    const std::lock_guard lock(mutex_);
    subscriptions_.erase(uri);
}

bool LegacySession::subscribed(const std::string& uri) const {
    const std::lock_guard lock(mutex_);
    return subscriptions_.contains(uri);
}

std::string session_owner(const telemetry::Identity& identity) {
    return identity.issuer + '\n' + identity.subject;
}

Sessions::Sessions(base::Clock& clock, base::Random& random) : clock_(clock), random_(random) {}

SessionPointer Sessions::open(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    make_room(subject);
    auto session = std::make_shared<LegacySession>(base::new_id(random_, "mcp"));
    entries_[session->id()] = Entry{session, subject, clock_.ticks()};
    return session;
}

SessionPointer Sessions::find(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id, subject);
    if (found == entries_.end()) {
        return nullptr;
    }
    found->second.used = clock_.ticks();
    return found->second.session;
}

bool Sessions::end(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id, subject);
    if (found == entries_.end()) {
        return false;
    }
    remove(found);
    return true;
}

std::vector<SessionPointer> Sessions::all() {
    std::vector<SessionPointer> open;
    const std::lock_guard lock(mutex_);
    const auto now = clock_.ticks();
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (idled_out(entry->second, now)) {
            remove(entry);
        } else {
            open.push_back(entry->second.session);
        }
        entry = next;
    }
    return open;
}

void Sessions::close() {
    const std::lock_guard lock(mutex_);
    while (!entries_.empty()) {
        remove(entries_.begin());
    }
}

bool Sessions::idled_out(const Entry& entry, base::Ticks now) {
    return now - entry.used > limits::session_idle_max && !entry.session->streams().carried();
}

/// Calls may still hold the session, so its streams are closed here and now.
void Sessions::remove(Entries::iterator entry) {
    entry->second.session->streams().close();
    entries_.erase(entry);
}

/// The session of this id, unless it is another subject's or idled too long.
Sessions::Entries::iterator Sessions::locate(const std::string& id, const std::string& subject) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.subject != subject) {
        return entries_.end();
    }
    if (idled_out(found->second, clock_.ticks())) {
        remove(found);
        return entries_.end();
    }
    return found;
}

/// For one more of this subject.
void Sessions::make_room(const std::string& subject) {
    if (entries_.size() < limits::sessions_per_subject_max) {
        return;
    }
    std::size_t own = 0;
    auto idlest_own = entries_.end();
    auto idlest = entries_.begin();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
        if (entry->second.used < idlest->second.used) {
            idlest = entry;
        }
        if (entry->second.subject == subject) {
            ++own;
            const bool first = idlest_own == entries_.end();
            idlest_own = first || entry->second.used < idlest_own->second.used ? entry : idlest_own;
        }
    }
    if (own >= limits::sessions_per_subject_max || entries_.size() >= limits::sessions_max) {
        remove(own > 0 ? idlest_own : idlest);
    }
}

} // namespace interlock::server
