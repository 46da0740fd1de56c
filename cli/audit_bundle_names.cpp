#include "cli/audit_bundle_names.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace interlock::cli {

namespace {

std::string numbered(std::string_view prefix, std::uint64_t index, const char* part) {
    char number[24];
    std::snprintf(number, sizeof number, "%012llu", static_cast<unsigned long long>(index));
    return std::string(prefix) + number + "/" + part;
}

} // namespace

std::string bundle_record(std::uint64_t index, const char* part) {
    return numbered(bundle_records, index, part);
}

std::string bundle_witness(std::uint64_t index, const char* part) {
    return numbered(bundle_witnesses, index, part);
}

std::string bundle_plan(const std::string& digest, const std::string& part) {
    return std::string(bundle_plans) + digest + "/" + part;
}

std::optional<std::uint64_t> bundle_index(std::string_view path) {
    const auto slash = path.find('/');
    std::uint64_t index = 0;
    const auto* const end = path.data() + std::min(slash, path.size());
    const auto [stop, error] = std::from_chars(path.data(), end, index);
    return error == std::errc{} && stop == end ? std::optional(index) : std::nullopt;
}

} // namespace interlock::cli
