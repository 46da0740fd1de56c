// Reading the log from one end to the other without holding it in memory: for searching, reporting
// and exporting. Records are handed over one by one, a few at a time are read.
#pragma once

#include "base/db/store.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::telemetry {

/// What a leaf says. Nothing of it is verified.
struct LeafHeader {
    std::uint64_t seq = 0;
    std::string time; // RFC 3339, sorts as text
    std::string type;
    std::string actor;
    std::string plan_digest;
    std::string payload_hash;
};
/// nullopt: not the header of a leaf.
std::optional<LeafHeader> read_leaf_header(std::string_view header);

struct ScannedRecord {
    std::uint64_t index = 0;
    std::string leaf_hash; // hex, as stored
    std::string header;    // the leaf's bytes
    // Only when asked for, and absent when erased.
    std::optional<std::string> salt; // hex
    std::optional<std::string> payload;
};

struct AuditScan {
    std::uint64_t first = 0;
    std::uint64_t end = std::numeric_limits<std::uint64_t>::max(); // the first not to be read
    std::string plan_digest;                                       // "" = all
    std::string type;                                              // "" = all
    bool payloads = false;
};

enum class Scan { go_on, enough };

/// In order of index, in short transactions: who appends meanwhile is not kept waiting.
base::Status scan_audit(
    db::Store& store,
    const AuditScan& what,
    const std::function<base::Result<Scan>(ScannedRecord&)>& take
);

} // namespace interlock::telemetry
