#include "cli/audit_erasures.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "telemetry/audit_format.hpp"

#include <iterator>

#include <nlohmann/json.hpp>

namespace interlock::cli {

void RecordedErasures::take(
    std::uint64_t index,
    const std::string& time,
    const std::string& actor,
    const std::string& payload
) {
    const auto content = base::parse_json(payload, base::limits::audit_payload_bytes_max);
    const auto* list = content ? base::member(*content, telemetry::erasure_ranges) : nullptr;
    const auto ranges = list != nullptr ? telemetry::IndexRanges::from_json(*list) : std::nullopt;
    if (!ranges || ranges->empty() || ranges->ranges().back().last >= index)
        return;
    const auto told = "erased on " + time + ", by " + actor + ": " +
                      base::string_member(*content, "reason").value_or("");
    for (const auto& range : ranges->ranges()) {
        ranges_.add(range);
        told_[range.first] = {range.last, told};
    }
}

std::string RecordedErasures::of(std::uint64_t index) const {
    const auto after = told_.upper_bound(index);
    if (after == told_.begin())
        return {};
    const auto& [last, told] = std::prev(after)->second;
    return index <= last ? told : "";
}

} // namespace interlock::cli
