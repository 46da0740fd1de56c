#include "telemetry/index_ranges.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

void IndexRanges::add(IndexRange range) {
    if (!ranges_.empty() && tidy_ && range.first > ranges_.back().last) {
        if (range.first == ranges_.back().last + 1)
            ranges_.back().last = range.last;
        else
            ranges_.push_back(range);
        return;
    }
    tidy_ = ranges_.empty();
    ranges_.push_back(range);
}

void IndexRanges::tidy() const {
    if (tidy_)
        return;
    std::sort(ranges_.begin(), ranges_.end(), [](const auto& left, const auto& right) {
        return left.first < right.first;
    });
    std::vector<IndexRange> merged;
    for (const auto& range : ranges_) {
        if (merged.empty() ||
            (range.first > merged.back().last && range.first - merged.back().last > 1))
            merged.push_back(range);
        else
            merged.back().last = std::max(merged.back().last, range.last);
    }
    ranges_ = std::move(merged);
    tidy_ = true;
}

std::vector<IndexRange> IndexRanges::ranges() const {
    tidy();
    return ranges_;
}

std::uint64_t IndexRanges::count() const {
    std::uint64_t count = 0;
    for (const auto& range : ranges())
        count += range.last - range.first + 1;
    return count;
}

IndexRanges IndexRanges::without(const IndexRanges& other) const {
    IndexRanges left;
    other.tidy();
    tidy();
    auto cut = other.ranges_.begin();
    for (auto range : ranges_) {
        while (cut != other.ranges_.end() && cut->last < range.first)
            ++cut;
        bool all_gone = false;
        for (auto at = cut; at != other.ranges_.end() && at->first <= range.last; ++at) {
            if (at->first > range.first)
                left.add({range.first, at->first - 1});
            if (at->last >= range.last) {
                all_gone = true;
                break;
            }
            range.first = at->last + 1;
        }
        if (!all_gone)
            left.add(range);
    }
    return left;
}

IndexRanges IndexRanges::take(std::uint64_t count) {
    tidy();
    IndexRanges taken;
    std::size_t whole = 0;
    for (; whole < ranges_.size() && count > 0; ++whole) {
        auto& range = ranges_[whole];
        const auto size = range.last - range.first + 1;
        if (size > count) {
            taken.add({range.first, range.first + count - 1});
            range.first += count;
            break;
        }
        taken.add(range);
        count -= size;
    }
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(whole));
    return taken;
}

base::Json IndexRanges::to_json() const {
    base::Json list = base::Json::array();
    for (const auto& range : ranges())
        list.push_back({range.first, range.last});
    return list;
}

std::optional<IndexRanges> IndexRanges::from_json(const base::Json& json) {
    IndexRanges read;
    if (!json.is_array())
        return std::nullopt;
    for (const auto& entry : json) {
        if (!entry.is_array() || entry.size() != 2 || !entry[0].is_number_unsigned() ||
            !entry[1].is_number_unsigned())
            return std::nullopt;
        const IndexRange range{entry[0].get<std::uint64_t>(), entry[1].get<std::uint64_t>()};
        if (range.first > range.last)
            return std::nullopt;
        read.add(range);
    }
    return read;
}

} // namespace interlock::telemetry
