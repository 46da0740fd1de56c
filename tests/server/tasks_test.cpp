#include "base/limits.hpp"
#include "server/tasks.hpp"
#include "tests/server/fixture.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::base::Json;
using interlock::server::KeyedAnswers;
using interlock::server::KeyedQuestions;
using interlock::server::RpcError;
using interlock::server::Tasks;
using interlock::test::json;
using interlock::test::patience;
using interlock::test::SharedClock;
using interlock::test::SharedRandom;

const KeyedQuestions both{
    {"name", {"elicitation/create", R"({"message":"Who?"})"}},
    {"color", {"elicitation/create", R"({"message":"Which?"})"}}};
constexpr const char* accepts = R"({"action":"accept","content":{"x":1}})";

/// Tasks, and what was told of them.
struct Room {
    Room() {
        tasks.on_change([this](const auto& subject, const auto& id, const auto& task) {
            const std::lock_guard lock(mutex);
            news.push_back(
                subject + " " + id + " " + json(task)["status"].template get<std::string>()
            );
            changed.notify_all();
        });
    }
    std::string start(const std::string& subject = "me") {
        auto started = tasks.start(subject, stop);
        REQUIRE(started.ok());
        return started.value();
    }
    Json get(const std::string& id, const std::string& subject = "me") {
        return json(std::get<std::string>(tasks.get(subject, id)));
    }
    bool unknown(const std::string& id, const std::string& subject = "me") {
        const auto got = tasks.get(subject, id);
        const auto* error = std::get_if<RpcError>(&got);
        return error != nullptr && error->code == -32602;
    }
    void wait_news(std::size_t count) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, patience, [&] { return news.size() >= count; }));
    }

    SharedClock clock;
    SharedRandom random;
    Tasks tasks{clock, random};
    std::stop_source stop;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> news;
};

/// A handler that asks, and what it heard.
struct Asking {
    Asking(Room& room, const std::string& id, std::stop_token stop = {})
        : thread([this, &room, id, stop] { answers = room.tasks.ask(id, both, stop); }) {
        room.wait_news(1);
    }
    std::optional<KeyedAnswers> end() {
        thread.join();
        return answers;
    }
    std::optional<KeyedAnswers> answers;
    std::thread thread;
};

} // namespace

TEST_CASE("a task begins at work, and says when it was made and how long it is kept", "[server]") {
    Room room;
    const std::string id = room.start();
    CHECK(room.tasks.created(id) == std::get<std::string>(room.tasks.get("me", id)));
    const Json task = room.get(id);
    CHECK(task["taskId"] == id);
    CHECK(task["status"] == "working");
    CHECK(task["createdAt"] == "2026-11-21T03:00:00.000000Z");
    CHECK(task["lastUpdatedAt"] == task["createdAt"]);
    CHECK(task["ttlMs"] == 3'600'000);
    CHECK(task["pollIntervalMs"].is_number_integer());
    CHECK(task.size() == 6);
    CHECK(id.size() == 31); // 128 bits
    CHECK(id != room.start());
}

TEST_CASE("a task is found by its owner only", "[server]") {
    Room room;
    const std::string id = room.start();
    CHECK(room.unknown(id, "somebody"));
    CHECK(room.unknown("task_nothing"));
    CHECK(std::holds_alternative<RpcError>(room.tasks.cancel("somebody", id)));
    CHECK(std::holds_alternative<RpcError>(room.tasks.update("somebody", id, Json::object())));
    CHECK_FALSE(room.tasks.owns("somebody", id));
    CHECK_FALSE(room.stop.stop_requested());
    CHECK(room.get(id)["status"] == "working");
}

TEST_CASE("a task ends with its result or its error, and only once", "[server]") {
    Room room;
    const std::string done = room.start();
    room.clock.advance(std::chrono::seconds(2));
    room.tasks.complete(done, R"({"content":[],"isError":true})");
    room.tasks.fail(done, {-32603, "late", {}});
    const Json completed = room.get(done);
    CHECK(completed["status"] == "completed");
    CHECK(completed["result"] == json(R"({"content":[],"isError":true})"));
    CHECK_FALSE(completed.contains("error"));
    CHECK(completed["lastUpdatedAt"] == "2026-11-21T03:00:02.000000Z");
    const std::string failed = room.start();
    room.tasks.fail(failed, {-32603, "broken", R"({"why":1})"});
    CHECK(
        room.get(failed)["error"] == json(R"({"code":-32603,"message":"broken","data":{"why":1}})")
    );
    CHECK_FALSE(room.get(failed).contains("result"));
    CHECK(
        room.news ==
        std::vector<std::string>{"me " + done + " completed", "me " + failed + " failed"}
    );
}

TEST_CASE("cancelling requests the stop, is told at once, and may be repeated", "[server]") {
    Room room;
    const std::string id = room.start();
    CHECK(std::get<std::string>(room.tasks.cancel("me", id)) == "{}");
    CHECK(room.stop.stop_requested());
    room.tasks.complete(id, "{}");
    CHECK(room.get(id)["status"] == "cancelled");
    CHECK_FALSE(room.get(id).contains("result"));
    CHECK(std::get<std::string>(room.tasks.cancel("me", id)) == "{}");
    CHECK(room.news.size() == 1);
}

TEST_CASE("a task asks all its questions at once and takes the answers one by one", "[server]") {
    Room room;
    const std::string id = room.start();
    Asking asking(room, id);
    const Json asked = room.get(id);
    CHECK(asked["status"] == "input_required");
    CHECK(asked["inputRequests"].size() == 2);
    CHECK(asked["inputRequests"]["name"]["method"] == "elicitation/create");
    CHECK(asked["inputRequests"]["name"]["params"]["message"] == "Who?");
    const Json first{{"name", json(accepts)}, {"stranger", json(accepts)}};
    CHECK(std::get<std::string>(room.tasks.update("me", id, first)) == "{}");
    CHECK(room.get(id)["status"] == "input_required");
    CHECK(room.get(id)["inputRequests"].size() == 1);
    room.tasks.update("me", id, Json{{"color", 12345}, {"name", {{"action", "decline"}}}});
    CHECK(room.get(id)["inputRequests"].contains("color"));
    room.tasks.update("me", id, Json{{"color", {{"action", "decline"}}}});
    CHECK(room.get(id)["status"] == "working");
    const auto answers = asking.end();
    REQUIRE(answers);
    CHECK(json(answers->at("name")) == json(accepts)); // the first answer counts
    CHECK(json(answers->at("color"))["action"] == "decline");
}

TEST_CASE("an answer after the deadline comes too late", "[server]") {
    Room room;
    const std::string id = room.start();
    Asking asking(room, id);
    room.clock.advance(limits::client_answer_deadline + std::chrono::seconds(1));
    CHECK_FALSE(asking.end());
    CHECK(room.get(id)["status"] == "working");
    CHECK(
        std::get<std::string>(room.tasks.update("me", id, Json{{"name", json(accepts)}})) == "{}"
    );
    CHECK(room.get(id)["status"] == "working");
}

TEST_CASE("waiting for an answer ends with the task, and with a stop", "[server]") {
    Room room;
    SECTION("cancelled by its owner") {
        const std::string id = room.start();
        Asking asking(room, id);
        room.tasks.cancel("me", id);
        CHECK_FALSE(asking.end());
        CHECK(room.get(id)["status"] == "cancelled");
        CHECK_FALSE(room.get(id).contains("inputRequests"));
    }
    SECTION("stopped by the server") {
        std::stop_source server;
        const std::string id = room.start();
        Asking asking(room, id, server.get_token());
        server.request_stop();
        CHECK_FALSE(asking.end());
        CHECK(room.get(id)["status"] == "working");
    }
}

TEST_CASE("a task is kept for its time after its end, and not longer", "[server]") {
    Room room;
    const std::string working = room.start();
    const std::string done = room.start();
    room.clock.advance(std::chrono::seconds(10));
    room.tasks.complete(done, "{}");
    room.clock.advance(limits::task_lifetime);
    CHECK(room.get(done)["status"] == "completed");
    room.clock.advance(std::chrono::seconds(1));
    CHECK(room.unknown(done));
    CHECK_FALSE(room.tasks.owns("me", done));
    CHECK(room.get(working)["status"] == "working"); // as long as somebody works on it
}

TEST_CASE("tasks are bounded, for everybody and for each", "[server]") {
    Room room;
    std::string first;
    for (std::size_t i = 0; i < limits::tasks_per_subject_max; ++i) {
        const std::string id = room.start();
        first = first.empty() ? id : first;
    }
    const auto refused = room.tasks.start("me", {});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == interlock::base::Errc::limit_exceeded);
    CHECK(room.tasks.start("another", {}).ok());
    room.tasks.discard(first);
    CHECK(room.unknown(first));
    CHECK(room.tasks.start("me", {}).ok());
    std::size_t total = limits::tasks_per_subject_max + 1;
    for (std::size_t who = 0; total < limits::tasks_max; ++total) {
        REQUIRE(room.tasks.start("client" + std::to_string(who++ % 20), {}).ok());
    }
    CHECK_FALSE(room.tasks.start("one more", {}).ok());
}

TEST_CASE("what tasks came to is bounded together, the first that ended goes first", "[server]") {
    SharedClock clock;
    SharedRandom random;
    Tasks tasks(clock, random);
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(tasks.start("me", std::stop_source{}).value());
        tasks.complete(ids.back(), '"' + std::string(limits::evidence_bytes_max - 2, 'x') + '"');
        clock.advance(std::chrono::seconds(1));
    }
    CHECK_FALSE(tasks.owns("me", ids.front()));
    for (std::size_t i = 1; i < ids.size(); ++i) {
        CHECK(tasks.owns("me", ids[i]));
    }
}
