// The ways back over HTTP: a POST answered at once or as a stream, and the connections that carry
// streams. Which of the two a POST becomes is decided by whether anything is said before its
// answer.
#pragma once

#include "base/clock.hpp"
#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "server/event_streams.hpp"
#include "server/http_endpoint.hpp"
#include "server/outlet.hpp"
#include "server/sessions.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace interlock::server {

/// Whether the client's Accept takes this media type, by name or by a wildcard; without the header
/// it takes anything.
bool accepts(const base::HttpRequest& request, std::string_view type);

/// An exchange as the carrier of a stream. Its head goes out with the first bytes, so that the
/// exchange can still be answered otherwise until then.
StreamCarrier carry(const std::shared_ptr<base::HttpExchange>& exchange);

/// Whether streams of this session can be resumed: ids, priming events and pauses are understood by
/// clients of the revision that defined them.
bool resumable(const LegacySession& session);

/// Keeps calls alive that have been quiet, from a thread of its own: for the first time after
/// `silence`, then every `interval`.
class StreamKeeper {
public:
    StreamKeeper(std::chrono::milliseconds interval, std::chrono::milliseconds silence);
    void add(const std::shared_ptr<Outlet>& outlet);
    void remove(const Outlet* outlet);

private:
    struct Entry {
        std::weak_ptr<Outlet> outlet;
        base::Ticks due;
    };
    void run(const std::stop_token& stop);
    std::vector<std::shared_ptr<Outlet>> take_due();

    const std::chrono::milliseconds interval_;
    const std::chrono::milliseconds silence_;
    const base::SystemClock clock_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::unordered_map<const Outlet*, Entry> outlets_;
    std::jthread thread_; // last: ends before what it uses
};

/// The way back for the message that was posted. `session`: of a legacy call, whose streams carry
/// what is said; null: the stream belongs to this request alone. `keeper`: of a call, which becomes
/// a stream when it has been quiet for long, if the client's Accept names streams; none for what is
/// answered at once or by the hub. `gatekeeper` words the refusal of a call that needs more scopes;
/// it outlives the calls.
std::shared_ptr<Outlet> post_outlet(
    std::shared_ptr<base::HttpExchange> exchange,
    SessionPointer session,
    std::weak_ptr<StreamKeeper> keeper,
    Gatekeeper& gatekeeper
);

} // namespace interlock::server
