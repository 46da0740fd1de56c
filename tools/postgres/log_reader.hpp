// One pass over the logs of a server: what happened in a window of time, by kind. Needs no
// database: a server that is down is when logs are read.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "tools/postgres/log_files.hpp"
#include "tools/postgres/log_parser.hpp"
#include "tools/postgres/log_tally.hpp"
#include "tools/postgres/log_time.hpp"

#include <array>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::tools {

/// What is looked for. Entries without a time are always in the window.
struct LogQuestion {
    base::Time from;
    base::Time to;
    LogLevel level_min = LogLevel::other;
    std::string sqlstate = {}; // five characters, or the two of a class; "" = any
    std::string pattern =
        {}; // part of a text, * stands for anything; ASCII case is ignored; "" = any
};

/// How the server writes its log, as far as it is known.
struct LogSettings {
    std::string line_prefix; // log_line_prefix
    LogZone zone;            // of log_timezone
};

struct LogFileRead {
    std::string name;
    LogFormat format = LogFormat::text;
    std::int64_t bytes = 0;
    std::int64_t read = 0;           // fewer: the rest is outside of the window, or time was up
    std::optional<base::Time> first; // of the entries in the window
    std::optional<base::Time> last;
    long long entries = 0;
};

struct LogReading {
    LogTally tally;
    std::array<long long, log_levels> levels{}; // entries in the window, whatever else is asked
    long long entries = 0;                      // their sum
    long long matched = 0;
    std::vector<LogFileRead> files;
    std::vector<RefusedFile> refused; // and those that could not be read, or are no logs
    std::size_t refused_more = 0;
    long long unreadable = 0; // lines that are no part of an entry
    long long untimed = 0;    // entries without a time, or in a time zone that is not known
    std::string unknown_zone;
    bool torn = false;         // the last line of a file was not complete
    bool no_sqlstates = false; // a file was read whose entries carry none
    bool time_up = false;
    bool stopped = false;
    bool more_files = false;
};

/// What LogQuestion::pattern means: parts of a text, in this order. No regular expression: its time
/// would depend on what a stranger wrote.
class LogPattern {
public:
    explicit LogPattern(std::string_view pattern);
    bool empty() const { return parts_.empty(); }
    bool matches(std::string_view text) const;

private:
    std::vector<std::string> parts_; // lower case
};

/// Error: the directory cannot be read.
base::Result<LogReading> read_logs_directory(
    const std::string& directory,
    const LogQuestion& question,
    const LogSettings& settings,
    base::Clock& clock,
    const std::stop_token& stop
);

} // namespace interlock::tools
