#include "server/handler.hpp"
#include "tests/server/fixture.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::DispatcherOptions;
using interlock::test::call_text;
using interlock::test::Core;
using interlock::test::json;
using interlock::test::modern_headers;
using interlock::test::modern_meta;

std::string waits(const std::string& id) {
    return call_text("waits", "{}", "{}", "", id);
}

std::string listens(const std::string& id) {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"subscriptions/listen","params":{)" +
           R"("notifications":{"toolsListChanged":true},)" + modern_meta() + "}}";
}

std::string cancels(const std::string& id) {
    return R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + id +
           "}}";
}

/// How messages in a new legacy session arrive.
interlock::server::Arrival session(Core& core, const std::string& version) {
    const auto opened = core.ask(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" + version +
            R"("}})",
        Core::http()
    );
    auto arrival = Core::http();
    arrival.headers.session = {1, opened.session};
    return arrival;
}

interlock::server::Offer changing_offer() {
    auto offer = interlock::test::example_offer();
    offer.changes = true;
    return offer;
}

} // namespace

TEST_CASE("past the queue a call is turned away with 503 and when to come back", "[server]") {
    Core core(DispatcherOptions{.workers = 1, .queue_max = 1, .paused = true});
    const auto arrival = Core::http(modern_headers("tools/call", "waits"));
    const auto first = core.send(waits("1"), arrival);
    CHECK(first->finished() == 0);
    const auto turned_away = core.ask(waits("2"), arrival);
    CHECK(turned_away.status == 503);
    CHECK(turned_away.retry_after == interlock::base::limits::busy_retry_after);
    CHECK(json(turned_away.body)["error"]["code"] == -32603);
    CHECK(json(turned_away.body)["id"] == 2);
}

TEST_CASE("an id that is still under way is refused on stdio, not on modern HTTP", "[server]") {
    Core core(DispatcherOptions{.paused = true});
    core.send(waits("1"), core.stdio());
    CHECK(json(core.ask(waits("1"), core.stdio()).body)["error"]["code"] == -32600);
    const auto arrival = Core::http(modern_headers("tools/call", "waits"));
    core.send(waits("1"), arrival);
    core.send(waits("1"), arrival);
    CHECK(core.dispatcher.under_way() == 3);
}

TEST_CASE("closing the request cancels a modern call and not a legacy one", "[server]") {
    Core core;
    std::stop_source client;
    const auto modern = core.send(
        waits("1"), Core::http(modern_headers("tools/call", "waits")), client.get_token()
    );
    const auto in_session = session(core, "2025-11-25");
    const auto legacy = core.send(
        R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"waits"}})",
        in_session,
        client.get_token()
    );
    client.request_stop();
    CHECK(modern->reply().body.empty());
    CHECK(legacy->finished() == 0);
    CHECK(core.ask(cancels("2"), in_session).status == 202);
    CHECK(legacy->reply().body.empty());
    core.dispatcher.drain(interlock::test::patience);
    CHECK(modern->finished() == 1);
    CHECK(legacy->finished() == 1);
}

TEST_CASE("answers overtake each other but each goes to its own request", "[server]") {
    Core core;
    const auto slow = core.send(waits("1"), core.stdio());
    CHECK(
        core.ask(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", core.stdio()).body ==
        R"({"jsonrpc":"2.0","id":2,"result":{}})"
    );
    CHECK(slow->finished() == 0);
    core.dispatcher.drain(std::chrono::milliseconds(0));
    CHECK(slow->reply().body.find("stopping") != std::string::npos);
    CHECK(core.ask(waits("3"), core.stdio()).status == 503);
}

TEST_CASE("ready answers are given while no worker is free", "[server]") {
    Core core(DispatcherOptions{.workers = 1, .paused = true});
    core.send(waits("1"), core.stdio());
    const std::string list =
        R"({"jsonrpc":"2.0","id":2,"method":"tools/list","params":{)" + modern_meta() + "}}";
    const auto outlet = core.send(list, core.stdio());
    REQUIRE(outlet->finished() == 1); // on this thread
    CHECK(json(outlet->reply().body)["result"]["tools"].size() == 4);
}

TEST_CASE("a batch is answered by one array, when the last of it is ready", "[server]") {
    Core core;
    core.ask(
        R"({"jsonrpc":"2.0","id":0,"method":"initialize",)"
        R"("params":{"protocolVersion":"2025-03-26"}})",
        core.stdio()
    );
    const auto outlet = core.send(
        R"([{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"waits"}},)"
        R"({"jsonrpc":"2.0","id":2,"method":"ping"},)"
        R"({"jsonrpc":"2.0","method":"notifications/initialized"},)"
        R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo"}}])",
        core.stdio()
    );
    CHECK(outlet->finished() == 0);
    core.ask(cancels("1"), core.stdio());
    const Json answers = json(outlet->reply().body);
    REQUIRE(answers.size() == 2); // the cancelled one is silent
    CHECK(answers[0]["id"] == 2);
    CHECK(answers[1]["id"] == 3);
}

TEST_CASE("a batch may cancel what it asked for, in the order in which it says so", "[server]") {
    Core core;
    const auto in_session = session(core, "2025-03-26");
    const auto call = [](const std::string& id) {
        return R"({"jsonrpc":"2.0","id":)" + id +
               R"(,"method":"tools/call","params":{"name":"waits"}})";
    };
    // The first cancellation is about nothing that is under way yet, the second about 8.
    const auto batch = core.send(
        "[" + cancels("7") + "," + call("7") + "," + call("8") + "," + cancels("8") + "]",
        in_session
    );
    while (core.dispatcher.under_way() > 1) {
        std::this_thread::yield();
    }
    CHECK(batch->finished() == 0);
    CHECK(core.ask(cancels("7"), in_session).status == 202);
    CHECK(batch->reply().body.empty());
}

TEST_CASE("the calls of a session that is no more are cancelled", "[server]") {
    Core core;
    const auto call = R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"waits"}})";
    const auto first = session(core, "2025-11-25");
    const auto second = session(core, "2025-11-25");
    const auto ended = core.send(call, first);
    const auto other = core.send(call, second);
    core.handler.session_ended(first.headers.session.value);
    CHECK(ended->reply().body.empty());
    CHECK(other->finished() == 0);
}

TEST_CASE("one caller with a token cannot take the turns of another", "[server]") {
    Core core(DispatcherOptions{.queue_max = 4, .queue_per_subject_max = 1, .paused = true});
    const auto as = [](const std::string& subject, bool with_token) {
        auto arrival = Core::http(modern_headers("tools/call", "waits"));
        arrival.access.identity.subject = subject;
        if (with_token) {
            arrival.access.scopes = {"interlock", "interlock:triage", "interlock:postgres"};
        }
        return arrival;
    };
    core.send(waits("1"), as("greedy", true));
    CHECK(core.ask(waits("2"), as("greedy", true)).status == 503);
    core.send(waits("1"), as("modest", true));
    CHECK(core.dispatcher.under_way() == 2);
    // Without authorization all callers are one, and may have all of it.
    core.send(waits("1"), as("os:me", false));
    core.send(waits("2"), as("os:me", false));
    CHECK(core.dispatcher.under_way() == 4);
}

TEST_CASE("a call too large for the memory of calls is turned away", "[server]") {
    Core core(DispatcherOptions{.bytes_max = 1'000'000, .paused = true});
    const auto arrival = Core::http(modern_headers("tools/call", "waits"));
    const auto call = [](const std::string& text) {
        return call_text("waits", R"({"text":")" + text + R"("})", "{}", "", "1");
    };
    core.send(call("short"), arrival);
    CHECK(core.ask(call(std::string(300'000, 'x')), arrival).status == 503);
    core.send(call("short"), arrival);
    CHECK(core.dispatcher.under_way() == 2);
}

TEST_CASE("what needs no answer is finished without a body", "[server]") {
    Core core;
    core.initialize();
    const auto reply =
        core.ask(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", core.stdio());
    CHECK(reply.status == 202);
    CHECK(reply.body.empty());
}

TEST_CASE("a listen is held until its client cancels it", "[server]") {
    Core core({}, changing_offer());
    const auto outlet = core.send(listens("5"), core.stdio());
    CHECK(json(outlet->pushed(1).front())["params"]["notifications"]["toolsListChanged"] == true);
    auto other = changing_offer();
    other.tools.pop_back();
    core.catalogue.replace(interlock::test::compiled(std::move(other)));
    CHECK(json(outlet->pushed(2).back())["method"] == "notifications/tools/list_changed");
    core.ask(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,)" +
            modern_meta() + "}}",
        core.stdio()
    );
    CHECK(outlet->reply().body.empty());
    CHECK(core.hub.listeners() == 0);
}

TEST_CASE("a listen over HTTP ends with its request", "[server]") {
    Core core({}, changing_offer());
    std::stop_source client;
    const auto outlet = core.send(
        listens("5"), Core::http(modern_headers("subscriptions/listen")), client.get_token()
    );
    CHECK(outlet->pushed(1).size() == 1);
    client.request_stop();
    CHECK(outlet->reply().body.empty());
    CHECK(core.hub.listeners() == 0);
}

namespace {

std::string listens_to(const std::string& id, const std::string& uri) {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"subscriptions/listen","params":{)" +
           R"("notifications":{"resourceSubscriptions":[")" + uri + R"("]},)" + modern_meta() +
           "}}";
}

/// Whether something can be watched is known only once `disk` answers.
interlock::server::Offer slow_offer(
    const std::shared_ptr<interlock::test::Gate>& asked,
    const std::shared_ptr<interlock::test::Gate>& disk
) {
    auto offer = interlock::test::example_offer();
    offer.read = [](interlock::server::Conversation&, const std::string&) {
        return interlock::server::Outcome<interlock::server::ResourceAnswer>(
            interlock::server::ResourceAnswer{"[]"}
        );
    };
    offer.watchable = [asked, disk](const interlock::server::Access&, const std::string& uri) {
        asked->open();
        disk->wait();
        return uri == "test://mine";
    };
    return offer;
}

struct SlowDisk {
    std::shared_ptr<interlock::test::Gate> asked = std::make_shared<interlock::test::Gate>();
    std::shared_ptr<interlock::test::Gate> disk = std::make_shared<interlock::test::Gate>();
    Core core{{}, slow_offer(asked, disk)};
};

} // namespace

TEST_CASE("what can be watched is looked up by a worker, not where messages are read", "[server]") {
    SlowDisk room;
    const auto listen = room.core.send(listens_to("1", "test://mine"), room.core.stdio());
    const auto foreign = room.core.send(listens_to("2", "test://theirs"), room.core.stdio());
    room.core.initialize();
    const auto subscribed = room.core.send(
        R"({"jsonrpc":"2.0","id":3,"method":"resources/subscribe",)"
        R"("params":{"uri":"test://theirs"}})",
        room.core.stdio()
    );
    REQUIRE(room.asked->wait());
    // The disk has not answered, and messages are still taken.
    CHECK(
        room.core.send(R"({"jsonrpc":"2.0","id":4,"method":"ping"})", room.core.stdio())
            ->finished() == 1
    );
    CHECK(listen->finished() == 0);
    room.disk->open();
    CHECK(
        json(listen->pushed(1).front())["params"]["notifications"]["resourceSubscriptions"] ==
        Json::array({"test://mine"})
    );
    CHECK(json(foreign->reply().body)["result"]["resultType"] == "complete"); // nothing honoured
    CHECK(json(subscribed->reply().body)["error"]["code"] == -32002);
    CHECK(room.core.hub.listeners() == 1);
    room.core.ask(cancels("1"), room.core.stdio());
    CHECK(listen->reply().body.empty());
}

TEST_CASE("a listen that is cancelled while it is looked up never begins", "[server]") {
    SlowDisk room;
    const auto listen = room.core.send(listens_to("1", "test://mine"), room.core.stdio());
    REQUIRE(room.asked->wait());
    room.core.ask(cancels("1"), room.core.stdio());
    room.disk->open();
    CHECK(listen->reply().body.empty());
    room.core.dispatcher.drain(interlock::test::patience);
    CHECK(listen->finished() == 1);
    CHECK(room.core.hub.listeners() == 0);
}

TEST_CASE("a look at the disk is turned away like a call when there is no room", "[server]") {
    auto gate = std::make_shared<interlock::test::Gate>();
    Core core(
        DispatcherOptions{.workers = 1, .queue_max = 1, .paused = true}, slow_offer(gate, gate)
    );
    gate->open();
    const auto arrival = Core::http(modern_headers("subscriptions/listen"));
    core.send(listens_to("1", "test://mine"), arrival);
    const auto turned_away = core.ask(listens_to("2", "test://mine"), arrival);
    CHECK(turned_away.status == 503);
    CHECK(json(turned_away.body)["id"] == 2);
}

TEST_CASE("a call that was cancelled says nothing more", "[server]") {
    auto offer = interlock::test::offer_with({interlock::test::example_tool(
        "late",
        [](interlock::server::Conversation& conversation,
           const Json& arguments) -> interlock::test::ToolOutcome {
            conversation.progress(1, 2, "begun");
            auto answer = interlock::test::wait_for_stop(conversation, arguments);
            conversation.progress(2, 2, "too late");
            conversation.log(interlock::server::LogSeverity::error, "late", "1");
            return answer;
        }
    )});
    offer.logging = true;
    Core core({}, std::move(offer));
    core.initialize();
    const auto outlet = core.send(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call",)"
        R"("params":{"name":"late","_meta":{"progressToken":5}}})",
        core.stdio()
    );
    CHECK(outlet->pushed(1).size() == 1);
    core.ask(cancels("1"), core.stdio());
    CHECK(outlet->reply().body.empty());
    CHECK(outlet->pushed().size() == 1);
    CHECK(outlet->lost() == 0);
}
