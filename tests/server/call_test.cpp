#include "base/limits.hpp"
#include "server/call.hpp"
#include "tests/server/fixture.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::base::Json;
using interlock::server::AskState;
using interlock::server::Completion;
using interlock::server::CompletionRequest;
using interlock::server::Conversation;
using interlock::server::DispatcherOptions;
using interlock::server::InputRequired;
using interlock::server::Offer;
using interlock::server::Outcome;
using interlock::server::PromptAnswer;
using interlock::server::PromptValues;
using interlock::server::ResourceAnswer;
using interlock::server::TaskSupport;
using interlock::test::call_text;
using interlock::test::Core;
using interlock::test::example_tool;
using interlock::test::Gate;
using interlock::test::json;
using interlock::test::modern_meta;
using interlock::test::offer_with;
using interlock::test::task_capabilities;
using interlock::test::text_answer;
using interlock::test::ToolOutcome;

Json call(Core& core, const std::string& tool, const std::string& arguments = "{}") {
    return json(core.ask(call_text(tool, arguments), core.stdio()).body);
}

/// A modern request of any method.
Json ask(Core& core, const std::string& method, const std::string& params) {
    return json(core.ask(
                        R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" +
                            params + "," + modern_meta() + "}}",
                        core.stdio()
    )
                    .body);
}

Json ask_legacy(Core& core, const std::string& method, const std::string& params) {
    return json(core.ask(
                        R"({"jsonrpc":"2.0","id":2,"method":")" + method + R"(","params":{)" +
                            params + "}}",
                        core.stdio()
    )
                    .body);
}

/// A resource, a prompt and completions.
Offer reading_offer() {
    Offer offer = interlock::test::example_offer();
    offer.resources = [] {
        return std::vector<interlock::server::OfferedResource>{
            {"test://one", "one", "One", "The first.", "text/plain"}};
    };
    offer.read = [](Conversation& conversation, const std::string& uri) -> Outcome<ResourceAnswer> {
        if (uri == "test://slow") {
            Gate never;
            never.wait(conversation.stop());
            return interlock::server::RpcError{-32603, "stopped", {}};
        }
        if (uri == "test://throws") {
            throw std::runtime_error("a library's secret");
        }
        if (uri != "test://one") {
            return interlock::server::resource_not_found(uri);
        }
        return ResourceAnswer{R"([{"uri":"test://one","text":"x"}])"};
    };
    interlock::server::OfferedPrompt prompt;
    prompt.name = "review";
    prompt.title = "Review";
    prompt.description = "Reviews.";
    prompt.arguments = {{"what", "What.", true}, {"how", "How.", false}};
    prompt.run = [](Conversation&, const PromptValues& values) -> Outcome<PromptAnswer> {
        std::string said;
        for (const auto& [name, value] : values) {
            said += name + "=" + value + ";";
        }
        return PromptAnswer{said, "[]"};
    };
    offer.prompts = {prompt};
    offer.complete = [](Conversation&, const CompletionRequest& request) -> Outcome<Completion> {
        return Completion{{request.value + "1", request.value + "2"}, 7};
    };
    return offer;
}

std::string subject() {
    return interlock::server::session_owner(interlock::test::tester());
}

Json task_of(Core& core, const Json& answer) {
    return json(std::get<std::string>(
        core.tasks.get(subject(), answer["result"]["taskId"].get<std::string>())
    ));
}

} // namespace

// --- Tools ---------------------------------------------------------------------------------------

TEST_CASE("without an audit log no call is made", "[server]") {
    std::atomic<int> made{0};
    const auto run = [&](Conversation&, const Json&) -> ToolOutcome {
        ++made;
        return text_answer("made");
    };
    Core core({}, offer_with({example_tool("counts", run)}));
    core.audit.allow(0);
    const Json answer = call(core, "counts");
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer["result"]["structuredContent"]["error"]["code"] == "io");
    CHECK_FALSE(core.runner.audit_works());
    CHECK(made.load() == 0);
    CHECK(core.metrics.render().find("interlock_audit_failures_total 1") != std::string::npos);
    core.audit.allow(100);
    CHECK(call(core, "counts")["result"]["isError"] == false);
    CHECK(core.runner.audit_works());
}

TEST_CASE("a result that cannot be recorded is withheld", "[server]") {
    Core core;
    core.audit.allow(1);
    const Json answer = call(core, "echo", R"({"text":"secret"})");
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer.dump().find("secret") == std::string::npos);
}

TEST_CASE(
    "a reading tool works while its begin is kept, and its answer waits for both", "[server]"
) {
    Core core;
    core.audit.hold();
    const auto outlet = core.send(call_text("echo", R"({"text":"hi"})"), core.stdio());
    REQUIRE(interlock::test::eventually([&] { return core.audit.entries().size() == 2; }));
    CHECK(outlet->finished() == 0);
    core.audit.release();
    CHECK(json(outlet->reply().body)["result"]["structuredContent"]["text"] == "hi");
}

TEST_CASE("a worker serves others while an answer waits for the audit log", "[server]") {
    Core core(DispatcherOptions{.workers = 1});
    core.audit.hold();
    const auto first = core.send(call_text("echo", R"({"text":"secret"})"), core.stdio());
    const auto second =
        core.send(call_text("echo", R"({"text":"two"})", "{}", {}, "2"), core.stdio());
    REQUIRE(interlock::test::eventually([&] { return core.audit.entries().size() == 4; }));
    CHECK(first->finished() + second->finished() == 0);
    SECTION("it is on disk") {
        // What is done cannot be cancelled any more.
        core.ask(
            R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
            core.stdio()
        );
        core.audit.release();
        CHECK(json(first->reply().body)["result"]["structuredContent"]["text"] == "secret");
        CHECK(json(second->reply().body)["result"]["structuredContent"]["text"] == "two");
        CHECK(core.runner.audit_works());
    }
    SECTION("one of its leaves is lost") {
        core.audit.lose(GENERATE(std::size_t{0}, std::size_t{1}));
        core.audit.release();
        const Json answer = json(first->reply().body);
        CHECK(answer["result"]["structuredContent"]["error"]["code"] == "io");
        CHECK(answer.dump().find("secret") == std::string::npos);
        CHECK(json(second->reply().body)["result"]["structuredContent"]["text"] == "two");
    }
    SECTION("the server stops") {
        std::jthread stopping([&] { core.dispatcher.drain(interlock::test::patience); });
        core.audit.release();
        stopping.join();
        CHECK(first->finished() == 1);
        CHECK(second->finished() == 1);
    }
}

TEST_CASE("a changing tool does nothing before its begin is kept", "[server]") {
    std::atomic<int> made{0};
    const auto run = [&](Conversation&, const Json&) -> ToolOutcome {
        ++made;
        return text_answer("made");
    };
    auto tool = example_tool("changes", run);
    tool.read_only = false;
    Core core({}, offer_with({tool}));
    SECTION("it is kept at last") {
        core.audit.hold();
        const auto outlet = core.send(call_text("changes"), core.stdio());
        REQUIRE(interlock::test::eventually([&] { return core.audit.entries().size() == 1; }));
        CHECK(made.load() == 0);
        core.audit.release();
        CHECK(json(outlet->reply().body)["result"]["isError"] == false);
        CHECK(made.load() == 1);
    }
    SECTION("it never is") {
        core.audit.lose(0);
        CHECK(call(core, "changes")["result"]["structuredContent"]["error"]["code"] == "io");
        CHECK(made.load() == 0);
        CHECK_FALSE(core.runner.audit_works());
    }
}

TEST_CASE("a lost begin withholds what the call found, said or became", "[server]") {
    const auto run = [](Conversation& conversation, const Json&) -> ToolOutcome {
        conversation.progress(1, 2, "secret");
        conversation.become_task();
        return text_answer("secret");
    };
    Core core({}, offer_with({example_tool("reads", run)}));
    core.audit.lose(0);
    const auto outlet = core.send(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reads",)" +
            modern_meta("2026-07-28", task_capabilities, R"("progressToken":1)") + "}}",
        core.stdio()
    );
    const Json answer = json(outlet->reply().body);
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer["result"]["resultType"] == "complete");
    CHECK(answer.dump().find("secret") == std::string::npos);
    CHECK(outlet->pushed().empty());
    CHECK_FALSE(core.runner.audit_works());
    CHECK(core.audit.entries().size() == 2);
}

TEST_CASE("without a recorder calls are served unrecorded", "[server]") {
    Core core;
    interlock::server::CallRunner runner(
        {core.states, core.tasks, core.questions, nullptr, core.metrics, core.clock, core.random}
    );
    interlock::server::MessageHandler handler(
        {core.protocol, core.dispatcher, runner, core.hub, core.questions}
    );
    const auto outlet = std::make_shared<interlock::test::RecordingOutlet>();
    handler.handle(call_text("echo"), core.stdio(), {}, [&](const auto&) { return outlet; });
    CHECK(json(outlet->reply().body)["result"]["isError"] == false);
    CHECK(core.audit.entries().empty());
}

TEST_CASE("a cancelled call is answered with silence and recorded as cancelled", "[server]") {
    Core core;
    const auto outlet = core.send(call_text("waits"), core.stdio());
    const auto cancel = core.ask(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
        core.stdio()
    );
    CHECK(cancel.body.empty());
    CHECK(outlet->reply().body.empty());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(json(entries[1].payload)["outcome"] == "cancelled");
}

TEST_CASE("a call past its deadline is answered as timed out", "[server]") {
    Core core({}, reading_offer());
    const auto tool = core.send(call_text("waits"), core.stdio());
    const auto read = core.send(
        R"({"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"test://slow",)" +
            modern_meta() + "}}",
        core.stdio()
    );
    core.clock.advance(limits::tool_call_deadline + std::chrono::seconds(1));
    const Json answer = json(tool->reply().body);
    CHECK(answer["result"]["structuredContent"]["error"]["code"] == "timeout");
    CHECK(json(read->reply().body)["error"]["code"] == -32603);
    CHECK(read->reply().body.find("60 seconds") != std::string::npos);
}

TEST_CASE("a handler that throws is an internal error that tells nothing", "[server]") {
    Core core({}, reading_offer());
    for (const Json& answer :
         {call(core, "throws"), ask(core, "resources/read", R"("uri":"test://throws")")}) {
        CHECK(answer["error"]["code"] == -32603);
        CHECK(answer.dump().find("secret") == std::string::npos);
    }
    CHECK(call(core, "echo")["result"]["isError"] == false); // the worker lives
}

TEST_CASE("an unknown tool and one that is not shown are told in the same words", "[server]") {
    auto offer = interlock::test::example_offer();
    offer.tools[1].domain = "postgres";
    Core core({}, std::move(offer));
    auto arrival = core.stdio();
    arrival.access.toolsets = std::set<std::string>{"triage"};
    const Json hidden = json(core.ask(call_text("fails"), arrival).body);
    CHECK(hidden["error"]["code"] == -32602);
    const std::string message = hidden["error"]["message"];
    CHECK(message == "There is no tool `fails`; see tools/list.");
    CHECK(call(core, "nobody")["error"]["message"] == "There is no tool `nobody`; see tools/list.");
}

TEST_CASE("calls are timed by tool and outcome, and errors are counted", "[server]") {
    Core core;
    call(core, "echo", R"({"text":"hi"})");
    call(core, "fails");
    call(core, "no_such_tool_of_ours");
    const std::string text = core.metrics.render();
    const auto shows = [&](const std::string& line) {
        return text.find(line) != std::string::npos;
    };
    CHECK(shows(R"(error_type="",gen_ai_tool_name="echo",mcp_method_name="tools/call")"));
    CHECK(shows(R"(error_type="tool_error",gen_ai_tool_name="fails")"));
    CHECK(shows(R"(interlock_protocol_errors_total{code="-32602"} 1)"));
    CHECK(shows(R"(interlock_payload_bytes_count{direction="in",gen_ai_tool_name="echo"} 1)"));
    CHECK_FALSE(shows("no_such_tool_of_ours"));
    const auto span = core.spans.find("tools/call fails");
    REQUIRE(span);
    CHECK(span->error);
}

// --- Input ---------------------------------------------------------------------------------------

TEST_CASE("what a modern call needs goes out with its answer and comes back sealed", "[server]") {
    const auto run = [](Conversation& conversation, const Json&) -> ToolOutcome {
        const auto name = conversation.ask(
            "name", {"elicitation/create", R"({"message":"Who?","requestedSchema":{}})"}
        );
        if (name.state == AskState::pending) {
            conversation.remember("half way");
            return InputRequired{};
        }
        return text_answer(conversation.remembered() + " " + name.result);
    };
    Core core({}, offer_with({example_tool("asks", run)}));
    const std::string able = R"({"elicitation":{}})";
    const Json asked = json(core.ask(call_text("asks", "{}", able), core.stdio()).body)["result"];
    CHECK(asked["resultType"] == "input_required");
    CHECK(asked["inputRequests"]["name"]["method"] == "elicitation/create");
    CHECK(asked["inputRequests"]["name"]["params"]["message"] == "Who?");
    CHECK_FALSE(asked.contains("content"));
    const std::string state = asked["requestState"];
    const auto retry = [&](const std::string& tool_arguments, const std::string& sealed) {
        const Json more{
            {"inputResponses", {{"name", {{"action", "decline"}}}}}, {"requestState", sealed}};
        const std::string members = more.dump().substr(1, more.dump().size() - 2) + ",";
        return json(
            core.ask(call_text("asks", tool_arguments, able, members, "2"), core.stdio()).body
        );
    };
    CHECK(retry("{}", state)["result"]["content"][0]["text"] == R"(half way {"action":"decline"})");
    CHECK(retry("{}", state + "x")["error"]["code"] == -32602);
    CHECK(retry(R"({"other":1})", state)["error"]["code"] == -32602);
    const auto entries = core.audit.entries();
    CHECK(json(entries.at(1).payload)["outcome"] == "input_required");
}

TEST_CASE("a handler that needs input but asks nothing is an internal error", "[server]") {
    const auto run = [](Conversation&, const Json&) -> ToolOutcome { return InputRequired{}; };
    Core core({}, offer_with({example_tool("needs", run, TaskSupport::always)}));
    CHECK(call(core, "needs")["error"]["code"] == -32603);
    const Json task =
        json(core.ask(call_text("needs", "{}", task_capabilities), core.stdio()).body);
    core.dispatcher.drain(interlock::test::patience);
    CHECK(task_of(core, task)["status"] == "failed");
    CHECK(task_of(core, task)["error"]["code"] == -32603);
}

TEST_CASE("a legacy client is asked and waited for, over its own connection", "[server]") {
    const auto run = [](Conversation& conversation, const Json&) -> ToolOutcome {
        const auto asked =
            conversation.ask("name", {"elicitation/create", R"({"message":"Who?"})"});
        return text_answer(asked.state == AskState::answered ? asked.result : "failed");
    };
    Core core({}, offer_with({example_tool("asks", run)}));
    core.initialize(R"({"elicitation":{}})");
    const auto outlet = core.send(
        R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"asks"}})", core.stdio()
    );
    const std::string id = json(outlet->pushed(1).front())["id"].dump();
    SECTION("it answers") {
        const std::string answer =
            R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"action":"cancel"}})";
        CHECK(core.ask(answer, core.stdio()).status == 202);
        CHECK(core.ask(answer, core.stdio()).status == 202);
        CHECK(outlet->reply().body.find("cancel") != std::string::npos);
    }
    SECTION("it refuses") {
        core.ask(
            R"({"jsonrpc":"2.0","id":)" + id + R"(,"error":{"code":-1,"message":"no"}})",
            core.stdio()
        );
        CHECK(outlet->reply().body.find("failed") != std::string::npos);
    }
    SECTION("it cancels the call instead") {
        core.ask(
            R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}})",
            core.stdio()
        );
        CHECK(outlet->reply().body.empty());
    }
    SECTION("the server stops") {
        core.dispatcher.drain(std::chrono::milliseconds(0));
        CHECK(outlet->finished() == 1);
    }
}

// --- Tasks ---------------------------------------------------------------------------------------

TEST_CASE("a task goes on after its request and ends with the tool's result", "[server]") {
    Gate go_on;
    const auto run = [&](Conversation& conversation, const Json&) -> ToolOutcome {
        conversation.progress(1, 2, "not for tasks");
        CHECK(go_on.wait(conversation.stop()));
        auto answer = text_answer("too bad");
        answer.is_error = true;
        answer.error_code = "target_busy";
        return answer;
    };
    Core core({}, offer_with({example_tool("job", run, TaskSupport::required)}));
    std::stop_source client;
    const auto outlet = core.send(
        call_text("job", "{}", task_capabilities),
        Core::http(interlock::test::modern_headers("tools/call", "job")),
        client.get_token()
    );
    const Json created = json(outlet->reply().body);
    CHECK(created["result"]["resultType"] == "task");
    client.request_stop(); // it has its answer
    CHECK(task_of(core, created)["status"] == "working");
    go_on.open();
    core.dispatcher.drain(interlock::test::patience);
    const Json ended = task_of(core, created);
    CHECK(ended["status"] == "completed"); // a tool error is a result
    CHECK(ended["result"]["isError"] == true);
    CHECK(ended["result"]["content"][0]["text"] == "too bad");
    CHECK(outlet->pushed().empty());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(json(entries[1].payload)["outcome"] == "target_busy");
}

TEST_CASE("cancelling a task stops its handler", "[server]") {
    Core core(
        {}, offer_with({example_tool("job", interlock::test::wait_for_stop, TaskSupport::always)})
    );
    const Json created =
        json(core.ask(call_text("job", "{}", task_capabilities), core.stdio()).body);
    const Json cancelled = ask(core, "tasks/cancel", R"("taskId":"none")");
    CHECK(cancelled["error"]["code"] == -32021); // this caller declares no tasks
    core.tasks.cancel(subject(), created["result"]["taskId"]);
    core.dispatcher.drain(interlock::test::patience);
    CHECK(task_of(core, created)["status"] == "cancelled");
    CHECK(json(core.audit.entries().at(1).payload)["outcome"] == "cancelled");
}

TEST_CASE("a task past its deadline ends as timed out", "[server]") {
    Core core(
        {}, offer_with({example_tool("job", interlock::test::wait_for_stop, TaskSupport::always)})
    );
    const Json created =
        json(core.ask(call_text("job", "{}", task_capabilities), core.stdio()).body);
    core.clock.advance(limits::tool_call_deadline * 2);
    CHECK(task_of(core, created)["status"] == "working");
    core.clock.advance(limits::task_deadline);
    while (task_of(core, created)["status"] == "working") {
        std::this_thread::yield();
    }
    const Json ended = task_of(core, created);
    CHECK(ended["status"] == "completed");
    CHECK(ended["result"]["structuredContent"]["error"]["code"] == "timeout");
    CHECK(ended.dump().find("600 seconds") != std::string::npos);
}

TEST_CASE("a task whose handler fails inside is a failed task", "[server]") {
    const auto run = [](Conversation&, const Json&) -> ToolOutcome {
        throw std::runtime_error("a library's secret");
    };
    Core core({}, offer_with({example_tool("job", run, TaskSupport::always)}));
    const Json created =
        json(core.ask(call_text("job", "{}", task_capabilities), core.stdio()).body);
    core.dispatcher.drain(interlock::test::patience);
    CHECK(task_of(core, created)["status"] == "failed");
    CHECK(task_of(core, created).dump().find("secret") == std::string::npos);
}

TEST_CASE("a task asks through the task, and its listener hears of it", "[server]") {
    const auto listened = std::make_shared<interlock::test::Gate>();
    const auto run = [listened](Conversation& conversation, const Json&) -> ToolOutcome {
        listened->wait();
        const auto sure =
            conversation.ask("sure", {"elicitation/create", R"({"message":"Sure?"})"});
        if (sure.state == AskState::pending) {
            return InputRequired{};
        }
        return text_answer(sure.result);
    };
    Core core({}, offer_with({example_tool("job", run, TaskSupport::always)}));
    const Json created =
        json(core.ask(call_text("job", "{}", task_capabilities), core.stdio()).body);
    const std::string id = created["result"]["taskId"];
    interlock::server::ListenFilter filter;
    filter.tasks = {id};
    const auto listener = std::make_shared<interlock::test::RecordingOutlet>();
    core.hub.listen(
        {{}, "9", subject(), filter, core.catalogue.current()->modern_members()}, listener, {}
    );
    listened->open();
    CHECK(json(listener->pushed(2)[1])["params"]["status"] == "input_required");
    SECTION("it is answered") {
        core.tasks.update(subject(), id, Json{{"sure", {{"action", "decline"}}}});
        const auto news = listener->pushed(4);
        CHECK(json(news[2])["params"]["status"] == "working");
        CHECK(json(news[3])["params"]["status"] == "completed");
        CHECK(json(news[3])["params"]["result"]["content"][0]["text"] == R"({"action":"decline"})");
    }
    SECTION("it is not answered in time") {
        core.clock.advance(limits::client_answer_deadline + std::chrono::seconds(1));
        const auto news = listener->pushed(4);
        CHECK(json(news[3])["params"]["status"] == "completed");
        CHECK(json(news[3])["params"]["result"]["isError"] == true);
    }
    SECTION("it is cancelled") {
        core.tasks.cancel(subject(), id);
        CHECK(json(listener->pushed(3)[2])["params"]["status"] == "cancelled");
    }
}

TEST_CASE("a task result that cannot be recorded is withheld", "[server]") {
    const auto run = [](Conversation&, const Json&) -> ToolOutcome {
        return text_answer("secret");
    };
    Core core({}, offer_with({example_tool("job", run, TaskSupport::always)}));
    core.audit.allow(1);
    const Json created =
        json(core.ask(call_text("job", "{}", task_capabilities), core.stdio()).body);
    core.dispatcher.drain(interlock::test::patience);
    CHECK(task_of(core, created)["result"]["isError"] == true);
    CHECK(task_of(core, created).dump().find("secret") == std::string::npos);
}

TEST_CASE(
    "past the task workers a tool that must be one is refused, another is waited for", "[server]"
) {
    const auto run = [](Conversation&, const Json&) -> ToolOutcome { return text_answer("done"); };
    Core core(
        DispatcherOptions{.task_workers = 0},
        offer_with(
            {example_tool("must", run, TaskSupport::required),
             example_tool("may", run, TaskSupport::always)}
        )
    );
    const auto answer = [&](const std::string& tool) {
        return json(core.ask(call_text(tool, "{}", task_capabilities), core.stdio()).body);
    };
    CHECK(answer("must")["error"]["code"] == -32603);
    CHECK(answer("may")["result"]["resultType"] == "complete");
    CHECK(call(core, "may")["result"]["resultType"] == "complete"); // knows no tasks
}

// --- Resources, prompts, completion --------------------------------------------------------------

TEST_CASE("a resource is read, and a missing one told in the era's code", "[server]") {
    Core core({}, reading_offer());
    const Json read = ask(core, "resources/read", R"("uri":"test://one")");
    CHECK(read["result"]["contents"][0]["text"] == "x");
    CHECK(read["result"]["cacheScope"] == "private");
    const Json missing = ask(core, "resources/read", R"("uri":"test://two")");
    CHECK(missing["error"]["code"] == -32602);
    CHECK(missing["error"]["data"]["uri"] == "test://two");
    core.initialize();
    const Json legacy = ask_legacy(core, "resources/read", R"("uri":"test://two")");
    CHECK(legacy["error"]["code"] == -32002);
    CHECK(legacy["error"]["data"]["uri"] == "test://two");
    CHECK_FALSE(
        ask_legacy(core, "resources/read", R"("uri":"test://one")")["result"].contains("resultType")
    );
    CHECK(core.audit.entries().empty());
}

TEST_CASE("a prompt gets its declared arguments, in their order", "[server]") {
    Core core({}, reading_offer());
    const Json both = ask(
        core, "prompts/get", R"("name":"review","arguments":{"how":"well","what":"it","more":"x"})"
    );
    CHECK(both["result"]["description"] == "what=it;how=well;");
    CHECK(
        ask(core, "prompts/get", R"("name":"review","arguments":{"what":"it"})"
        )["result"]["description"] == "what=it;"
    );
    const Json lacking = ask(core, "prompts/get", R"("name":"review")");
    CHECK(lacking["error"]["code"] == -32602);
    CHECK(lacking["error"]["message"].get<std::string>().find("`what`") != std::string::npos);
    CHECK(ask(core, "prompts/get", R"("name":"nothing")")["error"]["code"] == -32602);
}

TEST_CASE("a completion is answered with its values", "[server]") {
    Core core({}, reading_offer());
    const Json answer =
        ask(core,
            "completion/complete",
            R"("ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"what","value":"a"})"
        );
    CHECK(
        answer["result"]["completion"] == json(R"({"values":["a1","a2"],"total":7,"hasMore":true})")
    );
    CHECK(
        ask(core, "completion/complete", R"("ref":{"type":"ref/prompt","name":"review"})"
        )["error"]["code"] == -32602
    );
}
