// What a client says about itself: its name, and which of our questions it could answer. Modern
// clients say it with every request, legacy ones once, in initialize.
#pragma once

#include "base/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace interlock::server {

/// The severities of RFC 5424, as MCP's logging uses them; later is graver.
enum class LogSeverity { debug, info, notice, warning, error, critical, alert, emergency };
std::optional<LogSeverity> log_severity_from(std::string_view name);
const char* name(LogSeverity severity);

struct Client {
    std::string name; // name and version as it said; untrusted, sanitised and cut
    bool elicitation_form = false;
    bool elicitation_url = false;
    bool sampling = false;
    bool roots = false;
    bool tasks = false; // the io.modelcontextprotocol/tasks extension

    /// Whether it declared what a question of this method needs; `mode` is elicitation's ("form"
    /// when absent from the question).
    bool can_answer(std::string_view method, std::string_view mode) const;
};

inline constexpr std::string_view tasks_extension = "io.modelcontextprotocol/tasks";

/// Name and version of a clientInfo object; hostile text made harmless. Null: "".
std::string client_name(const base::Json* info);
/// Reads a ClientCapabilities object (null: none declared). `elicitation: {}` means form only.
Client read_client(const base::Json* info, const base::Json* capabilities);

} // namespace interlock::server
