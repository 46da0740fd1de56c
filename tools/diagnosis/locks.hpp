// The lock family: facts to causes, a pure function. It tells apart
//   lock.idle_in_tx      the root of a chain does nothing inside its transaction
//   lock.active_blocker  the root of a chain is at work
//   lock.ddl_queue       a strong lock queues behind a reader, and everybody else behind it
//   lock.prepared_xact   the root is a prepared transaction, which has no session
// and says so when what stands at the head is none of these, or is hidden.
#pragma once

#include "tools/diagnosis/diagnosis.hpp"
#include "tools/diagnosis/facts.hpp"

#include <string>
#include <vector>

namespace interlock::tools {

/// What the lock family alone means for the verdict.
enum class LockState {
    quiet,       // nobody waits, or only for moments
    degraded,    // a chain stands, but is young
    incident,    // a chain stands past its threshold
    unexplained, // somebody waits past the threshold and the cause cannot be told
    unseen,      // the waits could not be read, or there was nobody to look at
};

struct LockJudgement {
    LockState state = LockState::unseen;
    std::string summary;
    std::vector<Cause> causes; // most certain and longest first
    std::vector<NotExamined> not_examined;
};

LockJudgement judge_locks(const Facts& facts);

} // namespace interlock::tools
