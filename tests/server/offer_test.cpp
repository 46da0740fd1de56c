#include "base/limits.hpp"
#include "server/offer.hpp"
#include "tests/server/protocol_fixture.hpp"

#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Access;
using interlock::server::CompiledOffer;
using interlock::server::Era;
using interlock::server::Offer;
using interlock::test::protocol::compiled;
using interlock::test::protocol::full_offer;
using interlock::test::protocol::plain_offer;
using interlock::test::protocol::tool;

/// Why it is not taken; "" when it is.
std::string refusal(Offer offer) {
    const auto made = CompiledOffer::compile(std::move(offer));
    return made ? "" : made.error().what;
}

std::vector<std::string> names(const std::string& list) {
    std::vector<std::string> out;
    const Json parsed = Json::parse(list);
    for (const Json& entry : parsed["tools"]) {
        out.push_back(entry["name"]);
    }
    return out;
}

Access shown(std::set<std::string> toolsets) {
    Access access;
    access.toolsets = std::move(toolsets);
    return access;
}

} // namespace

TEST_CASE("a scope is named after its domain", "[server]") {
    CHECK(interlock::server::scope_of("triage") == "interlock:triage");
    CHECK(interlock::server::scope_of("").empty());
}

TEST_CASE("an offer that cannot be kept is refused, by the name of what is wrong", "[server]") {
    const auto with = [](interlock::server::OfferedTool added) {
        Offer offer = plain_offer();
        offer.tools.push_back(std::move(added));
        return refusal(std::move(offer));
    };
    CHECK(with(tool("fine")).empty());
    CHECK(with(tool("echo")).find("`echo`") != std::string::npos);
    CHECK_FALSE(with(tool("")).empty());
    CHECK_FALSE(with(tool("two words")).empty());
    CHECK_FALSE(with(tool(std::string(65, 'x'))).empty());
    auto wrong = tool("wrong");
    wrong.input_schema = R"({"type":"array"})";
    CHECK(with(wrong).find("`wrong`") != std::string::npos);
    wrong = tool("wrong");
    wrong.output_schema = R"({"type":"object","properties":{"a":{"$ref":"http://x"}}})";
    CHECK(with(wrong).find("`wrong`") != std::string::npos);
    wrong = tool("wrong");
    wrong.input_schema =
        R"({"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}})";
    CHECK(with(wrong).find("`wrong`") != std::string::npos);
    wrong = tool("wrong");
    wrong.required_capability = "telepathy";
    CHECK(with(wrong).find("`wrong`") != std::string::npos);

    Offer twice = full_offer();
    twice.prompts.push_back(twice.prompts.front());
    CHECK_FALSE(refusal(twice).empty());
}

TEST_CASE("resources are made when they are first listed, each address once", "[server]") {
    int made = 0;
    Offer offer = full_offer();
    offer.resources = [&made] {
        ++made;
        return std::vector<interlock::server::OfferedResource>{
            {"test://a", "first", "", "", ""}, {"test://a", "second", "", "", ""}};
    };
    const auto ready = compiled(offer);
    CHECK(made == 0);
    const Json listed = Json::parse(*ready->resources().page(Era::modern, {}))["resources"];
    CHECK(listed == Json::parse(R"([{"uri":"test://a","name":"first"}])"));
    ready->resources();
    CHECK(made == 1);
}

TEST_CASE("capabilities name what works and nothing else", "[server]") {
    const auto legacy = [](const Offer& offer) {
        return Json::parse(compiled(offer)->initialize_result("2025-06-18"))["capabilities"];
    };
    const auto modern = [](const Offer& offer) {
        return Json::parse(compiled(offer)->discover_result())["capabilities"];
    };
    CHECK(legacy(plain_offer()) == Json::parse(R"({"tools":{}})"));
    CHECK(modern(plain_offer()) == Json::parse(R"({"tools":{}})"));
    const std::string all = R"("tools":{"listChanged":true},"prompts":{"listChanged":true},)"
                            R"("resources":{"listChanged":true,"subscribe":true},)"
                            R"("completions":{},"logging":{})";
    CHECK(legacy(full_offer()) == Json::parse("{" + all + "}"));
    CHECK(
        modern(full_offer()) ==
        Json::parse("{" + all + R"(,"extensions":{"io.modelcontextprotocol/tasks":{}}})")
    );
    Offer nothing;
    CHECK(legacy(nothing) == Json::object());
}

TEST_CASE("the results of initialize and discover say who serves", "[server]") {
    const auto offer = compiled(plain_offer());
    const Json hello = Json::parse(offer->initialize_result("2025-06-18"));
    CHECK(hello["protocolVersion"] == "2025-06-18");
    CHECK(hello["instructions"] == "Look, do not touch.");
    const Json server{{"name", "interlock"}, {"title", "Interlock"}, {"version", "1.2.3"}};
    CHECK(hello["serverInfo"] == server);
    const Json discovered = Json::parse(offer->discover_result());
    CHECK(discovered["supportedVersions"] == Json::array({"2026-07-28"}));
    CHECK(discovered["resultType"] == "complete");
    CHECK(discovered["ttlMs"] == 60'000);
    CHECK(discovered["cacheScope"] == "private");
    CHECK(discovered["_meta"]["io.modelcontextprotocol/serverInfo"] == server);
    CHECK_FALSE(discovered.contains("serverInfo"));
}

TEST_CASE("members of modern results can be spliced", "[server]") {
    const auto offer = compiled(plain_offer());
    CHECK(Json::parse("{" + offer->modern_members() + "}")["resultType"] == "complete");
    const Json task = Json::parse("{" + offer->modern_members("task") + "}");
    CHECK(task["resultType"] == "task");
    CHECK(task["_meta"].contains("io.modelcontextprotocol/serverInfo"));
    CHECK(
        interlock::server::cache_members(std::chrono::seconds(2)) ==
        R"("ttlMs":2000,"cacheScope":"private")"
    );
}

TEST_CASE("a tool is listed as it was described, its schema as it was written", "[server]") {
    Offer offer = plain_offer();
    offer.tools.front().input_schema =
        "{\"type\":\"object\",\n \"properties\":{\"z\":{\"type\":\"string\"},\r\n\"a\":{}}}";
    offer.tools.front().output_schema = R"({"type":"object"})";
    offer.tools.front().read_only = false;
    offer.tools.front().destructive = true;
    const auto list = compiled(offer)->list_tools(Era::modern, {}, {});
    REQUIRE(list);
    CHECK(list->find('\n') == std::string::npos);
    CHECK(list->find('\r') == std::string::npos);
    CHECK(list->find(R"("properties":{"z":)") != std::string::npos); // not sorted
    const Json echo = Json::parse(*list)["tools"][0];
    CHECK(echo["outputSchema"] == Json::parse(R"({"type":"object"})"));
    CHECK(echo["annotations"]["readOnlyHint"] == false);
    CHECK(echo["annotations"]["destructiveHint"] == true);
    CHECK(echo["annotations"]["title"] == echo["title"]);
    const Json fails = Json::parse(*list)["tools"][1];
    CHECK_FALSE(fails.contains("outputSchema"));
}

TEST_CASE("what is absent is left out of resources and prompts", "[server]") {
    Offer offer = full_offer();
    auto resources_of = [full = offer.resources] {
        auto all = full();
        all.push_back({"test://bare", "bare", "", "", ""});
        return all;
    };
    offer.resources = resources_of;
    offer.prompts.push_back({"bare", "", "", {}, {}});
    const auto made = compiled(offer);
    const Json resources = Json::parse(*made->resources().page(Era::modern, {}))["resources"];
    CHECK(resources[1] == Json::parse(R"({"uri":"test://bare","name":"bare"})"));
    CHECK(resources[0]["mimeType"] == "text/plain");
    const Json prompts = Json::parse(*made->prompts().page(Era::legacy, {}))["prompts"];
    CHECK(prompts[1] == Json::parse(R"({"name":"bare"})"));
    CHECK(prompts[0]["arguments"][1] == Json::parse(R"({"name":"how","required":false})"));
    const Json templates =
        Json::parse(*made->templates().page(Era::legacy, {}))["resourceTemplates"];
    CHECK(templates[0]["uriTemplate"] == "test://{id}");
}

TEST_CASE("a caller is shown the tools of its toolsets, and those of none", "[server]") {
    const auto offer = compiled(full_offer());
    using List = std::vector<std::string>;
    const List open{"routed", "samples", "asks", "long_work"};
    List all{"echo", "fails"};
    all.insert(all.end(), open.begin(), open.end());
    CHECK(names(*offer->list_tools(Era::legacy, {}, {})) == all);
    CHECK(names(*offer->list_tools(Era::modern, shown({}), {})) == open);
    for (int i = 0; i < 2; ++i) { // rendered, then remembered
        const auto triage = offer->list_tools(Era::modern, shown({"triage", "nothing"}), {});
        CHECK(names(*triage).front() == "echo");
        CHECK(names(*triage).size() == 5);
    }
    CHECK(offer->tool("echo", shown({"triage"})) != nullptr);
    CHECK(offer->tool("fails", shown({"triage"})) == nullptr);
    CHECK(offer->tool("nothing", {}) == nullptr);
    CHECK(offer->tool("Echo", {}) == nullptr);
    CHECK(offer->tool("routed", shown({})) != nullptr);
    CHECK(offer->header_parameters(*offer->tool("routed", {})).size() == 2);
    CHECK(offer->header_parameters(*offer->tool("echo", {})).empty());
}

TEST_CASE("a long list is read page by page, each tool once", "[server]") {
    Offer offer;
    for (std::size_t i = 0; i < 2 * interlock::base::limits::list_page + 1; ++i) {
        offer.tools.push_back(tool("tool_" + std::to_string(i)));
    }
    const auto made = compiled(offer);
    std::optional<std::string> cursor;
    std::vector<std::string> seen;
    std::size_t pages = 0;
    do {
        const auto page = made->list_tools(Era::modern, {}, cursor);
        REQUIRE(page);
        const Json read = Json::parse(*page);
        CHECK(read["cacheScope"] == "private");
        for (const auto& name : names(*page)) {
            seen.push_back(name);
        }
        cursor.reset();
        if (read.contains("nextCursor")) {
            cursor = read["nextCursor"].get<std::string>();
        }
        ++pages;
    } while (cursor && pages < 10);
    CHECK(pages == 3);
    REQUIRE(seen.size() == offer.tools.size());
    CHECK(seen.back() == offer.tools.back().name);
}

TEST_CASE("a cursor that this list did not give out is refused", "[server]") {
    Offer offer;
    for (std::size_t i = 0; i < interlock::base::limits::list_page + 1; ++i) {
        offer.tools.push_back(tool("tool_" + std::to_string(i)));
    }
    const auto made = compiled(offer);
    const auto next =
        Json::parse(*made->list_tools(Era::legacy, {}, {}))["nextCursor"].get<std::string>();
    CHECK(made->list_tools(Era::legacy, {}, next));
    for (const std::string& wrong :
         {std::string(), std::string("0"), std::string("1"), next + "0", " " + next}) {
        CHECK_FALSE(made->list_tools(Era::legacy, {}, wrong));
    }
    CHECK(made->prompts().page(Era::legacy, next) == nullptr);
    offer.tools.front().description = "Otherwise.";
    CHECK_FALSE(compiled(offer)->list_tools(Era::legacy, {}, next)); // another list by now
}

TEST_CASE("an empty list is a page", "[server]") {
    const auto made = compiled(Offer{});
    CHECK(*made->prompts().page(Era::legacy, {}) == R"({"prompts":[]})");
    CHECK(made->prompts().page(Era::legacy, "") == nullptr);
}
