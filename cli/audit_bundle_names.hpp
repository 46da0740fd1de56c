// How the files of an audit bundle are named (cli/audit_bundle.hpp tells what they are).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::cli {

inline constexpr const char* bundle_manifest = "manifest.json";
inline constexpr const char* bundle_note = "checkpoint.note";
inline constexpr const char* bundle_key = "checkpoint.vkey";

inline constexpr std::string_view bundle_records = "records/";
inline constexpr std::string_view bundle_witnesses = "witnesses/";
inline constexpr std::string_view bundle_plans = "plans/";
inline constexpr std::string_view bundle_checkpoints = "checkpoints/";

/// "records/000000000042/" and the part's name.
std::string bundle_record(std::uint64_t index, const char* part);
/// "witnesses/000000000042/" and the part's name.
std::string bundle_witness(std::uint64_t index, const char* part);
/// "plans/<digest>/" and the part's name.
std::string bundle_plan(const std::string& digest, const std::string& part);

/// The number before the first slash; it may still be written in another way than ours.
std::optional<std::uint64_t> bundle_index(std::string_view path);

} // namespace interlock::cli
