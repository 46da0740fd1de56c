// What the parameters of a request say, read once and in one place: the shape every client must
// keep to, whatever is offered. What a name stands for, and whether its caller may use it, is for
// others. A wrong shape is an RpcError (-32602); members that are not known are left alone.
#pragma once

#include "base/json.hpp"
#include "server/client.hpp"
#include "server/jsonrpc.hpp"
#include "server/offer.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace interlock::server {

enum class JobKind { call_tool, read_resource, get_prompt, complete };

template <class Value>
using Read = std::variant<Value, RpcError>;

/// What a job is about: a tool, a resource's uri, a prompt, or what a completion refers to.
struct Subject {
    std::string name;
    std::string arguments; // JSON text of the `arguments` object; "{}" when there is none
};
/// A prompt's arguments are strings.
Read<Subject> read_subject(JobKind kind, const base::Json& params);

/// The parameters of completion/complete.
Read<CompletionRequest> read_completion(const base::Json& params);

/// A list's cursor; nullopt: the first page.
Read<std::optional<std::string>> read_cursor(const base::Json& params);

/// params._meta.progressToken as JSON text, to be given back as it came; "" = none.
Read<std::string> read_progress_token(const base::Json& params);

/// The incident that a call is about: params._meta["interlock/incident"], or else the argument
/// `incident` of a tool (whose form its schema judges); "" = none. Two that differ are refused:
/// what a call is recorded under must not depend on who reads it.
Read<std::string> read_incident(JobKind kind, const base::Json& params);

/// The level a modern request sets for itself.
Read<std::optional<LogSeverity>> read_log_level(const base::Json& params);

/// What a modern client brings back when it repeats a call.
struct Retry {
    const base::Json* responses = nullptr; // into the parameters
    std::optional<std::string> state;      // as it came: sealed
};
Read<Retry> read_retry(const base::Json& params);

/// The parameters of subscriptions/listen, as asked for.
struct ListenRequest {
    bool tools = false;
    bool prompts = false;
    bool resources = false;
    std::vector<std::string> uris;
    std::vector<std::string> tasks;
};
/// At most limits::listen_uris_max of each.
Read<ListenRequest> read_listen(const base::Json& params);

} // namespace interlock::server
