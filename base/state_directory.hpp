// Where the programs of one machine keep what they share and what each keeps for itself. One
// layout, in one place, so that `--state DIR` means the same to all four.
#pragma once

#include <string>

namespace interlock::base {

struct StateDirectory {
    std::string root;

    std::string queue() const { return root + "/queue.db"; }          // queue and audit log
    std::string store() const { return root + "/store.yaml"; }        // names a shared store
    std::string evidence() const { return root + "/evidence"; }       // whole results, server
    std::string spans() const { return root + "/spans"; }             // <program>.jsonl
    std::string keys() const { return root + "/keys"; }               // <program>.ed25519
    std::string checkpoints() const { return root + "/checkpoints"; } // <program>.note
};

} // namespace interlock::base
