// Legacy sessions: what `initialize` agreed on, by an unguessable id bound to the subject that
// opened it. Bounded in number and in idle time (a session with an open stream is not idle); an id
// that is gone is unknown, so that clients start again.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "server/client.hpp"
#include "server/event_streams.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace interlock::server {

/// One session, shared by the calls that run in it. On stdio the transport holds one; its version
/// is "" before `initialize`. Thread-safe.
class LegacySession {
public:
    explicit LegacySession(std::string id = {}) : id_(std::move(id)) {}
    /// HTTP: the session's id; stdio: "".
    const std::string& id() const { return id_; }

    void agree(std::string version, Client client);
    std::string version() const; // negotiated; "" = not yet
    Client client() const;

    void set_log_level(LogSeverity level);
    std::optional<LogSeverity> log_level() const;

    /// False past limits::session_subscriptions_max.
    bool subscribe(const std::string& uri);
    void unsubscribe(const std::string& uri);
    bool subscribed(const std::string& uri) const;
    std::set<std::string> subscriptions() const {
        const std::lock_guard lock(mutex_);
        return subscriptions_;
    }

    EventStreams& streams() { return streams_; }

private:
    const std::string id_;
    mutable std::mutex mutex_;
    std::string version_;
    Client client_;
    std::optional<LogSeverity> log_level_;
    std::set<std::string> subscriptions_;
    EventStreams streams_;
};

using SessionPointer = std::shared_ptr<LegacySession>;

/// Who owns sessions, states and tasks: issuer and subject, so that equal subjects of two issuers
/// stay apart.
std::string session_owner(const telemetry::Identity& identity);

/// Thread-safe. A session that leaves here has its streams closed. `subject` is a session_owner.
class Sessions {
public:
    /// `metrics`: told how many are open, how long each lasted and how it ended.
    Sessions(base::Clock& clock, base::Random& random, telemetry::Metrics* metrics = nullptr);
    /// Told the id of every session that leaves, but for those pushed out by newer ones, whose
    /// clients still wait for answers. Under our lock: must not come back here.
    void on_end(std::function<void(const std::string&)> listener);
    /// A new one. Past limits::sessions_per_subject_max, and past limits::sessions_max, the longest
    /// idle session of the same subject makes room; of any subject only when it has none.
    SessionPointer open(const std::string& subject);
    /// nullptr when unknown, ended, idle too long, or another subject's.
    SessionPointer find(const std::string& id, const std::string& subject);
    bool end(const std::string& id, const std::string& subject);
    /// Those that are open now: for news and keep-alive. Lets go of those that idled too long.
    std::vector<SessionPointer> all();
    /// Ends every session: the program ends.
    void close();

private:
    using Ids = std::list<std::string>; // the longest idle in front
    struct Entry {
        SessionPointer session;
        std::string subject;
        base::Ticks opened;
        base::Ticks used;
        Ids::iterator place;     // in ids_
        Ids::iterator own_place; // in ids_of_[subject]
    };
    using Entries = std::map<std::string, Entry>;
    static bool idled_out(const Entry& entry, base::Ticks now);
    /// `ended`: "deleted" by its client, "idle", "pushed_out" by newer ones, "shutdown".
    void remove(Entries::iterator entry, const char* ended);
    void show_open();
    void make_room(const std::string& subject);
    Entries::iterator locate(const std::string& id, const std::string& subject);

    base::Clock& clock_;
    base::Random& random_;
    telemetry::Metrics* const metrics_;
    std::mutex mutex_;
    Entries entries_;
    Ids ids_;
    std::map<std::string, Ids> ids_of_; // of each subject that has any
    std::function<void(const std::string&)> on_end_;
};

} // namespace interlock::server
