// What the log's records tell of erasures: which payloads, when, by whom and why.
#pragma once

#include "telemetry/index_ranges.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace interlock::cli {

class RecordedErasures {
public:
    /// A record of type audit.erased. One that does not name payloads before it tells of nothing.
    void take(
        std::uint64_t index,
        const std::string& time,
        const std::string& actor,
        const std::string& payload
    );
    /// "erased on ..., by ...: ..."; "" when no record tells of it.
    std::string of(std::uint64_t index) const;
    const telemetry::IndexRanges& ranges() const { return ranges_; }

private:
    telemetry::IndexRanges ranges_;
    std::map<std::uint64_t, std::pair<std::uint64_t, std::string>> told_; // by the first index
};

} // namespace interlock::cli
