// The jsonlog format: one flat object a line, quotes and newlines escaped. Read by hand: a tree of
// values for each line would be most of the cost of a big file.
#include "tools/postgres/log_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace interlock::tools {
namespace {

/// Members that are read, by the place where their value is kept.
enum Member : std::size_t {
    json_time,
    json_severity,
    json_user,
    json_database,
    json_pid,
    json_sqlstate,
    json_message,
    json_detail,
    json_hint,
    json_internal_query,
    json_context,
    json_statement,
    json_application,
    json_members
};
constexpr std::array<std::string_view, json_members> member_names{
    "timestamp",
    "error_severity",
    "user",
    "dbname",
    "pid",
    "state_code",
    "message",
    "detail",
    "hint",
    "internal_query",
    "context",
    "statement",
    "application_name"};
constexpr std::size_t members_max = 64; // PostgreSQL writes up to 29

using Values = std::array<std::string_view, json_members>;

/// Behind the closing quote of the string whose content begins at `at`; npos: it does not end.
std::size_t string_end(std::string_view line, std::size_t at) {
    for (;;) {
        const std::size_t quote = line.find('"', at);
        if (quote == std::string_view::npos) {
            return quote;
        }
        std::size_t backslashes = 0;
        while (backslashes < quote - at && line[quote - 1 - backslashes] == '\\') {
            ++backslashes;
        }
        if (backslashes % 2 == 0) {
            return quote + 1;
        }
        at = quote + 1;
    }
}

/// A string's content or a bare word (number, true, null), escapes as they stand.
bool take_value(std::string_view line, std::size_t& at, std::string_view& value) {
    if (at < line.size() && line[at] == '"') {
        const std::size_t end = string_end(line, at + 1);
        if (end == std::string_view::npos) {
            return false;
        }
        value = line.substr(at + 1, end - at - 2);
        at = end;
        return true;
    }
    const std::size_t end = line.find_first_of(",}", at);
    if (end == std::string_view::npos || end == at) {
        return false;
    }
    value = line.substr(at, end - at);
    at = end;
    return value.find_first_of("\"{[") == std::string_view::npos;
}

/// False: no object as PostgreSQL writes it.
bool read_members(std::string_view line, Values& values) {
    std::size_t at = 1;
    if (line.size() < 2 || line.front() != '{' || line.back() != '}') {
        return false;
    }
    for (std::size_t count = 0; count < members_max; ++count) {
        std::string_view key;
        std::string_view value;
        if (line[at] != '"' || !take_value(line, at, key) || at >= line.size() ||
            line[at++] != ':' || !take_value(line, at, value) || at >= line.size()) {
            return false;
        }
        const auto known = std::find(member_names.begin(), member_names.end(), key);
        if (known != member_names.end()) {
            values[static_cast<std::size_t>(known - member_names.begin())] = value;
        }
        if (line[at] == '}') {
            return at + 1 == line.size();
        }
        if (line[at++] != ',' || at >= line.size()) {
            return false;
        }
    }
    return false;
}

/// One escape behind the backslash at `at`: PostgreSQL writes \u00XX for control characters only.
std::size_t unescape(std::string_view raw, std::size_t at, std::string& field) {
    const char kind = at + 1 < raw.size() ? raw[at + 1] : '\0';
    constexpr std::array<std::pair<char, std::string_view>, 5> letters{
        {{'n', "\n"}, {'t', "\t"}, {'r', "\r"}, {'b', " "}, {'f', " "}}};
    for (const auto& [letter, meaning] : letters) {
        if (letter == kind) {
            append_field(field, meaning);
            return 2;
        }
    }
    if (kind == 'u') {
        append_field(field, " ");
        return std::min<std::size_t>(6, raw.size() - at);
    }
    append_field(field, raw.substr(at + 1, 1));
    return 2;
}

void append_unescaped(std::string& field, std::string_view raw) {
    for (std::size_t at = 0; at < raw.size();) {
        const std::size_t escape = std::min(raw.find('\\', at), raw.size());
        append_field(field, raw.substr(at, escape - at));
        at = escape < raw.size() ? escape + unescape(raw, escape, field) : raw.size();
    }
}

class JsonLogParser final : public LogParser {
public:
    explicit JsonLogParser(const LogParts& parts) : parts_{parts} {}

    void line(std::string_view text, bool cut) override {
        Values values{};
        if (cut || !read_members(text, values) || values[json_severity].empty()) {
            parts_.sink.unreadable();
            return;
        }
        std::optional<base::Time> at;
        (void)parts_.times.read(values[json_time], at);
        const LogLevel level = log_level(values[json_severity]);
        if (!parts_.sink.wants(at, level)) {
            return;
        }
        entry_.clear();
        entry_.at = at;
        entry_.level = level;
        constexpr std::array<std::pair<Member, std::string LogEntry::*>, 10> fields{{
            {json_user, &LogEntry::user},
            {json_database, &LogEntry::database},
            {json_pid, &LogEntry::pid},
            {json_sqlstate, &LogEntry::sqlstate},
            {json_message, &LogEntry::message},
            {json_detail, &LogEntry::detail},
            {json_hint, &LogEntry::hint},
            {json_context, &LogEntry::context},
            {json_statement, &LogEntry::statement},
            {json_application, &LogEntry::application},
        }};
        for (const auto& [member, field] : fields) {
            append_unescaped(entry_.*field, values[member]);
        }
        if (entry_.statement.empty()) {
            append_unescaped(entry_.statement, values[json_internal_query]);
        }
        parts_.sink.take(entry_);
    }

    void end() override {}

    bool begins(std::string_view text, std::optional<base::Time>& at) override {
        Values values{};
        return text.starts_with('{') && read_members(text, values) &&
               !values[json_severity].empty() && parts_.times.read(values[json_time], at) > 0;
    }

private:
    LogParts parts_;
    LogEntry entry_;
};

} // namespace

std::unique_ptr<LogParser> make_json_log_parser(const LogParts& parts) {
    return std::make_unique<JsonLogParser>(parts);
}

} // namespace interlock::tools
