#include "base/limits.hpp"
#include "server/conversations.hpp"
#include "tests/server/fixture.hpp"

#include <cmath>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::base::Json;
using interlock::server::Asked;
using interlock::server::AskState;
using interlock::server::Era;
using interlock::server::Job;
using interlock::server::LegacySession;
using interlock::server::LogSeverity;
using interlock::server::Question;
using interlock::server::Questions;
using interlock::server::StopReason;
using interlock::test::json;
using interlock::test::RecordingOutlet;

const Question who{"elicitation/create", R"({"message":"Who?","requestedSchema":{}})"};
constexpr const char* accepts = R"({"action":"accept","content":{"name":"Ada"}})";

struct NoControl final : interlock::server::CallControl {
    std::stop_token stop() const override { return {}; }
    StopReason reason() const override { return StopReason::none; }
    void when_slow(interlock::base::Duration, std::function<void()>) override {}
    bool become_task(std::stop_token) override { return may; }
    std::function<void()> stopper(StopReason) override {
        return [] {};
    }
    void answer_later(interlock::server::Rest) override {}
    bool may = true;
};

/// A call and everything its conversation stands on.
struct Room {
    explicit Room(Era era) {
        job.emplace(interlock::test::example_job(era, tracer, clock));
        job->session = session;
        job->progress_token = R"("p1")";
        job->log_level = LogSeverity::warning;
        handover.emplace(*job, tasks, control, outlet);
    }
    std::unique_ptr<interlock::server::ServedConversation> conversation() {
        interlock::server::ConversationParts parts{
            *job, "call_1", outlet, stop.get_token(), clock, *handover};
        return job->era == Era::modern ? modern_conversation(std::move(parts), tasks)
                                       : legacy_conversation(std::move(parts), questions);
    }

    interlock::test::SharedClock clock;
    interlock::test::SharedRandom random;
    interlock::test::MemorySpans spans;
    interlock::telemetry::Tracer tracer{spans, clock, random};
    interlock::server::SessionPointer session = std::make_shared<LegacySession>("s1");
    interlock::test::OutletPointer outlet = std::make_shared<RecordingOutlet>();
    interlock::server::Tasks tasks{clock, random};
    Questions questions;
    NoControl control;
    std::stop_source stop;
    std::optional<Job> job;
    std::optional<interlock::server::Handover> handover;
};

/// A handler that asks on a thread of its own.
struct Asking {
    explicit Asking(Room& room)
        : conversation(room.conversation()),
          thread([this] { asked = conversation->ask("who", who); }) {
        id = json(room.outlet->pushed(1).front())["id"].dump();
    }
    Asked end() {
        thread.join();
        return asked;
    }
    std::string id;
    Asked asked;
    std::unique_ptr<interlock::server::ServedConversation> conversation;
    std::thread thread;
};

} // namespace

TEST_CASE("progress rises, carries the client's token, and stops with the answer", "[server]") {
    Room room(Era::modern);
    const auto conversation = room.conversation();
    conversation->progress(0, 100, "begun");
    conversation->progress(0, 100, "again");
    conversation->progress(-1, 100, "");
    conversation->progress(std::nan(""), 100, "");
    conversation->progress(50.5, std::nullopt, "a\x1b[31mb");
    room.outlet->finish({});
    conversation->progress(100, 100, "");
    const auto said = room.outlet->pushed();
    REQUIRE(said.size() == 2);
    CHECK(
        said[0] == R"({"jsonrpc":"2.0","method":"notifications/progress","params":)"
                   R"({"progressToken":"p1","message":"begun","progress":0,"total":100}})"
    );
    CHECK(json(said[1])["params"]["progress"] == 50.5);
    CHECK(json(said[1])["params"]["message"] == "ab");
    CHECK_FALSE(json(said[1])["params"].contains("total"));
}

TEST_CASE("progress is told to those who asked for it, and not too often", "[server]") {
    Room room(Era::modern);
    const auto conversation = room.conversation();
    for (int i = 1; i <= 1000; ++i) {
        conversation->progress(i, 1000, "");
    }
    const auto burst = room.outlet->pushed();
    CHECK(burst.size() == static_cast<std::size_t>(limits::progress_per_second) + 1);
    CHECK(json(burst.back())["params"]["progress"] == 1000); // the end is always told
    room.clock.advance(std::chrono::seconds(1));
    conversation->progress(1001, std::nullopt, "");
    CHECK(room.outlet->pushed().size() == burst.size() + 1);
    room.job->progress_token.clear();
    room.conversation()->progress(1, std::nullopt, "");
    CHECK(room.outlet->pushed().size() == burst.size() + 1);
}

TEST_CASE("a log message is told at or above the client's level", "[server]") {
    Room room(Era::legacy);
    const auto conversation = room.conversation();
    conversation->log(LogSeverity::notice, "tool", R"("quiet")");
    conversation->log(LogSeverity::warning, "tool", R"({"n":1})");
    conversation->log(LogSeverity::error, "", R"("loud")");
    const auto said = room.outlet->pushed();
    REQUIRE(said.size() == 2);
    CHECK(json(said[0])["params"] == json(R"({"level":"warning","logger":"tool","data":{"n":1}})"));
    CHECK(json(said[1])["params"] == json(R"({"level":"error","data":"loud"})"));
    room.job->log_level.reset();
    conversation->log(LogSeverity::emergency, "tool", "1");
    CHECK(room.outlet->pushed().size() == 2);
}

TEST_CASE("a question to a legacy client is a request, its answer a message", "[server]") {
    Room room(Era::legacy);
    Asking asking(room);
    const Json question = json(room.outlet->pushed().front());
    CHECK(question["method"] == "elicitation/create");
    CHECK(question["params"]["message"] == "Who?");
    const auto stranger = std::make_shared<LegacySession>("s2");
    room.questions.answer({stranger, asking.id, R"({"action":"cancel"})"});
    room.questions.answer({room.session, R"("interlock-99")", R"({"action":"cancel"})"});
    room.questions.answer({room.session, asking.id, accepts});
    room.questions.answer({room.session, asking.id, R"({"action":"decline"})"}); // too late
    const Asked asked = asking.end();
    CHECK(asked.state == AskState::answered);
    CHECK(asked.result == accepts);
    CHECK(room.outlet->pushed().size() == 1);
}

TEST_CASE("ids of questions are never used twice", "[server]") {
    Room room(Era::legacy);
    Room other(Era::legacy);
    std::set<std::string> ids;
    for (int i = 0; i < 3; ++i) {
        const auto outlet = std::make_shared<RecordingOutlet>();
        room.outlet = outlet;
        Asking asking(room);
        CHECK(ids.insert(asking.id).second);
        room.questions.answer({room.session, asking.id, accepts});
        asking.end();
    }
}

TEST_CASE("a question fails when the answer is an error or no answer", "[server]") {
    for (const char* result : {"", R"({"action":"maybe"})", "{}"}) {
        Room room(Era::legacy);
        Asking asking(room);
        room.questions.answer({room.session, asking.id, result});
        CHECK(asking.end().state == AskState::failed);
    }
}

TEST_CASE("waiting for a legacy client ends with its deadline or a stop", "[server]") {
    Room room(Era::legacy);
    Asking asking(room);
    SECTION("deadline") {
        room.clock.advance(limits::client_answer_deadline + std::chrono::seconds(1));
    }
    SECTION("stop") {
        room.stop.request_stop();
    }
    CHECK(asking.end().state == AskState::failed);
    const Json withdrawn = json(room.outlet->pushed(2).back());
    CHECK(withdrawn["method"] == "notifications/cancelled");
    CHECK(withdrawn["params"]["requestId"].dump() == asking.id);
    room.questions.answer({room.session, asking.id, accepts}); // nobody waits any more
}

TEST_CASE("a legacy client without a stream, or without the capability, is not asked", "[server]") {
    Room room(Era::legacy);
    CHECK(room.conversation()->ask("r", {"roots/list", "{}"}).state == AskState::unable);
    CHECK(
        room.conversation()
            ->ask("u", {"elicitation/create", R"({"mode":"url","url":"https://a"})"})
            .state == AskState::unable
    );
    room.outlet->close();
    CHECK(room.conversation()->ask("who", who).state == AskState::failed);
    CHECK(room.outlet->pushed().empty());
}

TEST_CASE("a modern client's answers come with the retry", "[server]") {
    Room room(Era::modern);
    const auto first = room.conversation();
    CHECK(first->ask("who", who).state == AskState::pending);
    CHECK(first->ask("who", who).state == AskState::pending);
    CHECK(first->ask("roots", {"roots/list", "{}"}).state == AskState::unable);
    first->remember("half way");
    REQUIRE(first->pending().size() == 1);
    CHECK(first->pending()[0].first == "who");
    CHECK(first->state() == "half way");
    CHECK_FALSE(first->next_round());
    CHECK(room.outlet->pushed().empty());
    room.job->remembered = "half way";
    room.job->input_responses =
        std::make_shared<const Json>(Json{{"who", json(accepts)}, {"stranger", 1}, {"bad", 12345}});
    const auto second = room.conversation();
    CHECK(second->remembered() == "half way");
    CHECK(second->ask("who", who).state == AskState::answered);
    CHECK(json(second->ask("who", who).result) == json(accepts));
    CHECK(second->ask("bad", who).state == AskState::pending); // no answer: asked again
}

TEST_CASE("a call cannot ask for ever", "[server]") {
    Room room(Era::modern);
    const auto conversation = room.conversation();
    for (std::size_t i = 0; i < limits::questions_per_call_max; ++i) {
        CHECK(conversation->ask(std::to_string(i), who).state == AskState::pending);
    }
    CHECK(conversation->ask("one more", who).state == AskState::failed);
}

TEST_CASE("a task asks in rounds and says nothing beside", "[server]") {
    Room room(Era::modern);
    const auto conversation = room.conversation();
    REQUIRE(conversation->become_task());
    const std::string task = room.handover->task_id();
    CHECK(json(room.outlet->reply().body)["result"]["taskId"] == task);
    CHECK(conversation->ask("who", who).state == AskState::pending);
    CHECK(conversation->ask("which", who).state == AskState::pending);
    conversation->remember("half way");
    std::thread client([&] {
        const auto asked = [&] {
            return json(std::get<std::string>(room.tasks.get(room.job->subject(), task)));
        };
        while (asked()["status"] != "input_required") {
            std::this_thread::yield();
        }
        room.tasks.update(
            room.job->subject(), task, Json{{"who", json(accepts)}, {"which", json(accepts)}}
        );
    });
    CHECK(conversation->next_round());
    client.join();
    CHECK(conversation->remembered() == "half way");
    CHECK(conversation->ask("who", who).state == AskState::answered);
    CHECK(conversation->ask("which", who).state == AskState::answered);
    CHECK(conversation->pending().empty());
    CHECK_FALSE(conversation->next_round());
    conversation->progress(1, std::nullopt, "");
    conversation->log(LogSeverity::emergency, "", "1");
    CHECK(room.outlet->lost() == 0);
    CHECK(room.outlet->pushed().empty());
}
