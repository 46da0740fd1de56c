// Every tool against every major of PostgreSQL that tests run on: its statements can be planned
// there, and it answers.
#include "tests/lab/lab.hpp"
#include "tests/tools/bench.hpp"
#include "tools/drift.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace db = interlock::db;
namespace lab = interlock::lab;
namespace test = interlock::test;
namespace tools = interlock::tools;
using nlohmann::json;

namespace {

/// A database as an operator would prepare it: the lane, and the extension that tools use.
void prepare(const lab::Database& database) {
    lab::apply_lane(database);
    database.sql("create extension pg_stat_statements");
}

/// What a tool demands, as its declarations show it.
std::string example_arguments(const tools::Tool& tool) {
    json arguments = json::object();
    for (const tools::Input& input : tool.inputs) {
        if (input.required) {
            const std::string example{input.example};
            arguments[std::string{input.name}] =
                input.type == tools::InputType::text ? json(example) : json::parse(example);
        }
    }
    return arguments.dump();
}

/// A statement that failed leaves a gap that begins with an error's code; that a view came with a
/// later major is the one that is right.
bool is_failure(const json& gap) {
    const std::string why = gap["why"];
    const std::string code = why.substr(0, why.find(':'));
    return code.size() < why.size() && code.find(' ') == std::string::npos && code != "limit" &&
           why.find("PostgreSQL has it from version") == std::string::npos;
}

} // namespace

TEST_CASE("every statement of every tool can be planned on every major", "[tools][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        prepare(database);
        const auto connection = db::ReaderConnection::open(database.address("interlock_diag"));
        REQUIRE(connection.ok());
        const auto missing = tools::check_drift(**connection, tools::catalog(), {});
        INFO("PostgreSQL " << major << (missing ? "" : interlock::base::to_text(missing.error())));
        REQUIRE(missing.ok());
        for (const tools::MissingNeed& need : *missing) {
            FAIL_CHECK(need.tool << " needs " << need.need << ": " << need.why);
        }
    }
}

TEST_CASE("every tool answers on every major", "[tools][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        prepare(database);
        test::ToolBench bench{{database.address("interlock_diag")}};
        for (const tools::Tool& tool : tools::catalog()) {
            const auto output = bench.call(std::string{tool.name}, example_arguments(tool));
            INFO("PostgreSQL " << major << ", " << tool.name << ": " << output.text);
            if (output.error_code == "not_supported") {
                continue; // by this configuration: a statement that fails leaves a gap instead
            }
            CHECK_FALSE(output.is_error);
            const json packet = json::parse(output.structured);
            for (const json& gap : packet.value("not_examined", json::array())) {
                INFO(gap.dump());
                CHECK_FALSE(is_failure(gap));
            }
        }
    }
}
