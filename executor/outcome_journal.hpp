// An outcome on its way into the queue. The final state and the outcome document are two records;
// a crash between them would lose the document. It is therefore written here first, and delivered
// by whoever starts next on this state directory.
#pragma once

#include "approval/queue.hpp"
#include "base/result.hpp"

#include <string>

namespace interlock::executor {

class OutcomeJournal {
public:
    /// "" keeps nothing.
    explicit OutcomeJournal(std::string directory);
    /// Before the final transition.
    base::Status keep(const approval::Claim& claim, const std::string& outcome);
    /// After Queue::finish.
    void drop(const std::string& plan_id);
    /// Hands every kept outcome to the queue. One whose plan was taken over speaks of an end that
    /// did not come: it is dropped. Returns how many were delivered.
    base::Result<int> deliver(approval::Queue& queue);

private:
    std::string path(const std::string& plan_id) const;
    std::string directory_;
};

} // namespace interlock::executor
