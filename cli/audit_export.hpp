// `interlock audit export`: a bundle for one plan, an incident or a period. What was written is
// verified at once, and export ends as `audit verify` of the file does.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct ExportOptions {
    std::string state_directory;
    std::string plan_id;          // this plan's records, or
    std::string incident;         // those of the calls and plans that name it, or
    std::string from;             // those of a period, RFC 3339; "" = from the first
    std::string to;               // "" = up to the checkpoint
    std::string since_checkpoint; // a note kept from before, which the bundle's shall continue
    std::string since_key;        // its verifier key
    std::string out;              // a file that does not exist yet
    bool json = false;
};

Exit export_audit(const ExportOptions& options);

} // namespace interlock::cli
