// `interlock init`, `doctor` and `diagnose`: the commands that know a target's read-only lane.
#pragma once

#include "cli/output.hpp"
#include "tools/lane_check.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

/// Prints the SQL that makes the lane; runs nothing.
Exit print_init_sql(const tools::InitOptions& options);

struct TargetsOptions {
    std::vector<std::string> targets; // NAME=CONNINFO
    std::vector<std::string> roles;   // that callers are mapped to; doctor looks as each, too
    std::string state_directory;
    bool json = false;
};
/// Every check of every target with its proof, tried writes included.
Exit run_doctor(const TargetsOptions& options);
/// The diagnosis an agent would get, at a shell.
Exit run_diagnose(const TargetsOptions& options);

} // namespace interlock::cli
