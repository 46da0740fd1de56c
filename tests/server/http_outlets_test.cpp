#include "server/http_outlets.hpp"
#include "server/sse.hpp"

#include <atomic>
#include <condition_variable>
#include <optional>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using interlock::base::HttpExchange;
using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::accepts;
using interlock::server::Access;
using interlock::server::Client;
using interlock::server::Gatekeeper;
using interlock::server::LegacySession;
using interlock::server::Outlet;
using interlock::server::post_outlet;
using interlock::server::Reply;
using interlock::server::SessionPointer;
using interlock::server::sse_keep_alive;
using interlock::server::sse_message;
using interlock::server::sse_priming;
using interlock::server::StreamKeeper;

/// What a client would see, without a socket.
class FakeExchange final : public HttpExchange {
public:
    explicit FakeExchange(HttpHeaders headers = {}) { request_.headers = std::move(headers); }
    const HttpRequest& request() const override { return request_; }
    void respond(HttpResponse response) override { answer = std::move(response); }
    void start_stream(unsigned status, HttpHeaders headers) override {
        const std::lock_guard lock(mutex_);
        if (!answer) {
            answer = HttpResponse{status, std::move(headers), ""};
        }
    }
    void write(std::string bytes) override {
        const std::lock_guard lock(mutex_);
        answer->body += bytes;
        written_.notify_all();
    }
    void finish() override { finished = true; }
    std::stop_token gone() const override { return client.get_token(); }

    /// A keeper may have written more before anybody looks.
    bool wait_for_body(const std::string& begin) {
        std::unique_lock lock(mutex_);
        return written_.wait_for(lock, 10s, [&] {
            return answer && answer->body.starts_with(begin);
        });
    }
    std::string header(const std::string& name) const {
        HttpRequest view;
        view.headers = answer ? answer->headers : HttpHeaders{};
        return view.header(name).value_or("");
    }

    std::optional<HttpResponse> answer;
    bool finished = false;
    std::stop_source client; // stopped: it went away

private:
    HttpRequest request_;
    std::mutex mutex_;
    std::condition_variable written_;
};

class RefusingGatekeeper final : public Gatekeeper {
public:
    std::variant<Access, HttpResponse> admit(const HttpRequest&) override { return Access{}; }
    HttpResponse insufficient_scope(const std::string& scopes, std::string body) override {
        return {403, {{"WWW-Authenticate", "Bearer scope=\"" + scopes + "\""}}, std::move(body)};
    }
    std::optional<HttpResponse> metadata(const HttpRequest&) override { return std::nullopt; }
};

/// An outlet and both of its ends.
struct Posted {
    explicit Posted(
        const std::string& accept = "application/json, text/event-stream",
        SessionPointer session = nullptr
    )
        : exchange(std::make_shared<FakeExchange>(HttpHeaders{{"Accept", accept}})),
          outlet(post_outlet(exchange, std::move(session), {}, gatekeeper)) {}
    explicit Posted(SessionPointer session) : Posted("*/*", std::move(session)) {}
    RefusingGatekeeper gatekeeper;
    std::shared_ptr<FakeExchange> exchange;
    std::shared_ptr<Outlet> outlet;
};

Reply reply(unsigned status, std::string body) {
    Reply made;
    made.status = status;
    made.body = std::move(body);
    return made;
}

SessionPointer session_of(const std::string& version) {
    auto session = std::make_shared<LegacySession>("s");
    session->agree(version, Client{});
    return session;
}

} // namespace

TEST_CASE("an answer with nothing before it is plain JSON", "[server]") {
    Posted posted;
    posted.outlet->finish(reply(200, R"({"a":1})"));
    CHECK(posted.exchange->answer->status == 200);
    CHECK(posted.exchange->answer->body == R"({"a":1})");
    CHECK(posted.exchange->header("Content-Type") == "application/json");
    CHECK(posted.exchange->header("Cache-Control") == "no-store");
    CHECK_FALSE(posted.outlet->push("1"));
}

TEST_CASE("what is said before the answer makes it a stream without ids", "[server]") {
    Posted posted;
    CHECK(posted.outlet->push("1"));
    CHECK(posted.outlet->push("2"));
    CHECK(posted.exchange->header("Content-Type") == "text/event-stream");
    CHECK(posted.exchange->header("Cache-Control") == "no-store");
    CHECK(posted.exchange->header("X-Accel-Buffering") == "no");
    CHECK_FALSE(posted.exchange->finished);
    posted.outlet->pause(10ms);
    CHECK_FALSE(posted.exchange->finished);
    posted.outlet->finish(reply(200, "3"));
    CHECK(posted.exchange->answer->body == sse_message("1") + sse_message("2") + sse_message("3"));
    CHECK(posted.exchange->finished);
    posted.outlet->finish(reply(200, "4"));
    CHECK_FALSE(posted.outlet->push("5"));
    CHECK(posted.exchange->answer->body.ends_with(sse_message("3")));
}

TEST_CASE("a client that takes only JSON hears nothing before its answer", "[server]") {
    Posted posted("application/json");
    CHECK_FALSE(posted.outlet->push("1"));
    posted.outlet->finish(reply(200, "2"));
    CHECK(posted.exchange->answer->body == "2");
}

TEST_CASE("a client that takes only events gets its answer as one", "[server]") {
    Posted posted("text/event-stream");
    posted.outlet->finish(reply(200, "2"));
    CHECK(posted.exchange->answer->body == sse_message("2"));
    CHECK(posted.exchange->header("Content-Type") == "text/event-stream");
}

TEST_CASE("a client that went away is told nothing", "[server]") {
    Posted early;
    early.exchange->client.request_stop();
    CHECK_FALSE(early.outlet->push("1"));
    CHECK_FALSE(early.exchange->answer);
    Posted late;
    CHECK(late.outlet->push("1"));
    late.exchange->client.request_stop();
    CHECK_FALSE(late.outlet->push("2"));
    CHECK(late.exchange->answer->body == sse_message("1"));
}

TEST_CASE("a reply's status, session and time to come back reach the client", "[server]") {
    Posted opened;
    Reply welcome = reply(200, "{}");
    welcome.session = "mcp_x";
    opened.outlet->finish(welcome);
    CHECK(opened.exchange->header("Mcp-Session-Id") == "mcp_x");
    Posted busy;
    Reply later = reply(503, "{}");
    later.retry_after = 3s;
    busy.outlet->finish(later);
    CHECK(busy.exchange->answer->status == 503);
    CHECK(busy.exchange->header("Retry-After") == "3");
    Posted told;
    told.outlet->finish(reply(202, ""));
    CHECK(told.exchange->answer->status == 202);
    CHECK(told.exchange->answer->headers.empty());
    Posted refused("text/event-stream");
    refused.outlet->finish(reply(400, "{}"));
    CHECK(refused.exchange->answer->body == "{}");
    Posted cancelled;
    cancelled.outlet->finish(reply(200, ""));
    CHECK(cancelled.exchange->header("Content-Type") == "text/event-stream");
    CHECK(cancelled.exchange->answer->body.empty());
}

TEST_CASE("a call that needs more scopes is refused in the gatekeeper's words", "[server]") {
    Posted posted;
    Reply refusal = reply(403, "{}");
    refusal.challenge = "interlock:postgres";
    posted.outlet->finish(refusal);
    CHECK(posted.exchange->answer->status == 403);
    CHECK(posted.exchange->header("WWW-Authenticate") == R"(Bearer scope="interlock:postgres")");
    CHECK(posted.exchange->answer->body == "{}");
}

TEST_CASE("a legacy call on a session goes on without its connection", "[server]") {
    const auto session = session_of("2025-11-25");
    Posted posted(session);
    CHECK(posted.outlet->push("1"));
    CHECK(posted.exchange->answer->body == sse_priming("1-1") + sse_message("1", "1-2"));
    posted.exchange->client.request_stop();
    CHECK(posted.outlet->push("2"));
    posted.outlet->finish(reply(200, "3"));
    const auto back = std::make_shared<FakeExchange>();
    REQUIRE(session->streams().resume("1-2", interlock::server::carry(back)));
    CHECK(
        back->answer->body == sse_keep_alive() + sse_message("2", "1-3") + sse_message("3", "1-4")
    );
    CHECK(back->finished);
}

TEST_CASE("only clients that know resuming are given ids and pauses", "[server]") {
    for (const char* version : {"2025-03-26", "2025-06-18"}) {
        Posted posted(session_of(version));
        posted.outlet->pause(10ms);
        CHECK_FALSE(posted.exchange->answer);
        CHECK(posted.outlet->push("1"));
        posted.outlet->pause(10ms);
        posted.outlet->finish(reply(200, "2"));
        CHECK(posted.exchange->answer->body == sse_message("1") + sse_message("2"));
    }
    const auto session = session_of("2025-11-25");
    Posted posted(session);
    posted.outlet->pause(500ms);
    CHECK(posted.exchange->answer->body == sse_priming("1-1") + "retry: 500\n\n");
    CHECK(posted.exchange->finished);
}

TEST_CASE("a quiet stream of a call is kept alive until it ends", "[server]") {
    const auto keeper = std::make_shared<StreamKeeper>(1ms, 1ms);
    RefusingGatekeeper gatekeeper;
    const auto exchange = std::make_shared<FakeExchange>();
    const auto outlet = post_outlet(exchange, nullptr, keeper, gatekeeper);
    CHECK(outlet->push("1"));
    CHECK(exchange->wait_for_body(sse_message("1") + sse_keep_alive() + sse_keep_alive()));
    outlet->finish(reply(200, "2"));
    CHECK(exchange->answer->body.ends_with(sse_message("2")));
}

namespace {

/// A call that says nothing for longer than its keeper waits.
struct Quiet {
    explicit Quiet(const std::string& accept, SessionPointer session = nullptr)
        : exchange(std::make_shared<FakeExchange>(HttpHeaders{{"Accept", accept}})),
          outlet(post_outlet(exchange, std::move(session), keeper, gatekeeper)) {}
    RefusingGatekeeper gatekeeper;
    std::shared_ptr<StreamKeeper> keeper = std::make_shared<StreamKeeper>(1h, 1h);
    std::shared_ptr<FakeExchange> exchange;
    std::shared_ptr<Outlet> outlet;
};

constexpr const char* both = "application/json, text/event-stream";

} // namespace

TEST_CASE("a call that is quiet for long becomes a stream, and can be resumed", "[server]") {
    const auto session = session_of("2025-11-25");
    Quiet call(both, session);
    call.outlet->keep_alive();
    CHECK(call.exchange->answer->body == sse_priming("1-1"));
    call.outlet->keep_alive(); // from here on the session's own streams are kept alive
    CHECK(call.exchange->answer->body == sse_priming("1-1"));
    call.exchange->client.request_stop();
    call.outlet->finish(reply(200, "2"));
    const auto back = std::make_shared<FakeExchange>();
    REQUIRE(session->streams().resume("1-1", interlock::server::carry(back)));
    CHECK(back->answer->body == sse_keep_alive() + sse_message("2", "1-2"));

    Quiet older(both, session_of("2025-06-18"));
    older.outlet->keep_alive();
    older.outlet->finish(reply(200, "2"));
    CHECK(older.exchange->answer->body == sse_keep_alive() + sse_message("2"));

    Quiet modern(both);
    modern.outlet->keep_alive();
    modern.outlet->finish(reply(200, "2"));
    CHECK(modern.exchange->answer->body == sse_keep_alive() + sse_message("2"));
    CHECK(modern.exchange->finished);
}

TEST_CASE("a client whose Accept names no stream gets its one answer", "[server]") {
    for (const char* accept : {"*/*", "application/json", "application/json, text/*"}) {
        Quiet call(accept, session_of("2025-11-25"));
        call.outlet->keep_alive();
        CHECK_FALSE(call.exchange->answer);
        call.outlet->finish(reply(200, "2"));
        CHECK(call.exchange->answer->body == "2");
        call.outlet->keep_alive();
        CHECK(call.exchange->answer->body == "2");
    }
}

TEST_CASE("the keeper waits for silence first", "[server]") {
    RefusingGatekeeper gatekeeper;
    const auto keeper = std::make_shared<StreamKeeper>(1ms, 1h);
    const auto exchange = std::make_shared<FakeExchange>(HttpHeaders{{"Accept", both}});
    const auto outlet = post_outlet(exchange, nullptr, keeper, gatekeeper);
    const auto soon = std::make_shared<StreamKeeper>(1h, 1ms);
    const auto quiet = std::make_shared<FakeExchange>(HttpHeaders{{"Accept", both}});
    const auto kept = post_outlet(quiet, nullptr, soon, gatekeeper);
    CHECK(quiet->wait_for_body(sse_keep_alive()));
    CHECK_FALSE(exchange->answer);
    outlet->finish(reply(200, "2"));
    CHECK(exchange->answer->body == "2");
    kept->finish(reply(200, "2"));
}

TEST_CASE("an outlet that was let go of leaves its keeper", "[server]") {
    const auto keeper = std::make_shared<StreamKeeper>(1ms, 1ms);
    RefusingGatekeeper gatekeeper;
    const auto exchange = std::make_shared<FakeExchange>();
    for (int i = 0; i < 100; ++i) {
        CHECK(post_outlet(exchange, nullptr, keeper, gatekeeper)->push("1"));
    }
}

TEST_CASE("an Accept header is read as HTTP means it", "[server]") {
    const auto takes = [](HttpHeaders headers, const char* type) {
        HttpRequest request;
        request.headers = std::move(headers);
        return accepts(request, type);
    };
    CHECK(takes({}, "text/event-stream"));
    CHECK(takes({{"accept", "application/json, Text/Event-Stream"}}, "text/event-stream"));
    CHECK(takes({{"Accept", "application/json"}, {"Accept", "text/*;q=0.5"}}, "text/event-stream"));
    CHECK(takes({{"Accept", "*/*"}}, "application/json"));
    CHECK_FALSE(takes({{"Accept", "text/event-stream;q=0"}}, "text/event-stream"));
    CHECK_FALSE(takes({{"Accept", "text/event-stream; q=0.000"}}, "text/event-stream"));
    CHECK_FALSE(takes({{"Accept", "text/event-streams"}}, "text/event-stream"));
    CHECK_FALSE(takes({{"Accept", "application/*"}}, "text/event-stream"));
    CHECK_FALSE(takes({{"Accept", ""}}, "text/event-stream"));
}
