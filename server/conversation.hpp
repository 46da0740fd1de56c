// What a handler (of a tool, a resource, a prompt) sees of the call it serves, whatever the era and
// the transport: who asks, whether to stop, and the ways to speak to the client before the answer.
#pragma once

#include "server/access.hpp"
#include "server/client.hpp"
#include "server/era.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/span.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

namespace interlock::server {

/// A question to the client: elicitation/create, sampling/createMessage or roots/list.
struct Question {
    std::string method;
    std::string params; // JSON text of an object
};

enum class AskState {
    answered, // `result` holds the client's result
    pending,  // the answer comes with a retry: return InputRequired once all is asked
    unable,   // the client did not declare that it can answer this
    failed,   // it answered with an error, not in time, or went away
};

struct Asked {
    AskState state = AskState::unable;
    std::string result; // JSON text of the client's result object
};

/// Used by the one thread that runs the handler. Implementations are in conversations.cpp.
class Conversation {
public:
    virtual ~Conversation() = default;
    virtual const telemetry::Identity& identity() const = 0;
    /// What the caller may do. One that does not say: nothing that needs a scope or a toolset.
    virtual const Access& access() const {
        static const Access nothing{{}, std::set<std::string>{}, std::set<std::string>{}};
        return nothing;
    }
    virtual const Client& client() const = 0;
    virtual Era era() const = 0;
    virtual std::stop_token stop() const = 0;
    virtual telemetry::Span& span() = 0;
    virtual const std::string& call_id() const = 0;
    /// That the call is about; "" = none is named.
    virtual std::string incident() const { return {}; }

    /// Told only to a client that asked for it (progressToken), rising values only, at most
    /// limits::progress_per_second.
    virtual void progress(double done, std::optional<double> total, std::string_view message) = 0;
    /// Told only when the client set a level at or below this one. `data` is JSON text.
    virtual void log(LogSeverity severity, std::string_view logger, const std::string& data) = 0;

    /// Asks the client, under a key that is unique in this call. Legacy clients are waited for
    /// (bounded by limits::client_answer_deadline and stop()); modern ones answer with a retry of
    /// the whole call, and tasks through tasks/update: there the handler runs again from its start.
    virtual Asked ask(const std::string& key, const Question& question) = 0;
    /// Text to find again as remembered() when the client retries. It travels through the client,
    /// authenticated and bound to caller and call, but readable: no secrets.
    virtual void remember(std::string state) = 0;
    virtual std::string remembered() const = 0;

    /// From here on the call goes on as a task, where the client knows tasks and one may still be
    /// had: for tools that know when their long part begins, say after all that is to be asked.
    /// True when it is a task now. Only calls of tools become tasks.
    virtual bool become_task() { return false; }

    /// Ends the connection that carries the answer while the call goes on (2025-11-25 polling): the
    /// client comes back after `retry` with Last-Event-ID. Does nothing where there is no such way.
    virtual void pause_stream(std::chrono::milliseconds retry) = 0;
};

} // namespace interlock::server
