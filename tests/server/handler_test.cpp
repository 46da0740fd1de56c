#include "server/handler.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::server::DispatcherOptions;
using interlock::test::Core;
using interlock::test::modern_headers;
using interlock::test::modern_meta;
using interlock::test::Replies;

std::string waits(const std::string& id) {
    return R"({"jsonrpc":"2.0","id":)" + id +
           R"(,"method":"tools/call","params":{"name":"waits",)" + modern_meta() + "}}";
}

} // namespace

TEST_CASE("past the queue a call is turned away with 503 and when to come back", "[server]") {
    Core core(DispatcherOptions{.workers = 1, .queue_max = 1, .paused = true});
    Replies replies;
    const auto arrival = Core::http(modern_headers("tools/call", "waits"));
    core.handler.handle(waits("1"), arrival, {}, replies.receiver());
    CHECK(replies.count() == 0);
    const auto turned_away = core.ask(waits("2"), arrival);
    CHECK(turned_away.status == 503);
    CHECK(turned_away.retry_after == interlock::base::limits::busy_retry_after);
    CHECK(turned_away.body.find("-32603") != std::string::npos);
    CHECK(turned_away.body.find(R"("id":2)") != std::string::npos);
}

TEST_CASE("an id that is still under way is refused on stdio, not on modern HTTP", "[server]") {
    Core core(DispatcherOptions{.paused = true});
    Replies replies;
    core.handler.handle(waits("1"), core.stdio(), {}, replies.receiver());
    CHECK(core.ask(waits("1"), core.stdio()).body.find("-32600") != std::string::npos);
    const auto arrival = Core::http(modern_headers("tools/call", "waits"));
    core.handler.handle(waits("1"), arrival, {}, replies.receiver());
    core.handler.handle(waits("1"), arrival, {}, replies.receiver());
    CHECK(core.dispatcher.under_way() == 3);
}

TEST_CASE("closing the request cancels a modern call and not a legacy one", "[server]") {
    Core core;
    std::stop_source client;
    Replies modern;
    core.handler.handle(
        waits("1"),
        Core::http(modern_headers("tools/call", "waits")),
        client.get_token(),
        modern.receiver()
    );
    const auto opened = core.ask(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize",)"
        R"("params":{"protocolVersion":"2025-11-25"}})",
        Core::http()
    );
    auto in_session = Core::http();
    in_session.headers.session = {1, opened.session};
    Replies legacy;
    core.handler.handle(
        R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"waits"}})",
        in_session,
        client.get_token(),
        legacy.receiver()
    );
    client.request_stop();
    CHECK(modern.wait(1).front().body.empty());
    CHECK(legacy.count() == 0);
    core.ask(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}})",
        in_session
    );
    CHECK(legacy.wait(1).front().body.empty());
}

TEST_CASE("answers overtake each other but each goes to its own request", "[server]") {
    Core core;
    Replies slow;
    core.handler.handle(waits("1"), core.stdio(), {}, slow.receiver());
    const auto quick = core.ask(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", core.stdio());
    CHECK(quick.body == R"({"jsonrpc":"2.0","id":2,"result":{}})");
    CHECK(slow.count() == 0);
    core.dispatcher.drain(std::chrono::milliseconds(0));
    CHECK(slow.wait(1).front().body.find("stopping") != std::string::npos);
    CHECK(core.ask(waits("3"), core.stdio()).status == 503);
}
