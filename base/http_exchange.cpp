#include "base/http_exchange.hpp"

#include "base/http_connection.hpp"
#include "base/http_core.hpp"
#include "base/log.hpp"

#include <atomic>

namespace interlock::base {
namespace {

/// The exchange whose handler runs on this thread right now, and its answer.
struct HandlerRun {
    const HttpExchange* exchange = nullptr;
    std::optional<HttpResponse> answer;
};
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): one handler a thread
thread_local HandlerRun* current_run = nullptr;

class Exchange final : public HttpExchange {
public:
    explicit Exchange(HttpExchangeParts parts) : parts_(std::move(parts)) {}

    ~Exchange() override {
        if (stage_.exchange(Stage::over) != Stage::over) {
            post([number = parts_.number](HttpConnection& connection) {
                connection.abandon(number);
            });
        }
    }

    const HttpRequest& request() const override { return parts_.request; }
    std::stop_token gone() const override { return parts_.gone; }

    void respond(HttpResponse response) override {
        if (!move_on(Stage::open, Stage::over)) {
            return;
        }
        if (current_run != nullptr && current_run->exchange == this) {
            current_run->answer = std::move(response);
            return;
        }
        post([number = parts_.number, response = std::move(response)](HttpConnection& connection
             ) mutable { connection.answer(number, std::move(response)); });
    }
    void start_stream(unsigned status, HttpHeaders headers) override {
        if (move_on(Stage::open, Stage::streaming)) {
            post([number = parts_.number, status, headers = std::move(headers)](
                     HttpConnection& connection
                 ) { connection.begin_stream(number, status, headers); });
        }
    }
    void write(std::string bytes) override {
        if (stage_.load() == Stage::streaming) {
            post([number = parts_.number, bytes = std::move(bytes)](HttpConnection& connection) {
                connection.append(number, bytes);
            });
        }
    }
    void end_stream_at(Time end) override {
        post([number = parts_.number, end](HttpConnection& connection) {
            connection.limit_stream(number, end);
        });
    }
    void drop_body() override {
        std::string().swap(parts_.request.body);
        post([number = parts_.number](HttpConnection& connection) {
            connection.forget_body(number);
        });
    }
    void finish() override {
        if (move_on(Stage::streaming, Stage::over)) {
            post([number = parts_.number](HttpConnection& connection) {
                connection.end_stream(number);
            });
        }
    }

private:
    enum class Stage { open, streaming, over };

    bool move_on(Stage from, Stage to) { return stage_.compare_exchange_strong(from, to); }

    template <class Action>
    void post(Action action) {
        parts_.core->loop.post([connection = parts_.connection,
                                action = std::move(action)]() mutable {
            if (const auto alive = connection.lock()) {
                alive->take_turn([&] { action(*alive); });
            }
        });
    }

    HttpExchangeParts parts_;
    std::atomic<Stage> stage_{Stage::open};
};

} // namespace

std::optional<HttpResponse> hand_over(HttpExchangeParts parts) {
    const HttpHandler& handler = parts.core->options.handler;
    auto exchange = std::make_shared<Exchange>(std::move(parts));
    HandlerRun run{exchange.get(), std::nullopt};
    current_run = &run;
    try {
        handler(std::move(exchange));
    } catch (const std::exception& problem) {
        // The exchange is gone with the handler's frame, so a client without answer gets 500.
        log_error("http.handler_failed", {{"why", problem.what()}});
    }
    current_run = nullptr;
    return std::move(run.answer);
}

} // namespace interlock::base
