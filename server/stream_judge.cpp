#include "server/stream_judge.hpp"

#include "server/http_gate.hpp"

#include <iterator>
#include <utility>
#include <variant>

namespace interlock::server {

StreamJudge::StreamJudge(Gatekeeper& gatekeeper, std::chrono::milliseconds interval)
    : gatekeeper_(gatekeeper),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void StreamJudge::watch(const std::shared_ptr<base::HttpExchange>& exchange, const Access& access) {
    if (!access.scopes) {
        return;
    }
    const std::lock_guard lock(mutex_);
    streams_.push_back({exchange, access});
}

std::size_t StreamJudge::watched() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
}

bool StreamJudge::stands(const base::HttpRequest& request, const Access& access) {
    auto admitted = gatekeeper_.admit(request);
    auto* const now = std::get_if<Access>(&admitted);
    if (now == nullptr) {
        return false;
    }
    narrow_toolsets(*now, request.query);
    return now->identity.subject == access.identity.subject &&
           now->identity.issuer == access.identity.issuer &&
           now->identity.database_role == access.identity.database_role &&
           now->scopes == access.scopes && now->toolsets == access.toolsets;
}

/// Without the lock: a signature may have to be verified again.
void StreamJudge::judge_all() {
    std::vector<Stream> streams;
    {
        const std::lock_guard lock(mutex_);
        streams.swap(streams_);
    }
    std::erase_if(streams, [this](const Stream& stream) {
        const auto exchange = stream.exchange.lock();
        if (!exchange || exchange->gone().stop_requested()) {
            return true;
        }
        if (stands(exchange->request(), stream.access)) {
            return false;
        }
        exchange->end_stream_at(clock_.now());
        return true;
    });
    const std::lock_guard lock(mutex_);
    streams_.insert(
        streams_.end(),
        std::make_move_iterator(streams.begin()),
        std::make_move_iterator(streams.end())
    );
}

void StreamJudge::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, interval_, [] { return false; });
        }
        if (!stop.stop_requested()) {
            judge_all();
        }
    }
}

} // namespace interlock::server
