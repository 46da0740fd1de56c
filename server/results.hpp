// What the results of calls look like on the wire, in both eras. What handlers give is spliced in
// as it is: it was rendered once and is not parsed again.
#pragma once

#include "server/conversations.hpp"
#include "server/offer.hpp"
#include "server/protocol.hpp"
#include "server/request_state.hpp"

#include <optional>
#include <string>

namespace interlock::server {

// Each is the JSON text of a result object.
std::string render_answer(const Job& job, const ToolAnswer& answer);
std::string render_answer(const Job& job, const ResourceAnswer& answer);
std::string render_answer(const Job& job, const PromptAnswer& answer);
std::string render_answer(const Job& job, const Completion& answer);

/// What a modern client has to bring before the call can be served: the questions that are pending,
/// and the state to send back. nullopt when there is neither, or no such thing in the job's era.
std::optional<std::string> render_input_required(
    const Job& job, const ServedConversation& conversation, const RequestStates& states
);

} // namespace interlock::server
