#include "tools/postgres/log_parser.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 9> level_words{{
    {"LOG", LogLevel::log},
    {"ERROR", LogLevel::error},
    {"WARNING", LogLevel::warning},
    {"FATAL", LogLevel::fatal},
    {"PANIC", LogLevel::panic},
    {"NOTICE", LogLevel::log},
    {"INFO", LogLevel::log},
    {"DEBUG", LogLevel::debug},
    {"OTHER", LogLevel::other},
}};

/// Only asks whether entries begin; tells nobody.
class NoSink final : public LogSink {
public:
    bool wants(const std::optional<base::Time>&, LogLevel) override { return false; }
    void take(const LogEntry&) override {}
    void unreadable() override {}
};

} // namespace

std::string_view name(LogLevel level) {
    constexpr std::array<std::string_view, log_levels> names{
        "DEBUG", "OTHER", "LOG", "WARNING", "ERROR", "FATAL", "PANIC"};
    return names[static_cast<std::size_t>(level)];
}

LogLevel log_level(std::string_view word) {
    if (word.size() == 6 && word.starts_with("DEBUG") && word[5] >= '1' && word[5] <= '5') {
        return LogLevel::debug;
    }
    for (const auto& [known, level] : level_words) {
        if (known == word) {
            return level;
        }
    }
    return LogLevel::other;
}

const char* name(LogFormat format) {
    switch (format) {
    case LogFormat::text:
        return "stderr";
    case LogFormat::csv:
        return "csvlog";
    case LogFormat::json:
        return "jsonlog";
    }
    return "stderr";
}

void LogEntry::clear() {
    at.reset();
    level = LogLevel::other;
    for (std::string* field :
         {&sqlstate,
          &pid,
          &user,
          &database,
          &application,
          &message,
          &detail,
          &hint,
          &context,
          &statement}) {
        field->clear();
    }
}

void append_field(std::string& field, std::string_view text) {
    const std::size_t room = base::limits::log_field_bytes_max;
    if (field.size() < room) {
        field += base::cut_bytes(text, room - field.size());
    }
}

std::unique_ptr<LogParser> make_log_parser(LogFormat format, const LogParts& parts) {
    switch (format) {
    case LogFormat::csv:
        return make_csv_log_parser(parts);
    case LogFormat::json:
        return make_json_log_parser(parts);
    case LogFormat::text:
        break;
    }
    return make_text_log_parser(parts);
}

std::optional<LogFormat> detect_log_format(std::string_view head, const LogParts& parts) {
    if (head.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    NoSink nobody;
    const LogParts looking{parts.times, parts.prefix, nobody};
    const std::array formats{LogFormat::json, LogFormat::csv, LogFormat::text};
    std::array<std::unique_ptr<LogParser>, formats.size()> parsers;
    std::transform(formats.begin(), formats.end(), parsers.begin(), [&](LogFormat format) {
        return make_log_parser(format, looking);
    });
    while (!head.empty()) {
        const std::size_t end = head.find('\n');
        const std::string_view line = head.substr(0, end);
        for (std::size_t i = 0; i < formats.size(); ++i) {
            std::optional<base::Time> at;
            if (parsers[i]->begins(line, at)) {
                return formats[i];
            }
        }
        head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
    }
    return std::nullopt;
}

} // namespace interlock::tools
