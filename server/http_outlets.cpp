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

/// One element of an Accept header, such as "text/*;q=0.5".
bool element_takes(std::string_view element, std::string_view type) {
    const std::string_view range = base::trim(element.substr(0, element.find(';')));
    const std::string_view major = type.substr(0, type.find('/') + 1);
    if (range != type && range != std::string(major) + "*" && range != "*/*") {
        return false;
    }
    const auto weight = element.find("q=");
    return weight == std::string_view::npos ||
           base::trim(element.substr(weight + 2)).find_first_not_of("0.") != std::string_view::npos;
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

class PostOutlet final : public Outlet, public std::enable_shared_from_this<PostOutlet> {
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
        const std::lock_guard lock(mutex_);
        if (std::exchange(finished_, true)) {
            return;
        }
        if (!stream_) {
            exchange_->respond(http_response(std::move(reply), exchange_->request(), gatekeeper_));
            return;
        }
        stream_->finish(reply.body);
        if (const auto keeper = keeper_.lock()) {
            keeper->remove(this);
        }
    }
    void pause(std::chrono::milliseconds retry) override {
        const std::lock_guard lock(mutex_);
        if (session_ && resumable(*session_) && start()) {
            stream_->pause(retry);
        }
    }
    void keep_alive() override {
        const std::lock_guard lock(mutex_);
        if (own_streams_) {
            own_streams_->keep_alive();
        }
    }

private:
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
        if (const auto keeper = keeper_.lock()) {
            keeper->add(shared_from_this());
        }
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
    if (request.header_count("Accept") == 0) {
        return true;
    }
    for (const auto& [name, value] : request.headers) {
        if (base::lower_ascii(name) != "accept") {
            continue;
        }
        const std::string text = base::lower_ascii(value);
        for (std::string_view rest = text; !rest.empty();) {
            const auto comma = rest.find(',');
            if (element_takes(rest.substr(0, comma), type)) {
                return true;
            }
            rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
        }
    }
    return false;
}

StreamCarrier carry(std::shared_ptr<HttpExchange> exchange) {
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

StreamKeeper::StreamKeeper(std::chrono::milliseconds interval)
    : interval_(interval), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void StreamKeeper::add(const std::shared_ptr<Outlet>& outlet) {
    const std::lock_guard lock(mutex_);
    outlets_[outlet.get()] = outlet;
}

void StreamKeeper::remove(const Outlet* outlet) {
    const std::lock_guard lock(mutex_);
    outlets_.erase(outlet);
}

void StreamKeeper::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        std::vector<std::shared_ptr<Outlet>> open;
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, interval_, [] { return false; });
            std::erase_if(outlets_, [](const auto& entry) { return entry.second.expired(); });
            for (const auto& [key, outlet] : outlets_) {
                open.push_back(outlet.lock());
            }
        }
        for (const auto& outlet : open) {
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
    return std::make_shared<PostOutlet>(
        std::move(exchange), std::move(session), std::move(keeper), gatekeeper
    );
}

} // namespace interlock::server
