// A set of leaf indexes as ranges: payloads are erased by the thousand, and mostly in a row.
#pragma once

#include "base/json.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace interlock::telemetry {

struct IndexRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0; // inclusive
    friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

class IndexRanges {
public:
    void add(std::uint64_t index) { add({index, index}); }
    void add(IndexRange range); // first <= last
    bool empty() const { return ranges_.empty(); }
    std::uint64_t count() const;
    /// Sorted, without overlap, none touching the next.
    std::vector<IndexRange> ranges() const;
    /// What is in this set and not in `other`.
    IndexRanges without(const IndexRanges& other) const;
    /// What is in both.
    IndexRanges within(const IndexRanges& other) const { return without(without(other)); }
    /// Takes the first `count` indexes, or all, out of this set.
    IndexRanges take(std::uint64_t count);

    /// [[first, last], ...]
    base::Json to_json() const;
    /// nullopt: not of this form.
    static std::optional<IndexRanges> from_json(const base::Json& json);

private:
    void tidy() const;

    mutable std::vector<IndexRange> ranges_;
    mutable bool tidy_ = true; // sorted and merged; adding in order keeps it so
};

} // namespace interlock::telemetry
