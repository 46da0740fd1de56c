// The shape of lock waits: which chains stand, who is at their heads, and which strong table locks
// hold up a queue that the head alone would not. No meaning yet: tools/diagnosis/locks.cpp gives
// it.
#pragma once

#include "tools/diagnosis/facts.hpp"

#include <map>
#include <set>
#include <vector>

namespace interlock::tools {

/// The head of a chain that stands: the same, in the same transaction, in both looks.
struct StandingRoot {
    LockNode node;
    const LockSession* session = nullptr; // null: a prepared transaction, or not among those read
    int depth = 0;
    std::set<long long> victims; // behind it, without those in a DdlQueue
    double longest_wait = 0;     // of these victims
    double held = 0;             // the same, but no longer than the root's transaction is old
};

/// A queue behind requests for strong table locks that themselves only wait.
struct DdlQueue {
    std::set<long long> requests; // backends that wait for the strong lock
    std::set<long long> victims;  // backends that wait only because of these requests
    std::set<LockNode> fronts;    // who the requests wait for
    double longest_wait = 0;
    double held = 0; // the same, but no longer than the oldest front's transaction is old
};

class LockShape {
public:
    /// `facts` must outlive the shape.
    explicit LockShape(const Facts& facts);

    /// True when two complete looks could be compared.
    bool two_looks() const { return two_looks_; }
    /// The look that is judged: the second, or the first when it is the only one.
    const LockFacts& now() const { return now_; }
    const std::vector<StandingRoot>& roots() const { return roots_; }
    const std::vector<DdlQueue>& queues() const { return queues_; }
    /// The longest wait in chains whose head changed between the looks; 0 for none.
    double longest_rotating_wait() const { return longest_rotating_wait_; }
    /// The longest wait of sessions without a head; 0 for none.
    double longest_rootless_wait() const { return longest_rootless_wait_; }

    const LockSession* session(long long pid) const;
    /// The session as the first look saw it, when there were two.
    const LockSession* session_before(long long pid) const;
    /// The wait of a waiter in now().
    const LockWait& wait(long long waiter) const { return *waits_.at(waiter); }
    bool waits_on(long long waiter, const LockNode& node) const;

private:
    bool stands(const LockChain& chain, const LockChains& before) const;
    StandingRoot look_at(const LockChain& chain) const;
    std::set<long long> strong_requests(const StandingRoot& root) const;
    std::set<long long> behind(const std::set<long long>& pids) const;
    void take_queue(StandingRoot& root);
    double wait_seconds(long long waiter) const;

    const Facts& facts_;
    const bool two_looks_;
    const LockFacts& now_;
    std::map<long long, const LockWait*> waits_;
    std::vector<StandingRoot> roots_;
    std::vector<DdlQueue> queues_;
    double longest_rotating_wait_ = 0;
    double longest_rootless_wait_ = 0;
};

} // namespace interlock::tools
