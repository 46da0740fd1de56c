#include "server/identity_log.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

#include <chrono>

namespace interlock::server {
namespace {

constexpr std::size_t shown_chars_max = 128;

std::string shown(std::string_view text) {
    return base::cut_middle(base::sanitize(text), shown_chars_max);
}

/// Of labels, so bounded.
const char* reason_of(unsigned status, const std::optional<telemetry::Identity>& proven) {
    if (status == 403 && proven && !proven->database_role.empty()) {
        return "no_scope";
    }
    switch (status) {
    case 400:
        return "malformed_credentials";
    case 401:
        return "no_proof";
    case 403:
        return "not_mapped";
    default:
        return "other";
    }
}

} // namespace

void log_identity(const CallNote& note, const telemetry::Identity& identity) {
    base::log_info(
        "identity",
        {{"call", note.call},
         {"method", shown(note.method)},
         {"name", shown(note.name)},
         {"transport", note.transport},
         {"outcome", note.outcome},
         {"incident", shown(note.incident)},
         {"subject", shown(identity.subject)},
         {"issuer", shown(identity.issuer)},
         {"proof", identity.proof},
         {"client", shown(identity.client)},
         {"role",
          note.database_roles.empty() ? identity.database_role : shown(note.database_roles)}}
    );
}

TurnedAway::TurnedAway(telemetry::Metrics& metrics, base::Clock& clock)
    : metrics_(metrics), clock_(clock), minute_(clock.ticks()) {}

void TurnedAway::tell(
    unsigned status, std::string_view peer, const std::optional<telemetry::Identity>& proven
) {
    const char* reason = reason_of(status, proven);
    metrics_.count(telemetry::Counter::turned_away, {reason});
    unsigned long long untold = 0;
    {
        const std::lock_guard lock(mutex_);
        const base::Ticks now = clock_.ticks();
        if (now - minute_ >= std::chrono::minutes{1}) {
            minute_ = now;
            lines_ = 0;
        }
        if (lines_ >= base::limits::turned_away_lines) {
            ++untold_;
            return;
        }
        ++lines_;
        untold = untold_;
        untold_ = 0;
    }
    base::log_info(
        "identity",
        {{"call", ""},
         {"transport", "http"},
         {"outcome", reason},
         {"subject", proven ? shown(proven->subject) : ""},
         {"issuer", proven ? shown(proven->issuer) : ""},
         {"proof", proven ? proven->proof : "none"},
         {"role", proven ? proven->database_role : ""},
         {"peer", shown(peer)},
         {"untold_before", std::to_string(untold)}}
    );
}

} // namespace interlock::server
