#include "server/diagnostic_offer.hpp"
#include "server/header_parameters.hpp"
#include "server/offered_schema.hpp"
#include "tests/server/offer_bench.hpp"
#include "tools/tool.hpp"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace server = interlock::server;
using interlock::base::Json;
using interlock::test::json_of;
using interlock::test::OfferBench;

namespace {

/// No references, no lists of types, no bare true or false where a schema belongs.
void check_portable(const Json& schema, bool combinators) {
    REQUIRE(schema.is_object());
    CHECK_FALSE(schema.contains("$ref"));
    CHECK((combinators || !schema.contains("anyOf")));
    CHECK((!schema.contains("type") || schema["type"].is_string()));
    CHECK((schema.contains("type") || schema.contains("anyOf") || schema.contains("required")));
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, property] : properties.items()) {
        INFO(name);
        check_portable(property, combinators);
    }
    const Json branches = schema.value("anyOf", Json::array());
    for (const Json& branch : branches) {
        check_portable(branch, combinators);
    }
    if (schema.contains("items")) {
        check_portable(schema["items"], combinators);
    }
}

} // namespace

TEST_CASE("the default set is complete, well named and has a small footprint", "[server]") {
    OfferBench bench;
    std::set<std::string> names;
    std::size_t read_by_model = 0;
    for (const auto& tool : bench.offer.tools) {
        INFO(tool.name);
        CHECK(names.insert(tool.name).second);
        CHECK(tool.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        CHECK_FALSE(tool.description.empty());
        for (const char letter : tool.description) {
            CHECK((letter >= 0x20 && letter < 0x7f));
        }
        const Json input = json_of(tool.input_schema);
        CHECK(input["type"] == "object");
        CHECK(input["additionalProperties"] == false);
        check_portable(input, false);
        check_portable(json_of(tool.output_schema), true);
        // What a start does not look at again.
        CHECK(tool.schemas_tested);
        CHECK(server::read_offered_schema(tool.output_schema).ok());
        const auto read = server::read_offered_schema(tool.input_schema);
        REQUIRE(read.ok());
        CHECK(server::read_header_parameters(read.value()).value().empty());
        if (!tool.on_demand) {
            read_by_model += tool.name.size() + tool.description.size() + tool.input_schema.size();
        }
        const bool touches_queue = tool.name == "propose_plan" || tool.name == "withdraw_plan";
        CHECK(tool.read_only == !touches_queue);
        CHECK_FALSE(tool.destructive);
        const bool may_be_slow = tool.name == "diagnose" || tool.name == "read_logs";
        CHECK(
            tool.tasks ==
            (may_be_slow ? server::TaskSupport::when_slow : server::TaskSupport::never)
        );
    }
    CHECK(names.count("diagnose") == 1);
    CHECK(names.count("propose_plan") == 1);
    for (const std::string never : {"approve_plan", "reject_plan", "execute_plan"}) {
        CHECK(names.count(never) == 0);
    }
    CHECK(read_by_model < 8'000);
}

TEST_CASE("the whole offer says who it is and leads the way", "[server]") {
    OfferBench bench;
    const server::Offer& offer = bench.offer;
    CHECK(offer.name == "interlock");
    CHECK(offer.version == INTERLOCK_VERSION);
    for (const std::string named : {"diagnose", "propose_plan", "evidence://", "review_plan"}) {
        CHECK_THAT(offer.instructions, Catch::Contains(named));
    }
    CHECK(offer.templates.size() == 3);
    CHECK_FALSE(offer.resources().empty());
    CHECK(offer.prompts.size() == 2);
    CHECK(offer.read);
    CHECK(offer.complete);
    CHECK(offer.watchable);
    CHECK(offer.changes);
    CHECK_FALSE(offer.logging);
}

TEST_CASE("what belongs to a domain that is switched off is not offered", "[server]") {
    OfferBench bench({}, {"triage"});
    CHECK(bench.offer.tools.size() == 2); // diagnose and get_incident
    CHECK(bench.offer.resources().empty());
    REQUIRE(bench.offer.templates.size() == 1);
    CHECK(bench.offer.templates[0].uri_template == "evidence://{id}");
    REQUIRE(bench.offer.prompts.size() == 1);
    const std::string plan = "plan://" + bench.submit();
    auto conversation = bench.as();
    CHECK(std::holds_alternative<server::RpcError>(bench.offer.read(conversation, plan)));
    CHECK_FALSE(bench.offer.watchable(conversation.access(), plan));
    auto outcome = bench.prompt("diagnose_incident").run(conversation, {});
    REQUIRE(std::holds_alternative<server::PromptAnswer>(outcome));
    const std::string& text = std::get<server::PromptAnswer>(outcome).messages;
    CHECK(text.find("diagnose") != std::string::npos);
    for (const std::string absent : {"propose_plan", "get_blocking", "list_targets"}) {
        CHECK(text.find(absent) == std::string::npos);
    }
}

TEST_CASE("an unknown toolset is refused", "[server]") {
    OfferBench bench;
    const auto offer = server::diagnostic_offer({bench.context, bench.queue, "", {"root"}});
    REQUIRE_FALSE(offer.ok());
    CHECK(offer.error().code == interlock::base::Errc::invalid_input);
}
