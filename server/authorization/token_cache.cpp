#include "server/authorization/token_cache.hpp"

#include <utility>

namespace interlock::server {

const CachedToken* TokenCache::find(const base::Digest& digest, base::Time now) {
    const auto found = entries_.find(digest);
    if (found == entries_.end()) {
        return nullptr;
    }
    if (now >= found->second.token.expires) {
        drop(digest);
        return nullptr;
    }
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return &found->second.token;
}

void TokenCache::put(const base::Digest& digest, CachedToken token) {
    drop(digest);
    while (entries_.size() >= entries_max_ && !uses_.empty()) {
        entries_.erase(uses_.back());
        uses_.pop_back();
    }
    uses_.push_front(digest);
    entries_.emplace(digest, Entry{std::move(token), uses_.begin()});
}

void TokenCache::drop(const base::Digest& digest) {
    const auto found = entries_.find(digest);
    if (found != entries_.end()) {
        uses_.erase(found->second.use);
        entries_.erase(found);
    }
}

} // namespace interlock::server
