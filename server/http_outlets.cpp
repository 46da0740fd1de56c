#include "server/http_outlets.hpp"

#include "base/text.hpp"
#include "server/sse.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

using base::HttpExchange;
using base::HttpRequest;
using base::HttpResponse;

constexpr std::string_view json_type = "application/json";
constexpr std::string_view event_stream_type = "text/event-stream";
constexpr std::string_view resumable_since = "2025-11-25";

base::HttpHeaders event_stream_headers() {
    return {
        {"Content-Type", std::string(event_stream_type)},
        {"Cache-Control", "no-store"},
        {"X-Accel-Buffering", "no"}};
}

/// How an Accept header may take a media type.
enum class Taken { by_name, by_name_or_wildcard };

/// One element of an Accept header, such as "text/*;q=0.5".
bool element_takes(std::string_view element, std::string_view type, Taken how) {
    const std::string_view range = base::trim(element.substr(0, element.find(';')));
    const std::string_view major = type.substr(0, type.find('/') + 1);
    const bool wild = range == std::string(major) + "*" || range == "*/*";
    if (range != type && !(wild && how == Taken::by_name_or_wildcard)) {
        return false;
    }
    const auto weight = element.find("q=");
    return weight == std::string_view::npos ||
           base::trim(element.substr(weight + 2)).find_first_not_of("0.") != std::string_view::npos;
}

bool some_element_takes(const HttpRequest& request, std::string_view type, Taken how) {
    for (const auto& [name, value] : request.headers) {
        if (base::lower_ascii(name) != "accept") {
            continue;
        }
        const std::string text = base::lower_ascii(value);
        for (std::string_view rest = text; !rest.empty();) {
            const auto comma = rest.find(',');
            if (element_takes(rest.substr(0, comma), type, how)) {
                return true;
            }
            rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
        }
    }
    return false;
}

HttpResponse http_response(Reply reply, const HttpRequest& request, Gatekeeper& gatekeeper) {
    if (!reply.challenge.empty()) {
        return gatekeeper.insufficient_scope(reply.challenge, std::move(reply.body));
    }
    HttpResponse response;
    response.status = reply.status;
    const bool silent = reply.body.empty();
    const bool only_events = accepts(request, event_stream_type) && !accepts(request, json_type);
    if (silent && reply.status == 202) {
        return response;
    }
    // A request that was cancelled has no answer: a stream that ends without one says so.
    if (silent || (reply.status == 200 && only_events)) {
        response.headers = event_stream_headers();
        response.body = silent ? std::string{} : sse_message(reply.body);
    } else {
        response.headers = {
            {"Content-Type", std::string(json_type)}, {"Cache-Control", "no-store"}};
        response.body = std::move(reply.body);
    }
    if (!reply.session.empty()) {
        response.headers.emplace_back("Mcp-Session-Id", reply.session);
    }
    if (reply.retry_after) {
        response.headers.emplace_back("Retry-After", std::to_string(reply.retry_after->count()));
    }
    return response;
}

class PostOutlet final : public Outlet {
public:
    PostOutlet(
        std::shared_ptr<HttpExchange> exchange,
        SessionPointer session,
        std::weak_ptr<StreamKeeper> keeper,
        Gatekeeper& gatekeeper
    )
        : exchange_(std::move(exchange)),
          session_(std::move(session)),
          keeper_(std::move(keeper)),
          gatekeeper_(gatekeeper) {}

    bool push(std::string message) override {
        const std::lock_guard lock(mutex_);
        return start() && stream_->write(message);
    }
    void finish(Reply reply) override {
        if (!answer(std::move(reply))) {
            return;
        }
        if (const auto keeper = keeper_.lock()) { // not under the lock: it may end here
            keeper->remove(this);
        }
    }
    void pause(std::chrono::milliseconds retry) override {
        const std::lock_guard lock(mutex_);
        if (session_ && resumable(*session_) && start()) {
            stream_->pause(retry);
        }
    }
    /// A call that has been quiet for long becomes a stream, so that no proxy closes its connection
    /// as idle and its client can come back for the answer. Not for clients that merely take
    /// anything: they expect one JSON answer.
    void keep_alive() override {
        const std::lock_guard lock(mutex_);
        const bool quiet = !stream_;
        if (quiet &&
            (!some_element_takes(exchange_->request(), event_stream_type, Taken::by_name) ||
             !start())) {
            return;
        }
        if (own_streams_) {
            own_streams_->keep_alive();
        } else if (quiet && !resumable(*session_)) {
            session_->streams().keep_alive(); // a priming event would have sent the head
        }
    }

private:
    /// False when it was answered before.
    bool answer(Reply reply) {
        const std::lock_guard lock(mutex_);
        if (std::exchange(finished_, true)) {
            return false;
        }
        if (stream_) {
            stream_->finish(reply.body);
        } else {
            exchange_->respond(http_response(std::move(reply), exchange_->request(), gatekeeper_));
        }
        return true;
    }
    /// The first thing said before the answer makes it a stream, if the client takes one.
    bool start() {
        if (finished_ || stream_) {
            return !finished_;
        }
        if (!accepts(exchange_->request(), event_stream_type) ||
            exchange_->gone().stop_requested()) {
            return false;
        }
        if (session_) {
            stream_ = session_->streams().open(carry(exchange_), resumable(*session_));
            return true;
        }
        own_streams_ = std::make_unique<EventStreams>();
        stream_ = own_streams_->open(carry(exchange_), /*resumable=*/false);
        return true;
    }

    const std::shared_ptr<HttpExchange> exchange_;
    const SessionPointer session_;
    const std::weak_ptr<StreamKeeper> keeper_;
    Gatekeeper& gatekeeper_;
    std::mutex mutex_;
    std::unique_ptr<EventStreams> own_streams_;
    std::shared_ptr<EventStream> stream_;
    bool finished_ = false;
};

} // namespace

bool accepts(const HttpRequest& request, std::string_view type) {
    return request.header_count("Accept") == 0 ||
           some_element_takes(request, type, Taken::by_name_or_wildcard);
}

StreamCarrier carry(const std::shared_ptr<HttpExchange>& exchange) {
    const auto write = [exchange, started = false](std::string bytes) mutable {
        if (exchange->gone().stop_requested()) {
            return false;
        }
        if (!std::exchange(started, true)) {
            exchange->start_stream(200, event_stream_headers());
        }
        exchange->write(std::move(bytes));
        return true;
    };
    const auto end = [exchange] {
        exchange->start_stream(200, event_stream_headers()); // unless it has begun
        exchange->finish();
    };
    return {write, end};
}

bool resumable(const LegacySession& session) {
    return session.version() >= resumable_since;
}

StreamKeeper::StreamKeeper(std::chrono::milliseconds interval, std::chrono::milliseconds silence)
    : interval_(interval),
      silence_(silence),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void StreamKeeper::add(const std::shared_ptr<Outlet>& outlet) {
    const auto due = clock_.ticks() + silence_;
    const std::lock_guard lock(mutex_);
    outlets_[outlet.get()] = {outlet, due};
}

void StreamKeeper::remove(const Outlet* outlet) {
    const std::lock_guard lock(mutex_);
    outlets_.erase(outlet);
}

std::vector<std::shared_ptr<Outlet>> StreamKeeper::take_due() {
    std::vector<std::shared_ptr<Outlet>> due;
    const auto now = clock_.ticks();
    std::erase_if(outlets_, [](const auto& entry) { return entry.second.outlet.expired(); });
    for (auto& [key, entry] : outlets_) {
        if (now >= entry.due) {
            due.push_back(entry.outlet.lock());
            entry.due = now + interval_;
        }
    }
    return due;
}

void StreamKeeper::run(const std::stop_token& stop) {
    // Looking now and then spares every call a wake-up.
    const auto look = std::min({interval_, silence_, std::chrono::milliseconds(1'000)});
    while (!stop.stop_requested()) {
        std::vector<std::shared_ptr<Outlet>> due; // let go of outside the lock
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, look, [] { return false; });
            due = take_due();
        }
        for (const auto& outlet : due) {
            if (outlet) {
                outlet->keep_alive();
            }
        }
    }
}

std::shared_ptr<Outlet> post_outlet(
    std::shared_ptr<HttpExchange> exchange,
    SessionPointer session,
    std::weak_ptr<StreamKeeper> keeper,
    Gatekeeper& gatekeeper
) {
    const auto kept_by = keeper.lock();
    auto outlet = std::make_shared<PostOutlet>(
        std::move(exchange), std::move(session), std::move(keeper), gatekeeper
    );
    if (kept_by) {
        kept_by->add(outlet);
    }
    return outlet;
}

} // namespace interlock::server
