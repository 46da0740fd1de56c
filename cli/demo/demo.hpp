// `interlock demo`: the product's main job, end to end, on a throw-away PostgreSQL with a real
// incident. It starts the other programs as they are and talks to them as their users do.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct DemoOptions {
    bool yes = false;   // approve with the demo approver's key without asking
    bool keep = false;  // leave everything running until Ctrl-C
    std::string bundle; // also leave the audit bundle of the change here; "" = nowhere
};

Exit run_demo(const DemoOptions& options);

} // namespace interlock::cli
