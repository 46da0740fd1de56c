// Which of the two protocols a message speaks, decided in this one place. Legacy (2025-11-25 and
// older) opens a session with `initialize`; modern (2026-07-28) describes itself in every message.
// The decision is made per message, never per connection: a client that probes in one era and falls
// back to the other is served in both.
#pragma once

#include "server/jsonrpc.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::server {

enum class Era { legacy, modern };

inline constexpr std::string_view modern_version = "2026-07-28";
/// Newest first: what `initialize` answers when it is asked for something unknown.
inline constexpr std::array<std::string_view, 3> legacy_versions{
    "2025-11-25", "2025-06-18", "2025-03-26"};
/// The only revision with JSON-RPC batches.
inline constexpr std::string_view batch_version = "2025-03-26";

namespace meta {
inline constexpr std::string_view version = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view capabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view client = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view server = "io.modelcontextprotocol/serverInfo";
inline constexpr std::string_view log_level = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view subscription = "io.modelcontextprotocol/subscriptionId";
inline constexpr std::string_view incident = "interlock/incident"; // of ours, in both eras
} // namespace meta

/// One HTTP header as it arrived; a header that must be single counts as malformed when it is not.
struct HeaderValue {
    std::size_t count = 0;
    std::string value; // of the first, without surrounding white space
};

/// The headers the protocol reads.
struct RequestHeaders {
    HeaderValue version;                                         // MCP-Protocol-Version
    HeaderValue method;                                          // Mcp-Method
    HeaderValue name;                                            // Mcp-Name
    HeaderValue session;                                         // Mcp-Session-Id
    std::vector<std::pair<std::string, std::string>> parameters; // Mcp-Param-*, lower-case names
};

struct Classified {
    Era era = Era::legacy;
    std::optional<RpcError> refusal; // HTTP 400
};

/// `headers` is null on stdio. For modern messages this makes every check up to and including the
/// version, in the order clients and the conformance suite rely on; method and parameters are the
/// caller's.
Classified classify(const Message& message, const RequestHeaders* headers);

bool is_legacy_version(std::string_view version);
/// params._meta, or null.
const base::Json* meta_of(const Message& message);

/// The value of Mcp-Name: `=?base64?...?=` is decoded strictly, anything else is literal. nullopt
/// when the wrapping is there and what it holds is not base64 of UTF-8.
std::optional<std::string> decode_header_name(std::string_view value);

} // namespace interlock::server
