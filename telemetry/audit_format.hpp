// What those who write, verify and export the audit log must agree on.
#pragma once

#include "telemetry/audit_log.hpp"

#include <cstddef>
#include <string_view>

namespace interlock::telemetry {

/// Fixed, so that salt || payload can be read in one way only.
inline constexpr std::size_t audit_salt_bytes = 16;

/// The type of the record that tells which payloads were erased: {"reason", "payloads": ranges}.
inline constexpr const char* erasure_type = "audit.erased";
inline constexpr const char* erasure_ranges = "payloads";

/// What a leaf commits to: SHA256(salt || payload).
base::Digest payload_hash(std::string_view salt, std::string_view payload);
/// Whether the entry may be recorded: size, UTF-8, a type.
base::Status check_audit_entry(const AuditEntry& entry);

} // namespace interlock::telemetry
