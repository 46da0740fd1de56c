// Who asked, one line of the operational log a call, served or refused: subject, issuer, how it was
// proven, client, the role it mapped to, and what became of the call. The audit log has the same of
// every call that was served or refused by its handler. No claims, no arguments, no tokens.
#pragma once

#include "base/clock.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::server {

struct CallNote {
    std::string call; // its id; "" for one that never became a call
    std::string method;
    std::string name; // tool, resource or prompt, as the caller wrote it
    std::string transport;
    std::string outcome;
    /// That targets were read with; "" = none was read: then the line has the role that is mapped.
    std::string database_roles = {};
    std::string incident = {}; // "" = none is named
};

void log_identity(const CallNote& note, const telemetry::Identity& identity);

/// Requests that got no further than the door: nobody proved who asks, or no rule maps who does.
/// Everybody can make these, so that lines are bounded (limits::turned_away_lines a minute); what
/// is past that is counted, and the next minute's first line tells how many there were.
/// Thread-safe.
class TurnedAway {
public:
    TurnedAway(telemetry::Metrics& metrics, base::Clock& clock);
    /// `status`: of the HTTP answer. `peer`: where it came from, as the socket says. `proven`: who
    /// it was, where that is known all the same.
    void tell(
        unsigned status,
        std::string_view peer,
        const std::optional<telemetry::Identity>& proven = std::nullopt
    );

private:
    telemetry::Metrics& metrics_;
    base::Clock& clock_;
    std::mutex mutex_;
    base::Ticks minute_{};
    int lines_ = 0;
    unsigned long long untold_ = 0;
};

} // namespace interlock::server
