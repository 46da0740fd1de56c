#include "base/digest.hpp"
#include "server/offered_tools.hpp"
#include "tests/lab/lab.hpp"
#include "tests/server/offer_bench.hpp"
#include "tools/find_tools.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace server = interlock::server;
namespace tools = interlock::tools;
using interlock::base::Json;
using interlock::test::json_of;
using interlock::test::OfferBench;

namespace {

std::string echo_schema() {
    return tools::output_schema_of(R"({"text":{"type":"string"}})", {"text"});
}

tools::Tool echo() {
    return {
        .name = "echo",
        .title = "Echo",
        .summary = "Gives back its text.",
        .domain = "triage",
        .idempotent = false,
        .may_become_task = true,
        .inputs = {{.name = "text", .required = true, .length_max = 20, .example = "hello"}},
        .output_schema = echo_schema,
        .run = [](tools::Context&,
                  const tools::Call& call) -> interlock::base::Result<tools::Output> {
            if (call.stop.stop_requested()) {
                return interlock::base::Error{interlock::base::Errc::cancelled, "Stopped.", ""};
            }
            call.tell(1, 2, call.id + " " + call.identity.subject);
            return tools::Output{
                .structured =
                    interlock::base::render_json(Json{{"text", call.arguments.text("text")}}),
                .text = call.arguments.text("text")};
        }};
}

server::ToolAnswer
run(const server::OfferedTool& tool, server::Conversation& conversation, const Json& arguments) {
    auto outcome = tool.run(conversation, arguments);
    REQUIRE(std::holds_alternative<server::ToolAnswer>(outcome));
    return std::get<server::ToolAnswer>(std::move(outcome));
}

} // namespace

TEST_CASE("a tool is offered as it was declared", "[server]") {
    OfferBench bench;
    const auto offered = server::offered_tool(bench.context, echo());
    CHECK(offered.name == "echo");
    CHECK(offered.title == "Echo");
    CHECK(offered.description == "Gives back its text.");
    CHECK(offered.domain == "triage");
    CHECK(offered.input_schema == tools::input_schema(echo()));
    CHECK(offered.output_schema == echo_schema());
    CHECK(offered.read_only);
    CHECK_FALSE(offered.destructive);
    CHECK_FALSE(offered.idempotent);
    CHECK_FALSE(offered.open_world);
    CHECK(offered.tasks == server::TaskSupport::when_slow);
}

TEST_CASE("a call runs as its caller, tells its steps and answers in both forms", "[server]") {
    OfferBench bench;
    const auto offered = server::offered_tool(bench.context, echo());
    auto conversation = bench.as("os:ann");
    const auto answer = run(offered, conversation, {{"text", "hé\nllo"}});
    CHECK_FALSE(answer.is_error);
    CHECK(answer.error_code.empty());
    CHECK(json_of(answer.structured)["text"] == "hé\nllo");
    const Json content = json_of(answer.content);
    REQUIRE(content.size() == 1);
    CHECK(content[0]["type"] == "text");
    CHECK(content[0]["text"] == "hé\nllo");
    CHECK(answer.content.find('\n') == std::string::npos);
    CHECK(conversation.steps == std::vector<std::string>{"1/2 call_test os:ann"});
}

TEST_CASE(
    "arguments that do not fit are an answer that an agent can act on, and counted", "[server]"
) {
    OfferBench bench;
    const auto offered = server::offered_tool(bench.context, echo());
    auto conversation = bench.as();
    const auto refused = [&](const Json& arguments) {
        const auto answer = run(offered, conversation, arguments);
        CHECK(answer.is_error);
        CHECK(answer.error_code == "invalid_arguments");
        const Json error = json_of(answer.structured)["error"];
        CHECK(error["code"] == "invalid_arguments");
        CHECK(error["remedy"].get<std::string>().find(R"({"text":"hello"})") != std::string::npos);
        return error["what"].get<std::string>();
    };
    CHECK_THAT(refused(Json()), Catch::Contains("arguments.text: expected text"));
    CHECK_THAT(refused({{"text", 5}}), Catch::Contains("found 5"));
    CHECK_THAT(refused({{"text", std::string(21, 'x')}}), Catch::Contains("found 21 characters"));
    const std::string both = refused({{"text", 5}, {"other", 1}});
    CHECK_THAT(both, Catch::Contains("arguments.other: no such argument"));
    CHECK_THAT(both, Catch::Contains("arguments.text"));
    CHECK_THAT(
        bench.metrics.render(),
        Catch::Contains("interlock_schema_errors_total{gen_ai_tool_name=\"echo\"} 4")
    );
}

TEST_CASE("a tool that asks for the incident is given the one that its call names", "[server]") {
    OfferBench bench;
    auto asks = echo();
    asks.inputs.push_back({.name = "incident", .length_max = 100});
    asks.run = [](tools::Context&, const tools::Call& call) {
        const auto text = call.arguments.text("text") + "/" + call.arguments.text("incident");
        tools::Output output;
        output.structured = interlock::base::render_json(Json{{"text", text}});
        return interlock::base::Result<tools::Output>(std::move(output));
    };
    const auto offered = server::offered_tool(bench.context, asks);
    auto conversation = bench.as();
    conversation.named_incident = "INC-7";
    const auto said = [&](const server::OfferedTool& tool, const Json& arguments) {
        return json_of(run(tool, conversation, arguments).structured)["text"].get<std::string>();
    };
    CHECK(said(offered, {{"text", "a"}}) == "a/INC-7");
    CHECK(said(offered, {{"text", "a"}, {"incident", "INC-8"}}) == "a/INC-8");
    CHECK(run(offered, conversation, Json::array()).is_error);
    const auto does_not = server::offered_tool(bench.context, echo());
    CHECK(said(does_not, {{"text", "a"}}) == "a"); // nothing undeclared is put in
    conversation.named_incident.clear();
    CHECK(said(offered, {{"text", "a"}}) == "a/");
}

TEST_CASE("people see of arguments what the declaration knows", "[server]") {
    OfferBench bench;
    const auto offered = server::offered_tool(bench.context, echo());
    const auto shown = json_of(offered.shown_arguments({{"text", "hunter2"}, {"other", "x"}}));
    CHECK(shown == Json{{"text", "[text: 7 characters]"}, {"[undeclared]", 1}});
}

TEST_CASE("a stopped call says so", "[server]") {
    OfferBench bench;
    auto conversation = bench.as();
    conversation.stop_source.request_stop();
    const auto answer =
        run(server::offered_tool(bench.context, echo()), conversation, {{"text", "x"}});
    CHECK(answer.error_code == "cancelled");
}

TEST_CASE("text that is not UTF-8 still leaves as valid JSON", "[server]") {
    OfferBench bench;
    tools::Tool tool = echo();
    tool.run = [](auto&, auto&) -> interlock::base::Result<tools::Output> {
        return tools::Output{.structured = R"({"text":""})", .text = "bad \xff byte\n\ndata: x"};
    };
    auto conversation = bench.as();
    const auto answer =
        run(server::offered_tool(bench.context, tool), conversation, {{"text", "x"}});
    CHECK(json_of(answer.content)[0]["type"] == "text");
}

TEST_CASE("toolsets narrow the set and must exist", "[server]") {
    OfferBench bench;
    const auto all = [&] { return server::all_tools({bench.queue, ""}); };
    const auto chosen = server::choose_toolsets(all(), {"triage"});
    REQUIRE(chosen.ok());
    REQUIRE(chosen->size() == 2);
    CHECK(chosen->front().name == "diagnose");
    CHECK(chosen->back().name == "get_incident");
    CHECK(server::choose_toolsets(all(), {}).value().size() == all().size());
    const auto unknown = server::choose_toolsets(all(), {"triage", "root"});
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().what.find("root") != std::string::npos);
}

TEST_CASE("what a model reads of the default list stays under 8,000 characters", "[server]") {
    constexpr std::size_t characters_max = 8'000;
    OfferBench bench;
    std::size_t listed = 0;
    std::size_t all = 0;
    std::string names;
    for (const server::OfferedTool& tool : bench.offer.tools) {
        const std::size_t characters =
            tool.name.size() + tool.description.size() + tool.input_schema.size();
        all += characters;
        listed += tool.on_demand ? 0 : characters;
        names += "\n  " + tool.name + " " + std::to_string(characters) +
                 (tool.on_demand ? " on demand" : "");
    }
    std::cout << "tools/list: " << listed << " of " << characters_max << " characters by default, "
              << all << " in all\n";
    INFO(names);
    CHECK(listed <= characters_max);
}

TEST_CASE("what a client fetches of the default list stays under 40,000 bytes", "[server]") {
    // Most of it is output schemas: who adds to one pays for it with every list.
    OfferBench bench;
    const auto compiled = server::CompiledOffer::compile(bench.offer);
    REQUIRE(compiled.ok());
    const std::string listed = *(*compiled)->list_tools(server::Era::modern, {}, {});
    std::cout << "tools/list: " << listed.size() << " bytes\n";
    CHECK(listed.size() <= 40'000);
}

TEST_CASE("no description changes unseen", "[server]") {
    // A description is what a model obeys: whoever changes one changes its line here, and a
    // reviewer reads both. Nothing of a run goes into one, so that the hash is the same anywhere.
    const std::string path = "tests/server/tool_descriptions.txt";
    std::ifstream file(path);
    const std::string expected{std::istreambuf_iterator<char>(file), {}};
    OfferBench bench;
    std::set<std::string> lines;
    for (const server::OfferedTool& tool : bench.offer.tools) {
        const std::string text =
            tool.name + "\n" + tool.title + "\n" + tool.description + "\n" + tool.input_schema;
        INFO(text);
        CHECK(std::all_of(text.begin(), text.end(), [](char c) {
            return c == '\n' || (c >= ' ' && c <= '~');
        }));
        lines.insert(tool.name + " " + interlock::base::hex(interlock::base::sha256(text)) + "\n");
    }
    std::string found;
    for (const std::string& line : lines) {
        found += line;
    }
    INFO("If the change is meant, " << path << " is to hold:\n" << found);
    CHECK(expected == found);
}

TEST_CASE("tools on demand are listed to who chose toolsets, and called by all", "[server]") {
    OfferBench bench;
    server::Offer offer;
    offer.name = "test";
    offer.version = "1";
    for (const bool on_demand : {false, true}) {
        tools::Tool tool = echo();
        tool.name = on_demand ? "seldom" : "often";
        tool.on_demand = on_demand;
        offer.tools.push_back(server::offered_tool(bench.context, tool));
    }
    const auto compiled = server::CompiledOffer::compile(std::move(offer));
    REQUIRE(compiled.ok());
    const auto listed = [&](const server::Access& access) {
        const Json list = json_of(*(*compiled)->list_tools(server::Era::modern, access, {}));
        return list["tools"].size();
    };
    server::Access everybody;
    server::Access chosen;
    chosen.toolsets = {"triage"};
    CHECK(listed(everybody) == 1);
    CHECK(listed(chosen) == 2);
    CHECK((*compiled)->tool("seldom", everybody) != nullptr);
    auto made = std::vector<tools::Tool>{echo()};
    made[0].on_demand = true;
    CHECK_FALSE(server::choose_toolsets(made, {"triage"}).value()[0].on_demand);
    CHECK(server::choose_toolsets(made, {}).value()[0].on_demand);
}

TEST_CASE("find_tools finds what its caller may use, of all domains", "[server]") {
    OfferBench bench;
    const auto found = [&](interlock::test::RecordingConversation& conversation) {
        const auto answer =
            run(bench.tool("find_tools"), conversation, {{"intent", "runbook that ends a session"}}
            );
        REQUIRE_FALSE(answer.is_error);
        std::set<std::string> out;
        const Json structured = json_of(answer.structured);
        for (const Json& tool : structured["tools"]) {
            out.insert(tool["name"].get<std::string>());
        }
        return out;
    };
    auto conversation = bench.as();
    CHECK(found(conversation).contains("list_runbooks"));
    CHECK(found(conversation).contains("get_activity"));
    conversation.may().toolsets = {"orientation", "postgres"};
    CHECK_FALSE(found(conversation).contains("list_runbooks"));
    CHECK(found(conversation).contains("get_activity"));
    const auto narrowed = run(
        bench.tool("find_tools"), conversation, {{"intent", "kill the blocking session; disk full"}}
    );
    const Json narrow = json_of(narrowed.structured);
    CHECK(narrow["elsewhere"].dump().find("list_runbooks") != std::string::npos);
    for (const Json& tool : narrow["tools"]) {
        CHECK(tool["listed"] == true); // whoever chose toolsets is listed all in them
    }
    conversation.may().toolsets.reset();
    conversation.may().scopes = {"interlock:orientation", "interlock:planning"};
    CHECK(found(conversation).contains("list_runbooks"));
    CHECK_FALSE(found(conversation).contains("get_activity"));
}

TEST_CASE("words for doing something lead to runbooks and plans first", "[server]") {
    OfferBench bench;
    const auto all = server::all_tools({bench.queue, ""});
    for (const auto& [intent, expected] :
         std::initializer_list<std::pair<const char*, const char*>>{
             {"kill the session", "list_runbooks"},
             {"terminate backend 4242", "list_runbooks"},
             {"fix it", "list_runbooks"},
             {"cancel it", "list_runbooks"},
             {"was my plan approved", "get_plan"},
             {"withdraw my plan", "withdraw_plan"},
             {"incident summary", "get_incident"},
             {"hand over to the next on-call", "get_incident"},
             {"what changed recently", "get_incident"},
             {"who blocks", "get_blocking"},
             {"slow", "diagnose"}}) {
        INFO(intent);
        const auto found = tools::match_tools(all, intent);
        REQUIRE_FALSE(found.empty());
        CHECK(found.front().tool->name == expected);
    }
}

TEST_CASE("a diagnosis tells its steps, and its evidence is a resource", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    OfferBench bench({database.address("interlock_diag", "shop")});
    auto conversation = bench.as();
    const auto answer = run(bench.tool("diagnose"), conversation, Json::object());
    INFO(answer.structured);
    REQUIRE_FALSE(answer.is_error);
    REQUIRE(conversation.steps.size() >= 3);
    CHECK(conversation.steps.front() == "0/3 looking at locks and sessions");
    CHECK(conversation.steps.back() == "3/3 diagnosis ready");
    const std::string id = json_of(answer.structured)["id"];
    CHECK(std::holds_alternative<server::ResourceAnswer>(
        bench.offer.read(conversation, "evidence://" + id)
    ));
    auto other = bench.as("os:other");
    CHECK(std::holds_alternative<server::RpcError>(bench.offer.read(other, "evidence://" + id)));
}
