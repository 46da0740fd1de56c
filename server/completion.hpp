// What a person's client suggests while they fill in a prompt or an address: names this server
// knows, and nothing a caller could not learn otherwise. What cannot be found out quickly is no
// suggestion; it is never an error.
#pragma once

#include "server/diagnostic_offer.hpp"
#include "server/offer.hpp"

namespace interlock::server {

Outcome<Completion> complete(
    const DiagnosticParts& parts, Conversation& conversation, const CompletionRequest& request
);

} // namespace interlock::server
