// Legacy sessions over HTTP: what `initialize` agreed on, by an unguessable id bound to the subject
// that opened it. Bounded in number and in idle time; an id that is gone is unknown, so that
// clients start again.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace interlock::server {

/// What `initialize` agreed on. On stdio the transport holds one; it is empty before `initialize`.
struct LegacySession {
    std::string version; // negotiated; "" = not yet
    std::string client;  // name and version as it said; untrusted, sanitised
};

class Sessions {
public:
    Sessions(base::Clock& clock, base::Random& random);
    /// A new id. Past limits::sessions_max the longest idle session makes room.
    std::string open(LegacySession session, const std::string& subject);
    /// nullopt when unknown, ended, idle too long, or another subject's.
    std::optional<LegacySession> find(const std::string& id, const std::string& subject);
    bool end(const std::string& id, const std::string& subject);

private:
    struct Entry {
        LegacySession session;
        std::string subject;
        base::Ticks used;
    };
    void make_room(base::Ticks now);

    base::Clock& clock_;
    base::Random& random_;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
};

} // namespace interlock::server
