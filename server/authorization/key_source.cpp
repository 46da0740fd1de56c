#include "server/authorization/key_source.hpp"

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "server/authorization/url.hpp"

#include <algorithm>
#include <utility>

namespace interlock::server {
namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;

base::Duration refresh_interval(const Issuer& issuer) {
    // A look at a file costs nothing, and removing a key there is how it is revoked.
    return is_key_url(issuer.jwks) ? limits::jwks_refresh : limits::jwks_unknown_kid_pause;
}

base::Duration retry_after(int failures) {
    base::Duration pause = limits::jwks_retry_min;
    for (int i = 1; i < failures && pause < limits::jwks_refresh; ++i) {
        pause *= 2;
    }
    return std::min<base::Duration>(pause, limits::jwks_refresh);
}

base::HttpReach reach_of(const Issuer& issuer, const Url& url) {
    if (url.is_local()) {
        return base::HttpReach::loopback;
    }
    return issuer.private_network ? base::HttpReach::network : base::HttpReach::internet;
}

} // namespace

base::Result<std::string> fetch_keys(const Issuer& issuer, std::stop_token stop) {
    if (!is_key_url(issuer.jwks)) {
        return base::read_file(issuer.jwks, limits::jwks_bytes_max);
    }
    INTERLOCK_TRY(const Url url, parse_url(issuer.jwks));
    base::HttpCall call;
    call.url = url.text();
    call.headers = {{"Accept", "application/jwk-set+json, application/json"}};
    call.timeout = limits::jwks_deadline;
    call.response_bytes_max = limits::jwks_bytes_max;
    call.reach = reach_of(issuer, url);
    call.stop = std::move(stop);
    INTERLOCK_TRY(auto response, base::http_call(call));
    if (response.status != 200) {
        return Error{
            Errc::io,
            "The answer of " + url.authority + " was status " + std::to_string(response.status) +
                " and not 200; redirections are not followed.",
            "Name the address where the keys really are."};
    }
    return std::move(response.body);
}

KeySource::KeySource(Issuer issuer, base::Clock& clock, KeyFetcher fetch)
    : issuer_(std::move(issuer)), clock_(clock), fetch_(std::move(fetch)), due_(clock.ticks()) {}

KeySource::~KeySource() = default;

bool KeySource::are_stale(base::Ticks now) const {
    return now - renewed_at_ > limits::jwks_stale_max;
}

KeySource::Keys KeySource::keys() const {
    const std::lock_guard lock(mutex_);
    return are_stale(clock_.ticks()) ? Keys{nullptr, keys_.generation} : keys_;
}

std::string KeySource::unready() const {
    const std::lock_guard lock(mutex_);
    if (keys_.set && !are_stale(clock_.ticks())) {
        return "";
    }
    return "there are no keys of issuer " + issuer_.issuer + ": " + problem_;
}

void KeySource::look_early() {
    const std::lock_guard lock(mutex_);
    const base::Ticks now = clock_.ticks();
    if (looked_at_ && now - *looked_at_ < limits::jwks_unknown_kid_pause) {
        return;
    }
    due_ = now;
    changed_.notify_all();
}

void KeySource::reload() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    due_ = clock_.ticks();
    changed_.notify_all();
}

base::Duration KeySource::step(std::stop_token stop) {
    {
        const std::lock_guard lock(mutex_);
        const base::Ticks now = clock_.ticks();
        if (now < due_) {
            return std::chrono::ceil<base::Duration>(due_ - now);
        }
        looked_at_ = now;
        wanted_ = false;
        due_ = base::Ticks::max();
    }
    const auto document = fetch_(issuer_, std::move(stop));
    const std::lock_guard lock(mutex_);
    take(document);
    const base::Ticks now = clock_.ticks();
    const base::Duration pause =
        failures_ == 0 ? refresh_interval(issuer_) : retry_after(failures_);
    due_ = wanted_ ? now : now + pause;
    return wanted_ ? base::Duration::zero() : pause;
}

void KeySource::take(const base::Result<std::string>& document) {
    if (!document) {
        return fail(document.error());
    }
    const std::string digest = base::hex(base::sha256(*document));
    if (keys_.set && digest == document_digest_) {
        renewed_at_ = clock_.ticks();
        failures_ = 0;
        return;
    }
    auto parsed = KeySet::parse(*document, issuer_.algorithms);
    if (!parsed && parsed.error().code == Errc::not_found) {
        // No outage: the issuer says that none of its keys of before is good any more.
        keys_ = Keys{nullptr, keys_.generation + 1};
    }
    if (!parsed) {
        return fail(parsed.error());
    }
    for (const std::string& why : (*parsed)->left_out()) {
        base::log_warning("jwks.key_left_out", {{"issuer", issuer_.issuer}, {"why", why}});
    }
    base::log_info(
        "jwks.taken", {{"issuer", issuer_.issuer}, {"keys", std::to_string((*parsed)->size())}}
    );
    keys_ = Keys{std::move(*parsed), keys_.generation + 1};
    document_digest_ = digest;
    renewed_at_ = clock_.ticks();
    failures_ = 0;
    problem_ = "they could not be renewed for too long";
}

/// The keys that are there stay: an outage of the issuer is not one of ours.
void KeySource::fail(const Error& why) {
    if (why.code == Errc::cancelled) {
        return;
    }
    ++failures_;
    problem_ = base::to_text(why);
    base::log_warning(
        "jwks.not_taken",
        {{"issuer", issuer_.issuer},
         {"why", problem_},
         {"then", keys_.set ? "the keys from before stay in force" : "its tokens are refused"}}
    );
    if (keys_.set && are_stale(clock_.ticks())) {
        keys_ = Keys{nullptr, keys_.generation + 1};
        base::log_error("jwks.given_up", {{"issuer", issuer_.issuer}});
    }
}

void KeySource::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const base::Duration pause = step(stop);
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, pause, [&] { return clock_.ticks() >= due_; });
    }
}

void KeySource::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

} // namespace interlock::server
