// The conversations a call can be served in: with a legacy client (questions are requests of ours,
// answered by messages of theirs) and with a modern one (questions go out with the answer and come
// back with a retry, or wait in the task that the call has become).
#pragma once

#include "base/clock.hpp"
#include "server/conversation.hpp"
#include "server/handover.hpp"
#include "server/outlet.hpp"
#include "server/protocol.hpp"
#include "server/tasks.hpp"

#include <memory>
#include <string>

namespace interlock::server {

/// Questions under way with legacy clients: which answer belongs to which waiting call.
/// Thread-safe; bounded by limits::questions_max.
class Questions {
public:
    Questions();
    ~Questions();
    /// Sends the question on `outlet` and waits for its answer, at most
    /// limits::client_answer_deadline.
    Asked
    ask(const SessionPointer& session,
        Outlet& outlet,
        const Question& question,
        const std::stop_token& stop,
        const base::Clock& clock);
    /// An answer nobody waits for is ignored, and so is one from another session.
    void answer(const ClientAnswer& answer);

private:
    struct State;
    std::unique_ptr<State> state_;
};

struct ConversationParts {
    Job& job;
    std::string call_id;
    std::shared_ptr<Outlet> outlet; // of the request
    std::stop_token stop;
    base::Clock& clock;
    Handover& handover;
};

/// Also what is to become of a handler that returned InputRequired.
class ServedConversation : public Conversation {
public:
    /// A task asks what was asked and waits: true when all is answered, so that the handler can run
    /// again. False: the request is to be answered with pending() and state().
    virtual bool next_round() { return false; }
    virtual KeyedQuestions pending() const { return {}; }
    /// What remember() was given; "" = nothing.
    virtual std::string state() const { return {}; }
};

std::unique_ptr<ServedConversation>
legacy_conversation(ConversationParts parts, Questions& questions);
std::unique_ptr<ServedConversation> modern_conversation(ConversationParts parts, Tasks& tasks);

} // namespace interlock::server
