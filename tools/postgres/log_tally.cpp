#include "tools/postgres/log_tally.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace interlock::tools {
namespace {

/// By level, from debug to panic. A kind takes 12 KB at most, with the texts of its sample: 13 MB.
constexpr std::array<std::size_t, log_levels> rooms{16, 64, 256, 128, 384, 192, 32};

void widen(LogKind& kind, const std::optional<base::Time>& at) {
    if (!at) {
        return;
    }
    kind.first = kind.first ? std::min(*kind.first, *at) : *at;
    kind.last = kind.last ? std::max(*kind.last, *at) : *at;
}

} // namespace

LogTally::LogTally() {
    for (std::size_t i = 0; i < log_levels; ++i) {
        levels_[i].room = rooms[i];
    }
}

void LogTally::sink(Level& level, std::size_t at) {
    const auto count = [&](std::size_t place) { return level.kinds[level.heap[place]].count; };
    for (;;) {
        std::size_t least = at;
        for (const std::size_t child : {2 * at + 1, 2 * at + 2}) {
            if (child < level.heap.size() && count(child) < count(least)) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        std::swap(level.heap[at], level.heap[least]);
        level.position[level.heap[at]] = at;
        level.position[level.heap[least]] = least;
        at = least;
    }
}

/// A place for a new kind; its count is what it inherits.
std::size_t LogTally::place(Level& level, std::string key) {
    if (level.kinds.size() < level.room) {
        const std::size_t index = level.kinds.size();
        level.kinds.emplace_back();
        // A count of nothing is the least of all: its place is on top, where sink() takes it from.
        level.heap.push_back(index);
        level.position.push_back(index);
        for (std::size_t at = index; at > 0; at = (at - 1) / 2) {
            std::swap(level.heap[at], level.heap[(at - 1) / 2]);
            level.position[level.heap[at]] = at;
            level.position[level.heap[(at - 1) / 2]] = (at - 1) / 2;
        }
        level.index.emplace(std::move(key), index);
        return index;
    }
    const std::size_t index = level.heap.front();
    LogKind& rarest = level.kinds[index];
    level.index.erase(rarest.sqlstate + " " + rarest.fingerprint);
    level.index.emplace(std::move(key), index);
    rarest.too_high = rarest.count;
    rarest.first.reset();
    rarest.last.reset();
    ++gave_way_;
    return index;
}

void LogTally::add(const LogEntry& entry, std::string_view fingerprint) {
    Level& level = levels_[static_cast<std::size_t>(entry.level)];
    key_.assign(entry.sqlstate);
    key_ += ' ';
    key_ += fingerprint;
    const auto found = level.index.find(key_);
    const bool known = found != level.index.end();
    const std::size_t index = known ? found->second : place(level, key_);
    LogKind& kind = level.kinds[index];
    if (!known) {
        kind.level = entry.level;
        kind.sqlstate = entry.sqlstate;
        kind.fingerprint = fingerprint;
        kind.sample = entry;
    }
    ++kind.count;
    widen(kind, entry.at);
    sink(level, level.position[index]);
}

std::size_t LogTally::size() const {
    std::size_t size = 0;
    for (const Level& level : levels_) {
        size += level.kinds.size();
    }
    return size;
}

std::vector<const LogKind*> LogTally::ranked() const {
    std::vector<const LogKind*> all;
    for (const Level& level : levels_) {
        for (const LogKind& kind : level.kinds) {
            all.push_back(&kind);
        }
    }
    std::sort(all.begin(), all.end(), [](const LogKind* a, const LogKind* b) {
        return std::tie(a->level, a->count, b->fingerprint) >
               std::tie(b->level, b->count, a->fingerprint);
    });
    return all;
}

} // namespace interlock::tools
