// Times as PostgreSQL writes them into its log: the wall clock of log_timezone and the zone's
// abbreviation. Abbreviations are ambiguous, so the server is asked when its zone had which offset;
// without an answer the usual meaning of the common ones holds, and any other is told as unknown.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::tools {

/// From this moment on the zone is so far ahead of UTC.
struct ZoneSpan {
    base::Time since;
    std::chrono::seconds offset{0};
};

class LogZone {
public:
    LogZone() = default;
    /// Ascending; the first holds for all time before it, too.
    explicit LogZone(std::vector<ZoneSpan> spans) : spans_{std::move(spans)} {}
    /// `local`: a wall clock's time, read as if it were UTC. nullopt: unknown abbreviation. An
    /// hour that happens twice is told apart by the abbreviation once that was seen elsewhere.
    std::optional<base::Time> to_utc(base::Time local, std::string_view abbreviation);

private:
    std::optional<base::Time> by_spans(base::Time local, std::string_view abbreviation);

    std::vector<ZoneSpan> spans_;
    std::vector<std::pair<std::string, std::chrono::seconds>> seen_; // a zone has a few
};

/// Reads the times of many lines: most are in the same hour as the line before.
class LogTimeReader {
public:
    explicit LogTimeReader(LogZone zone) : zone_{std::move(zone)} {}
    /// "2026-11-21 21:36:07.123 UTC" at the beginning of `text`: how long it is; 0 = no time.
    /// `at` stays empty when the zone is not known.
    std::size_t read(std::string_view text, std::optional<base::Time>& at);
    /// A time of a person, without zone: of log_timezone.
    std::optional<base::Time> read_local(std::string_view text);
    /// The first abbreviation that nothing is known about; "" = none.
    const std::string& unknown_zone() const { return unknown_zone_; }

private:
    LogZone zone_;
    std::string unknown_zone_;
    std::string hour_text_; // "2026-11-21 21" of the line before, and what it meant
    bool late_ = false;     // past half of it
    std::string hour_zone_;
    std::optional<base::Time> hour_;
};

} // namespace interlock::tools
