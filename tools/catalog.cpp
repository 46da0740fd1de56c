#include "tools/catalog.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace interlock::tools {
namespace {

/// What everybody is shown who chose no toolsets: what agents ask first and most. The whole list
/// must stay small enough to be read at every turn, so tools that are new are found, not listed.
constexpr std::array<std::string_view, 12> listed{
    "list_targets",
    "find_tools",
    "describe_schema",
    "diagnose",
    "get_activity",
    "get_blocking",
    "get_statements",
    "explain_query",
    "get_tables",
    "get_replication",
    "read_logs",
    "run_query"};

std::vector<Tool> with_default_set(std::vector<Tool> tools) {
    for (Tool& tool : tools) {
        tool.on_demand = std::find(listed.begin(), listed.end(), tool.name) == listed.end();
    }
    return tools;
}

} // namespace

const std::vector<Tool>& catalog() {
    static const std::vector<Tool> tools = with_default_set({
        list_targets(),
        find_tools(),
        describe_schema(),
        diagnose(),
        get_activity(),
        get_blocking(),
        get_statements(),
        explain_query(),
        get_tables(),
        get_indexes(),
        get_vacuum(),
        get_replication(),
        get_connections(),
        get_io(),
        get_settings(),
        read_logs(),
        run_query(),
    });
    return tools;
}

Input target_input() {
    return {
        .name = "target",
        .type = InputType::text,
        .about = "From list_targets; optional when there is only one.",
        .length_max = 63,
        .example = "main"};
}

} // namespace interlock::tools
