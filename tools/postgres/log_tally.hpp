// Which kinds of entries a log holds, how often each, in bounded memory: the kinds that come most
// often are kept (Metwally's space-saving). When there were more kinds than there is room for, the
// rarest gives way to a new one, which inherits its count as the most that it may be too high.
// Every level has room of its own, so that no flood of errors hides a panic.
#pragma once

#include "tools/postgres/log_entry.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace interlock::tools {

struct LogKind {
    LogLevel level = LogLevel::other;
    std::string sqlstate;
    std::string fingerprint;
    long long count = 0;
    long long too_high = 0; // at most by so much
    std::optional<base::Time> first;
    std::optional<base::Time> last;
    LogEntry sample; // the first that was read
};

class LogTally {
public:
    LogTally();
    void add(const LogEntry& entry, std::string_view fingerprint);
    /// Kinds, the most urgent level first, then by count.
    std::vector<const LogKind*> ranked() const;
    /// How often a kind gave way to another; 0: all counts are exact.
    long long gave_way() const { return gave_way_; }
    std::size_t size() const;

private:
    /// The kinds of one level: a heap by count, the rarest on top.
    struct Level {
        std::size_t room = 0;
        std::vector<LogKind> kinds;
        std::vector<std::size_t> heap;     // of indices into kinds
        std::vector<std::size_t> position; // in the heap, by index
        std::unordered_map<std::string, std::size_t> index;
    };
    std::size_t place(Level& level, std::string key);
    static void sink(Level& level, std::size_t at);

    std::array<Level, log_levels> levels_;
    long long gave_way_ = 0;
    std::string key_;
};

} // namespace interlock::tools
