// `interlock audit erase`: makes payloads disappear on the record. Leaves stay.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct EraseOptions {
    std::string state_directory;
    std::string indexes; // "17" or "17-40"
    std::string plan_id;
    std::string actor;
    std::string before; // RFC 3339; required with actor
    std::string reason;
    bool yes = false; // else only what would be erased is told
    bool json = false;
};

Exit erase_audit_payloads(const EraseOptions& options);

} // namespace interlock::cli
