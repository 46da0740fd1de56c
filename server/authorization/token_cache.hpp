// Tokens that were verified, so that the next request with the same one costs a hash. Bounded; the
// one unused for longest goes first. Holds digests, never tokens.
#pragma once

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "server/access.hpp"

#include <cstddef>
#include <list>
#include <map>
#include <memory>

namespace interlock::server {

struct CachedToken {
    Access access;
    base::Time expires;
    std::size_t issuer = 0;            // its place among the issuers
    unsigned long long generation = 0; // of the keys that verified it
};

class TokenCache {
public:
    explicit TokenCache(std::size_t entries_max) : entries_max_(entries_max) {}

    /// nullptr: not there, or expired. Valid until the next call.
    const CachedToken* find(const base::Digest& digest, base::Time now);
    void put(const base::Digest& digest, CachedToken token);
    void drop(const base::Digest& digest);
    std::size_t size() const { return entries_.size(); }

private:
    using Uses = std::list<base::Digest>; // the last used one in front
    struct Entry {
        CachedToken token;
        Uses::iterator use;
    };
    struct Less {
        bool operator()(const base::Digest& left, const base::Digest& right) const {
            return left.bytes < right.bytes;
        }
    };
    std::size_t entries_max_;
    std::map<base::Digest, Entry, Less> entries_;
    Uses uses_;
};

} // namespace interlock::server
