// `interlock audit search`: the records that match, a page at a time.
#pragma once

#include "base/limits.hpp"
#include "cli/output.hpp"

#include <cstdint>
#include <string>

namespace interlock::cli {

struct SearchOptions {
    std::string state_directory;
    // All that are given must hold.
    std::string actor;
    std::string type;
    std::string tool;
    std::string target;
    std::string incident; // that a call names, or that the record's plan is of
    std::string plan_id;
    std::string from; // RFC 3339
    std::string to;   // not included
    std::string text; // stands in the payload, in upper or lower case
    long long after = -1;
    std::size_t limit = 100;
    bool json = false;
};

Exit search_audit(const SearchOptions& options);

} // namespace interlock::cli
