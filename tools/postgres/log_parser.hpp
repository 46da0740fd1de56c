// PostgreSQL's three log formats, line by line. Entries that stand on several lines are joined.
// What a session wrote cannot pass as an entry of its own: the server indents later lines of a
// text, doubles quotes within CSV, and escapes newlines within JSON; the parsers rely on no less.
#pragma once

#include "tools/postgres/log_entry.hpp"
#include "tools/postgres/log_prefix.hpp"
#include "tools/postgres/log_time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::tools {

enum class LogFormat { text, csv, json };
const char* name(LogFormat format);

class LogParser {
public:
    virtual ~LogParser() = default;
    /// One line without its end; `cut`: it was longer.
    virtual void line(std::string_view text, bool cut) = 0;
    /// No more lines: what is complete is told, what is not is unreadable.
    virtual void end() = 0;
    /// Whether an entry begins with this line, and when that was.
    virtual bool begins(std::string_view text, std::optional<base::Time>& at) = 0;
};

struct LogParts {
    LogTimeReader& times;
    const LogPrefix& prefix;
    LogSink& sink;
};

std::unique_ptr<LogParser> make_log_parser(LogFormat format, const LogParts& parts);
std::unique_ptr<LogParser> make_text_log_parser(const LogParts& parts); // log_text.cpp
std::unique_ptr<LogParser> make_csv_log_parser(const LogParts& parts);  // log_csv.cpp
std::unique_ptr<LogParser> make_json_log_parser(const LogParts& parts); // log_json.cpp
/// By the beginning of a file; nullopt: no log of PostgreSQL, or none whose entries can be told.
std::optional<LogFormat> detect_log_format(std::string_view head, const LogParts& parts);

/// Appends to a field of an entry as long as it may be kept.
void append_field(std::string& field, std::string_view text);

} // namespace interlock::tools
