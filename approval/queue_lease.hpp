// The right to work on a target: one lease a target, numbered by fences that only grow. Only
// approval/queue_*.cpp include this.
#pragma once

#include "approval/queue.hpp"
#include "base/db/store.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace interlock::approval::lease {

struct Lease {
    std::string key;
    std::string until;
};

/// conflict while any plan holds the target, a part of it, or what it is a part of.
base::Status check_free(db::StoreTransaction& transaction, const std::string& lease_key);
/// The next of a strictly increasing sequence.
base::Result<long long> next_fence(db::StoreTransaction& transaction);
base::Status
hold(db::StoreTransaction& transaction, const std::string& lease_key, const Claim& claim);
/// Nothing happens when none is held.
base::Status release(db::StoreTransaction& transaction, const std::string& plan_id);
/// The lease that a plan holds now.
base::Result<std::optional<Lease>>
held(db::StoreTransaction& transaction, const std::string& plan_id);
/// Holds the lease for `lifetime` more and returns until when.
base::Result<std::string>
extend(db::StoreTransaction& transaction, const Claim& claim, std::chrono::milliseconds lifetime);

/// Whoever has been replaced may write nothing, whatever it still believes: conflict.
base::Status check_fence(db::StoreTransaction& transaction, const Claim& claim);
/// Nothing begins on an authority that has run out, even if nobody else took it yet: expired.
base::Status check_live(db::StoreTransaction& transaction, const Claim& claim);

} // namespace interlock::approval::lease
