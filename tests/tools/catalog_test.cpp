#include "tools/tool.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

namespace tools = interlock::tools;

TEST_CASE("every tool is declared well", "[tools]") {
    std::set<std::string_view> names;
    for (const tools::Tool& tool : tools::catalog()) {
        INFO(tool.name);
        CHECK(names.insert(tool.name).second);
        CHECK(tool.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
        CHECK(tool.read_only);
        CHECK(tool.run);
        CHECK(tool.output_schema != nullptr);
        CHECK(tool.summary.ends_with('.'));
        CHECK(std::count(tool.summary.begin(), tool.summary.end(), '.') == 1);
        CHECK(std::all_of(tool.summary.begin(), tool.summary.end(), [](char c) {
            return c >= ' ' && c <= '~';
        }));
    }
}

TEST_CASE("a tool that nobody put into the default list is found on demand", "[tools]") {
    for (const tools::Tool& tool : tools::catalog()) {
        if (tool.name == "diagnose" || tool.name == "find_tools" || tool.name == "list_targets") {
            CHECK_FALSE(tool.on_demand);
        }
    }
}

TEST_CASE("a target may always be left out of a call", "[tools]") {
    for (const tools::Tool& tool : tools::catalog()) {
        for (const tools::Input& input : tool.inputs) {
            INFO(tool.name << "." << input.name);
            CHECK((input.name != "target" || !input.required));
        }
    }
}
