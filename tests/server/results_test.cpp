#include "base/limits.hpp"
#include "server/results.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Completion;
using interlock::server::Era;
using interlock::server::Job;
using interlock::server::PromptAnswer;
using interlock::server::render_answer;
using interlock::server::ResourceAnswer;
using interlock::server::ToolAnswer;
using interlock::test::json;

Job job_in(Era era, interlock::test::ToolRoom& room) {
    return interlock::test::example_job(era, room.tracer, room.clock);
}

} // namespace

TEST_CASE(
    "a modern result says that it is complete and who gave it; a legacy one not", "[server]"
) {
    interlock::test::ToolRoom room;
    const Job modern = job_in(Era::modern, room);
    const Job legacy = job_in(Era::legacy, room);
    const ToolAnswer answer{R"([{"type":"text","text":"x"}])", R"({"b":1,"a":2})", false, ""};
    CHECK(
        render_answer(legacy, answer) ==
        R"({"content":[{"type":"text","text":"x"}],"structuredContent":{"b":1,"a":2},)"
        R"("isError":false})"
    );
    const Json shown = json(render_answer(modern, answer));
    CHECK(shown["resultType"] == "complete");
    CHECK(shown["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "interlock");
    CHECK(shown["structuredContent"] == json(R"({"a":2,"b":1})"));
    CHECK_FALSE(
        json(render_answer(modern, ToolAnswer{"[]", "", true, "io"})).contains("structuredContent")
    );
    CHECK(json(render_answer(modern, ToolAnswer{"[]", "", true, "io"}))["isError"] == true);
    CHECK(json(render_answer(legacy, PromptAnswer{"", "[]"})) == json(R"({"messages":[]})"));
    CHECK(json(render_answer(modern, PromptAnswer{"D", "[]"}))["description"] == "D");
}

TEST_CASE("what was read may be kept by nobody but its reader", "[server]") {
    interlock::test::ToolRoom room;
    const Json modern = json(render_answer(job_in(Era::modern, room), ResourceAnswer{"[1]"}));
    CHECK(modern["ttlMs"] == 0);
    CHECK(modern["cacheScope"] == "private");
    CHECK(modern["contents"] == json("[1]"));
    CHECK(render_answer(job_in(Era::legacy, room), ResourceAnswer{"[1]"}) == R"({"contents":[1]})");
}

TEST_CASE("a completion shows a hundred values and says whether there are more", "[server]") {
    interlock::test::ToolRoom room;
    const Job job = job_in(Era::legacy, room);
    const auto shown = [&](const Completion& completion) {
        return json(render_answer(job, completion))["completion"];
    };
    CHECK(shown({{"a", "b"}, {}}) == json(R"({"values":["a","b"],"total":2,"hasMore":false})"));
    CHECK(shown({{"a"}, 9})["hasMore"] == true);
    CHECK(shown({{}, {}}) == json(R"({"values":[],"total":0,"hasMore":false})"));
    const Completion many{std::vector<std::string>(150, "x"), {}};
    CHECK(shown(many)["values"].size() == interlock::base::limits::completions_max);
    CHECK(shown(many)["total"] == 150);
    CHECK(shown(many)["hasMore"] == true);
}
