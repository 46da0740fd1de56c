// `interlock demo`: the product's main job, end to end, on a throw-away PostgreSQL with a real
// incident. It starts the other programs as they are and talks to them as their users do.
#pragma once

#include "cli/output.hpp"

namespace interlock::cli {

struct DemoOptions {
    bool yes = false;  // approve with the demo approver's key without asking
    bool keep = false; // leave everything running until Ctrl-C
};

Exit run_demo(const DemoOptions& options);

} // namespace interlock::cli
