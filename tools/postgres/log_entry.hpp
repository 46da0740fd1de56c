// One entry of PostgreSQL's log, whatever format it was written in.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::tools {

/// As urgent as they are for a reader, the least first: to the server LOG is above ERROR.
enum class LogLevel { debug, other, log, warning, error, fatal, panic };
inline constexpr std::size_t log_levels = 7;

/// "ERROR"; "OTHER" for words of another language.
std::string_view name(LogLevel level);
/// Of "ERROR", "DEBUG2", "NOTICE"; `other` for what is none of them.
LogLevel log_level(std::string_view word);

/// Texts are as they stand in the log, cut to limits::log_field_bytes_max; "" = not there.
struct LogEntry {
    std::optional<base::Time> at;
    LogLevel level = LogLevel::other;
    std::string sqlstate;
    std::string pid;
    std::string user;
    std::string database;
    std::string application;
    std::string message;
    std::string detail;
    std::string hint;
    std::string context;
    std::string statement;

    /// Empty again, without giving memory back.
    void clear();
};

/// What a parser tells of what it reads.
class LogSink {
public:
    virtual ~LogSink() = default;
    /// Once for every entry, before it is put together: whether anybody wants the whole of it.
    virtual bool wants(const std::optional<base::Time>& at, LogLevel level) = 0;
    /// A wanted entry; good until the call ends.
    virtual void take(const LogEntry& entry) = 0;
    /// A line or record that is no part of an entry.
    virtual void unreadable() = 0;
};

} // namespace interlock::tools
