// The bench itself: what every test of a tool relies on.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tests/lab/lab.hpp"
#include "tests/tools/bench.hpp"
#include "tools/schema.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {
namespace {

const tools::Tool& find_tool(const std::string& name) {
    for (const tools::Tool& tool : tools::catalog()) {
        if (tool.name == name) {
            return tool;
        }
    }
    throw std::runtime_error("no tool " + name);
}

} // namespace

tools::Output ToolBench::call(const std::string& name, const std::string& arguments) {
    return call(find_tool(name), arguments);
}

tools::Output ToolBench::call(const tools::Tool& tool, const std::string& arguments) {
    tools::Context context{targets_, *store_, metrics_, tracer_, clock_, random_};
    context.drift = drift_;
    context.sampler = sampler_;
    const tools::CallRequest request{
        .identity = identity_, .stop = stop_.get_token(), .span = nullptr, .id = "c1"};
    auto output = tools::run_tool(context, tool, nlohmann::json::parse(arguments), request);
    const auto conforms = tools::check_result(tool.output_schema, output.structured);
    INFO(output.structured);
    CHECK(conforms.ok());
    CHECK(base::is_utf8(output.text));
    CHECK(
        base::count_characters(output.text.substr(0, output.text.find("[...TRUNCATED]"))) <=
        base::limits::result_text_chars_max
    );
    CHECK(output.structured.size() <= base::limits::result_structured_bytes_max);
    return output;
}

base::Json ToolBench::ask(const std::string& name, const std::string& arguments) {
    return nlohmann::json::parse(interlock::lab::answer_in_time([&] {
        const tools::Output output = call(name, arguments);
        INFO(output.text);
        REQUIRE_FALSE(output.is_error);
        return output.structured;
    }));
}

std::vector<std::string> cause_ids(const base::Json& diagnosis) {
    std::vector<std::string> out;
    for (const auto& cause : diagnosis["causes"]) {
        out.push_back(cause["id"]);
    }
    return out;
}

bool not_examined(const base::Json& packet, const std::string& what) {
    for (const auto& gap : packet["not_examined"]) {
        if (gap["what"].get<std::string>().find(what) != std::string::npos) {
            return true;
        }
    }
    return false;
}

} // namespace interlock::test

TEST_CASE("an unknown tool is a mistake of the test", "[tools]") {
    interlock::test::ToolBench bench{{}};
    CHECK_THROWS(bench.call("no_such_tool"));
}
