// What a bundle's verification found, told to people and to programs.
#pragma once

#include "cli/audit.hpp"
#include "cli/audit_bundle.hpp"

#include <string>

namespace interlock::cli {

inline bool is_whole(const BundleReport& report) {
    return report.problems.empty() && report.not_known.empty();
}
inline Exit verdict(const BundleReport& report) {
    return is_whole(report) ? Exit::ok : Exit::check_failed;
}
/// What was asked for, one line a problem and one for each thing that is not known, what is proven,
/// and who signed it.
void print_verdict(const BundleReport& report);

/// Who says that a key is an executor's: for programs, and for people (`place`: where a checkpoint
/// of it was found).
const char* vouched_by(Vouched vouched);
std::string vouched_words(Vouched vouched, const char* place);

/// Verifies `options.bundle` and prints what it found.
Exit report_bundle(const AuditOptions& options);

} // namespace interlock::cli
