#include "base/limits.hpp"
#include "server/hub.hpp"
#include "tests/server/fixture.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::base::Json;
using interlock::server::Hub;
using interlock::server::Listen;
using interlock::server::ListenFilter;
using interlock::server::OfferChange;
using interlock::server::Sessions;
using interlock::test::json;
using interlock::test::OutletPointer;
using interlock::test::RecordingOutlet;
using interlock::test::SharedClock;
using interlock::test::SharedRandom;

constexpr const char* tag = "io.modelcontextprotocol/subscriptionId";
constexpr const char* members =
    R"("resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x"}})";

struct Room {
    OutletPointer listen(
        ListenFilter filter,
        std::string id = "7",
        std::string key = {},
        std::stop_token gone = {},
        std::string subject = "me"
    ) {
        auto outlet = std::make_shared<RecordingOutlet>();
        hub.listen(
            Listen{std::move(key), std::move(id), std::move(subject), std::move(filter), members},
            outlet,
            gone
        );
        return outlet;
    }

    SharedClock clock;
    SharedRandom random;
    Sessions sessions{clock, random};
    Hub hub{sessions, clock};
};

ListenFilter tools_only() {
    ListenFilter filter;
    filter.tools = true;
    return filter;
}

std::vector<std::string> methods(const std::vector<std::string>& messages) {
    std::vector<std::string> out;
    for (const std::string& message : messages) {
        out.push_back(json(message)["method"]);
    }
    return out;
}

/// A carrier of a session's standing stream that keeps what it carried.
struct Carried {
    interlock::server::StreamCarrier carrier() {
        return {
            [this](std::string bytes) {
                const std::lock_guard lock(mutex);
                text += bytes;
                changed.notify_all();
                return true;
            },
            [] {}};
    }
    void wait(const std::string& wanted) {
        std::unique_lock lock(mutex);
        CHECK(changed.wait_for(lock, interlock::test::patience, [&] {
            return text.find(wanted) != std::string::npos;
        }));
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::string text;
};

} // namespace

TEST_CASE("a listen is acknowledged first, with what is honoured, in its own id", "[server]") {
    Room room;
    ListenFilter filter = tools_only();
    filter.uris = {"plan://1"};
    filter.tasks = {"task_1"};
    const auto number = room.listen(filter, "7");
    const auto text = room.listen(tools_only(), R"("7")");
    const Json ack = json(number->pushed(1).front());
    CHECK(ack["method"] == "notifications/subscriptions/acknowledged");
    CHECK(ack["params"]["_meta"][tag] == 7);
    CHECK(
        ack["params"]["notifications"] ==
        json(
            R"({"toolsListChanged":true,"resourceSubscriptions":["plan://1"],"taskIds":["task_1"]})"
        )
    );
    CHECK(json(text->pushed(1).front())["params"]["_meta"][tag] == "7");
    CHECK(number->finished() == 0);
}

TEST_CASE("listeners hear what they asked for and nothing else, each under its id", "[server]") {
    Room room;
    ListenFilter others;
    others.prompts = others.resources = true;
    others.uris = {"plan://1"};
    const auto tools = room.listen(tools_only(), "1");
    const auto rest = room.listen(others, "2");
    room.hub.lists_changed(OfferChange{.tools = true, .prompts = true, .resources = true});
    room.hub.resource_updated("plan://1");
    room.hub.resource_updated("plan://2");
    CHECK(
        methods(tools->pushed()) ==
        std::vector<std::string>{
            "notifications/subscriptions/acknowledged", "notifications/tools/list_changed"}
    );
    CHECK(json(tools->pushed().back())["params"]["_meta"][tag] == 1);
    CHECK(
        methods(rest->pushed()) ==
        std::vector<std::string>{
            "notifications/subscriptions/acknowledged",
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/resources/updated"}
    );
    CHECK(
        json(rest->pushed().back())["params"] ==
        json(R"({"uri":"plan://1","_meta":{")" + std::string(tag) + R"(":2}})")
    );
}

TEST_CASE("news of a task go to its owner's listens that named it", "[server]") {
    Room room;
    ListenFilter filter;
    filter.tasks = {"task_1"};
    const auto listener = room.listen(filter);
    room.hub.task_changed("me", "task_2", R"({"taskId":"task_2"})");
    room.hub.task_changed("somebody", "task_1", R"({"taskId":"task_1"})");
    CHECK(listener->pushed().size() == 1);
    room.hub.task_changed("me", "task_1", R"({"taskId":"task_1","status":"working"})");
    const Json news = json(listener->pushed(2).back());
    CHECK(news["method"] == "notifications/tasks");
    CHECK(news["params"]["taskId"] == "task_1");
    CHECK(news["params"]["status"] == "working");
    CHECK(news["params"]["_meta"][tag] == 7);
}

TEST_CASE("where nothing is honoured the listen ends at once", "[server]") {
    Room room;
    const auto listener = room.listen({});
    CHECK(json(listener->pushed(1).front())["params"]["notifications"] == Json::object());
    const Json result = json(listener->reply().body);
    CHECK(result["id"] == 7);
    CHECK(result["result"]["resultType"] == "complete");
    CHECK(result["result"]["_meta"][tag] == 7);
    CHECK(result["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "x");
    CHECK(room.hub.listeners() == 0);
}

TEST_CASE("closing ends every listen with its result, and later ones too", "[server]") {
    Room room;
    const auto listener = room.listen(tools_only());
    room.hub.close();
    CHECK(json(listener->reply().body)["result"]["_meta"][tag] == 7);
    room.hub.lists_changed(OfferChange{.tools = true});
    CHECK(listener->pushed().size() == 1);
    CHECK(json(room.listen(tools_only())->reply().body).contains("result"));
    room.hub.close();
    CHECK(listener->finished() == 1);
}

TEST_CASE("a listen is cancelled by its key and then hears nothing", "[server]") {
    Room room;
    const auto listener = room.listen(tools_only(), "7", "stdio\n7");
    CHECK(
        room.listen(tools_only(), "7", "stdio\n7")->reply().body.find("-32600") != std::string::npos
    );
    CHECK_FALSE(room.hub.cancel("stdio\n8"));
    CHECK_FALSE(room.hub.cancel(""));
    CHECK(room.hub.cancel("stdio\n7"));
    CHECK_FALSE(room.hub.cancel("stdio\n7"));
    CHECK(listener->reply().body.empty());
    room.hub.lists_changed(OfferChange{.tools = true});
    CHECK(listener->pushed().size() == 1);
}

TEST_CASE("a client that closes its listen is let go", "[server]") {
    Room room;
    std::stop_source client;
    const auto listener = room.listen(tools_only(), "7", {}, client.get_token());
    const auto other = room.listen(tools_only(), "8");
    client.request_stop();
    CHECK(listener->reply().body.empty());
    CHECK(room.hub.listeners() == 1);
    const auto late = room.listen(tools_only(), "9", {}, client.get_token());
    CHECK(late->reply().body.empty());
    CHECK(room.hub.listeners() == 1);
    CHECK(listener->finished() == 1);
}

TEST_CASE("listens are bounded and many of them are served", "[server]") {
    Room room;
    std::vector<OutletPointer> outlets;
    const auto listen = [&] {
        const std::string id = std::to_string(outlets.size());
        const std::string subject = "subject " + std::to_string(outlets.size() % 10);
        outlets.push_back(room.listen(tools_only(), id, {}, {}, subject));
    };
    for (int i = 0; i < 1000; ++i) {
        listen();
    }
    room.hub.lists_changed(OfferChange{.tools = true});
    for (const auto& outlet : outlets) {
        CHECK(outlet->pushed().size() == 2);
    }
    while (room.hub.listeners() < limits::listeners_max) {
        listen();
    }
    const auto refused = room.listen(tools_only());
    CHECK(refused->reply().status == 503);
    CHECK(refused->reply().retry_after == limits::busy_retry_after);
    CHECK(refused->pushed().empty());
    CHECK(room.hub.listeners() == limits::listeners_max);
}

TEST_CASE("one caller cannot take the places of all who listen", "[server]") {
    Room room;
    std::vector<OutletPointer> outlets;
    for (std::size_t i = 0; i < limits::listeners_max / 10; ++i) {
        outlets.push_back(room.listen(tools_only(), std::to_string(i)));
    }
    CHECK(room.hub.listeners() == limits::listeners_max / 10);
    CHECK(room.listen(tools_only())->reply().status == 503);
    const auto other = room.listen(tools_only(), "1", {}, {}, "somebody else");
    CHECK(other->finished() == 0);
    CHECK(room.hub.listeners() == limits::listeners_max / 10 + 1);
}

TEST_CASE("a client that takes no stream is answered, and holds nothing", "[server]") {
    Room room;
    const auto outlet = std::make_shared<RecordingOutlet>();
    outlet->close();
    room.hub.listen(Listen{{}, "7", "me", tools_only(), members}, outlet, {});
    CHECK(json(outlet->reply().body)["result"]["resultType"] == "complete");
    CHECK(room.hub.listeners() == 0);
}

TEST_CASE("quiet listens and streams are kept alive", "[server]") {
    Room room;
    const auto listener = room.listen(tools_only());
    const auto session = room.sessions.open("me");
    Carried carried;
    session->streams().open_standing(carried.carrier(), false);
    for (std::size_t i = 1; i <= 2; ++i) {
        room.clock.advance(limits::stream_keep_alive);
        listener->wait_kept_alive(i);
    }
    carried.wait(":");
    session->streams().close();
}

TEST_CASE("legacy sessions hear of changes on their standing stream", "[server]") {
    Room room;
    const auto session = room.sessions.open("me");
    session->agree("2025-11-25", {});
    session->subscribe("plan://1");
    Carried carried;
    session->streams().open_standing(carried.carrier(), false);
    room.hub.lists_changed(OfferChange{.prompts = true});
    room.hub.resource_updated("plan://2");
    room.hub.resource_updated("plan://1");
    carried.wait("notifications/prompts/list_changed");
    carried.wait(R"("uri":"plan://1")");
    CHECK(carried.text.find("plan://2") == std::string::npos);
    CHECK(carried.text.find(tag) == std::string::npos);
    session->streams().close();
}

TEST_CASE("the process hears of changes once it is a legacy session", "[server]") {
    Room room;
    const auto process = std::make_shared<interlock::server::LegacySession>();
    const auto outlet = std::make_shared<RecordingOutlet>();
    room.hub.attach_process(process, outlet);
    room.hub.lists_changed(OfferChange{.tools = true});
    CHECK(outlet->pushed().empty());
    process->agree("2025-06-18", {});
    process->subscribe("plan://1");
    room.hub.lists_changed(OfferChange{.tools = true});
    room.hub.resource_updated("plan://1");
    room.hub.resource_updated("plan://2");
    CHECK(
        methods(outlet->pushed()) ==
        std::vector<std::string>{
            "notifications/tools/list_changed", "notifications/resources/updated"}
    );
}

TEST_CASE("what is watched is what listens and sessions named", "[server]") {
    Room room;
    ListenFilter filter;
    filter.uris = {"plan://1", "plan://2"};
    std::stop_source client;
    room.listen(filter, "7", {}, client.get_token());
    room.sessions.open("me")->subscribe("plan://3");
    const auto process = std::make_shared<interlock::server::LegacySession>();
    process->subscribe("plan://4");
    room.hub.attach_process(process, std::make_shared<RecordingOutlet>());
    CHECK(
        room.hub.watched() == std::set<std::string>{"plan://1", "plan://2", "plan://3", "plan://4"}
    );
    client.request_stop();
    CHECK(room.hub.watched() == std::set<std::string>{"plan://3", "plan://4"});
}

TEST_CASE("clients may leave, listen and be told while the hub closes", "[server]") {
    for (int round = 0; round < 20; ++round) {
        std::vector<OutletPointer> outlets;
        std::vector<std::stop_source> clients(100);
        {
            Room room;
            for (auto& client : clients) {
                outlets.push_back(room.listen(tools_only(), "1", {}, client.get_token()));
            }
            std::vector<std::thread> threads;
            threads.emplace_back([&] {
                for (auto& client : clients) {
                    client.request_stop();
                }
            });
            threads.emplace_back([&] { room.hub.lists_changed(OfferChange{.tools = true}); });
            threads.emplace_back([&] { room.listen(tools_only(), "2"); });
            threads.emplace_back([&] { room.hub.close(); });
            for (std::thread& thread : threads) {
                thread.join();
            }
        }
        for (const auto& outlet : outlets) {
            CHECK(outlet->finished() == 1);
        }
    }
}
