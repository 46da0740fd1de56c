// `interlock sql check`: what the guard says about SQL, without any target. One statement as an
// argument, or a stream of lines, so that rules and test corpora can be tried out.
#pragma once

#include "cli/output.hpp"

#include <string>
#include <string_view>

namespace interlock::cli {

struct SqlOptions {
    std::string sql; // one statement; "" with jsonl
    bool jsonl = false;
    bool json = false;
};

/// Exit::refused when the one statement is denied.
Exit check_sql(const SqlOptions& options);

/// Reads lines {"sql": "..."} from `in` until its end and writes a line {"verdict", "class",
/// "reason"} for each to `out`, in order, as soon as no more input waits. A line that is no such
/// object is denied and the rest goes on.
Exit check_sql_lines(int in, int out);

/// The answer to one line, without a newline.
std::string check_sql_line(std::string_view line);

} // namespace interlock::cli
