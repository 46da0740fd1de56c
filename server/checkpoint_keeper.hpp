// Keeps this program's signed view of the audit log outside the store, so that a log that was cut
// or replaced by an older copy is noticed by `interlock audit verify`.
#pragma once

#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/state_directory.hpp"

#include <string>

namespace interlock::server {

class CheckpointKeeper {
public:
    /// Reads or makes the program's key, and writes its public half beside the checkpoint.
    static base::Result<CheckpointKeeper>
    open(const base::StateDirectory& state, base::Random& random);
    /// Signs size and root as they stand now; replaces the last checkpoint.
    base::Status keep(db::Store& store) const;

private:
    CheckpointKeeper(std::string path, base::SigningKey key);
    std::string path_;
    base::SigningKey key_;
};

} // namespace interlock::server
