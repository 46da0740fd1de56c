// Erasing payloads: what was said in a call or a decision can be made to disappear, that it was
// said cannot. Leaves stay, proofs hold, and the erasure is itself a record that names what is gone
// and why.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "telemetry/index_ranges.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace interlock::telemetry {

/// All that are given must hold. Records of erasures are never selected.
struct ErasureSelection {
    std::optional<IndexRange> indexes = {};
    std::string plan_digest = {};
    std::string actor = {};
    std::optional<base::Time> before = {}; // the record's own time
};

/// The payloads that are there and would be erased. refused, naming the leaf, when one belongs to a
/// plan of `under_way` (digests), whose payloads are still needed. Reads in bounded batches.
base::Result<IndexRanges> select_payloads(
    db::Store& store, const ErasureSelection& selection, const std::set<std::string>& under_way
);

struct Erasure {
    std::uint64_t payloads = 0;
    std::vector<std::uint64_t> records; // indexes of the leaves that tell of it
};
/// Erases in bounded transactions, each with its record; `who` is told as having done it, `why` is
/// required. What a failure leaves erased is recorded.
base::Result<Erasure> erase_payloads(
    db::Store& store,
    base::Random& random,
    IndexRanges payloads,
    const std::string& who,
    const std::string& why
);

} // namespace interlock::telemetry
