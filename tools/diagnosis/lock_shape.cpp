#include "tools/diagnosis/lock_shape.hpp"

#include <algorithm>

namespace interlock::tools {
namespace {

const LockSession* find_session(const LockFacts& facts, long long pid) {
    const auto found = facts.sessions.find(pid);
    return found == facts.sessions.end() ? nullptr : &found->second;
}

bool is_strong(const std::string& mode) {
    return mode == "AccessExclusiveLock" || mode == "ExclusiveLock" ||
           mode == "ShareRowExclusiveLock" || mode == "ShareLock";
}

/// A wait older than the transaction in its way began behind somebody else.
double held_by(const LockSession* session, double wait) {
    return session != nullptr && session->xact_seconds ? std::min(wait, *session->xact_seconds)
                                                       : wait;
}

} // namespace

LockShape::LockShape(const Facts& facts)
    : facts_{facts},
      two_looks_{facts.second && facts.second->complete},
      now_{two_looks_ ? *facts.second : facts.first} {
    for (const LockWait& wait : now_.waits) {
        waits_[wait.waiter] = &wait;
    }
    const LockChains before = find_chains(facts_.first);
    const LockChains found = find_chains(now_);
    for (const LockChain& chain : found.chains) {
        if (stands(chain, before)) {
            roots_.push_back(look_at(chain));
        } else {
            longest_rotating_wait_ = std::max(longest_rotating_wait_, chain.longest_wait_seconds);
        }
    }
    for (StandingRoot& root : roots_) {
        take_queue(root);
    }
    for (const long long waiter : found.rootless) {
        longest_rootless_wait_ = std::max(longest_rootless_wait_, wait_seconds(waiter));
    }
}

const LockSession* LockShape::session(long long pid) const {
    return find_session(now_, pid);
}

const LockSession* LockShape::session_before(long long pid) const {
    return two_looks_ ? find_session(facts_.first, pid) : nullptr;
}

bool LockShape::waits_on(long long waiter, const LockNode& node) const {
    const auto& blockers = wait(waiter).blockers;
    return std::find(blockers.begin(), blockers.end(), node) != blockers.end();
}

double LockShape::wait_seconds(long long waiter) const {
    return wait(waiter).wait_seconds.value_or(0);
}

bool LockShape::stands(const LockChain& chain, const LockChains& before) const {
    if (!two_looks_) {
        return true; // the age of the wait must speak alone
    }
    const bool was_head =
        std::any_of(before.chains.begin(), before.chains.end(), [&](const LockChain& other) {
            return other.root == chain.root;
        });
    const LockSession* then = session_before(chain.root.pid);
    const LockSession* now = session(chain.root.pid);
    const bool same_transaction =
        then == nullptr || now == nullptr ||
        (then->backend_start == now->backend_start && then->xact_start == now->xact_start);
    return was_head && same_transaction;
}

StandingRoot LockShape::look_at(const LockChain& chain) const {
    StandingRoot root;
    root.node = chain.root;
    root.session = session(chain.root.pid);
    root.depth = chain.depth;
    root.victims = chain.victims;
    root.longest_wait = chain.longest_wait_seconds;
    root.held = held_by(root.session, root.longest_wait);
    return root;
}

/// Requests for a strong table lock that hold up sessions which the head itself does not hold up.
std::set<long long> LockShape::strong_requests(const StandingRoot& root) const {
    std::set<long long> out;
    for (const long long pid : root.victims) {
        if (wait(pid).lock_type != "relation" || !is_strong(wait(pid).mode)) {
            continue;
        }
        const bool amplifies =
            std::any_of(root.victims.begin(), root.victims.end(), [&](long long other) {
                return other != pid && waits_on(other, {.pid = pid, .gid = {}}) &&
                       !waits_on(other, root.node);
            });
        if (amplifies) {
            out.insert(pid);
        }
    }
    return out;
}

/// Everybody who waits for one of `pids`, directly or not.
std::set<long long> LockShape::behind(const std::set<long long>& pids) const {
    std::set<long long> out;
    std::set<long long> level = pids;
    while (!level.empty()) {
        std::set<long long> next;
        for (const LockWait& wait : now_.waits) {
            const bool waits =
                std::any_of(wait.blockers.begin(), wait.blockers.end(), [&](const LockNode& node) {
                    return level.count(node.pid) > 0;
                });
            if (waits && pids.count(wait.waiter) == 0 && out.insert(wait.waiter).second) {
                next.insert(wait.waiter);
            }
        }
        level = std::move(next);
    }
    return out;
}

/// Moves what queues behind a strong request from the root's account into the queue's. One request
/// may wait for several heads: then they share one queue.
void LockShape::take_queue(StandingRoot& root) {
    const std::set<long long> requests = strong_requests(root);
    if (requests.empty()) {
        return;
    }
    const auto known = std::find_if(queues_.begin(), queues_.end(), [&](const DdlQueue& queue) {
        return std::any_of(requests.begin(), requests.end(), [&](long long pid) {
            return queue.requests.count(pid) > 0;
        });
    });
    DdlQueue& queue = known != queues_.end() ? *known : queues_.emplace_back();
    queue.requests.insert(requests.begin(), requests.end());
    for (const long long pid : behind(requests)) {
        if (!waits_on(pid, root.node)) {
            queue.victims.insert(pid);
        }
    }
    queue.fronts.insert(root.node);
    for (const auto* group : {&queue.requests, &queue.victims}) {
        for (const long long pid : *group) {
            queue.longest_wait = std::max(queue.longest_wait, wait_seconds(pid));
        }
    }
    queue.held = std::max(queue.held, held_by(root.session, queue.longest_wait));

    std::erase_if(root.victims, [&](long long pid) {
        return queue.requests.count(pid) > 0 || queue.victims.count(pid) > 0;
    });
    root.longest_wait = 0;
    for (const long long pid : root.victims) {
        root.longest_wait = std::max(root.longest_wait, wait_seconds(pid));
    }
    root.held = held_by(root.session, root.longest_wait);
}

} // namespace interlock::tools
