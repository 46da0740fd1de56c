// JSON-RPC 2.0 messages as MCP narrows them: an id is a string or an integer and never null, and is
// given back exactly as it came. Reading is strict (base/json.hpp): what two parsers could read
// differently is refused before anybody looks inside.
#pragma once

#include "base/json.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::server {

namespace rpc {
inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;
inline constexpr int resource_not_found = -32002; // legacy only
inline constexpr int header_mismatch = -32020;
inline constexpr int missing_capability = -32021;
inline constexpr int unsupported_version = -32022;
} // namespace rpc

struct RpcError {
    int code = 0;
    std::string message;
    std::string data; // JSON text; "" = none
};

enum class MessageKind { request, notification, response };

struct Message {
    MessageKind kind = MessageKind::request;
    std::string id;                           // JSON text, echoed unchanged; "" for a notification
    std::string method;                       // "" for a response
    std::shared_ptr<const base::Json> params; // never null; JSON null when absent
    std::string result = {};                  // of a response: JSON text; "" = it is an error
};

/// Something that is no message, and what to say about it. `id` is "" when it could not be read.
struct Refusal {
    std::string id;
    RpcError error;
};

using Incoming = std::variant<Message, Refusal>;

/// What one HTTP body or one line of stdio holds. `messages` is never empty.
struct Packet {
    bool batch = false;
    std::vector<Incoming> messages;
};

/// Never fails: text that is not JSON, or not a message, comes back as a Refusal.
Packet parse_packet(std::string_view text);

/// The JSON text of an id-like value (string or integer); "" for anything else.
std::string id_text(const base::Json& value);

inline RpcError rpc_error(int code, std::string message) {
    return {code, std::move(message), {}};
}

/// `params` is JSON text.
std::string render_notification(std::string_view method, std::string_view params);
/// `result` is JSON text.
std::string render_result(std::string_view id, std::string_view result);
/// The value of `error` in an answer.
std::string render_error_object(const RpcError& error);
/// Without an id when it is "" (the schema has no null id).
std::string render_error(std::string_view id, const RpcError& error);

} // namespace interlock::server
