// Whether a bundle holds the whole of the period that it says it is of: every record from its first
// to its last, and those beside them, which show that it begins and ends there; or the log itself
// begins or ends.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace interlock::cli {

struct Period {
    std::string from; // "" = from the first record
    std::string to;   // not included; "" = up to the checkpoint

    bool holds(const std::string& time) const { return time >= from && (to.empty() || time < to); }
};

/// What the bundle holds of the log.
struct HeldRecords {
    const std::map<std::uint64_t, std::string>& times; // of every header
    const std::set<std::uint64_t>& whole; // those of which more than the header is here
    std::uint64_t log_size = 0;           // that the checkpoint covers
};

struct PeriodReport {
    std::optional<std::uint64_t> first; // of the period's records
    std::uint64_t last = 0;
    std::vector<std::string> problems; // one sentence each
    std::vector<std::string> not_known;
};
PeriodReport check_period(const Period& period, const HeldRecords& held);

} // namespace interlock::cli
