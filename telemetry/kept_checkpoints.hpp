// The signed checkpoints that programs keep beside the store, or that a person kept elsewhere.
#pragma once

#include "base/db/store.hpp"
#include "base/result.hpp"
#include "telemetry/checkpoint.hpp"

#include <string>
#include <vector>

namespace interlock::telemetry {

/// A checkpoint whose signature holds.
struct SignedNote {
    std::string program; // the name of its file
    std::string note;    // as it is
    std::string key;     // the verifier key it was held against
    Checkpoint checkpoint;
};
/// `verifier_key`: the text of the key. The Error says what is wrong with the note or the key.
base::Result<SignedNote> read_checkpoint(const std::string& path, const std::string& verifier_key);

struct KeptCheckpoints {
    std::vector<SignedNote> notes;
    std::vector<std::string> problems; // of those that do not hold, one sentence each
};
/// `directory`: <program>.note, each with <program>.vkey beside it.
KeptCheckpoints kept_checkpoints(const std::string& directory);

/// That the log as it stands continues every checkpoint kept there, whichever program's. Reads the
/// leaf hashes that are new since each, and signs nothing. corrupt: it does not, and nobody should
/// decide on it, add to it or sign it.
base::Status log_continues(db::Store& store, const std::string& directory);

} // namespace interlock::telemetry
