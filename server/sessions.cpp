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

Sessions::Sessions(base::Clock& clock, base::Random& random, telemetry::Metrics* metrics)
    : clock_(clock), random_(random), metrics_(metrics) {
    show_open();
}

void Sessions::on_end(std::function<void(const std::string&)> listener) {
    const std::lock_guard lock(mutex_);
    on_end_ = std::move(listener);
}

SessionPointer Sessions::open(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    make_room(subject);
    auto session = std::make_shared<LegacySession>(base::new_id(random_, "mcp"));
    const std::string& id = session->id();
    Ids& own = ids_of_[subject];
    const base::Ticks now = clock_.ticks();
    entries_[id] =
        Entry{session, subject, now, now, ids_.insert(ids_.end(), id), own.insert(own.end(), id)};
    show_open();
    return session;
}

SessionPointer Sessions::find(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id, subject);
    if (found == entries_.end()) {
        return nullptr;
    }
    Entry& entry = found->second;
    entry.used = clock_.ticks();
    ids_.splice(ids_.end(), ids_, entry.place);
    Ids& own = ids_of_[subject];
    own.splice(own.end(), own, entry.own_place);
    return entry.session;
}

bool Sessions::end(const std::string& id, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id, subject);
    if (found == entries_.end()) {
        return false;
    }
    remove(found, "deleted");
    return true;
}

std::vector<SessionPointer> Sessions::all() {
    std::vector<SessionPointer> open;
    const std::lock_guard lock(mutex_);
    const auto now = clock_.ticks();
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (idled_out(entry->second, now)) {
            remove(entry, "idle");
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
        remove(entries_.begin(), "shutdown");
    }
}

bool Sessions::idled_out(const Entry& entry, base::Ticks now) {
    return now - entry.used > limits::session_idle_max && !entry.session->streams().carried();
}

/// Calls may still hold the session, so its streams are closed here and now.
void Sessions::remove(Entries::iterator entry, const char* ended) {
    entry->second.session->streams().close();
    if (metrics_ != nullptr) {
        const std::chrono::duration<double> lasted = clock_.ticks() - entry->second.opened;
        metrics_->observe(telemetry::Histogram::session_seconds, {ended}, lasted.count());
    }
    // Pushed out by others, its client is still there and waits for the answers of its calls.
    if (on_end_ && std::string_view(ended) != "pushed_out") {
        on_end_(entry->first);
    }
    ids_.erase(entry->second.place);
    const auto own = ids_of_.find(entry->second.subject);
    own->second.erase(entry->second.own_place);
    if (own->second.empty()) {
        ids_of_.erase(own);
    }
    entries_.erase(entry);
    show_open();
}

void Sessions::show_open() {
    if (metrics_ != nullptr) {
        metrics_->set(telemetry::Gauge::sessions, {}, static_cast<double>(entries_.size()));
    }
}

/// The session of this id, unless it is another subject's or idled too long.
Sessions::Entries::iterator Sessions::locate(const std::string& id, const std::string& subject) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.subject != subject) {
        return entries_.end();
    }
    if (idled_out(found->second, clock_.ticks())) {
        remove(found, "idle");
        return entries_.end();
    }
    return found;
}

/// For one more of this subject.
void Sessions::make_room(const std::string& subject) {
    const auto own = ids_of_.find(subject);
    const std::size_t count = own != ids_of_.end() ? own->second.size() : 0;
    if (count >= limits::sessions_per_subject_max || entries_.size() >= limits::sessions_max) {
        remove(entries_.find(count > 0 ? own->second.front() : ids_.front()), "pushed_out");
    }
}

} // namespace interlock::server
