// Operational log: one JSON object per line on stderr (never stdout: stdio MCP owns it). An event
// name and key/value pairs; no prose, no secrets, no SQL parameters. The audit log is elsewhere
// (telemetry/audit_log.hpp).
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::base {

enum class LogLevel { debug, info, warning, error };
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

/// debug, info, warning, error: what configurations and flags may say.
const std::vector<std::string>& log_level_names();
Result<LogLevel> log_level_from_name(std::string_view text);

/// What may be written of a field's value; telemetry/redaction.hpp has the rules. nullptr: all.
using LogRedactor = std::string (*)(std::string_view key, std::string_view value);

/// Below `level` nothing is written. `program` is put on every line. Every program names its
/// redactor, so that none can forget it: errors quote what databases and callers said.
void log_setup(std::string_view program, LogLevel level, LogRedactor redactor);
void log_event(LogLevel level, std::string_view event, const LogFields& fields = {});
inline void log_info(std::string_view event, const LogFields& fields = {}) {
    log_event(LogLevel::info, event, fields);
}
inline void log_warning(std::string_view event, const LogFields& fields = {}) {
    log_event(LogLevel::warning, event, fields);
}
inline void log_error(std::string_view event, const LogFields& fields = {}) {
    log_event(LogLevel::error, event, fields);
}

} // namespace interlock::base
