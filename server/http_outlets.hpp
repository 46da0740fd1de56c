// The ways back over HTTP: a POST answered at once or as a stream, and the connections that carry
// streams. Which of the two a POST becomes is decided by whether anything is said before its
// answer.
#pragma once

#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "server/event_streams.hpp"
#include "server/http_endpoint.hpp"
#include "server/outlet.hpp"
#include "server/sessions.hpp"

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

namespace interlock::server {

/// Whether the client's Accept takes this media type, by name or by a wildcard; without the header
/// it takes anything.
bool accepts(const base::HttpRequest& request, std::string_view type);

/// An exchange as the carrier of a stream. Its head goes out with the first bytes, so that the
/// exchange can still be answered otherwise until then.
StreamCarrier carry(std::shared_ptr<base::HttpExchange> exchange);

/// Whether streams of this session can be resumed: ids, priming events and pauses are understood by
/// clients of the revision that defined them.
bool resumable(const LegacySession& session);

/// Says something on streams that belong to no session and have been quiet, from a thread of its
/// own.
class StreamKeeper {
public:
    explicit StreamKeeper(std::chrono::milliseconds interval);
    void add(const std::shared_ptr<Outlet>& outlet);
    void remove(const Outlet* outlet);

private:
    void run(const std::stop_token& stop);

    const std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::map<const Outlet*, std::weak_ptr<Outlet>> outlets_;
    std::jthread thread_; // last: ends before what it uses
};

/// The way back for the message that was posted. `session`: of a legacy call, whose streams carry
/// what is said; null: the stream belongs to this request alone. `keeper`: none when others keep
/// the stream alive. `gatekeeper` words the refusal of a call that needs more scopes; it outlives
/// the calls.
std::shared_ptr<Outlet> post_outlet(
    std::shared_ptr<base::HttpExchange> exchange,
    SessionPointer session,
    std::weak_ptr<StreamKeeper> keeper,
    Gatekeeper& gatekeeper
);

} // namespace interlock::server
