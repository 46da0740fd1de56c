// What the tests of the log formats share: parsers that keep what they are told.
#pragma once

#include "tools/postgres/log_parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::test {

class KeptEntries final : public tools::LogSink {
public:
    bool wants(const std::optional<base::Time>& at, tools::LogLevel level) override {
        asked.push_back(level);
        times.push_back(at);
        return level >= least;
    }
    void take(const tools::LogEntry& entry) override { entries.push_back(entry); }
    void unreadable() override { ++strange; }

    tools::LogLevel least = tools::LogLevel::debug;
    std::vector<tools::LogLevel> asked;
    std::vector<std::optional<base::Time>> times;
    std::vector<tools::LogEntry> entries;
    int strange = 0;
};

/// Reads `text` line by line, as a file would be.
class LogBench {
public:
    explicit LogBench(tools::LogFormat format, std::string_view line_prefix = "%m [%p] %q%u@%d ")
        : prefix{line_prefix}, parser{tools::make_log_parser(format, {times, prefix, sink})} {}

    KeptEntries& read(std::string_view text) {
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            parser->line(text.substr(0, end), false);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
        parser->end();
        return sink;
    }

    KeptEntries sink;
    tools::LogTimeReader times{tools::LogZone{}};
    tools::LogPrefix prefix;
    std::unique_ptr<tools::LogParser> parser;
};

} // namespace interlock::test
