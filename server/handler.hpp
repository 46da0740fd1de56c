// From one message to its one reply, whatever the transport: asks the protocol, hands calls to the
// dispatcher and listens to the hub, gathers the answers of a batch, and finishes the outlet once.
#pragma once

#include "server/call.hpp"
#include "server/dispatch.hpp"
#include "server/hub.hpp"
#include "server/outlet.hpp"
#include "server/protocol.hpp"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace interlock::server {

/// Makes the way back once it is known what the message is: legacy calls on a session get an outlet
/// of that session's event streams. Called at most once a message, before anything is said.
/// Ready answers need no stream.
using MakeOutlet = std::function<std::shared_ptr<Outlet>(const Reaction&)>;

struct HandlerParts {
    Protocol& protocol;
    Dispatcher& dispatcher;
    CallRunner& runner;
    Hub& hub;
    Questions& questions;
};

class MessageHandler {
public:
    explicit MessageHandler(HandlerParts parts);
    /// `gone` is requested when the client closes the request (HTTP).
    void handle(
        std::string_view bytes,
        const Arrival& arrival,
        const std::stop_token& gone,
        const MakeOutlet& make_outlet
    );
    /// Stops what still runs for a legacy session that is no more (Sessions::on_end).
    void session_ended(const std::string& id);

private:
    HandlerParts parts_;
};

} // namespace interlock::server
