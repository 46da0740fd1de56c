// What protocol.cpp and protocol_methods.cpp share and nobody else needs: one message with
// everything that was found out about it.
#pragma once

#include "server/protocol.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace interlock::server {

inline constexpr std::string_view stdio_scope = "stdio";

/// Names a request under way: ids are a client's own, and start again with every session.
inline std::string cancel_key(std::string_view scope, std::string_view id) {
    return cancel_prefix(scope).append(id);
}

struct Protocol::Operation {
    const Message& message;
    const Arrival& arrival;
    base::Ticks received;
    std::shared_ptr<const CompiledOffer> offer;
    Era era = Era::legacy;
    std::string version = {};
    SessionPointer session = {}; // legacy only
    Client client = {};
    std::optional<LogSeverity> log_level = {};

    bool on_http() const { return arrival.transport == Transport::http; }
    const base::Json& params() const { return *message.params; }
    std::string owner() const { return session_owner(arrival.access.identity); }
    std::string_view scope() const {
        return on_http() && session ? std::string_view(session->id()) : stdio_scope;
    }
    /// Over modern HTTP a client cancels by closing its request; everything else by name.
    std::string key() const {
        const bool by_name = era == Era::legacy || !on_http();
        return by_name ? cancel_key(scope(), message.id) : std::string{};
    }
};

} // namespace interlock::server
