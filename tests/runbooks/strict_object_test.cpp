#include "runbooks/strict_object.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock {
namespace {

/// The first problem that `read` finds in `text`.
template <class Read>
std::string problem_in(const std::string& text, Read read) {
    const auto document = base::parse_json(text).value();
    std::string problem;
    runbooks::StrictObject in(document, "", problem);
    read(in);
    return problem;
}

} // namespace

TEST_CASE("members of the right type are read without a problem", "[runbooks]") {
    const auto problem = problem_in(
        R"({"t":"x","n":5,"b":true,"l":["a","b"],"o":{"t":"y"},"z":null,"m":[{"n":1},{"n":2}]})",
        [](auto& in) {
            CHECK(in.text("t") == "x");
            CHECK(in.integer("n", 0, 10) == 5);
            CHECK(in.boolean("b"));
            CHECK(in.texts("l") == std::vector<std::string>{"a", "b"});
            CHECK(in.object("o").text("t") == "y");
            CHECK_FALSE(in.object_or_null("z").has_value());
            CHECK(in.objects("m").at(1).integer("n", 0, 10) == 2);
        }
    );
    CHECK(problem.empty());
}

TEST_CASE("the first problem is told with its path and stays", "[runbooks]") {
    CHECK(problem_in("{}", [](auto& in) { in.text("t"); }) == "/t is missing");
    CHECK(problem_in(R"({"t":1})", [](auto& in) { in.text("t"); }) == "/t is not text");
    CHECK(problem_in(R"({"n":11})", [](auto& in) {
              in.integer("n", 0, 10);
          }) == "/n is not an integer from 0 to 10");
    CHECK_FALSE(problem_in(R"({"n":1e2})", [](auto& in) { in.integer("n", 0, 999); }).empty());
    CHECK(problem_in(R"({"m":[{"n":1},{"n":"2"}]})", [](auto& in) {
              for (auto& entry : in.objects("m")) {
                  entry.integer("n", 0, 9);
              }
              in.text("absent");
          }) == "/m/1/n is not an integer from 0 to 9");
    CHECK_FALSE(problem_in(R"({"o":[]})", [](auto& in) { in.object("o").text("t"); }).empty());
    CHECK_FALSE(problem_in("[]", [](auto&) {}).empty());
    CHECK_FALSE(problem_in(R"({"l":["a",1]})", [](auto& in) { in.texts("l"); }).empty());
    CHECK_FALSE(problem_in(R"({"l":"a"})", [](auto& in) { in.texts("l"); }).empty());
    CHECK_FALSE(problem_in(R"({"m":{}})", [](auto& in) { in.objects("m"); }).empty());
    CHECK_FALSE(problem_in(R"({"b":"true"})", [](auto& in) { in.boolean("b"); }).empty());
}

} // namespace interlock
