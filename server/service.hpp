// Everything interlock-server is made of, put together in one place: the state directory's stores,
// the targets and their lane, tools, workers and the protocol. main.cpp and the tests start it; the
// transports stand on it.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "server/handler.hpp"
#include "server/hub.hpp"
#include "server/identity_log.hpp"
#include "server/options.hpp"
#include "server/sessions.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"

#include <memory>
#include <string>

namespace interlock::server {

class Service {
public:
    /// Opens or makes the state directory. Calls are accepted but wait until check_credentials().
    static base::Result<std::unique_ptr<Service>>
    open(const Options& options, base::Clock& clock, base::Random& random);
    ~Service();

    /// Proves for every reachable target that its credential cannot write, then lets calls run. A
    /// target that cannot be reached is told in the log and checked when it can be (by the pool).
    /// permission_denied names target, check, proof and remedy.
    base::Status check_credentials();

    MessageHandler& handler();
    Sessions& sessions();
    Hub& hub();
    telemetry::Metrics& metrics();
    /// For requests that get no further than the door.
    TurnedAway& turned_away();
    /// Takes over what can change while it runs: the toolsets that are offered, and the
    /// supervisor's limits. Clients that listen are told. What cannot (targets, state directory,
    /// desk) is logged and waits for a restart.
    base::Status reload(const Options& options);
    /// "" when calls can be made and recorded; else why not.
    std::string unready() const;
    /// Signs where the audit log stands; a failure is logged.
    void keep_checkpoint();
    /// Takes no more calls, waits for those under way, stops the rest, keeps a last checkpoint.
    /// Idempotent.
    void drain();

private:
    struct State;
    explicit Service(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Who a caller on stdio is: the user this process runs as.
telemetry::Identity stdio_identity();
/// Who every caller over HTTP is while there is no authorization.
telemetry::Identity loopback_identity();

} // namespace interlock::server
