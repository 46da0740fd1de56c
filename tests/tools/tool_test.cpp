#include "tools/schema.hpp"
#include "tools/tool.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using nlohmann::json;

namespace {

const tools::Tool sample{
    .name = "sample",
    .title = "Sample",
    .summary = "A sample.",
    .domain = "postgres",
    .inputs = {
        {.name = "word", .required = true, .about = "A word.", .length_max = 5, .example = "ab"},
        {.name = "choice", .choices = {"a", "b"}, .fallback = "a"},
        {.name = "count", .type = tools::InputType::integer, .min = 1, .max = 9, .fallback = "3"},
        {.name = "flag", .type = tools::InputType::boolean, .fallback = "false"},
        {.name = "list", .type = tools::InputType::text_list, .min = 0, .max = 2},
        {.name = "thing", .type = tools::InputType::object},
    }};

std::string refusal(const char* arguments) {
    const auto result = tools::validate_arguments(sample, json::parse(arguments));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == interlock::base::Errc::invalid_arguments);
    CHECK_FALSE(result.error().remedy.empty());
    return result.error().what;
}

} // namespace

TEST_CASE("accepted arguments are decoded and defaults filled in", "[tools]") {
    const auto result = tools::validate_arguments(
        sample, json::parse(R"({"word":"häßl","list":["x","y"],"thing":{"k":1}})")
    );
    REQUIRE(result.ok());
    CHECK(result->text("word") == "häßl");
    CHECK(result->text("choice") == "a");
    CHECK(result->integer("count") == 3);
    CHECK_FALSE(result->boolean("flag"));
    CHECK(result->texts("list") == std::vector<std::string>{"x", "y"});
    CHECK(result->object("thing") == R"({"k":1})");
    CHECK_FALSE(result->has("nothing"));
}

TEST_CASE("a refusal names the path, what was expected and what was found", "[tools]") {
    CHECK_THAT(refusal("{}"), Catch::Contains("arguments.word: expected text of at most 5"));
    CHECK_THAT(refusal(R"({"word":1})"), Catch::Contains("found 1"));
    CHECK_THAT(refusal(R"({"word":"abcdef"})"), Catch::Contains("arguments.word"));
    CHECK_THAT(refusal(R"({"word":"a\u0000b"})"), Catch::Contains("arguments.word"));
    CHECK_THAT(refusal(R"({"word":"a","choice":"c"})"), Catch::Contains("one of a, b"));
    CHECK_THAT(refusal(R"({"word":"a","count":0})"), Catch::Contains("an integer from 1 to 9"));
    CHECK_THAT(refusal(R"({"word":"a","count":10})"), Catch::Contains("arguments.count"));
    CHECK_THAT(refusal(R"({"word":"a","count":1.5})"), Catch::Contains("arguments.count"));
    CHECK_THAT(
        refusal(R"({"word":"a","count":18446744073709551615})"), Catch::Contains("arguments.count")
    );
    CHECK_THAT(refusal(R"({"word":"a","flag":"true"})"), Catch::Contains("true or false"));
    CHECK_THAT(refusal(R"({"word":"a","list":["x","y","z"]})"), Catch::Contains("a list of 3"));
    CHECK_THAT(refusal(R"({"word":"a","list":["x",1]})"), Catch::Contains("arguments.list[1]"));
    CHECK_THAT(refusal(R"({"word":"a","thing":[]})"), Catch::Contains("an object"));
    CHECK_THAT(refusal(R"({"word":"a","other":1})"), Catch::Contains("no such argument"));
    CHECK_THAT(refusal(R"([])"), Catch::Contains("expected an object"));
    CHECK_THAT(refusal(R"({"word":null})"), Catch::Contains("found null"));
}

TEST_CASE("all that is wrong is told at once", "[tools]") {
    const std::string what = refusal(R"({"count":0,"flag":1})");
    CHECK_THAT(what, Catch::Contains("arguments.word"));
    CHECK_THAT(what, Catch::Contains("arguments.count"));
    CHECK_THAT(what, Catch::Contains("arguments.flag"));
}

TEST_CASE("more problems than can be told are counted", "[tools]") {
    const std::string what = refusal(R"({"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"word":"x"})");
    CHECK_THAT(what, Catch::Contains("arguments.e"));
    CHECK_THAT(what, !Catch::Contains("arguments.f"));
    CHECK_THAT(what, Catch::EndsWith("; and 1 more."));
}

TEST_CASE("the remedy shows arguments that fit, for every tool", "[tools]") {
    const auto shown = [](const tools::Tool& tool, const char* arguments) {
        const auto refused = tools::validate_arguments(tool, json::parse(arguments));
        REQUIRE_FALSE(refused.ok());
        const std::string& remedy = refused.error().remedy;
        INFO(remedy);
        const auto begin = remedy.find('{');
        REQUIRE(begin != std::string::npos);
        const json example = json::parse(remedy.substr(begin, remedy.rfind('}') - begin + 1));
        CHECK(tools::validate_arguments(tool, example).ok());
        return example;
    };
    const json all = shown(
        sample, R"({"choice":1,"count":"x","flag":1,"list":1,"thing":1,"surprise":1,"more":1})"
    );
    CHECK(all["word"] == "ab");
    CHECK(all.size() == sample.inputs.size());
    for (const auto& tool : tools::catalog()) {
        INFO(tool.name);
        shown(tool, R"({"no_such_argument":1})");
    }
}

TEST_CASE("a whole number written with a fraction of zero is an integer", "[tools]") {
    for (const char* same : {"5", "5.0", "0.5e1", "5000e-3"}) {
        const auto result = tools::validate_arguments(
            sample, json::parse(std::string{R"({"word":"a","count":)"} + same + "}")
        );
        INFO(same);
        REQUIRE(result.ok());
        CHECK(result->integer("count") == 5);
    }
    for (const char* other : {"5.5", "1e300", "-1e300", "10.0", "0.0", "1e16", "\"5\""}) {
        INFO(other);
        refusal((std::string{R"({"word":"a","count":)"} + other + "}").c_str());
    }
}

TEST_CASE("a hostile argument name or value is shown harmless and short", "[tools]") {
    const std::string long_value(5'000, 'x');
    const json arguments{{"word", long_value}, {std::string{"\x1b[2J"} + "name", 1}};
    const auto result = tools::validate_arguments(sample, arguments);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().what.find('\x1b') == std::string::npos);
    CHECK(result.error().what.size() < 600);
}

TEST_CASE("no arguments at all are an empty object", "[tools]") {
    const tools::Tool bare{
        .name = "bare", .title = "", .summary = "", .domain = "postgres", .inputs = {}};
    CHECK(tools::validate_arguments(bare, json::object()).ok());
    CHECK(tools::validate_arguments(bare, json{}).ok());
}

TEST_CASE("the input schema accepts what validation accepts", "[tools]") {
    const std::string schema = tools::input_schema(sample);
    const auto agree = [&](const char* arguments) {
        const bool by_schema = tools::check_schema(schema, arguments).ok();
        const bool by_code = tools::validate_arguments(sample, json::parse(arguments)).ok();
        INFO(arguments);
        CHECK(by_schema == by_code);
    };
    agree("{}");
    agree(R"({"word":"abc"})");
    agree(R"({"word":"abcdefg"})");
    agree(R"({"word":"a","count":9})");
    agree(R"({"word":"a","count":10})");
    agree(R"({"word":"a","choice":"z"})");
    agree(R"({"word":"a","list":["x"]})");
    agree(R"({"word":"a","list":["x","y","z"]})");
    agree(R"({"word":"a","other":1})");
    const json parsed = json::parse(schema);
    CHECK(parsed["type"] == "object");
    CHECK(parsed["additionalProperties"] == false);
    CHECK(parsed["required"] == json::array({"word"}));
    CHECK(parsed["properties"]["count"]["default"] == 3);
}

TEST_CASE("an error output has a code, two sentences and no control characters", "[tools]") {
    const auto output = tools::error_output(
        {interlock::base::Errc::target_unreachable, "It \x1b[31mfailed.", "Try again."}
    );
    CHECK(output.is_error);
    const json structured = json::parse(output.structured);
    CHECK(structured["error"]["code"] == "target_unreachable");
    CHECK(structured["error"]["remedy"] == "Try again.");
    CHECK(output.text.find('\x1b') == std::string::npos);
    CHECK_THAT(output.text, Catch::StartsWith("target_unreachable: It "));
}
