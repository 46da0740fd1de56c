// `interlock kill`: stops a tool, an identity, a target or everything on all servers that share the
// store, shows what is stopped, and lifts it again. Works while no server runs.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct KillOptions {
    std::string state_directory;
    std::string kind;   // "tool", "identity", "target", "all"
    std::string name;   // "" for all
    std::string issuer; // of an identity; "" = whoever issued it
    std::string reason;
    bool json = false;
};

Exit set_kill(const KillOptions& options);
Exit lift_kill(const KillOptions& options);
Exit list_kills(const KillOptions& options);

} // namespace interlock::cli
