// The keys of one issuer, kept fresh on a thread of their own: fetched from a URL or read from a
// file, renewed at intervals, given up when they cannot be renewed for too long. Readers never
// wait: they get the keys that are there, or none.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "server/authorization/key_set.hpp"
#include "server/authorization/options.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace interlock::server {

/// Brings the document; may block, at most limits::jwks_deadline.
using KeyFetcher = std::function<base::Result<std::string>(const Issuer&, std::stop_token)>;

/// From the file, or from the URL: no redirects, no proxies, size and time capped; a URL reaches
/// loopback when it names it, else never loopback or link-local, and private addresses only when
/// the issuer is configured so.
base::Result<std::string> fetch_keys(const Issuer& issuer, std::stop_token stop);

class KeySource {
public:
    KeySource(Issuer issuer, base::Clock& clock, KeyFetcher fetch = fetch_keys);
    KeySource(const KeySource&) = delete;
    KeySource& operator=(const KeySource&) = delete;
    ~KeySource();

    const Issuer& issuer() const { return issuer_; }
    struct Keys {
        std::shared_ptr<const KeySet> set; // nullptr: not there
        unsigned long long generation = 0; // differs whenever the keys do
    };
    Keys keys() const;
    /// "" while there are keys; else why not.
    std::string unready() const;

    /// A token named a key that is not there: looks again soon, but seldom.
    void look_early();
    /// Looks again at once.
    void reload();

    /// One look if it is time for one; returns how long until the next. The thread does this.
    base::Duration step(std::stop_token stop);
    /// Starts the thread; once.
    void start();

private:
    void take(const base::Result<std::string>& document);
    void fail(const base::Error& why);
    bool are_stale(base::Ticks now) const;
    void run(const std::stop_token& stop);

    const Issuer issuer_;
    base::Clock& clock_;
    const KeyFetcher fetch_;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    Keys keys_;
    std::string document_digest_;
    std::string problem_ = "they were not fetched yet";
    base::Ticks renewed_at_{};
    base::Ticks due_{};
    std::optional<base::Ticks> looked_at_;
    bool wanted_ = false; // asked for while a look was under way
    int failures_ = 0;
    std::jthread thread_; // last: it uses all of the above
};

} // namespace interlock::server
