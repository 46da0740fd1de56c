#include "server/handover.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::server::Conversation;
using interlock::server::DispatcherOptions;
using interlock::server::InputRequired;
using interlock::server::TaskSupport;
using interlock::test::call_text;
using interlock::test::Core;
using interlock::test::example_tool;
using interlock::test::Gate;
using interlock::test::json;
using interlock::test::offer_with;
using interlock::test::task_capabilities;
using interlock::test::text_answer;
using interlock::test::ToolOutcome;

interlock::base::Json result(const interlock::server::Reply& reply) {
    return json(reply.body)["result"];
}

} // namespace

TEST_CASE("a call becomes a task once, and only when it may", "[server]") {
    std::vector<bool> became;
    const auto run = [&](Conversation& conversation, const auto&) -> ToolOutcome {
        became.push_back(conversation.become_task());
        became.push_back(conversation.become_task());
        return text_answer("done");
    };
    Core core(DispatcherOptions{.workers = 1}, offer_with({example_tool("moves", run)}));
    SECTION("for a client that knows tasks") {
        const auto outlet = core.send(call_text("moves", "{}", task_capabilities), core.stdio());
        CHECK(result(outlet->reply())["resultType"] == "task");
        CHECK(result(outlet->reply())["status"] == "working");
        CHECK(result(outlet->reply()).contains("_meta"));
        core.dispatcher.drain(interlock::test::patience);
        CHECK(outlet->finished() == 2); // the second, which says nothing, is ignored
        CHECK(became == std::vector{true, true});
    }
    SECTION("for one that does not") {
        const auto reply = core.ask(call_text("moves"), core.stdio());
        CHECK(result(reply)["resultType"] == "complete");
        CHECK(became == std::vector{false, false});
    }
    SECTION("in a legacy session") {
        core.initialize(task_capabilities);
        const auto reply = core.ask(
            R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"moves"}})",
            core.stdio()
        );
        CHECK(result(reply)["content"][0]["text"] == "done");
        CHECK(became == std::vector{false, false});
    }
    SECTION("when there is a worker for it") {
        Core full(
            DispatcherOptions{.workers = 1, .task_workers = 0},
            offer_with({example_tool("moves", run)})
        );
        const auto reply = full.ask(call_text("moves", "{}", task_capabilities), full.stdio());
        CHECK(result(reply)["resultType"] == "complete");
        CHECK(became == std::vector{false, false});
    }
}

TEST_CASE("a call that asked in its answer stays a call", "[server]") {
    const auto run = [](Conversation& conversation, const auto&) -> ToolOutcome {
        conversation.ask("name", {"elicitation/create", R"({"message":"Who?"})"});
        CHECK_FALSE(conversation.become_task());
        return InputRequired{};
    };
    Core core({}, offer_with({example_tool("asks", run)}));
    const auto reply = core.ask(call_text("asks", "{}", task_capabilities), core.stdio());
    CHECK(result(reply)["resultType"] == "input_required");
}

TEST_CASE("a call asks first and becomes a task when all is answered", "[server]") {
    const auto run = [](Conversation& conversation, const auto&) -> ToolOutcome {
        const auto name = conversation.ask("name", {"elicitation/create", R"({"message":"Who?"})"});
        if (name.state == interlock::server::AskState::pending) {
            return InputRequired{};
        }
        CHECK(conversation.become_task());
        return text_answer("Hello, " + json(name.result)["content"]["name"].get<std::string>());
    };
    Core core({}, offer_with({example_tool("greets", run)}));
    const auto asked = result(core.ask(call_text("greets", "{}", task_capabilities), core.stdio()));
    CHECK(asked["inputRequests"].contains("name"));
    CHECK_FALSE(asked.contains("taskId"));
    const auto task = result(core.ask(
        call_text(
            "greets",
            "{}",
            task_capabilities,
            R"("inputResponses":{"name":{"action":"accept","content":{"name":"Ada"}}},)"
        ),
        core.stdio()
    ));
    CHECK(task["resultType"] == "task");
    CHECK_FALSE(task.contains("requestState"));
    core.dispatcher.drain(interlock::test::patience);
    const auto subject = interlock::server::session_owner(interlock::test::tester());
    const auto ended = json(std::get<std::string>(core.tasks.get(subject, task["taskId"])));
    CHECK(ended["status"] == "completed");
    CHECK(ended["result"]["content"][0]["text"] == "Hello, Ada");
}

TEST_CASE("a slow call becomes a task while it runs on", "[server]") {
    Gate go_on;
    Gate running;
    std::atomic<int> runs{0};
    const auto run = [&](Conversation& conversation, const auto&) -> ToolOutcome {
        ++runs;
        running.open();
        CHECK(go_on.wait(conversation.stop()));
        return text_answer("done");
    };
    Core core(
        DispatcherOptions{.workers = 1},
        offer_with({example_tool("slow", run, TaskSupport::when_slow)})
    );
    const auto outlet = core.send(call_text("slow", "{}", task_capabilities), core.stdio());
    REQUIRE(running.wait());
    CHECK(outlet->finished() == 0);
    core.clock.advance(interlock::base::limits::task_after + std::chrono::milliseconds(1));
    const auto task = result(outlet->reply());
    CHECK(task["resultType"] == "task");
    // The id and the worker's place are free again.
    CHECK(result(core.ask(call_text("echo"), core.stdio()))["resultType"] == "complete");
    go_on.open();
    core.dispatcher.drain(interlock::test::patience);
    const auto subject = interlock::server::session_owner(interlock::test::tester());
    const auto ended = json(std::get<std::string>(core.tasks.get(subject, task["taskId"])));
    CHECK(ended["status"] == "completed");
    CHECK(ended["result"]["content"][0]["text"] == "done");
    CHECK(ended["result"]["resultType"] == "complete");
    CHECK(runs.load() == 1);
}

TEST_CASE("a slow call of a client that does not know tasks is waited for", "[server]") {
    Gate go_on;
    const auto run = [&](Conversation& conversation, const auto&) -> ToolOutcome {
        CHECK(go_on.wait(conversation.stop()));
        return text_answer("done");
    };
    Core core({}, offer_with({example_tool("slow", run, TaskSupport::when_slow)}));
    const auto outlet = core.send(call_text("slow"), core.stdio());
    core.clock.advance(interlock::base::limits::task_after * 2);
    go_on.open();
    CHECK(result(outlet->reply())["resultType"] == "complete");
}
